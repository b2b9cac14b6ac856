"""What a try does about the jobs that earlier tries left, and what others' fate does to a job: nothing."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.airflow_processes.api import TaskKey
from tests.chaos.conftest import PROJECT
from tests.chaos.dag_files import FOREVER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.airflow_processes.installation import AirflowInstallation
    from tests.chaos.conftest import Trainings

# The first start of a whole Airflow is in the time of the test that happens to come first.
pytestmark = [pytest.mark.timeout(300)]

UNTIL_RELEASED = [
    "python",
    "-c",
    "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.2)",
]

BROKEN_TRIGGER = textwrap.dedent("""
    from datetime import timedelta

    from airflow.sdk import DAG
    from tests.chaos.broken_triggers import FirstTriggerBroken

    with DAG({dag_id!r}, schedule=None):
        FirstTriggerBroken(
            task_id="train",
            first_trigger={trigger!r},
            project_id={project!r},
            region="us-central1",
            image="us-docker.pkg.dev/acme/trainers/digits:1.0",
            command={command},
            poll_interval=0.5,
            retries={retries},
            retry_delay=timedelta(seconds=0.1),
        )
""")

SIBLINGS = textwrap.dedent("""
    from airflow.sdk import DAG
    from airflow_vertex_training.operators import VertexCustomTrainingOperator

    with DAG({dag_id!r}, schedule=None):
        VertexCustomTrainingOperator.partial(
            task_id="train",
            project_id={project!r},
            region="us-central1",
            image="us-docker.pkg.dev/acme/trainers/digits:1.0",
            command={command},
            poll_interval=0.5,
        ).expand(args=[[str(number)] for number in range({count})])
""")


def start_with_broken_trigger(
    airflow: AirflowInstallation, training: Trainings, trigger: str, *, retries: int
) -> TaskKey:
    """Start a training whose first trigger breaks, a crashing one when the job runs."""
    dag_id = f"{trigger}-trigger-{retries}"
    text = BROKEN_TRIGGER.format(
        dag_id=dag_id, trigger=trigger, project=PROJECT, command=FOREVER, retries=retries
    )
    airflow.write_dag(dag_id, text)
    airflow.fault_points.arm("in the trigger")
    task = TaskKey(dag_id, airflow.api.trigger(dag_id), "train")
    if trigger == "crashing":
        airflow.fault_points.reached("in the trigger", timeout=90)
        training.wait_for_states(task, "RUNNING")
        airflow.fault_points.release("in the trigger")
    return task


BROKEN = pytest.mark.parametrize("trigger", ["crashing", "unloadable"])


@BROKEN
def test_the_next_try_finds_the_job_of_a_broken_trigger(
    airflow: AirflowInstallation, training: Trainings, trigger: str
) -> None:
    """A trigger that breaks leaves its job running, and the task's next try adopts it."""
    task = start_with_broken_trigger(airflow, training, trigger, retries=1)
    log = training.wait_until_watched_again(task)
    (job,) = training.jobs(task)
    assert f"Adopting the job that try 1 created: {job['name']}" in log
    assert "the trigger crashed, and its next try finds the job" in airflow.api.task_log(task, 1)
    assert training.states(task) == ["RUNNING"]
    airflow.api.mark_task(task, "failed")
    training.wait_for_states(task, "CANCELLED")


@BROKEN
def test_the_job_of_a_broken_trigger_ends_with_the_last_try(
    airflow: AirflowInstallation, training: Trainings, trigger: str
) -> None:
    """A trigger that breaks in the last try costs its job: nobody would wait for it."""
    task = start_with_broken_trigger(airflow, training, trigger, retries=0)
    airflow.wait_for_task(task, "failed", timeout=90)
    training.wait_for_states(task, "CANCELLED")
    name = training.jobs(task)[0]["name"]
    airflow.wait_for_log(
        task, f"Cancelled: the trigger crashed and there is no try left to wait for the job. {name}"
    )


def test_a_retry_takes_the_result_of_a_job_that_has_succeeded(
    airflow: AirflowInstallation, training: Trainings
) -> None:
    """A job that succeeds while its worker dies is not run again: the retry takes its result."""
    airflow.fault_points.arm("before deferral")
    task = training.start(command=["python", "-c", "print('trained')"], retries=1)
    airflow.fault_points.reached("before deferral", timeout=90)
    training.wait_for_states(task, "SUCCEEDED")
    airflow.kill_task(task)
    airflow.wait_for_task(task, "success", try_number=2, timeout=90)
    (job,) = training.jobs(task)
    airflow.wait_for_log(
        task, f"Taking the result of the job that try 1 created: {job['name']}", try_number=2
    )
    assert airflow.api.xcom(task)["name"] == job["name"]


def test_a_retry_that_may_not_reattach_runs_a_new_job(
    airflow: AirflowInstallation, training: Trainings
) -> None:
    """With reattach=False a retry cancels what the killed try left, and creates a job of its own."""
    airflow.fault_points.arm("before deferral")
    task = training.start(retries=1, reattach=False)
    airflow.fault_points.reached("before deferral", timeout=90)
    airflow.kill_task(task)
    training.wait_until_watched_again(task)
    training.wait_for_states(task, "CANCELLED", "RUNNING")
    airflow.api.mark_task(task, "failed")
    training.wait_for_states(task, "CANCELLED", "CANCELLED")


def test_a_lost_worker_machine_leaves_its_job_to_the_retry(
    airflow: AirflowInstallation, training: Trainings
) -> None:
    """A task that waits in a worker which vanishes without a word is tried again, and adopts its job."""
    task = training.start_watched(deferrable=False, retries=1)
    airflow.kill_task(task, with_supervisor=True)
    log = training.wait_until_watched_again(task, "running")
    assert training.states(task) == ["RUNNING"]
    assert f"Adopting the job that try 1 created: {training.jobs(task)[0]['name']}" in log
    airflow.api.mark_task(task, "failed")
    training.wait_for_states(task, "CANCELLED")


@pytest.mark.parametrize("retries", [0, 1], ids=["no try left", "marked before its retry"])
def test_a_killed_task_that_is_not_tried_again_leaves_its_job(
    airflow: AirflowInstallation, training: Trainings, retries: int
) -> None:
    """A killed task without another try leaves its job; who clears the failed run reads how to end it."""
    task = training.start_watched(deferrable=False, retries=retries, retry_delay=3600)
    airflow.kill_task(task)
    if retries:
        airflow.wait_for_task(task, "up_for_retry")
        airflow.api.mark_task(task, "failed")
    airflow.wait_for_run(task.dag_id, task.run_id, ["failed"])
    assert training.states(task) == ["RUNNING"]
    left = training.jobs(task)[0]["name"]
    airflow.api.clear_task(task)
    log = training.wait_until_watched_again(task, "running")
    assert "Leaving a job alone (Running)" in log
    assert f"gcloud ai custom-jobs cancel --region us-central1 --project {PROJECT} {left}" in log
    assert training.states(task) == ["RUNNING", "RUNNING"]
    airflow.api.mark_task(task, "failed")
    training.wait_for_states(task, "RUNNING", "CANCELLED")


def test_mapped_tasks_get_their_one_job_each_through_the_submission_quota(
    airflow: AirflowInstallation, training: Trainings
) -> None:
    """Tasks whose create calls the quota refuses say so, wait, and make one job each once it allows them."""
    control, project = training.emulator.control, "acme-quota"
    control.set_quotas(project, {"submissions": 2})
    airflow.write_dag("quota", SIBLINGS.format(dag_id="quota", project=project, command=FOREVER, count=6))
    run_id = airflow.api.trigger("quota")
    tasks = [TaskKey("quota", run_id, "train", index) for index in range(6)]
    airflow.wait_for(
        "create calls to be refused",
        lambda: control.requests(project).get("CreateCustomJob", {}),
        lambda seen: seen.get("OK") == 2 and seen.get("RESOURCE_EXHAUSTED", 0) >= 8,
        timeout=120,
    )
    control.set_quotas(project, None)
    logs = [airflow.wait_for_log(task, "INFO Running", timeout=120) for task in tasks]
    assert [job["state"] for job in control.jobs(project)] == ["JOB_STATE_RUNNING"] * 6
    assert sum("Trying again in" in log and "RESOURCE_EXHAUSTED" in log for log in logs) == 4
    airflow.api.mark_run("quota", run_id, "failed")
    for job in control.jobs(project):
        control.wait_job(job["name"], ["JOB_STATE_CANCELLED"])


@pytest.mark.parametrize("status", [0, 1], ids=["succeeded", "failed"])
def test_a_clear_after_the_end_runs_a_new_job(
    airflow: AirflowInstallation, training: Trainings, status: int
) -> None:
    """A task that is cleared after its end trains again, whatever became of its first job."""
    task = training.start(deferrable=False, command=["python", "-c", f"raise SystemExit({status})"])
    airflow.wait_for_run(task.dag_id, task.run_id, timeout=90)
    airflow.api.clear_task(task)
    ended = "failed" if status else "success"
    airflow.wait_for_task(task, ended, try_number=2, timeout=90)
    assert training.states(task) == ["FAILED" if status else "SUCCEEDED"] * 2


def test_a_clear_while_the_task_resumes_runs_a_new_job(
    airflow: AirflowInstallation, training: Trainings
) -> None:
    """A task that is cleared between its job's end and its own trains again, whatever Airflow hands it."""
    airflow.fault_points.arm("resumption")
    task = training.start(command=["python", "-c", "print('trained')"])
    airflow.fault_points.reached("resumption", timeout=90)
    airflow.api.clear_task(task)
    airflow.wait_for_task(task, "success", try_number=2, timeout=120)
    assert training.states(task) == ["SUCCEEDED"] * 2


def test_a_mapped_task_leaves_its_siblings_jobs_alone(
    airflow: AirflowInstallation, training: Trainings
) -> None:
    """Clearing one mapped task instance and failing another touches no job but their own."""
    airflow.write_dag(
        "siblings", SIBLINGS.format(dag_id="siblings", project=PROJECT, command=FOREVER, count=3)
    )
    run_id = airflow.api.trigger("siblings")
    cleared, failed, untouched = (TaskKey("siblings", run_id, "train", index) for index in range(3))

    def states(task: TaskKey) -> list[str]:
        index = str(task.map_index)
        jobs = [job for job in training.jobs(task) if job["labels"]["airflow_map_index"] == index]
        return [job["state"].removeprefix("JOB_STATE_") for job in jobs]

    for task in (cleared, failed, untouched):
        airflow.wait_for_task(task, "deferred", timeout=90)
        airflow.wait_for_log(task, "INFO Running", timeout=90)
    airflow.api.clear_task(cleared)
    airflow.api.mark_task(failed, "failed")
    training.wait_until_watched_again(cleared)
    expected = [["CANCELLED", "RUNNING"], ["CANCELLED"], ["RUNNING"]]
    airflow.wait_for(
        "each job to be as its own task is",
        lambda: [states(task) for task in (cleared, failed, untouched)],
        lambda seen: seen == expected,
    )
    airflow.api.mark_run("siblings", run_id, "failed")
    training.wait_for_states(untouched, *["CANCELLED"] * 4)


def test_a_new_version_of_the_dag_cancels_nothing(
    airflow: AirflowInstallation, training: Trainings, tmp_path: Path
) -> None:
    """A DAG file that changes while the task waits changes nothing for the job: it runs to its end."""
    released = tmp_path / "released"
    task = training.start_watched(deferrable=True, command=[*UNTIL_RELEASED, str(released)])
    file = airflow.home / "dags" / f"{task.dag_id}.py"
    changed = file.read_text().replace("digits:1.0", "digits:2.0")
    assert changed != file.read_text()
    airflow.write_dag(task.dag_id, changed)
    released.touch()
    assert airflow.wait_for_run(task.dag_id, task.run_id, timeout=90)["state"] == "success"
    assert training.states(task) == ["SUCCEEDED"]
    assert len(airflow.api.tries(task)) == 1


def test_a_clear_without_a_triggerer_ends_the_old_job(
    airflow: AirflowInstallation, training: Trainings
) -> None:
    """A clear that no trigger can hear of still ends the old job: the next try sees to it."""
    airflow.triggerers[0].kill()
    task = training.start()
    airflow.wait_for_task(task, "deferred", timeout=90)
    airflow.api.clear_task(task)
    airflow.start_again(airflow.triggerers[0])
    training.wait_until_watched_again(task)
    training.wait_for_states(task, "CANCELLED", "RUNNING")
    airflow.api.mark_task(task, "failed")
    training.wait_for_states(task, "CANCELLED", "CANCELLED")


@pytest.mark.parametrize("verdict", ["failed", "success"])
def test_a_verdict_between_create_and_deferral_cancels_the_job(
    airflow: AirflowInstallation, training: Trainings, verdict: str
) -> None:
    """A task that is marked when its job has just been made ends its job, before it waits or just after."""
    airflow.fault_points.arm("after create")
    task = training.start()
    airflow.fault_points.reached("after create", timeout=90)
    airflow.api.mark_task(task, verdict)
    airflow.fault_points.release("after create")
    training.wait_for_states(task, "CANCELLED")
    assert airflow.api.task_instance(task)["state"] == verdict
