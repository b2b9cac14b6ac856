"""Every state of a job has one meaning."""

from __future__ import annotations

import pytest
from google.cloud import aiplatform_v1

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.api import protos
from airflow_vertex_training.vertex.exceptions import JobCancelledError, JobEndedError, JobFailedError
from airflow_vertex_training.vertex.states import JobSnapshot
from tests.vertex.conftest import RUN_START

KINDS = (states.ACTIVE, states.SUCCEEDED, states.FAILED, states.CANCELLED)


def test_each_state_of_the_client_has_one_meaning() -> None:
    """The sets share no state, and together they are all states that the installed client knows."""
    known = {state.name for state in aiplatform_v1.JobState}  # type: ignore[attr-defined]
    assert sum(len(kind) for kind in KINDS) == len(known)
    assert frozenset().union(*KINDS) == known


def test_a_state_that_this_client_does_not_know_is_no_end() -> None:
    """A job in a state that Vertex adds later is waited for."""
    assert not JobSnapshot("job", state=protos.state_name(4711)).is_final


def test_a_job_that_vertex_says_has_ended_has_ended() -> None:
    """A final state that Vertex adds later shows by the end time, and is taken for no success."""
    job = JobSnapshot("job", state=protos.state_name(4711), end_time=RUN_START)
    assert job.is_final
    assert not job.can_be_waited_for
    error = states.ended_badly(job)
    assert type(error) is JobFailedError
    assert str(error).startswith(
        "The job has ended in a state that the installed google-cloud-aiplatform does"
    )


@pytest.mark.parametrize("state", sorted(states.FINAL | states.ACTIVE))
def test_only_final_states_are_ends(state: str) -> None:
    """A job has ended when it succeeded, failed or was cancelled, and not before."""
    assert JobSnapshot("job", state=state).is_final == (state not in states.ACTIVE)


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("JOB_STATE_FAILED", JobFailedError),
        ("JOB_STATE_EXPIRED", JobFailedError),
        ("JOB_STATE_PARTIALLY_SUCCEEDED", JobFailedError),
        ("JOB_STATE_CANCELLED", JobCancelledError),
    ],
)
def test_a_bad_end_is_an_error_with_vertex_own_words(state: str, error: type[JobEndedError]) -> None:
    """The error for a job's bad end carries its name, state, code and message."""
    ended = states.ended_badly(JobSnapshot("job", state=state, error_code=8, error_message="no machines"))
    assert type(ended) is error
    assert str(ended) == f"no machines\nJob: job ({state}, error code 8)"
    assert (ended.name, ended.state, ended.code, ended.message) == ("job", state, 8, "no machines")


def test_success_is_no_error() -> None:
    """A job that succeeded did not end badly."""
    assert states.ended_badly(JobSnapshot("job", state="JOB_STATE_SUCCEEDED")) is None


def test_an_end_without_a_reason_says_so() -> None:
    """Where Vertex gives no message, the error does not end in a bare colon."""
    said = str(states.ended_badly(JobSnapshot("job", state="JOB_STATE_FAILED")))
    assert said == "The job is failed, and Vertex AI gave no reason\nJob: job (JOB_STATE_FAILED)"


def test_a_state_in_words() -> None:
    """States are told as a person says them."""
    assert states.state_in_words("JOB_STATE_PARTIALLY_SUCCEEDED") == "Partially succeeded"
