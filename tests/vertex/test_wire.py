"""What lies in Airflow's database is read again, also by another version."""

from __future__ import annotations

import copy
import inspect
import json
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex import exceptions, states, wire
from airflow_vertex_training.vertex.exceptions import (
    JobCancelledError,
    JobEndedError,
    JobFailedError,
    JobLostError,
    VertexApiError,
    VertexTrainingError,
)
from airflow_vertex_training.vertex.states import JobSnapshot

WHEN = datetime(2026, 11, 24, 22, 25, 37, 123456, tzinfo=timezone.utc)
NAME = "projects/acme/locations/us-central1/customJobs/4711"
FAILED = JobSnapshot(
    NAME,
    display_name="digits",
    state="JOB_STATE_FAILED",
    create_time=WHEN,
    start_time=WHEN,
    end_time=WHEN,
    error_code=3,
    error_message="The replica workerpool0-0 exited with a non-zero status of 1.",
    base_output_directory="gs://acme/digits",
)

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(
    [
        "version",
        "status",
        "kind",
        "message",
        "details",
        "job",
        "name",
        "state",
        "create_time",
        "error_code",
        "new",
    ]
)


def stored(data: dict[str, Any]) -> Any:
    """Return data as it comes out of Airflow's database."""
    return json.loads(json.dumps(data))


@pytest.mark.parametrize("when", [WHEN, None])
def test_a_snapshot_survives_json(when: datetime | None) -> None:
    """A job comes back the same, but for labels and update time, which stay behind."""
    job = JobSnapshot(NAME, state="JOB_STATE_RUNNING", create_time=when, start_time=when, end_time=when)
    assert wire.read_snapshot(stored(wire.snapshot(job))) == job
    assert wire.read_snapshot(stored(wire.snapshot(FAILED))) == FAILED
    assert not wire.snapshot(FAILED).keys() & {"labels", "update_time"}


def test_an_event_of_success() -> None:
    """An event of success has the job and no error."""
    job = JobSnapshot(NAME, state="JOB_STATE_SUCCEEDED", end_time=WHEN)
    event = stored(wire.event(job, None))
    assert event["status"] == "success"
    assert event["version"] == wire.VERSION
    assert wire.read_event(event) == (job, None)


ERRORS: tuple[VertexTrainingError, ...] = (
    JobFailedError(name=NAME, state="JOB_STATE_FAILED", code=3, message="no luck"),
    JobCancelledError(name=NAME, state="JOB_STATE_CANCELLED", code=1, message="CANCELED"),
    JobLostError(NAME),
    VertexApiError("Watching failed. PERMISSION_DENIED: no. Ask for the role Vertex AI User."),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_reaches_the_task_as_itself(error: VertexTrainingError) -> None:
    """The task raises an error of the same class, with the same message and the same data."""
    job = FAILED if isinstance(error, JobEndedError) else JobSnapshot(NAME)
    event = stored(wire.event(job, error))
    assert event["status"] == "error"
    assert event["kind"] == type(error).__name__
    read_job, read_error = wire.read_event(event)
    assert read_job == job
    assert type(read_error) is type(error)
    assert str(read_error) == str(error) == event["message"]
    assert vars(read_error).items() >= vars(error).items()


def test_an_event_without_version_and_kind() -> None:
    """What a triggerer of an older version has told is understood: the job's state says the kind."""
    event = {"status": "error", "message": "it failed", "job": wire.snapshot(FAILED)}
    job, error = wire.read_event(stored(event))
    assert job == FAILED
    assert isinstance(error, JobFailedError)
    lost = {"status": "error", "message": "the job is not there", "job": {"name": NAME}}
    job, error = wire.read_event(lost)
    assert job == JobSnapshot(NAME)
    assert type(error) is VertexTrainingError
    assert str(error) == "the job is not there"


def test_an_event_of_a_newer_version() -> None:
    """Keys and kinds that are not known yet do no harm."""
    event = wire.event(FAILED, states.ended_badly(FAILED))
    event |= {"version": 99, "kind": "JobMovedToMarsError", "advice": ["wait"]}
    event["job"] |= {"planet": "Mars", "update_time": "2026-11-24T22:25:37.123456+00:00"}
    job, error = wire.read_event(stored(event))
    assert job == FAILED
    assert isinstance(error, JobFailedError)
    event["job"]["state"] = "JOB_STATE_RUNNING"
    _, error = wire.read_event(stored(event))
    assert type(error) is VertexTrainingError
    assert str(error) == event["message"]


@given(st.dictionaries(keys, plain | st.dictionaries(keys, plain)) | plain)
def test_whatever_is_stored_can_be_read(data: Any) -> None:
    """No stored data, however wrong, breaks the reading: the task has to see to its job."""
    job, error = wire.read_event(data)
    assert isinstance(job, JobSnapshot)
    assert error is None or isinstance(error, VertexTrainingError)
    assert str(error)


def made(kind: type[VertexTrainingError]) -> VertexTrainingError:
    """Return an error of a class, whatever arguments that takes."""
    if kind.__init__ is Exception.__init__:
        return kind("what happened")
    values: dict[str, Any] = {"code": 3, "calls": 2, "try_number": 2, "others": ()}
    parameters = inspect.signature(kind).parameters.values()
    arguments = {each.name: values.get(each.name, f"some {each.name}") for each in parameters}
    by_place = [arguments.pop(each.name) for each in parameters if each.kind is not each.KEYWORD_ONLY]
    return kind(*by_place, **arguments)


def fail(kind: type[VertexTrainingError]) -> None:
    """Raise an error of a class."""
    raise made(kind)


ALL_KINDS: tuple[type[VertexTrainingError], ...] = tuple(
    kind
    for kind in vars(exceptions).values()
    if isinstance(kind, type) and issubclass(kind, VertexTrainingError)
)


@pytest.mark.parametrize("kind", list(wire._kinds().values()))
def test_an_error_of_an_event_without_details_lacks_nothing(kind: type[VertexTrainingError]) -> None:
    """Whatever an error of its class has, one that is read has as well."""
    event = {"status": "error", "kind": kind.__name__, "message": "no", "job": wire.snapshot(FAILED)}
    _, error = wire.read_event(event)
    assert type(error) is kind
    assert vars(error).keys() >= vars(made(kind)).keys()


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_errors_can_be_copied_and_pickled(kind: type[VertexTrainingError]) -> None:
    """Each error comes back the same from a copy and from pickle."""
    error = made(kind)
    for again in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert type(again) is kind
        assert str(again) == str(error)
        assert again.args == error.args
        assert vars(again) == vars(error)


def test_errors_come_through_a_process_pool() -> None:
    """What is raised in another process is raised here as itself."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for kind in ALL_KINDS:
            error = pool.submit(fail, kind).exception()
            assert type(error) is kind
            assert str(error) == str(made(kind))


def test_errors_that_tell_of_a_wait_are_all_known() -> None:
    """Each class of error that can end a wait is found again by its name."""
    ending = [kind for kind in ALL_KINDS if issubclass(kind, JobEndedError | JobLostError | VertexApiError)]
    assert set(wire._kinds().values()) == set(ending)


def test_times_are_read_as_anybody_writes_them() -> None:
    """A Z is UTC, and so is a time without a zone; what is no time is none."""
    read = [wire.read_snapshot({"name": NAME, "end_time": time}).end_time for time in TIMES]
    assert read == [WHEN, WHEN, None, None]


TIMES = ("2026-11-24T22:25:37.123456Z", "2026-11-24T22:25:37.123456", "yesterday", 17)
