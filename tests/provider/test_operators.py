"""The operator on its own, run by Airflow's task runner: `tests/whole_dags` has whole DAGs."""

from __future__ import annotations

import contextlib
import copy
import http.server
import json
import os
import signal
import socket
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from airflow.sdk import DAG
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1
from structlog.testing import capture_logs

from airflow_vertex_training import compat
from airflow_vertex_training.links import VertexJobLink, job_url
from airflow_vertex_training.operators import VertexCustomTrainingOperator
from airflow_vertex_training.vertex.api import endpoint
from airflow_vertex_training.vertex.exceptions import InvalidJobError, JobCancelledError, JobFailedError
from tests.provider.task_runs import RUN_START, run_task, task_instance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_vertex_training.emulator.control.process import EmulatorProcess

IMAGE = "us-docker.pkg.dev/acme/trainers/digits:1.4"
REGION = "us-central1"
FOREVER = "import time; time.sleep(600)"


def make(**changes: Any) -> VertexCustomTrainingOperator:
    """Return an operator that runs a Python program, by default one that succeeds at once."""
    program = changes.pop("program", "print('trained')")
    arguments: dict[str, Any] = {
        "task_id": "train",
        "region": REGION,
        "image": IMAGE,
        "command": ["python", "-c", program],
        "poll_interval": 0.05,
    }
    with DAG("digits", schedule=None, params={"n": 2}):
        return VertexCustomTrainingOperator(**{**arguments, **changes})


def only_job(emulator: EmulatorProcess, project: str) -> dict[str, Any]:
    """Return the project's only job as the control service shows it."""
    (job,) = emulator.control.jobs(project)
    return job


def on_the_server(emulator: EmulatorProcess, project: str) -> aiplatform_v1.CustomJob:
    """Return the project's only job as the API answers it."""
    where = endpoint.Endpoint(emulator.address, is_emulator=True)
    with endpoint.open_client(where, AnonymousCredentials()) as client:
        return client.get_custom_job(name=only_job(emulator, project)["name"])


# What is submitted


def test_defaults_reach_the_server(on_emulator, project, supervisor):
    """What is not set is what the seed system had: machine, disk and running time."""
    run_task(make())

    job = on_the_server(on_emulator, project)
    (pool,) = job.job_spec.worker_pool_specs
    assert job.display_name.startswith("digits-train-")
    assert pool.machine_spec.machine_type == "n1-standard-4"
    assert (pool.disk_spec.boot_disk_type, pool.disk_spec.boot_disk_size_gb) == ("pd-ssd", 100)
    assert job.job_spec.scheduling.timeout == timedelta(days=7)


def test_labels_tell_the_try(on_emulator, project, supervisor):
    """A job carries the labels by which what comes later finds it, on a retry of a mapped task too."""
    operator = make(retries=3)
    ti = task_instance(operator, try_number=2, max_tries=4, map_index=7, clear_number=1)

    run_task(operator, ti)

    labels = only_job(on_emulator, project)["labels"]
    microseconds = int(RUN_START.timestamp()) * 1_000_000 + RUN_START.microsecond
    assert len(labels.pop("airflow_task_instance")) == 40
    assert len(labels.pop("airflow_spec")) == 40
    assert labels == {
        "airflow_deployment": "airflow",
        "airflow_try": str(ti.id),
        "airflow_run_start": str(microseconds),
        "airflow_max_tries": "4",
        "airflow_clear_number": "1",
        "airflow_try_number": "2",
        "airflow_dag_id": "digits",
        "airflow_task_id": "train",
        "airflow_run_id": "manual__2026-03-01t12-30-00-00-00",
        "airflow_map_index": "7",
    }


def test_templates_are_rendered(on_emulator, project, supervisor):
    """Templates work also where the API wants numbers: what they make is text."""
    operator = make(
        image="us-docker.pkg.dev/acme/{{ dag.dag_id }}:1",
        args=["{{ params.n }}"],
        env={"RUN": "{{ run_id }}"},
        accelerator_type="NVIDIA_L4",
        accelerator_count="{{ params.n }}",
        boot_disk_size_gb="{{ params.n * 100 }}",
        maximum_run_time="{{ params.n * 3600 }}",
    )

    run_task(operator)

    job = on_the_server(on_emulator, project)
    (pool,) = job.job_spec.worker_pool_specs
    assert pool.container_spec.image_uri == "us-docker.pkg.dev/acme/digits:1"
    assert pool.container_spec.args == ["2"]
    assert {"RUN": "manual__2026-03-01T12:30:00+00:00"}.items() <= {
        each.name: each.value for each in pool.container_spec.env
    }.items()
    assert pool.machine_spec.accelerator_count == 2
    assert pool.disk_spec.boot_disk_size_gb == 200
    assert job.job_spec.scheduling.timeout == timedelta(hours=2)


# Waiting in the worker


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
    run_task(make(deferrable=False, accelerator_type="NVIDIA_L4", accelerator_count=1))

    job = only_job(on_emulator, project)
    text = "\n".join(log_lines)
    steps = [
        f"INFO Submitting to {REGION} (project {project}): 1 x n1-standard-4 with 1 x NVIDIA_L4, {IMAGE}",
        f"INFO Created {job['name']} ({job['display_name']}). Console: {job_url(job['name'])}",
        "INFO Succeeded: queued ",
    ]
    assert [step for step in steps if text.count(step) != 1] == []
    assert [text.index(step) for step in steps] == sorted(text.index(step) for step in steps)
    assert log_lines.count("INFO Running") <= 1


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


# Deferring


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


def test_job_name_and_link_are_pushed_at_once(on_emulator, project, supervisor):
    """While the job runs its name is an XCom and its page a link of the task."""
    operator = make(program=FOREVER)

    run_task(operator)

    name = only_job(on_emulator, project)["name"]
    assert supervisor.xcoms["job_name"] == name
    assert supervisor.xcoms[VertexJobLink().xcom_key] == job_url(name)
    assert VertexJobLink().get_link(operator, ti_key=task_instance(operator)) == job_url(name)
    on_emulator.control.wait_job(name, ["JOB_STATE_RUNNING"])


def test_link_without_a_job_is_empty(supervisor):
    """A task that made no job links to nothing."""
    assert VertexJobLink().get_link(make(), ti_key=task_instance(make())) == ""


def event_for(name: str, state: str, status: str, message: str = "") -> dict[str, Any]:
    """Return the trigger's event for a job that ended in a state."""
    job = {"name": name, "state": state, "error_code": 3, "error_message": "no luck"}
    times = dict.fromkeys(("create_time", "start_time", "end_time"))
    return {"status": status, "message": message, "job": {**job, **times}}


def resume(operator: VertexCustomTrainingOperator, method: str, kwargs: dict[str, Any], **ti: Any) -> Any:
    """Resume a task as Airflow does after a deferral."""
    context = task_instance(operator, **ti).get_template_context()
    return operator.resume_execution(method, kwargs, context)


NAME = "projects/p/locations/us-central1/customJobs/1"


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
    with pytest.raises(error, match=f"{NAME} ended as {state}: no luck .error code 3.") as raised:
        resume(make(), "execute_complete", {"event": event})
    assert raised.value.code == 3


def submitted(emulator: EmulatorProcess, operator: VertexCustomTrainingOperator) -> str:
    """Run a task until it deferred, and return its job's name once it runs."""
    project = os.environ["GOOGLE_CLOUD_PROJECT"]
    assert run_task(operator).state == "deferred"
    name = str(only_job(emulator, project)["name"])
    emulator.control.wait_job(name, ["JOB_STATE_RUNNING"])
    return name


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
    assert any(f"Adopting {name}, which try 1 created" in line for line in log_lines)


def test_reattach_off_cancels_and_creates(on_emulator, project, supervisor):
    """With reattach=False a retry ends the job that it finds and runs its own."""
    operator = make(program=FOREVER, retries=1, reattach=False)
    name = submitted(on_emulator, operator)

    run_task(operator, try_number=2)

    assert len(on_emulator.control.jobs(project)) == 2
    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


def test_wait_given_up_says_why(on_emulator, supervisor):
    """Where the trigger could not see the job, its message is the task's, and no job is accused."""
    name = submitted(on_emulator, operator := make(program=FOREVER))
    event = event_for(name, "JOB_STATE_UNSPECIFIED", "error", "Watching failed. PERMISSION_DENIED")

    with pytest.raises(Exception, match=r"^Watching failed\. PERMISSION_DENIED$"):
        resume(operator, "execute_complete", {"event": event})

    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


# Ending


def sigterm_when(condition: Any) -> threading.Thread:
    """Send this process what Airflow sends a task that it kills, as soon as `condition` returns."""

    def wait_and_kill() -> None:
        condition()
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=wait_and_kill)
    thread.start()
    return thread


def test_kill_while_waiting_cancels(on_emulator, project, supervisor):
    """Airflow's signal to a task that waits in the worker ends the job."""

    def job_runs() -> None:
        on_emulator.control.wait_fault(watched)
        on_emulator.control.wait_job(only_job(on_emulator, project)["name"], ["JOB_STATE_RUNNING"])

    # A delay of nothing tells that the task has begun to watch.
    watched = on_emulator.control.add_fault(project, "delay", method="GetCustomJob", seconds=0.0)
    thread = sigterm_when(job_runs)
    outcome = run_task(make(program=FOREVER, deferrable=False))
    thread.join()

    assert outcome.state == "failed"
    assert isinstance(outcome.error, JobCancelledError)
    assert only_job(on_emulator, project)["state"] == "JOB_STATE_CANCELLED"


def kill_while_waiting(
    emulator: EmulatorProcess, released: Path, before: Callable[[], object] = lambda: None, **changes: Any
) -> str:
    """Kill a task that waits in the worker, right after `before`, and return the state in which its job ends.

    The job runs until it is cancelled or the file `released` is there.
    """
    project = os.environ["GOOGLE_CLOUD_PROJECT"]
    watched = emulator.control.add_fault(project, "delay", method="GetCustomJob", seconds=0.0)

    def job_runs() -> None:
        emulator.control.wait_fault(watched)
        emulator.control.wait_job(only_job(emulator, project)["name"], ["JOB_STATE_RUNNING"])
        before()

    program = f"import pathlib, time\nwhile not pathlib.Path({str(released)!r}).exists(): time.sleep(0.05)"
    thread = sigterm_when(job_runs)
    run_task(make(program=program, deferrable=False, **changes))
    thread.join()
    return str(only_job(emulator, project)["state"])


@pytest.mark.parametrize("state", ["running", "up_for_retry", "scheduled", "queued", "deferred"])
def test_kill_of_a_given_up_process_leaves_the_job(on_emulator, supervisor, tmp_path, log_lines, state):
    """A process that Airflow has given up, to go on with another try, leaves the job to that."""

    def airflow_goes_on() -> None:
        supervisor.state = state
        threading.Timer(1.0, (tmp_path / "released").touch).start()

    ended = kill_while_waiting(on_emulator, tmp_path / "released", airflow_goes_on, retries=1)
    assert ended == "JOB_STATE_SUCCEEDED"
    assert (
        f"INFO Airflow goes on with another try (the task is {state} now): the job is left to that"
        in log_lines
    )


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "removed", "restarting", None])
def test_kill_by_a_user_cancels_though_tries_are_left(on_emulator, supervisor, tmp_path, state):
    """A task that somebody marked, cleared or removed ends its job."""

    def somebody_ends_it() -> None:
        supervisor.state = state

    ended = kill_while_waiting(on_emulator, tmp_path / "never", somebody_ends_it, retries=1)
    assert ended == "JOB_STATE_CANCELLED"


def test_kill_in_the_middle_of_a_log_line_cancels(on_emulator, project, supervisor):
    """A task that is killed while it holds its log's lock, which no signal handler can take, ends its job."""
    lock, killed = threading.Lock(), threading.Event()

    def write(_: Any, __: str, event: Any) -> Any:
        with lock:
            if "Running" in str(event) and not killed.is_set():
                killed.set()
                os.kill(os.getpid(), signal.SIGTERM)
        raise structlog.DropEvent

    with capture_logs():
        processors = structlog.get_config()["processors"]
        captured, processors[:] = processors[:], [write]
        run_task(make(program=FOREVER, deferrable=False))
        processors[:] = captured

    assert killed.is_set()
    assert only_job(on_emulator, project)["state"] == "JOB_STATE_CANCELLED"


@contextlib.contextmanager
def api_server(status: int | None) -> Iterator[str]:
    """Serve a status for whatever is asked for, and yield the address; for no status there is no server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status or 200)
            self.end_headers()

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        if status is None:
            server.server_close()
            yield address
            return
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield address
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "retries", "end"),
    [(404, 1, "CANCELLED"), (503, 1, "SUCCEEDED"), (None, 1, "SUCCEEDED"), (None, 0, "CANCELLED")],
    ids=["slow", "no server behind its gateway", "down", "down, no try left"],
)
def test_kill_where_airflow_does_not_answer(
    on_emulator, supervisor, tmp_path, monkeypatch, status, retries, end
):
    """A killed task that gets no answer ends its job, unless there is no server at all, and a try is left."""
    released = tmp_path / "released"

    def airflow_is_silent() -> None:
        supervisor.answers.clear()
        if end == "SUCCEEDED":
            threading.Timer(5.0, released.touch).start()

    with api_server(status) as address:
        monkeypatch.setenv("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", f"{address}/execution/")
        ended = kill_while_waiting(on_emulator, released, airflow_is_silent, retries=retries)
    assert ended == f"JOB_STATE_{end}"


def test_kill_with_cancel_on_kill_off_leaves_the_job(on_emulator, supervisor, tmp_path, log_lines):
    """With cancel_on_kill=False a killed task's job runs on, and the log says so."""
    released = tmp_path / "released"
    releasing = threading.Timer(1.0, released.touch)
    ended = kill_while_waiting(on_emulator, released, releasing.start, cancel_on_kill=False)
    assert ended == "JOB_STATE_SUCCEEDED"
    assert any("runs on, though the task was killed: cancel_on_kill is off" in line for line in log_lines)


@pytest.mark.parametrize(("state", "end"), [("deferred", "RUNNING"), ("failed", "CANCELLED")])
def test_kill_of_a_process_that_has_deferred(on_emulator, project, supervisor, state, end):
    """A process killed on its way out leaves the job to the trigger, unless somebody ended the task."""
    name = submitted(on_emulator, make(program=FOREVER))
    supervisor.state = state

    os.kill(os.getpid(), signal.SIGTERM)

    assert on_emulator.control.wait_job(name, [f"JOB_STATE_{end}"])["state"] == f"JOB_STATE_{end}"


@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_kill_during_the_create_call_cancels(on_emulator, project, supervisor, when):
    """A kill that meets the create call under way ends the job that the call makes, or made already."""
    control = on_emulator.control
    hold = control.add_fault(project, "hold", method="CreateCustomJob", when=when)

    def create_is_held() -> None:
        control.wait_fault(hold)
        threading.Timer(1.0, control.release_fault, [hold]).start()

    thread = sigterm_when(create_is_held)
    outcome = run_task(make(program=FOREVER))
    thread.join()

    assert outcome.state == "failed"
    name = only_job(on_emulator, project)["name"]
    assert control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


def test_kill_while_the_quota_refuses_creates_nothing(on_emulator, project, supervisor):
    """A task killed while it waits for the request quota stops waiting, and no job is made after that."""
    control = on_emulator.control
    settings = {"method": "CreateCustomJob", "code": "RESOURCE_EXHAUSTED", "message": "Quota exceeded"}
    refused = control.add_fault(project, "error", **settings, times=None)

    thread = sigterm_when(lambda: control.wait_fault(refused))
    outcome = run_task(make())
    thread.join()

    assert outcome.state == "failed"
    assert str(outcome.error) == "the task was killed while its job was being submitted"
    assert control.jobs(project) == []


def test_kill_whose_look_fails_still_cancels(on_emulator, project, supervisor, log_lines):
    """Where a killed task can't look for its job, the answer to its create call is not lost over that."""
    control = on_emulator.control
    hold = control.add_fault(project, "hold", method="CreateCustomJob", when="after_commit")
    control.add_fault(project, "error", method="ListCustomJobs", code="PERMISSION_DENIED", message="no")

    def create_is_held() -> None:
        control.wait_fault(hold)
        threading.Timer(1.0, control.release_fault, [hold]).start()

    thread = sigterm_when(create_is_held)
    run_task(make(program=FOREVER))
    thread.join()

    name = only_job(on_emulator, project)["name"]
    assert control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"
    assert any("Could not look for jobs of this task" in line for line in log_lines)


def test_kill_before_an_earlier_job_is_adopted_cancels_it(on_emulator, project, supervisor):
    """A retry that is killed while it looks for an earlier job ends that job, and creates none."""
    control = on_emulator.control
    operator = make(program=FOREVER, retries=1)
    name = submitted(on_emulator, operator)
    hold = control.add_fault(project, "hold", method="ListCustomJobs")

    def look_is_held() -> None:
        control.wait_fault(hold)
        threading.Timer(1.0, control.release_fault, [hold]).start()

    thread = sigterm_when(look_is_held)
    outcome = run_task(operator, try_number=2)
    thread.join()

    assert outcome.state == "failed"
    assert control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"
    assert len(control.jobs(project)) == 1


@pytest.mark.parametrize(
    ("retries", "state"), [(1, "JOB_STATE_CANCELLED"), (2, "JOB_STATE_RUNNING")], ids=["last", "not last"]
)
def test_a_try_that_fails_before_it_looks(on_emulator, project, supervisor, log_lines, retries, state):
    """The last try ends what an earlier one left even where it fails before it looks; others leave it."""
    size = "{{ 100 if ti.try_number == 1 else 'much' }}"
    operator = make(program=FOREVER, retries=retries, boot_disk_size_gb=size)
    name = submitted(on_emulator, operator)

    outcome = run_task(operator, try_number=2)

    assert "boot_disk_size_gb: must be a whole number" in str(outcome.error)
    assert on_emulator.control.wait_job(name, [state])["state"] == state
    told = f"INFO Cancelled {name}: the task failed and there is no try left to wait for it"
    assert (told in log_lines) is (retries == 1)


def test_cleared_while_submitting_cancels(on_emulator, project, supervisor):
    """A task that was cleared meanwhile does not defer: it ends its job."""
    supervisor.state = "restarting"

    outcome = run_task(make(program=FOREVER))

    assert outcome.state == "failed"
    name = only_job(on_emulator, project)["name"]
    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


@pytest.mark.parametrize(
    ("retries", "state"), [(0, "JOB_STATE_CANCELLED"), (1, "JOB_STATE_RUNNING")], ids=["last", "not last"]
)
def test_airflow_fails_while_submitting(on_emulator, project, supervisor, retries, state):
    """A task that can't learn its own state fails, and leaves its job to the next try where one is left."""
    supervisor.state = ConnectionError("no server")

    outcome = run_task(make(program=FOREVER, retries=retries))

    assert outcome.error is supervisor.state
    job = only_job(on_emulator, project)
    assert on_emulator.control.wait_job(job["name"], [state])["state"] == state


def test_execution_timeout_in_the_worker_cancels(on_emulator, project, supervisor):
    """Airflow's own timeout of a task that waits in the worker ends the job."""
    operator = make(program=FOREVER, deferrable=False, execution_timeout=timedelta(seconds=2), retries=1)

    outcome = run_task(operator)

    assert outcome.state == "up_for_retry"
    name = only_job(on_emulator, project)["name"]
    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


# Preview


def test_preview_is_the_request_that_is_sent(on_emulator, project, supervisor):
    """In a task, preview shows the job that is then on the server, but for the secrets."""
    operator = make(
        env={"API_KEY": "geheim", "TEAM": "vision"}, service_account="a@b.iam.gserviceaccount.com"
    )
    ti = task_instance(operator)
    shown = json.loads(operator.preview(ti.get_template_context()))
    run_task(operator, ti)

    created = aiplatform_v1.CustomJob.to_dict(on_the_server(on_emulator, project))
    made = shown["customJob"]
    assert shown["parent"] == f"projects/PROJECT/locations/{REGION}"
    assert made["displayName"] == created["display_name"]
    assert made["labels"] == created["labels"]
    assert made["jobSpec"]["serviceAccount"] == created["job_spec"]["service_account"]
    assert made["jobSpec"]["scheduling"] == {"timeout": "604800s"}
    env = {
        each["name"]: each["value"] for each in made["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"]
    }
    sent = {
        each["name"]: each["value"]
        for each in created["job_spec"]["worker_pool_specs"][0]["container_spec"]["env"]
    }
    assert (env.pop("API_KEY"), sent.pop("API_KEY")) == ("***", "geheim")
    assert env == sent


def test_preview_makes_no_call(monkeypatch, supervisor):
    """Preview opens no connection, also where application default credentials serve."""
    monkeypatch.delenv("VERTEX_AI_EMULATOR_HOST", raising=False)

    def no_network(*_: Any) -> None:
        raise AssertionError("preview opened a connection")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr("google.auth.default", no_network)
    monkeypatch.setattr("grpc.secure_channel", no_network)

    shown = json.loads(make().preview())

    assert shown["customJob"]["displayName"] == "digits-train-UNIQUE"
    assert "serviceAccount" not in shown["customJob"]["jobSpec"]


# Bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": "{{ params.image }}"}, "image: 'quay' does not name its registry"),
        ({"env": {"A": "{{ 1 }}", "B": 2}}, "env['B']: must be a string, got int"),
        ({"labels": {"team": "{{ '🚀' }}"}}, "labels['team']: the value '🚀' holds"),
        (
            {"accelerator_type": "NVIDIA_L4", "accelerator_count": "{{ 'two' }}"},
            "accelerator_count: must be a whole number, got 'two'",
        ),
        (
            {"accelerator_type": "{{ 'NVIDIA_L5' }}", "accelerator_count": 1},
            "accelerator_type: 'NVIDIA_L5' is not known; one of ",
        ),
    ],
    ids=["image", "env", "label", "count", "accelerator"],
)
def test_bad_rendered_input_ends_the_retries(on_emulator, project, supervisor, changes, message):
    """What a template makes is checked when the task runs, and no retry is wasted on it."""
    with DAG("digits", schedule=None, params={"image": "quay"}):
        base = {"task_id": "train", "region": REGION, "image": IMAGE, "retries": 3}
        operator = VertexCustomTrainingOperator(**{**base, **changes})

    outcome = run_task(operator)

    assert outcome.state == "failed"
    assert isinstance(outcome.error, compat.AirflowFailException)
    assert str(outcome.error).startswith(message)
    assert on_emulator.control.jobs(project) == []


def private(monkeypatch: pytest.MonkeyPatch, **extra: Any) -> None:
    """Make the default connection one of a private endpoint, without credentials."""
    monkeypatch.delenv("VERTEX_AI_EMULATOR_HOST", raising=False)
    fields = {"is_anonymous": True, "project": "acme", "region": REGION, **extra}
    value = json.dumps({"conn_type": "vertex_training", "extra": fields})
    monkeypatch.setenv("AIRFLOW_CONN_VERTEX_TRAINING_DEFAULT", value)


def test_no_service_account_anywhere(monkeypatch, supervisor):
    """Without a service account the message names all three ways to set one."""
    private(monkeypatch, api_endpoint="localhost:1")

    outcome = run_task(make(retries=3))

    assert outcome.state == "failed"
    assert str(outcome.error) == (
        "service_account: is set nowhere: give it to the operator, or set the field service_account of the "
        "connection 'vertex_training_default', or let the connection use a service account's credentials"
    )


def test_unreachable_endpoint(monkeypatch, supervisor):
    """An endpoint that nobody answers at is named as such after a while, and a retry may find it up."""
    private(monkeypatch, api_endpoint="localhost:1", service_account="a@b.iam.gserviceaccount.com")
    monkeypatch.setattr("airflow_vertex_training.vertex.submit.create.CONNECT_SECONDS", 1.0)

    outcome = run_task(make(retries=3))

    assert outcome.state == "up_for_retry"
    assert str(outcome.error).startswith(
        f"Creating a job in {REGION} of project acme failed. UNAVAILABLE: failed to connect to all addresses"
    )
    assert "check the connection's api_endpoint" in str(outcome.error)


def test_wrong_project(monkeypatch, supervisor):
    """A project that is not there, or not ours, is refused once and for all, with a word on what to check."""
    from airflow_vertex_training.emulator.control.process import launch

    with launch("--projects", "acme") as emulator:
        monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", emulator.address)
        outcome = run_task(make(project_id="acne", retries=3))

    assert outcome.state == "failed"
    assert isinstance(outcome.error, compat.AirflowFailException)
    assert str(outcome.error).startswith(
        f"Creating a job in {REGION} of project acne failed. PERMISSION_DENIED: "
    )
    assert "Check that the project's name is right" in str(outcome.error)


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "PERMISSION_DENIED"])
def test_permanent_refusal_ends_the_retries(on_emulator, project, supervisor, code):
    """What Vertex refuses for good is not asked for again."""
    on_emulator.control.add_fault(project, "error", method="CreateCustomJob", code=code, message="no")

    outcome = run_task(make(retries=3))

    assert outcome.state == "failed"
    assert isinstance(outcome.error, compat.AirflowFailException)
    assert f"{code}: no" in str(outcome.error)
    assert on_emulator.control.requests(project)["CreateCustomJob"] == {code: 1}


def test_capacity_quota_leaves_the_retries(on_emulator, project, supervisor):
    """Capacity that is out now may be back at the next try."""
    message = "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_l4"
    settings = {"method": "CreateCustomJob", "code": "RESOURCE_EXHAUSTED", "message": message}
    on_emulator.control.add_fault(project, "error", **settings)

    assert run_task(make(retries=3)).state == "up_for_retry"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boot_disk_size_gb": "much"}, "boot_disk_size_gb: must be a whole number, got 'much'"),
        ({"maximum_run_time": "P1D"}, "maximum_run_time: must be a timedelta or seconds, got 'P1D'"),
        ({"poll_interval": 0}, "poll_interval: must be more than 0 seconds, got 0"),
        ({"submit_timeout": -1.0}, "submit_timeout: must be more than 0 seconds, got -1.0"),
    ],
    ids=["disk", "run-time", "poll-interval", "submit-timeout"],
)
def test_numbers_are_checked_at_parse_time(changes, message):
    """A number that is none, or can't be, is told when the DAG is parsed."""
    with pytest.raises(InvalidJobError) as raised:
        make(**changes)
    assert str(raised.value) == message


def test_cancel_without_credentials_does_not_hide_the_timeout(monkeypatch, supervisor, log_lines):
    """Where the job can't be cancelled the task still ends for its own reason, and the log tells both."""
    supervisor.xcoms["job_name"] = NAME
    private(monkeypatch, keyfile_dict="{", is_anonymous=False)

    with pytest.raises(compat.TaskDeferralTimeout):
        resume(make(), "__fail__", {"error": "Trigger timeout"})

    assert any(f"Could not cancel {NAME}. It may still run and cost money" in line for line in log_lines)


def test_operators_can_be_copied():
    """Airflow copies operators, to run part of a DAG."""
    assert copy.deepcopy(make()).task_id == "train"
