"""What an API error means: does it pass by itself, may a job have been made?

The codes: https://cloud.google.com/vertex-ai/docs/general/errors
"""

from __future__ import annotations

from google.api_core import exceptions as api_exceptions
from google.auth import exceptions as auth_exceptions
from grpc import StatusCode

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

# Capacity that a project may not have is no matter of waiting a minute:
# https://cloud.google.com/vertex-ai/docs/quotas
_CAPACITY = "quota metrics exceed quota limits"

# gRPC has two resolvers, each with its own words.
_UNKNOWN_HOST = ("DNS resolution failed", "errors resolving")

_NEVER_CONNECTED = ("failed to connect to all addresses", *_UNKNOWN_HOST)


def status_code(error: BaseException) -> StatusCode | None:
    """Return the gRPC status of an API error, ``None`` where it is none."""
    if isinstance(error, api_exceptions.GoogleAPICallError):
        return error.grpc_status_code
    return None


def is_transient(error: BaseException) -> bool:
    """Whether the same call may well succeed later. A token that can't be renewed now counts as such."""
    return isinstance(error, auth_exceptions.GoogleAuthError) or status_code(error) in _TRANSIENT


def is_ambiguous(error: BaseException) -> bool:
    """Whether a create that ended with ``error`` may have made a job all the same."""
    return status_code(error) in _AMBIGUOUS and not never_connected(error)


def may_create_again(error: BaseException) -> bool:
    """Whether a create may be repeated: nothing was made, or (``is_ambiguous``) a look found nothing."""
    return is_request_quota(error) or is_ambiguous(error)


def is_request_quota(error: BaseException) -> bool:
    """Whether too many requests were made in the last minute; nothing was done then."""
    return status_code(error) is StatusCode.RESOURCE_EXHAUSTED and _CAPACITY not in str(error)


def is_not_found(error: BaseException) -> bool:
    """Whether the resource does not exist."""
    return status_code(error) is StatusCode.NOT_FOUND


def never_connected(error: BaseException) -> bool:
    """Whether no connection came about, so that the server can't have seen the call."""
    if isinstance(error, auth_exceptions.GoogleAuthError):
        return True
    unavailable = status_code(error) is StatusCode.UNAVAILABLE
    return unavailable and any(words in str(error) for words in _NEVER_CONNECTED)
