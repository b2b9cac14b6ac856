"""What an API error means: does it pass by itself, may a job have been made?

The codes: https://cloud.google.com/vertex-ai/docs/general/errors
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

from google.api_core import exceptions as api_exceptions
from google.auth import exceptions as auth_exceptions
from google.rpc import error_details_pb2
from grpc import StatusCode


class Exhausted(Enum):
    """What there was not enough of, where Vertex answers RESOURCE_EXHAUSTED."""

    REQUESTS = "requests in a minute"
    QUOTA = "quota for machines or accelerators"
    MACHINES = "machines in the region"


# The server did not take the call, or its answer did not get through: a create may have made a job.
_AMBIGUOUS = frozenset(
    {
        StatusCode.UNAVAILABLE,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.INTERNAL,
        StatusCode.UNKNOWN,
        StatusCode.ABORTED,
        StatusCode.CANCELLED,
    }
)

_TRANSIENT = _AMBIGUOUS | {StatusCode.RESOURCE_EXHAUSTED}

# https://cloud.google.com/apis/docs/reference/rpc/google.api#errorreason
_BY_REASON = {
    "RATE_LIMIT_EXCEEDED": Exhausted.REQUESTS,
    "RESOURCE_QUOTA_EXCEEDED": Exhausted.QUOTA,
}

# The metrics of what a training job takes: https://cloud.google.com/vertex-ai/docs/quotas
# By their names, and in words: ``Quota exceeded for quota metric 'Custom model training CPUs'``.
_MACHINE_METRICS = re.compile("custom.?model.?training", re.IGNORECASE)

_BY_WORDS = (
    ("Resources are insufficient", Exhausted.MACHINES),
    ("does not have enough resources available", Exhausted.MACHINES),
    ("RESOURCE_POOL_EXHAUSTED", Exhausted.MACHINES),
    ("quota metrics exceed quota limits", Exhausted.QUOTA),
    ("following quotas are exceeded", Exhausted.QUOTA),
)

# gRPC has two resolvers, each with its own words.
UNKNOWN_HOST = ("DNS resolution failed", "errors resolving")

# The plugin is what gets a token: a call without one is not sent.
_NEVER_SENT = ("failed to connect to all addresses", "Getting metadata from plugin failed", *UNKNOWN_HOST)


def status_code(error: BaseException) -> StatusCode | None:
    """Return the gRPC status of an API error, ``None`` where it is none."""
    if isinstance(error, api_exceptions.GoogleAPICallError):
        return error.grpc_status_code
    return None


def code_name(error: BaseException) -> str:
    """Return the name of an error's gRPC status, its class's where it has none."""
    code = status_code(error)
    return type(error).__name__ if code is None else str(code.name)


def is_transient(error: BaseException) -> bool:
    """Whether the same call may well succeed later. A token that can't be renewed now counts as such."""
    return isinstance(error, auth_exceptions.GoogleAuthError) or status_code(error) in _TRANSIENT


def passes_soon(error: BaseException) -> bool:
    """Whether a call of a task that waits for it is worth repeating: credentials that are refused are not."""
    if isinstance(error, auth_exceptions.GoogleAuthError):
        return _token_may_come(error)
    return is_transient(error)


def is_ambiguous(error: BaseException) -> bool:
    """Whether a create that ended with ``error`` may have made a job all the same."""
    return status_code(error) in _AMBIGUOUS and not was_never_sent(error)


def may_create_again(error: BaseException) -> bool:
    """Whether a create may be repeated: nothing was made, or (``is_ambiguous``) a look found nothing."""
    return is_request_quota(error) or is_ambiguous(error)


def exhausted(error: BaseException) -> Exhausted | None:
    """Return what there was not enough of, ``None`` where the error is another one.

    The error's details say it best, then Vertex's words. What says nothing was a request quota.
    """
    if status_code(error) is not StatusCode.RESOURCE_EXHAUSTED:
        return None
    details: list[Any] = getattr(error, "details", [])
    # ErrorInfo has the metric in its metadata, QuotaFailure in each violation.
    if any(_MACHINE_METRICS.search(str(detail)) for detail in details):
        return Exhausted.QUOTA
    for detail in details:
        if isinstance(detail, error_details_pb2.ErrorInfo) and detail.reason in _BY_REASON:
            return _BY_REASON[detail.reason]
    text = str(error)
    if _MACHINE_METRICS.search(text):
        return Exhausted.QUOTA
    return next((what for words, what in _BY_WORDS if words in text), Exhausted.REQUESTS)


def is_request_quota(error: BaseException) -> bool:
    """Whether too many requests were made in the last minute; nothing was done then."""
    return exhausted(error) is Exhausted.REQUESTS


def is_not_found(error: BaseException) -> bool:
    """Whether the resource does not exist."""
    return status_code(error) is StatusCode.NOT_FOUND


def refuses_credentials(error: BaseException) -> bool:
    """Whether the server did not take the caller's credentials, so that new ones may help."""
    return status_code(error) in {StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED}


def may_be_the_connections(error: BaseException) -> bool:
    """Whether the connection, looked up anew, may serve better: other credentials, or another endpoint."""
    return refuses_credentials(error) or was_never_sent(error)


def was_never_sent(error: BaseException) -> bool:
    """Whether there was no connection or no token, so that the server can't have seen the call."""
    if isinstance(error, auth_exceptions.GoogleAuthError):
        return True
    unavailable = status_code(error) is StatusCode.UNAVAILABLE
    return unavailable and any(words in str(error) for words in _NEVER_SENT)


def _token_may_come(error: BaseException | None) -> bool:
    """Whether google-auth could not reach who gives tokens, or was told to ask again."""
    while isinstance(error, auth_exceptions.GoogleAuthError):
        if error.retryable or isinstance(error, auth_exceptions.TransportError):
            return True
        error = error.__cause__
    return False
