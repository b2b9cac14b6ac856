"""What an API error means, for every code that there is."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import GoogleAPICallError, from_grpc_status
from google.auth.exceptions import RefreshError
from grpc import StatusCode

from airflow_vertex_training.vertex.api import advice, retries, status

AMBIGUOUS = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "ABORTED", "CANCELLED"}
CODES = sorted(code.name for code in StatusCode if code is not StatusCode.OK)
CAPACITY = "The following quota metrics exceed quota limits: custom_model_training_nvidia_l4_gpus"


def an_error(code: str, message: str = "no") -> GoogleAPICallError:
    """Return the client library's error for a gRPC status."""
    error: GoogleAPICallError = from_grpc_status(StatusCode[code], message)
    return error


@pytest.mark.parametrize("code", CODES)
def test_each_code_has_one_meaning_for_a_create(code: str) -> None:
    """After an unclear answer a job is looked for, a request quota made none, all else is final."""
    error = an_error(code)
    assert status.is_ambiguous(error) == (code in AMBIGUOUS)
    assert status.is_request_quota(error) == (code == "RESOURCE_EXHAUSTED")
    assert status.may_create_again(error) == (code in AMBIGUOUS | {"RESOURCE_EXHAUSTED"})
    assert status.is_transient(error) == (code in AMBIGUOUS | {"RESOURCE_EXHAUSTED"})


def test_capacity_is_no_request_quota() -> None:
    """A project that may not have the machine does not get it by asking again."""
    assert not status.may_create_again(an_error("RESOURCE_EXHAUSTED", CAPACITY))


@pytest.mark.parametrize(
    "error",
    [
        RefreshError("token expired"),
        an_error("UNAVAILABLE", "Getting metadata from plugin failed with error: x"),
        an_error("UNAVAILABLE", "failed to connect to all addresses; last error: UNKNOWN: no"),
        an_error("UNAVAILABLE", "DNS resolution failed for nowhere"),
        an_error("UNAVAILABLE", "errors resolving nowhere"),
    ],
    ids=lambda error: str(error)[:30],
)
def test_what_never_reached_the_server_made_no_job(error: Exception) -> None:
    """Without a connection or a token there is nothing to look for, and the call may be made again."""
    assert status.was_never_sent(error)
    assert not status.is_ambiguous(error)
    assert status.is_transient(error)


@pytest.mark.parametrize("error", [ValueError("ours"), OSError("disk")])
def test_errors_that_are_not_the_api_mean_nothing_here(error: Exception) -> None:
    """A fault of our own is neither repeated nor taken for an answer."""
    assert not status.is_transient(error)
    assert not status.may_create_again(error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            an_error("UNAVAILABLE", "failed to connect to all addresses"),
            "Nothing answers there: check the conn",
        ),
        (
            an_error("UNAVAILABLE", "Getting metadata from plugin failed with error: x"),
            "Google did not take the",
        ),
        (an_error("UNAVAILABLE", "errors resolving nowhere"), "That host name does not exist"),
        (an_error("PERMISSION_DENIED"), "(roles/aiplatform.user)"),
        (an_error("RESOURCE_EXHAUSTED"), "Too many requests in this project and region"),
        (an_error("RESOURCE_EXHAUSTED", CAPACITY), "Ask for more quota"),
        (RefreshError("token expired"), "check the connection's keyfile"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_message_says_what_to_do(error: Exception, words: str) -> None:
    """Where it is known what helps, the message says so after the API's own words."""
    said = advice.describe(error)
    assert said.index(getattr(error, "message", None) or str(error)) < said.index(words)


def test_calls_are_repeated_until_patience_ends() -> None:
    """A transient error is put up with for as long as was asked for, then raised as it is."""
    waits: list[float] = []
    error = an_error("UNAVAILABLE")

    def fail() -> None:
        raise error

    with pytest.raises(GoogleAPICallError) as raised:
        retries.retrying(waits.append, 100.0)(fail)
    assert raised.value is error
    assert sum(waits[:-1]) < 100.0 <= sum(waits)
    assert max(waits) <= 15.0


def test_a_permanent_error_is_raised_at_once() -> None:
    """What does not pass is asked once."""
    waits: list[float] = []

    def fail() -> None:
        raise an_error("INVALID_ARGUMENT")

    with pytest.raises(GoogleAPICallError):
        retries.retrying(waits.append)(fail)
    assert waits == []
