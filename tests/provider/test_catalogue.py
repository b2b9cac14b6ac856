"""Every entry of the error catalogue: the emulator makes that failure, and the task's log says what to do."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_vertex_training import compat
from airflow_vertex_training.triggers import VertexJobTrigger
from airflow_vertex_training.vertex.catalogue.calls import CALLS, explain_call
from airflow_vertex_training.vertex.catalogue.entries import CODES, Entry, Told
from airflow_vertex_training.vertex.catalogue.jobs import JOBS, explain_job
from airflow_vertex_training.vertex.catalogue.unreached import UNREACHED
from airflow_vertex_training.vertex.exceptions import Retry
from tests.provider.task_runs import Outcome, run_task
from tests.provider.training_tasks import IMAGE, NAME, make, private

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_vertex_training.vertex.catalogue.entries import Explained

OF_CALLS = [(entry, *sample) for entry in CALLS for sample in entry.samples]
OF_JOBS = [(entry, *sample) for entry in JOBS for sample in entry.samples]
ACCOUNT = "trainer@acme.iam.gserviceaccount.com"


def ids(value: object) -> str:
    """Return what a case is called."""
    return value.title[:30] if isinstance(value, Entry) else str(value)[-30:]


@pytest.fixture
def impatient(monkeypatch):
    """Give up soon what is tried again for a while."""
    monkeypatch.setattr("airflow_vertex_training.vertex.submit.create.CONNECT_SECONDS", 0.1)
    monkeypatch.setattr("airflow_vertex_training.vertex.submit.create.LOOKS", (0.1,))


def check_log(lines: list[str], explained: Explained | None, words: str) -> None:
    """Check that a log tells a failure as it should: one traceback, what happened first, what to do."""
    assert explained is not None
    log = "\n".join(lines)
    assert log.replace(words.strip(), "").count("Traceback (most recent call last):") == 1
    assert "tenacity" not in log
    assert "_InactiveRpcError" not in log
    told = log[log.index("Task failed with exception") :]
    first, *rest = told[told.index("vertex.exceptions.") :].splitlines()
    assert first.partition(": ")[2].startswith(explained.title)
    assert explained.title or words.strip() in first
    for line in explained.advice.splitlines():
        assert line in rest
    assert words.strip() in told


def check_outcome(outcome: Outcome, explained: Explained | None) -> None:
    """Check that a task's error has its class, and that Airflow retries where that can help."""
    assert explained is not None
    assert isinstance(outcome.error, explained.kind)
    never = explained.kind.retry is Retry.NEVER
    assert outcome.state == ("failed" if never else "up_for_retry")
    assert isinstance(outcome.error, compat.AirflowFailException) == never


@pytest.mark.parametrize(("entry", "code", "text"), OF_CALLS, ids=ids)
def test_a_refusal(on_emulator, project, supervisor, log_lines, impatient, entry, code, text):
    """What refuses a job tells why and what to do, first things first."""
    settings: dict[str, Any] = {"method": "CreateCustomJob", "code": code, "message": text, "times": None}
    on_emulator.control.add_fault(project, "error", **settings)

    outcome = run_task(make(retries=1, submit_timeout=0.1))

    explained = explain_call(Told(code, text))
    assert explained is not None
    if code in {"INTERNAL", "RESOURCE_EXHAUSTED"} and explained.kind.retry is not Retry.NEVER:
        # Its own class says that submitting was given up; how it reads is the same.
        assert outcome.state == "up_for_retry"
        assert (explained.title or text) in str(outcome.error)
    else:
        check_outcome(outcome, explained)
        check_log(log_lines, explained, text)


@pytest.mark.parametrize(("entry", "code", "text"), OF_JOBS, ids=ids)
def test_a_failed_job(on_emulator, project, supervisor, log_lines, entry, code, text):
    """A job's own error tells what happened, what it means, and what to do."""
    on_emulator.control.add_fault(project, "job_error", code=code, message=text)

    outcome = run_task(make(retries=1, deferrable=False))

    explained = explain_job(CODES.index(code), text)
    check_outcome(outcome, explained)
    check_log(log_lines, explained, text)


@pytest.mark.parametrize("status", [1, 2, 42, 126, 127, 134, 137, 139, 143])
def test_a_program_that_fails(on_emulator, project, supervisor, log_lines, status):
    """A program that really exits with a status, or dies of a signal, is told by it."""
    end = f"import os; os._exit({status})"
    if status - 128 in {each.value for each in signal.Signals}:
        no_core = "import os, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))"
        end = f"{no_core}; os.kill(0, {status - 128})"

    outcome = run_task(make(retries=1, deferrable=False, program=end))

    text = f"The replica workerpool0-0 exited with a non-zero status of {status}."
    explained = explain_job(3, text)
    check_outcome(outcome, explained)
    check_log(log_lines, explained, text)


def test_a_program_without_memory(on_emulator, project, supervisor, log_lines):
    """A replica that the emulator kills for its memory is told as Vertex AI tells it."""
    on_emulator.control.add_fault(project, "out_of_memory")

    outcome = run_task(make(retries=1, deferrable=False, program="import time; time.sleep(60)"))

    text = "The replica workerpool0-0 ran out of memory and exited with a non-zero status of 137."
    check_outcome(outcome, explain_job(3, text))
    check_log(log_lines, explain_job(3, text), text)


def test_a_program_that_takes_too_long(on_emulator, project, supervisor, log_lines):
    """A job that the emulator ends at its timeout is told as one, and not as cancelled by somebody."""
    settings = {"maximum_run_time": 1.0, "program": "import time; time.sleep(60)"}

    outcome = run_task(make(retries=1, deferrable=False, **settings))

    text = "The job exceeded its timeout (scheduling.timeout) of 1 seconds."
    check_outcome(outcome, explain_job(1, text))
    check_log(log_lines, explain_job(1, text), text)


# What does not get as far as a server that could answer


def no_credentials(monkeypatch, request) -> dict[str, Any]:
    """Take all of Google's ways to find credentials away."""
    home = request.getfixturevalue("tmp_path")
    for name in ("VERTEX_AI_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": str(home), "CLOUDSDK_CONFIG": str(home), "NO_GCE_CHECK": "true"}.items():
        monkeypatch.setenv(name, value)
    return {"project_id": "acme"}


def no_keyfile(monkeypatch, request) -> dict[str, Any]:
    """Make a connection whose keyfile is not there."""
    private(monkeypatch, is_anonymous=False, key_path="/nowhere/key.json")
    return {}


def plaintext(monkeypatch, request) -> dict[str, Any]:
    """Make a private endpoint of an emulator, which speaks plaintext."""
    private(monkeypatch, api_endpoint=request.getfixturevalue("emulator").address)
    return {}


def untrusted(monkeypatch, request) -> dict[str, Any]:
    """Make a private endpoint of an emulator whose certificate nobody here trusts."""
    private(monkeypatch, api_endpoint=request.getfixturevalue("tls_emulator").address)
    return {}


def no_such_host(monkeypatch, request) -> dict[str, Any]:
    """Make a private endpoint of a name that does not exist."""
    private(monkeypatch, api_endpoint="nowhere.invalid")
    return {}


def nobody(monkeypatch, request) -> dict[str, Any]:
    """Make a private endpoint of a port where nobody listens."""
    private(monkeypatch, api_endpoint="localhost:1")
    return {}


def no_grpc(monkeypatch, request) -> dict[str, Any]:
    """Take the port of the emulator's page for the emulator's own."""
    address = request.getfixturevalue("emulator").http_address.removeprefix("http://")
    monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", address)
    return {"project_id": "acme"}


SCENES: dict[str, Callable[..., dict[str, Any]]] = {
    "There are no Google credentials here": no_credentials,
    "The connection's {fields} can't be used": no_keyfile,
    "The endpoint speaks plaintext, not TLS": plaintext,
    "What answers at the endpoint does not speak gRPC": no_grpc,
    "The endpoint's TLS certificate is not trusted here": untrusted,
    "The endpoint's host name does not exist": no_such_host,
    "Nothing answers at the endpoint": nobody,
}
ELSEWHERE = "The emulator's variable is not set in this process"


@pytest.mark.parametrize("title", SCENES)
def test_no_way_to_vertex(monkeypatch, request, supervisor, log_lines, impatient, title):
    """Where a call does not get through, the log says what is in the way."""
    (entry,) = (entry for entry in UNREACHED if entry.title == title)
    changes = SCENES[title](monkeypatch, request)

    outcome = run_task(make(retries=1, service_account=ACCOUNT, image=IMAGE, **changes))

    explained = entry.match(Told((*entry.codes, "")[0], f"{outcome.error}"))
    check_outcome(outcome, explained)
    check_log(log_lines, explained, "")


def test_a_triggerer_without_the_emulators_variable(monkeypatch, supervisor, log_lines):
    """A job of the emulator is not looked for on Vertex AI: the triggerer says what it lacks, and at once."""
    monkeypatch.delenv("VERTEX_AI_EMULATOR_HOST", raising=False)
    (entry,) = (entry for entry in UNREACHED if entry.title == ELSEWHERE)
    trigger = VertexJobTrigger(job_name=NAME, on_emulator=True)

    async def first_event() -> Any:
        return [event async for event in trigger.run()]

    ((event),) = asyncio.run(first_event())

    explained = entry.match(Told(entry.codes[0], ""))
    assert explained is not None
    assert event.payload["kind"] == explained.kind.__name__
    assert event.payload["message"].startswith(f"{explained.title}\n{explained.advice}\n")


def test_a_worker_tells_the_trigger_of_the_emulator(on_emulator, supervisor):
    """Who makes a job on the emulator says so to who waits for it."""
    outcome = run_task(make())
    assert outcome.state == "deferred"
    assert outcome.message.trigger_kwargs["on_emulator"] is True


def test_every_entry_has_a_test():
    """An entry is seen by its samples above, or by a scene of its own."""
    without = {entry.title for entry in (*CALLS, *JOBS) if not entry.samples and entry.job is None}
    assert without == {*SCENES, ELSEWHERE}
    assert {entry.title for entry in JOBS if not entry.samples} == {"{replica} exited with status {status}"}
