"""Whoever ends the task ends its job, and nobody else does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.chaos.dag_files import ANOTHER_TASK

if TYPE_CHECKING:
    from tests.airflow_processes.installation import AirflowInstallation
    from tests.chaos.conftest import Trainings

# The first start of a whole Airflow is in the time of the test that happens to come first.
pytestmark = [pytest.mark.timeout(300)]

# Comes after the test only: whoever ends a task ends its job, whatever tries are left.
A_RETRY: dict[str, Any] = {"retries": 1, "retry_delay": 3600}
BOTH = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "running"])


@BOTH
@pytest.mark.parametrize("verdict", ["failed", "success"])
def test_a_verdict_on_the_task_cancels_its_job(
    airflow: AirflowInstallation, training: Trainings, verdict: str, *, deferrable: bool
) -> None:
    """A task that a user marks while it waits leaves its job cancelled, and the task log says so."""
    task = training.start_watched(deferrable=deferrable, **A_RETRY)
    airflow.api.mark_task(task, verdict)
    training.wait_for_states(task, "CANCELLED")
    training.wait_until_cancel_is_told(task)
    assert airflow.api.task_instance(task)["state"] == verdict


@BOTH
def test_a_clear_ends_the_old_job_and_runs_a_new_one(
    airflow: AirflowInstallation, training: Trainings, *, deferrable: bool
) -> None:
    """A task that is cleared while it waits has its job cancelled, says so, and starts anew with another."""
    task = training.start_watched(deferrable=deferrable, **A_RETRY)
    airflow.api.clear_task(task)
    training.wait_for_states(task, "CANCELLED", "RUNNING")
    training.wait_until_cancel_is_told(task, tries=2)
    airflow.wait_for_task(task, "deferred" if deferrable else "running", try_number=2)
    airflow.wait_for_log(task, "INFO Running", try_number=2)
    airflow.api.mark_task(task, "failed")
    training.wait_for_states(task, "CANCELLED", "CANCELLED")


@BOTH
def test_failing_the_run_cancels_the_job(
    airflow: AirflowInstallation, training: Trainings, *, deferrable: bool
) -> None:
    """A DAG run that a user marks as failed ends its tasks' jobs, and the task log says so."""
    task = training.start_watched(deferrable=deferrable, **A_RETRY)
    airflow.api.mark_run(task.dag_id, task.run_id, "failed")
    training.wait_for_states(task, "CANCELLED")
    training.wait_until_cancel_is_told(task)


@BOTH
def test_execution_timeout_cancels_the_job(
    airflow: AirflowInstallation, training: Trainings, *, deferrable: bool
) -> None:
    """A task that takes longer than it may fails, and its job is cancelled."""
    task = training.start_watched(deferrable=deferrable, execution_timeout=30, **A_RETRY)
    airflow.wait_for_task(task, "up_for_retry", timeout=120)
    training.wait_for_states(task, "CANCELLED")
    training.wait_until_cancel_is_told(task)


@BOTH
def test_dagrun_timeout_cancels_the_job(
    airflow: AirflowInstallation, training: Trainings, *, deferrable: bool
) -> None:
    """A DAG run that takes longer than it may ends its tasks' jobs, and the task log says so."""
    timeout = '{"dagrun_timeout": timedelta(seconds=30)}'
    task = training.start_watched(dag_arguments=timeout, deferrable=deferrable, **A_RETRY)
    airflow.wait_for_run(task.dag_id, task.run_id, ["failed"], timeout=120)
    training.wait_for_states(task, "CANCELLED")
    training.wait_until_cancel_is_told(task)


@BOTH
def test_cancel_on_kill_can_be_turned_off(
    airflow: AirflowInstallation, training: Trainings, *, deferrable: bool
) -> None:
    """With cancel_on_kill=False the job goes on when its task is ended, and the task log says so."""
    task = training.start_watched(deferrable=deferrable, cancel_on_kill=False, **A_RETRY)
    airflow.api.mark_task(task, "failed")
    airflow.wait_for_log(task, "cancel_on_kill is off")
    assert training.states(task) == ["RUNNING"]


@BOTH
def test_a_task_removed_from_the_dag_ends_its_job(
    airflow: AirflowInstallation, training: Trainings, *, deferrable: bool
) -> None:
    """A task that is taken out of its DAG while it waits ends its job, and the task log says so."""
    task = training.start_watched(deferrable=deferrable, **A_RETRY)
    airflow.write_dag(task.dag_id, ANOTHER_TASK.format(dag_id=task.dag_id))
    training.wait_for_states(task, "CANCELLED")
    training.wait_until_cancel_is_told(task)


def test_a_deleted_dag_ends_its_jobs(airflow: AirflowInstallation, training: Trainings) -> None:
    """Deleting a DAG while its task is deferred leaves no job behind; Airflow deletes none that runs."""
    running = training.start_watched(deferrable=False, **A_RETRY)
    with pytest.raises(httpx.HTTPStatusError, match="are still running"):
        airflow.api.delete_dag(running.dag_id)
    airflow.api.mark_task(running, "failed")
    deferred = training.start_watched(deferrable=True, **A_RETRY)
    airflow.remove_dag(deferred.dag_id)
    training.wait_for_states(deferred, "CANCELLED")
