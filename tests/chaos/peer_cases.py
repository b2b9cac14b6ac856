"""The cases of docs/reliability.md, as they run against Google's `CreateCustomJobOperator`.

Each is a function that makes something happen to a training task and waits until its effect is there, or
until it has had its time. What became of the jobs is read after it.
"""

from __future__ import annotations

import functools
from datetime import timedelta

from tests.chaos.dag_files import ANOTHER_TASK
from tests.chaos.peer_bench import EFFECT_SECONDS, RUNNING, Bench

SUCCEED = ["python", "-c", "print('trained')"]
FAIL = ["python", "-c", "raise SystemExit(1)"]

# What a deferred task waits for takes some seconds: one that resumes just after its deferral can be failed by
# Airflow's scheduler, whatever its job did.
SUCCEED_LATER = ["python", "-c", "import time; time.sleep(10)"]
FAIL_LATER = ["python", "-c", "import time; time.sleep(10); raise SystemExit(1)"]

MANY = 20


# Never a job too many


def killed_worker(bench: Bench, point: str) -> None:
    """SIGKILL the worker at a point; the retry runs."""
    point = bench.point(point)
    bench.start(retries=1)
    bench.airflow.fault_points.reached(point, timeout=120)
    bench.kill_worker()
    bench.wait_until_watched(try_number=2)


def killed_worker_of_a_finished_job(bench: Bench) -> None:
    """SIGKILL the worker after its job has succeeded; the retry runs."""
    point = bench.point("before deferral")
    bench.start(command=SUCCEED_LATER, retries=1)
    bench.airflow.fault_points.reached(point, timeout=120)
    bench.expect("SUCCEEDED")
    bench.kill_worker()
    bench.wait_for_task("success", "failed", try_number=2)


def lost_machine(bench: Bench) -> None:
    """SIGKILL the worker and its supervisor while it waits; the retry runs."""
    bench.start_watched(deferrable=False, retries=1)
    bench.kill_worker(with_supervisor=True)
    bench.wait_until_watched("running", try_number=2)


def retry_after_failure(bench: Bench) -> None:
    """Let the job fail; the retry runs."""
    bench.start(command=FAIL_LATER, retries=1)
    bench.wait_for_task("failed", try_number=2)


def broken_trigger(bench: Bench, kind: str, *, retries: int) -> None:
    """Let the first try's trigger crash, or be one that can't be loaded."""
    point = bench.point("in the trigger")
    bench.start(first_trigger=kind, retries=retries)
    if kind == "crashing":
        bench.airflow.fault_points.reached(point, timeout=120)
        bench.wait_for_handled_deferral()
        bench.airflow.fault_points.release(point)
    if retries:
        bench.wait_until_watched(try_number=2)
    else:
        bench.wait_for_task("failed")
        bench.expect("CANCELLED")


def clear(bench: Bench, *, deferrable: bool) -> None:
    """Clear the task while it waits."""
    bench.start_watched(deferrable=deferrable)
    bench.airflow.api.clear_task(bench.task)
    bench.wait_until_watched("deferred" if deferrable else "running", try_number=2)
    bench.expect("CANCELLED", "RUNNING")


def clear_without_triggerer(bench: Bench) -> None:
    """Clear the deferred task while no triggerer is alive."""
    (triggerer,) = bench.airflow.triggerers
    bench.start_watched()
    triggerer.kill()
    bench.airflow.api.clear_task(bench.task)
    bench.airflow.start_again(triggerer)
    bench.wait_until_watched(try_number=2)
    bench.expect("CANCELLED", "RUNNING")


def clear_after_the_end(bench: Bench, command: list[str]) -> None:
    """Clear the task after its end."""
    bench.start(deferrable=False, command=command)
    bench.airflow.wait_for_run(bench.name, bench.task.run_id, timeout=120)
    bench.airflow.api.clear_task(bench.task)
    bench.wait_for_task("success", "failed", try_number=2)


def siblings(bench: Bench) -> str:
    """Clear one mapped task, mark another failed, leave the third."""
    bench.start(count=3)
    for index in range(3):
        bench.airflow.wait_for_task(bench.mapped(index), "deferred", timeout=120)
        bench.airflow.wait_for_log(bench.mapped(index), RUNNING, timeout=60)
    bench.airflow.api.clear_task(bench.mapped(0))
    bench.airflow.api.mark_task(bench.mapped(1), "failed")
    bench.airflow.wait_for_task(bench.mapped(0), "deferred", try_number=2, timeout=120)
    wanted = (("CANCELLED", "RUNNING"), ("CANCELLED",), ("RUNNING",))
    bench.comes(lambda: tuple(bench.states(index) for index in range(3)) == wanted)
    names = ("cleared", "failed", "left")
    return "; ".join(f"{name}: {bench.states(index)}" for index, name in enumerate(names))


def create_error(bench: Bench, code: str, when: str, *, retries: int = 0) -> None:
    """Answer the first create call with an error."""
    bench.emulator.control.add_fault(bench.name, "error", method="CreateCustomJob", code=code, when=when)
    bench.start(retries=retries)
    bench.wait_for_task("deferred", "failed", try_number=1 + retries)
    bench.comes(lambda: bench.states()[-1:] in ((), ("RUNNING",)))


# Never a job left behind


def mark(bench: Bench, verdict: str, *, deferrable: bool) -> None:
    """Mark the task while it waits."""
    bench.start_watched(deferrable=deferrable)
    bench.airflow.api.mark_task(bench.task, verdict)
    bench.expect("CANCELLED")


def mark_before_deferral(bench: Bench, verdict: str) -> None:
    """Mark the task between the create call and the deferral."""
    point = bench.point("after create")
    bench.start()
    bench.airflow.fault_points.reached(point, timeout=120)
    bench.airflow.api.mark_task(bench.task, verdict)
    bench.airflow.fault_points.release(point)
    bench.expect("CANCELLED")


def fail_run(bench: Bench, *, deferrable: bool) -> None:
    """Mark the DAG run as failed."""
    bench.start_watched(deferrable=deferrable)
    bench.airflow.api.mark_run(bench.name, bench.task.run_id, "failed")
    bench.expect("CANCELLED")


def dagrun_timeout(bench: Bench, *, deferrable: bool) -> None:
    """Let the DAG run take longer than it may."""
    bench.start_watched(deferrable=deferrable, dag={"dagrun_timeout": timedelta(seconds=40)})
    bench.airflow.wait_for_run(bench.name, bench.task.run_id, ["failed"], timeout=90)
    bench.expect("CANCELLED")


def execution_timeout(bench: Bench, *, deferrable: bool) -> None:
    """Let the task take longer than it may."""
    bench.start_watched(deferrable=deferrable, execution_timeout=timedelta(seconds=20))
    bench.expect("CANCELLED", seconds=20 + EFFECT_SECONDS)
    bench.comes(lambda: bench.airflow.api.task_instance(bench.task)["state"] == "failed")


def remove_task(bench: Bench, *, deferrable: bool) -> None:
    """Take the task out of its DAG."""
    bench.start_watched(deferrable=deferrable)
    bench.airflow.write_dag(bench.name, ANOTHER_TASK.format(dag_id=bench.name))
    bench.expect("CANCELLED")


def delete_dag(bench: Bench) -> None:
    """Delete the DAG's file, then the DAG."""
    bench.start_watched()
    bench.airflow.remove_dag(bench.name)
    bench.expect("CANCELLED")


# Never cancelled by


def polling_error(bench: Bench, *, deferrable: bool) -> None:
    """Answer one look at the job with 503; there is a retry."""
    bench.start_watched(deferrable=deferrable, retries=1)
    bench.emulator.control.add_fault(bench.name, "error", method="GetCustomJob", code="UNAVAILABLE")
    again = functools.partial(bench.airflow.api.tries, bench.task)
    if bench.comes(lambda: len(again()) > 1):
        bench.wait_until_watched("deferred" if deferrable else "running", try_number=2)


def polling_quota(bench: Bench) -> None:
    """Answer all but five looks in a minute with 429."""
    bench.start_watched()
    bench.emulator.control.set_quotas(bench.name, {"resource_requests": 5})
    bench.comes(lambda: bench.airflow.api.task_instance(bench.task)["state"] == "failed")


def new_version(bench: Bench) -> None:
    """Change the DAG file while the task waits, then let the job end."""
    bench.start_watched(command=bench.until_released)
    bench.write_dag(deferrable=True, command=SUCCEED, count=1)
    bench.let_jobs_end()


def stopped_triggerer(bench: Bench) -> None:
    """Stop the triggerer and start it again, then let the job end."""
    (triggerer,) = bench.airflow.triggerers
    bench.start_watched(command=bench.until_released)
    triggerer.stop()
    looks = bench.looks()
    bench.airflow.start_again(triggerer)
    bench.comes(lambda: bench.looks() > looks, seconds=90)
    bench.let_jobs_end()


def killed_triggerer(bench: Bench) -> None:
    """SIGKILL the triggerer with many jobs deferred, start another, and let the jobs end."""
    bench.start(command=bench.until_released, count=MANY)
    for index in range(MANY):
        bench.airflow.wait_for_task(bench.mapped(index), "deferred", timeout=180)
    bench.airflow.triggerers[0].kill()
    bench.airflow.start_triggerer()
    bench.let_jobs_end()


def frozen_triggerer(bench: Bench) -> None:
    """SIGSTOP the triggerer until another has taken over, wake it up, and let the job end."""
    bench.start_watched(command=bench.until_released)
    bench.airflow.triggerers[0].freeze()
    looks = bench.looks()
    bench.airflow.start_triggerer()
    bench.comes(lambda: bench.looks() > looks, seconds=120)
    bench.airflow.triggerers[0].thaw()
    bench.comes(lambda: bench.states() != ("RUNNING",))
    bench.let_jobs_end()


def frozen_worker(bench: Bench) -> None:
    """SIGSTOP the worker and its supervisor until the retry waits for a job, and wake them up."""
    bench.start_watched(deferrable=False, retries=1)
    with bench.airflow.task_frozen(bench.task):
        bench.wait_until_watched("running", try_number=2)
    bench.airflow.wait_for_log(bench.task, "Task killed!")


def api_server_outage(bench: Bench) -> None:
    """Take the API server away, so that the worker kills its waiting task; the retry runs when it is back."""
    bench.start_watched(deferrable=False, retries=1, retry_delay=timedelta(seconds=30))
    bench.airflow.api_server_outage(bench.task)
    bench.wait_until_watched("running", try_number=2)


def restarts(bench: Bench) -> None:
    """Restart the scheduler and the API server, then let the job end."""
    bench.start_watched(command=bench.until_released)
    for process in (bench.airflow.scheduler, bench.airflow.api_server):
        process.stop()
        bench.airflow.start_again(process)
    bench.let_jobs_end()
