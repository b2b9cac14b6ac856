"""What an API error means, for every code that there is."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError, from_grpc_status
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError
from google.rpc.error_details_pb2 import ErrorInfo, QuotaFailure
from grpc import StatusCode

from airflow_vertex_training.vertex.api import retries, status
from airflow_vertex_training.vertex.api.status import Exhausted

AMBIGUOUS = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "ABORTED", "CANCELLED"}
CODES = sorted(code.name for code in StatusCode if code is not StatusCode.OK)
CAPACITY = "The following quota metrics exceed quota limits: custom_model_training_nvidia_l4_gpus"


def an_error(code: str, message: str = "no") -> GoogleAPICallError:
    """Return the client library's error for a gRPC status."""
    error: GoogleAPICallError = from_grpc_status(StatusCode[code], message)
    return error


def caused(error: Exception, cause: Exception) -> Exception:
    """Return an error with its cause."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("code", CODES)
def test_each_code_has_one_meaning_for_a_create(code: str) -> None:
    """After an unclear answer a job is looked for, a request quota made none, all else is final."""
    error = an_error(code)
    assert status.is_ambiguous(error) == (code in AMBIGUOUS)
    assert status.is_request_quota(error) == (code == "RESOURCE_EXHAUSTED")
    assert status.may_create_again(error) == (code in AMBIGUOUS | {"RESOURCE_EXHAUSTED"})
    assert status.is_transient(error) == (code in AMBIGUOUS | {"RESOURCE_EXHAUSTED"})


METRIC = "aiplatform.googleapis.com/custom_model_training_nvidia_l4_gpus"
RATE = ErrorInfo(
    reason="RATE_LIMIT_EXCEEDED", metadata={"quota_metric": "aiplatform.googleapis.com/requests"}
)
OF_MACHINES = QuotaFailure(violations=[{"subject": "project:1", "description": f"Quota exceeded: {METRIC}"}])


@pytest.mark.parametrize(
    ("message", "details", "what"),
    [
        (CAPACITY, [], Exhausted.QUOTA),
        (f"The following quotas are exceeded: {METRIC}", [], Exhausted.QUOTA),
        ("The following quotas are exceeded: CustomModelTrainingL4", [], Exhausted.QUOTA),
        ("Quota exceeded.", [OF_MACHINES], Exhausted.QUOTA),
        ("Quota exceeded.", [ErrorInfo(reason="RESOURCE_QUOTA_EXCEEDED")], Exhausted.QUOTA),
        ("no", [ErrorInfo(reason="x", metadata={"quota_metric": METRIC})], Exhausted.QUOTA),
        ("Resources are insufficient in region: us-central1.", [], Exhausted.MACHINES),
        ("Quota exceeded for quota metric 'Job submission requests'", [RATE], Exhausted.REQUESTS),
        ("The following quotas are exceeded: requests a minute", [RATE], Exhausted.REQUESTS),
        ("Quota exceeded.", [], Exhausted.REQUESTS),
    ],
)
def test_details_tell_machines_from_requests(message: str, details: list[Any], what: Exhausted) -> None:
    """The error's details say what is exhausted, then its words; only requests may be made again."""
    error: Any = from_grpc_status(StatusCode.RESOURCE_EXHAUSTED, message, details=details)
    assert status.exhausted(error) is what
    assert status.is_request_quota(error) == status.may_create_again(error) == (what is Exhausted.REQUESTS)


def test_nothing_is_exhausted_by_other_errors() -> None:
    """Only RESOURCE_EXHAUSTED says that there is not enough of something, whatever words another has."""
    assert status.exhausted(an_error("UNAVAILABLE", CAPACITY)) is None


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (RefreshError("invalid_grant"), False),
        (DefaultCredentialsError("no credentials"), False),
        (RefreshError("busy", retryable=True), True),
        (TransportError("no route"), True),
        (caused(RefreshError("no metadata server"), TransportError("no route")), True),
        (an_error("UNAVAILABLE"), True),
        (an_error("PERMISSION_DENIED"), False),
    ],
    ids=lambda value: str(value)[:30],
)
def test_only_a_token_that_may_come_is_waited_for(error: Exception, *, passes: bool) -> None:
    """google-auth says whether a token is worth asking for again, or did not reach who gives it."""
    assert status.passes_soon(error) is passes


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
