"""Crashes make no job too many, and leave none behind."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.airflow_processes.api import TaskKey
from tests.chaos.conftest import PROJECT

if TYPE_CHECKING:
    from tests.airflow_processes.installation import AirflowInstallation
    from tests.chaos.conftest import Trainings

pytestmark = [pytest.mark.timeout(300)]

MANY = textwrap.dedent(f"""
    from airflow.sdk import DAG
    from airflow_vertex_training.operators import VertexCustomTrainingOperator

    with DAG("many", schedule=None, max_active_tasks=20):
        VertexCustomTrainingOperator.partial(
            task_id="train",
            project_id={PROJECT!r},
            region="us-central1",
            image="us-docker.pkg.dev/acme/trainers/digits:1.0",
            command=["python", "-c", "import pathlib, sys, time\\n"
                     "while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.2)"],
            poll_interval=1.0,
        ).expand(args=[[{{released!r}}]] * 20)
""")


@pytest.mark.parametrize("point", ["before create", "after create", "before deferral"])
def test_a_killed_worker_makes_no_second_job(
    airflow: AirflowInstallation, training: Trainings, point: str
) -> None:
    """A worker killed around the create call leaves one job to the retry, which adopts or makes it."""
    airflow.fault_points.arm(point)
    task = training.start(retries=1)
    airflow.fault_points.reached(point)
    airflow.kill_task(task)
    airflow.wait_for_task(task, "deferred", try_number=2)
    log = airflow.wait_for_log(task, "INFO Running", try_number=2)
    assert training.states(task) == ["RUNNING"]
    adopted = f"Adopting the job that try 1 created: {training.jobs(task)[0]['name']}"
    assert (adopted in log) is (point != "before create")
    airflow.api.mark_task(task, "failed")
    training.wait_for_states(task, "CANCELLED")


def test_a_frozen_worker_that_wakes_up_cancels_nothing(
    airflow: AirflowInstallation, training: Trainings
) -> None:
    """A worker that stood still until a retry had adopted its job leaves it to that when it is killed."""
    task = training.start_watched(deferrable=False, retries=1)
    with airflow.task_frozen(task):
        log = training.wait_until_watched_again(task, "running", timeout=120)
        assert f"Adopting the job that try 1 created: {training.jobs(task)[0]['name']}" in log
    airflow.wait_for_log(task, "The job is kept: the task was killed, and its next try finds the job")
    airflow.wait_for_log(task, "Task killed!")
    assert training.states(task) == ["RUNNING"]
    airflow.api.mark_task(task, "failed")
    training.wait_for_states(task, "CANCELLED")


def test_an_outage_of_the_api_server_cancels_nothing(
    airflow: AirflowInstallation, training: Trainings
) -> None:
    """A task that its worker kills because the API server is away leaves the job to the retry."""
    # The retry must not come before the server is back: Airflow would fail it.
    task = training.start_watched(deferrable=False, retries=1, retry_delay=30)
    airflow.api_server_outage(task)
    assert training.states(task) == ["RUNNING"]
    log = training.wait_until_watched_again(task, "running")
    assert f"Adopting the job that try 1 created: {training.jobs(task)[0]['name']}" in log
    assert training.states(task) == ["RUNNING"]
    airflow.api.mark_task(task, "failed")
    training.wait_for_states(task, "CANCELLED")


def test_a_retry_after_a_failed_job_runs_a_new_one(airflow: AirflowInstallation, training: Trainings) -> None:
    """A job that failed is not adopted: the retry trains again."""
    task = training.start(deferrable=False, command=["python", "-c", "raise SystemExit(1)"], retries=1)
    airflow.wait_for_task(task, "failed", try_number=2)
    assert training.states(task) == ["FAILED", "FAILED"]


def test_a_stopped_triggerer_cancels_nothing(airflow: AirflowInstallation, training: Trainings) -> None:
    """A triggerer that is stopped and started again goes on watching the job."""
    task = training.start_watched(deferrable=True)
    airflow.triggerers[0].stop()
    airflow.start_again(airflow.triggerers[0])
    airflow.wait_for(
        "the task's trigger to run again",
        lambda: airflow.api.task_log(task),
        lambda log: log.count("INFO Running") > 1,
        timeout=90,
    )
    assert training.states(task) == ["RUNNING"]
    airflow.api.mark_task(task, "failed")
    training.wait_for_states(task, "CANCELLED")


def test_restarts_of_scheduler_and_api_server_cancel_nothing(
    airflow: AirflowInstallation, training: Trainings
) -> None:
    """A job outlives a restart of scheduler and API server, and is still ended with its task."""
    task = training.start_watched(deferrable=True)
    for process in (airflow.scheduler, airflow.api_server):
        process.stop()
        airflow.start_again(process)
    assert training.states(task) == ["RUNNING"]
    airflow.api.mark_task(task, "failed")
    training.wait_for_states(task, "CANCELLED")


def test_a_frozen_triggerer_that_wakes_up_cancels_nothing(
    airflow: AirflowInstallation, training: Trainings
) -> None:
    """A triggerer that stood still while another took its triggers over leaves the job to that one."""
    task = training.start_watched(deferrable=True)
    airflow.triggerers[0].freeze()
    airflow.start_triggerer()
    airflow.wait_for(
        "the second triggerer to watch the job",
        lambda: airflow.api.task_log(task),
        lambda log: log.count("INFO Running") > 1,
        timeout=120,
    )
    airflow.triggerers[0].thaw()
    airflow.wait_for_log(task, "still deferred, to a trigger that runs elsewhere", timeout=90)
    assert training.states(task) == ["RUNNING"]
    airflow.api.mark_task(task, "failed")
    training.wait_for_states(task, "CANCELLED")


def test_a_killed_triggerer_loses_no_job(
    airflow: AirflowInstallation, training: Trainings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Twenty jobs are watched to their end by the triggerer that comes after a killed one."""
    released = tmp_path_factory.mktemp("many") / "released"
    airflow.write_dag("many", MANY.format(released=str(released)))
    run_id = airflow.api.trigger("many")
    tasks = [TaskKey("many", run_id, "train", index) for index in range(20)]
    for task in tasks:
        airflow.wait_for_task(task, "deferred", timeout=180)
    airflow.triggerers[0].kill()
    released.touch()
    airflow.start_triggerer()
    assert airflow.wait_for_run("many", run_id, timeout=180)["state"] == "success"
    assert training.states(tasks[0]) == ["SUCCEEDED"] * 20
