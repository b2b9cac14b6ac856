"""What becomes of the job of a task that is killed while it runs."""

from __future__ import annotations

import contextlib
import http.server
import os
import signal
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from structlog.testing import capture_logs

from airflow_vertex_training.ending import api_server_is_down
from airflow_vertex_training.vertex.exceptions import JobCancelledError
from tests.provider.task_runs import GONE, run_task
from tests.provider.training_tasks import (
    FOREVER,
    make,
    only_job,
    submitted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from tests.tls import TlsFiles


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
    why = f"Airflow goes on with another try (the task is {state})"
    if state == "running":
        why = "the task was killed, and its next try finds the job"
    assert any(line.startswith(f"INFO The job is kept: {why}. projects/") for line in log_lines)


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "removed", "restarting", GONE])
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
def api_server(status: int | None, tls: TlsFiles | None = None) -> Iterator[str]:
    """Serve a status for whatever is asked for, and yield the address; for no status there is no server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status or 200)
            self.end_headers()

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http{'s' if tls else ''}://localhost:{server.server_port}"
        if tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(tls.cert, tls.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
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


def test_a_server_behind_a_private_certificate_authority_is_there(tls_files, monkeypatch):
    """Whoever signed its certificate: a server that answers is not down."""
    with api_server(404, tls_files) as address:
        monkeypatch.setenv("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", f"{address}/execution/")
        assert not api_server_is_down()
    assert api_server_is_down()


def test_kill_with_cancel_on_kill_off_leaves_the_job(on_emulator, supervisor, tmp_path, log_lines):
    """With cancel_on_kill=False a killed task's job runs on, and the log says so."""
    released = tmp_path / "released"
    releasing = threading.Timer(1.0, released.touch)
    ended = kill_while_waiting(on_emulator, released, releasing.start, cancel_on_kill=False)
    assert ended == "JOB_STATE_SUCCEEDED"
    assert any("cancel_on_kill is off, though the task was killed" in line for line in log_lines)


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
    (line,) = [line for line in log_lines if "Could not look for jobs of this task" in line]
    assert line.startswith("ERROR Could not look for jobs of this task. One may run on and cost money\n")
    assert "PERMISSION_DENIED: no" in line
    assert "Traceback" not in (*log_lines, "")[log_lines.index(line) + 1]


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
