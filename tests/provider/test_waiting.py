"""How a task waits for its job, and what it makes of the job's end."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.log import mask_secret

from airflow_vertex_training import compat
from airflow_vertex_training.links import job_url
from airflow_vertex_training.vertex.exceptions import JobCancelledError, JobFailedError, VertexTrainingError
from tests.provider.task_runs import run_task, task_instance
from tests.provider.training_tasks import (
    FOREVER,
    IMAGE,
    NAME,
    REGION,
    make,
    only_job,
    private,
    resume,
    submitted,
)


def test_success_in_the_worker(on_emulator, project, supervisor, log_lines):
    """A task that does not defer waits for the job and returns what became of it."""
    outcome = run_task(make(deferrable=False, base_output_directory="gs://acme-models/digits"))

    job = only_job(on_emulator, project)
    assert outcome.state == "success"
    times = [outcome.result.pop(key) for key in ("create_time", "start_time", "end_time")]
    assert times == sorted(times)
    assert outcome.result == {
        "name": job["name"],
        "state": "JOB_STATE_SUCCEEDED",
        "base_output_directory": "gs://acme-models/digits",
        "console_url": job_url(job["name"]),
    }


def test_the_log_tells_the_story(on_emulator, project, supervisor, log_lines):
    """The task's log says what is submitted, where it is, each state once, and how it ended."""
    run_task(make(deferrable=False, accelerator_type="NVIDIA_TESLA_T4", accelerator_count=1))

    job = only_job(on_emulator, project)
    text = "\n".join(log_lines)
    steps = [
        (
            f"INFO Submitting to {REGION} (project {project}): "
            f"1 x n1-standard-4 with 1 x NVIDIA_TESLA_T4, {IMAGE}"
        ),
        f"INFO Created {job['name']} ({job['display_name']}). Console: {job_url(job['name'])}",
        "INFO Succeeded: queued ",
    ]
    assert [step for step in steps if text.count(step) != 1] == []
    assert [text.index(step) for step in steps] == sorted(text.index(step) for step in steps)
    assert log_lines.count("INFO Running") <= 1


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_summary_says_what_the_job_ran_on(on_emulator, project, supervisor, log_lines, deferrable):
    """The process that submitted the job knows, and so does the one that resumes the task."""
    pools = [{"replica_count": 1}, {"replica_count": 2}]
    arguments = {"accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 2, "worker_pools": pools}
    operator = make(deferrable=deferrable, **arguments)
    run_task(operator)
    job = on_emulator.control.wait_job(only_job(on_emulator, project)["name"])
    if deferrable:
        snapshot = {"name": job["name"], "state": job["state"]}
        times = {"start_time": "2026-03-01T12:00:00+00:00", "end_time": "2026-03-01T12:30:00+00:00"}
        event = {"version": 1, "status": "success", "kind": "", "message": "", "job": snapshot | times}
        resume(operator, "execute_complete", {"event": event})

    (line,) = [line for line in log_lines if line.startswith("INFO Succeeded: ")]
    machine = "n1-standard-4 with 2 x NVIDIA_TESLA_T4"
    assert f" on 1 x {machine} and 2 x {machine}, " in line
    assert not deferrable or ", 3.00 accelerator hours." in line


def test_what_an_adopted_job_runs_on_is_not_guessed(on_emulator, project, supervisor, log_lines):
    """Where a retry asks for another machine than its job has, the summary does not name one."""
    submitted(on_emulator, make(program="import time; time.sleep(1)", retries=1))
    other = make(
        program="import time; time.sleep(1)", retries=1, machine_type="n1-standard-8", deferrable=False
    )
    supervisor.xcoms.clear()  # as Airflow does before each try
    run_task(other, try_number=2)

    (line,) = [line for line in log_lines if line.startswith("INFO Succeeded: ")]
    assert "n1-standard" not in line


@pytest.mark.parametrize("word", ["Failed", "Cancelled"])
def test_a_job_that_ended_badly_has_a_summary_too(on_emulator, supervisor, log_lines, word):
    """What it has cost is told whatever came of it."""
    operator = make(program=FOREVER)
    name = submitted(on_emulator, operator)
    times = {"start_time": "2026-03-01T12:00:00+00:00", "end_time": "2026-03-01T12:30:00+00:00"}
    job = {"name": name, "state": f"JOB_STATE_{word.upper()}", **times}
    event = {"version": 1, "status": "error", "kind": "JobFailedError", "message": "no data", "job": job}

    with pytest.raises(VertexTrainingError):
        resume(operator, "execute_complete", {"event": event})

    assert log_lines.count(f"INFO {word}: ran 30 min on 1 x n1-standard-4.") == 1


def test_a_job_that_failed_in_the_worker_has_a_summary_too(on_emulator, supervisor, log_lines):
    """The same where the task has waited itself."""
    run_task(make(deferrable=False, program="raise SystemExit(1)"))

    (line,) = [line for line in log_lines if line.startswith("INFO Failed: ")]
    assert line.endswith(" on 1 x n1-standard-4.")


@pytest.mark.parametrize("name", ["hunter2 it's", "two\nlines"])
def test_the_command_is_told_without_secrets(on_emulator, project, supervisor, log_lines, name):
    """Values that Airflow masks are masked however they are quoted, and those of options by their names."""
    secret = f"{name} of a connection"
    mask_secret(secret)
    args = ["--epochs", 3, "--password", "geheim1", "--api-key=geheim2", f"x{secret}", "--token"]
    run_task(make(command=["python", "-m", "trainer"], args=args))

    (line,) = [line for line in log_lines if line.startswith("INFO Command: ")]
    assert line == (
        "INFO Command: python -m trainer --epochs 3 --password '***' '--api-key=***' 'x***' --token"
    )


def test_a_long_command_is_cut_off(on_emulator, project, supervisor, log_lines):
    """A whole program stays one line, of a bounded length."""
    run_task(make(program="# first line\nprint(1)\n" + "#" * 5_000))

    (line,) = [line for line in log_lines if line.startswith("INFO Command: ")]
    assert line.startswith("INFO Command: python -c '# first line\\nprint(1)\\n###")
    assert re.fullmatch(r".{1000} \.\.\. \(\d{4} characters more\)", line.removeprefix("INFO Command: "))


@pytest.mark.parametrize(
    ("pools", "lines"),
    [
        ([{}, {"replica_count": 2}], ["Command: python -m trainer"]),
        (
            [{}, {"args": ["--worker"]}],
            [
                "Command of workerpool0: python -m trainer",
                "Command of workerpool1: python -m trainer --worker",
            ],
        ),
        (
            [{}, {"package_uris": ["gs://acme/a.tar.gz"], "python_module": "a.b", "args": ["x"]}],
            ["Command of workerpool0: python -m trainer", "Command of workerpool1: python -m a.b x"],
        ),
    ],
)
def test_the_command_of_each_pool_is_told(on_emulator, project, supervisor, log_lines, pools, lines):
    """Once where all pools run the same, else each."""
    trainer = {"command": ["python", "-m", "trainer"]}
    pools = [pool if "python_module" in pool else {**trainer, **pool} for pool in pools]
    run_task(make(command=None, worker_pools=pools))

    assert [line.removeprefix("INFO ") for line in log_lines if line.startswith("INFO Command")] == lines


def test_outlets_are_told_of_the_job(on_emulator, project, supervisor):
    """The event of an asset that the task updates says which job made it, and where its output is."""
    model = Asset("model")
    outcome = run_task(
        make(deferrable=False, outlets=[model], base_output_directory="gs://acme-models/digits")
    )

    name = only_job(on_emulator, project)["name"]
    (told,) = outcome.message.outlet_events
    assert told["extra"] == {
        "job": name,
        "base_output_directory": "gs://acme-models/digits",
        "console_url": job_url(name),
    }


def test_failure_has_the_jobs_own_words(on_emulator, project, supervisor):
    """A job that failed fails the task, with the message and the code that Vertex gave it."""
    outcome = run_task(make(deferrable=False, program="raise SystemExit(3)"))

    job = only_job(on_emulator, project)
    assert outcome.state == "failed"
    assert isinstance(outcome.error, JobFailedError)
    assert outcome.error.code == job["error_code"] != 0
    assert outcome.error.message == job["error_message"]
    assert "The replica workerpool0-0 exited with a non-zero status of 3" in str(outcome.error)
    assert job["name"] in str(outcome.error)


def test_a_failed_job_is_retried(on_emulator, project, supervisor):
    """Another try runs another job: its failure may be a machine's, not the program's."""
    operator = make(deferrable=False, program="raise SystemExit(3)", retries=1)

    first = run_task(operator, try_number=1)
    second = run_task(operator, try_number=2)

    assert (first.state, second.state) == ("up_for_retry", "failed")
    assert len(on_emulator.control.jobs(project)) == 2


def test_deferral(on_emulator, project, supervisor):
    """A task defers to a trigger that knows the job's name and how to reach it, and nothing of its spec."""
    operator = make(env={"TOKEN": "secret"}, impersonation_chain=None, execution_timeout=timedelta(hours=2))

    outcome = run_task(operator)

    assert outcome.state == "deferred"
    assert outcome.message.classpath == "airflow_vertex_training.triggers.VertexJobTrigger"
    assert "secret" not in json.dumps(outcome.message.model_dump(mode="json"))
    name = only_job(on_emulator, project)["name"]
    assert name in json.dumps(outcome.message.model_dump(mode="json"))
    assert timedelta(minutes=119) < outcome.message.trigger_timeout <= timedelta(hours=2)


def test_execution_timeout_counts_from_the_tasks_start(on_emulator, supervisor):
    """What a task spent before it deferred is taken off the time that its deferral may last."""
    operator = make(execution_timeout=timedelta(hours=2))
    ti = task_instance(operator)
    ti.start_date -= timedelta(hours=1)

    outcome = run_task(operator, ti)

    assert timedelta(minutes=59) < outcome.message.trigger_timeout <= timedelta(hours=1)


def test_what_an_earlier_try_was_to_go_on_with_counts_for_nothing(on_emulator, project, supervisor):
    """A try that is handed the event of the one before it trains again, and has all of its time for that."""
    operator = make(program=FOREVER, execution_timeout=timedelta(hours=2))
    event = event_for(NAME, "JOB_STATE_SUCCEEDED", "success")
    an_hour_ago = datetime.now(tz=timezone.utc) - timedelta(hours=1)

    with pytest.raises(TaskDeferred) as deferral:
        resume(
            operator,
            "execute_complete",
            {"event": event, "try_id": "another"},
            try_number=2,
            start_date=an_hour_ago,
        )

    assert deferral.value.trigger.job_name == only_job(on_emulator, project)["name"]
    assert deferral.value.timeout > timedelta(minutes=119)


def test_what_another_version_left_beside_the_event_is_ignored(supervisor):
    """A task can go on with what a newer version of the package has stored."""
    event = event_for(NAME, "JOB_STATE_SUCCEEDED", "success")
    assert resume(make(), "execute_complete", {"event": event, "newer": 1})["name"] == NAME


def test_a_deferral_lasts_long_enough_to_be_resumed(on_emulator, supervisor):
    """A task whose time is nearly up defers for ten seconds: the scheduler fails one that resumes sooner."""
    operator = make(execution_timeout=timedelta(hours=2))
    ti = task_instance(operator)
    ti.start_date -= timedelta(hours=3)

    outcome = run_task(operator, ti)

    assert outcome.message.trigger_timeout == timedelta(seconds=10)


def event_for(name: str, state: str, status: str, message: str = "") -> dict[str, Any]:
    """Return the trigger's event for a job that ended in a state."""
    job = {"name": name, "state": state, "error_code": 3, "error_message": "no luck"}
    times = dict.fromkeys(("create_time", "start_time", "end_time"))
    return {"status": status, "message": message, "job": {**job, **times}}


def test_resumed_success_returns_the_result(supervisor):
    """The event of a job that succeeded becomes the task's result."""
    event = event_for(NAME, "JOB_STATE_SUCCEEDED", "success")
    result = resume(make(), "execute_complete", {"event": event})

    assert (result["name"], result["state"]) == (NAME, "JOB_STATE_SUCCEEDED")
    assert "error_message" not in result


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("JOB_STATE_FAILED", JobFailedError),
        ("JOB_STATE_EXPIRED", JobFailedError),
        ("JOB_STATE_CANCELLED", JobCancelledError),
    ],
)
def test_resumed_failure_raises_the_jobs_error(supervisor, state, error):
    """The event of a job that did not succeed fails the task with the job's own code and message."""
    event = event_for(NAME, state, "error")
    with pytest.raises(error, match=f"^no luck\nJob: {NAME} .{state}, error code 3.$") as raised:
        resume(make(), "execute_complete", {"event": event})
    assert raised.value.code == 3


NO_SNAPSHOTS: dict[str, Any] = {
    "no job": {"status": "success"},
    "no state": {"status": "success", "job": {"name": NAME}},
    "an odd job": {"version": 99, "status": "success", "job": ["x"], "message": None},
    "an odd name": {"status": "success", "job": {"name": "customJobs/1", "state": "JOB_STATE_NEW"}},
}


@pytest.mark.parametrize("event", NO_SNAPSHOTS.values(), ids=NO_SNAPSHOTS)
@pytest.mark.parametrize(
    ("program", "error"), [("print('trained')", None), ("raise SystemExit(1)", JobFailedError)]
)
def test_an_end_without_a_snapshot_is_looked_up(on_emulator, supervisor, program, error, event):
    """Where the event of another version does not say how the job ended, Vertex AI does."""
    operator = make(program=program)
    run_task(operator)
    name = supervisor.xcoms["job_name"]
    on_emulator.control.wait_job(name)
    job = {**event.get("job", {}), "name": name} if event.get("job") == {"name": NAME} else event.get("job")

    if error:
        with pytest.raises(error, match="non-zero status of 1"):
            resume(operator, "execute_complete", {"event": {**event, "job": job}})
    else:
        assert resume(operator, "execute_complete", {"event": {**event, "job": job}})["name"] == name


NOT_ENDED: dict[str, Any] = {
    "nothing": None,
    "a text": "success",
    "empty": {},
    "an end that is none": {"status": "success"},
    "an unknown kind": {
        "status": "error",
        "kind": "JobMovedToMarsError",
        "message": "on Mars",
        "version": 99,
    },
    "no message": {"status": "error", "message": None, "job": None},
    "a wrong kind": {"status": "error", "kind": 5, "message": ["x"], "job": {"name": 7}},
}


@pytest.mark.parametrize("event", NOT_ENDED.values(), ids=NOT_ENDED)
@pytest.mark.parametrize("retries", [0, 1])
def test_an_odd_event_loses_no_job(on_emulator, supervisor, event, retries):
    """Whatever the event holds, a job that has not ended is left to the next try, or ended with the last."""
    operator = make(program=FOREVER, retries=retries)
    name = submitted(on_emulator, operator)

    with pytest.raises(VertexTrainingError):
        resume(operator, "execute_complete", {"event": event})

    wanted = "JOB_STATE_RUNNING" if retries else "JOB_STATE_CANCELLED"
    assert on_emulator.control.wait_job(name, [wanted])["state"] == wanted


def test_deferral_timeout_cancels(on_emulator, supervisor):
    """A deferral that took too long ends the job, whatever tries are left: its time is over."""
    operator = make(program=FOREVER, retries=2)
    name = submitted(on_emulator, operator)

    with pytest.raises(compat.TaskDeferralTimeout):
        resume(operator, "__fail__", {"error": "Trigger timeout"})

    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


def test_trigger_crash_with_no_try_left_cancels(on_emulator, supervisor):
    """A job that no later try will find is ended."""
    operator = make(program=FOREVER, retries=1)
    name = submitted(on_emulator, operator)

    with pytest.raises(compat.TaskDeferralError):
        resume(operator, "__fail__", {"error": "Trigger failure", "traceback": ["boom"]}, try_number=2)

    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


def test_trigger_crash_leaves_the_job_to_the_next_try(on_emulator, project, supervisor, log_lines):
    """A job that a crashed trigger waited for is adopted by the next try, not run again."""
    operator = make(program=FOREVER, retries=1)
    name = submitted(on_emulator, operator)

    with pytest.raises(compat.TaskDeferralError):
        resume(operator, "__fail__", {"error": "Trigger failure", "traceback": ["boom"]}, try_number=1)
    assert run_task(operator, try_number=2).state == "deferred"

    assert only_job(on_emulator, project)["state"] == "JOB_STATE_RUNNING"
    assert any(f"Adopting the job that try 1 created: {name}" in line for line in log_lines)


def test_wait_given_up_says_why(on_emulator, supervisor):
    """Where the trigger could not see the job, its message is the task's, and no job is accused."""
    name = submitted(on_emulator, operator := make(program=FOREVER))
    event = event_for(name, "JOB_STATE_UNSPECIFIED", "error", "Watching failed. PERMISSION_DENIED")

    with pytest.raises(Exception, match=r"^Watching failed\. PERMISSION_DENIED$"):
        resume(operator, "execute_complete", {"event": event})

    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


@pytest.mark.skipif(not compat.TRIGGERER_CALLS_ON_KILL, reason="retry policies came with Airflow 3.3")
@pytest.mark.parametrize(
    ("action", "state"), [("fail", "CANCELLED"), ("retry", "RUNNING"), ("default", "RUNNING")]
)
def test_a_retry_policy_that_says_fail_leaves_no_job_to_a_next_try(on_emulator, supervisor, action, state):
    """What the policy says of the error decides whether a try follows; it is asked once for each error."""
    from airflow.sdk import RetryAction, RetryDecision, RetryPolicy

    asked: list[BaseException] = []

    class Policy(RetryPolicy):
        def evaluate(self, exception: BaseException, *args: Any, **kwargs: Any) -> RetryDecision:
            asked.append(exception)
            return RetryDecision(action=RetryAction(action))

    operator: Any = make(program=FOREVER, retries=3, retry_policy=Policy())
    name = submitted(on_emulator, operator)

    with pytest.raises(compat.TaskDeferralError) as raised:
        resume(operator, "__fail__", {"error": "Trigger failure", "traceback": ["boom"]})
    operator.retry_policy.evaluate(raised.value, 1, 3, None)

    assert asked == [raised.value]
    wanted = f"JOB_STATE_{state}"
    assert on_emulator.control.wait_job(name, [wanted])["state"] == wanted


def test_execution_timeout_in_the_worker_cancels(on_emulator, project, supervisor):
    """Airflow's own timeout of a task that waits in the worker ends the job."""
    operator = make(program=FOREVER, deferrable=False, execution_timeout=timedelta(seconds=2), retries=1)

    outcome = run_task(operator)

    assert outcome.state == "up_for_retry"
    name = only_job(on_emulator, project)["name"]
    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


def test_cancel_without_credentials_does_not_hide_the_timeout(monkeypatch, supervisor, log_lines):
    """Where the job can't be cancelled the task still ends for its own reason, and the log tells both."""
    supervisor.xcoms["job_name"] = NAME
    private(monkeypatch, keyfile_dict="{", is_anonymous=False)

    with pytest.raises(compat.TaskDeferralTimeout):
        resume(make(), "__fail__", {"error": "Trigger timeout"})

    (line,) = [line for line in log_lines if "Could not cancel the job. It may still run and cost" in line]
    assert line.startswith(
        f"ERROR Could not cancel the job. It may still run and cost money: {NAME}\n"
        "The connection's keyfile_dict can't be used\n"
    )
    assert not any("Traceback" in line for line in log_lines)
