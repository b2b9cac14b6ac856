"""Each way in which a job can lose its task without any hook of Airflow being called."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import psutil

from tests.chaos.dag_files import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.airflow_processes.api import TaskKey
    from tests.airflow_processes.installation import AirflowInstallation
    from tests.chaos.conftest import Trainings

GRACE_SECONDS = 20
SETTINGS = {
    "vertex_training": {"orphans": "cancel", "orphan_grace_period": str(GRACE_SECONDS)},
    "core": {"parallelism": "16"},
}
CANNOT_START = "{{ 'first' if ti.try_number == 1 else params.no_such.parameter }}"


def killed_before_the_trigger_started(training: Trainings, count: int) -> list[TaskKey]:
    """Mark deferred tasks failed while no triggerer is alive, so that no trigger hears of it."""
    (triggerer, *_) = training.airflow.triggerers
    triggerer.kill()
    tasks = [training.start() for _ in range(count)]
    for task in tasks:
        training.airflow.wait_for_task(task, "deferred", timeout=180)
        training.airflow.api.mark_task(task, "failed")
    training.airflow.start_again(triggerer)
    return tasks


def worker_killed_in_its_last_try(training: Trainings, count: int) -> list[TaskKey]:
    """SIGKILL tasks that wait in a worker and have no retry."""
    tasks = _waiting_in_a_worker(training, count, retries=0)
    for task in tasks:
        training.airflow.kill_task(task)
    return _all_failed(training.airflow, tasks)


def marked_while_waiting_for_a_retry(training: Trainings, count: int) -> list[TaskKey]:
    """SIGKILL tasks that wait in a worker, and mark them failed before their retry."""
    tasks = _waiting_in_a_worker(training, count, retries=1, retry_delay=600)
    for task in tasks:
        training.airflow.kill_task(task)
    for task in tasks:
        training.airflow.wait_for_task(task, "up_for_retry", timeout=120)
        training.airflow.api.mark_task(task, "failed")
    return tasks


def last_try_cannot_start(training: Trainings, count: int) -> list[TaskKey]:
    """SIGKILL tasks that wait in a worker, and whose last try can't render its templates."""
    tasks = _waiting_in_a_worker(training, count, retries=1, retry_delay=0.1, labels={"try": CANNOT_START})
    for task in tasks:
        training.airflow.kill_task(task)
    return _all_failed(training.airflow, tasks)


def api_server_away(training: Trainings, count: int) -> list[TaskKey]:
    """Take the API server away for so long that all tries of tasks that wait in a worker are over.

    Each worker ends its task then: SIGTERM, and SIGKILL 5 seconds later. Airflow can't start a retry.
    """
    airflow = training.airflow
    tasks = _waiting_in_a_worker(training, count, retries=1, retry_delay=0.1)
    processes = [psutil.Process(airflow.task_pid(task)) for task in tasks]
    airflow.api_server.kill()
    for process in processes:
        process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=8)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    airflow.wait_for(
        "Airflow to give all tasks up",
        airflow.scheduler.log_file.read_text,
        lambda log: all(_given_up(log, task) for task in tasks),
        timeout=180,
    )
    airflow.start_again(airflow.api_server)
    return _all_failed(airflow, tasks)


def healthy(training: Trainings, count: int) -> list[TaskKey]:
    """Start deferred tasks whose jobs nobody may touch."""
    tasks = [training.start() for _ in range(count)]
    for task in tasks:
        training.airflow.wait_for_task(task, "deferred", timeout=180)
        training.airflow.wait_for_log(task, "INFO Running", timeout=400)
    return tasks


def seconds_after_grace(training: Trainings, task: TaskKey, orphaned_at: float) -> float:
    """Wait until a task's job was asked to end, and return how long after its grace time that was.

    Args:
        training: the Airflow and the emulator.
        task: a task whose job is an orphan.
        orphaned_at: when it was one at the latest, in seconds since the epoch.
    """
    (job,) = training.jobs(task)
    history = training.emulator.control.wait_job(job["name"], timeout=240.0)["history"]
    at = {one["state"]: one["nanoseconds"] / 1e9 for one in history}
    created = min(at.values())
    return float(at["JOB_STATE_CANCELLING"] - max(created + GRACE_SECONDS, orphaned_at))


WAYS: dict[str, Callable[[Trainings, int], list[TaskKey]]] = {
    "killed before the trigger started": killed_before_the_trigger_started,
    "worker SIGKILLed in its last try": worker_killed_in_its_last_try,
    "marked while waiting for a retry": marked_while_waiting_for_a_retry,
    "last try that can't start": last_try_cannot_start,
    "API server away until no try is left": api_server_away,
}


def _waiting_in_a_worker(training: Trainings, count: int, **arguments: Any) -> list[TaskKey]:
    tasks = [training.start(deferrable=False, command=FOREVER, **arguments) for _ in range(count)]
    for task in tasks:
        training.airflow.wait_for_task(task, "running", timeout=400)
        training.airflow.wait_for_log(task, "INFO Running", timeout=400)
    return tasks


def _all_failed(airflow: AirflowInstallation, tasks: list[TaskKey]) -> list[TaskKey]:
    for task in tasks:
        airflow.wait_for_task(task, "failed", timeout=180)
    return tasks


def _given_up(log: str, task: TaskKey) -> bool:
    """Whether Airflow's scheduler was told that the second try of a DAG's one task failed, too.

    It has more than one line for each try that fails: the one that counts names the try.
    """
    told = [line for line in log.splitlines() if "Received executor event with state failed" in line]
    return any(repr(task.dag_id) in line and "try_number=2," in line for line in told)
