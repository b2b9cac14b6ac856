"""What an API error means: does it pass by itself, may a job have been made, what is to be done.

The codes: https://cloud.google.com/vertex-ai/docs/general/errors
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from google.api_core import exceptions as api_exceptions
from google.auth import exceptions as auth_exceptions
from grpc import StatusCode
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from airflow_vertex_training.vertex.exceptions import VertexApiError

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

# The deadlines of single calls, in seconds. The generated client has none: a call that gets no
# answer would wait for ever.
GET_TIMEOUT = 20.0
LIST_TIMEOUT = 30.0
CANCEL_TIMEOUT = 20.0
CREATE_TIMEOUT = 60.0

# How long reads and cancels, which can be repeated without harm, are repeated; in seconds.
RETRY_SECONDS = 120.0

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


def api_error(doing: str, error: BaseException) -> VertexApiError:
    """Return our error for one of the API's: what happened, in Vertex's words, and what to do.

    Args:
        doing: what was being done, such as ``Creating a job in us-central1 of project acme``.
        error: the API's own error, to be chained by ``raise ... from error``.
    """
    return VertexApiError(f"{doing} failed. {describe(error)}")


def describe(error: BaseException) -> str:
    """Say what an error is and, where known, what to do about it, in one paragraph."""
    code = status_code(error)
    text = getattr(error, "message", None) or str(error)
    words = f"{code.name}: {text}" if code is not None else f"{type(error).__name__}: {text}"
    advice = _advice(code, text, error)
    return f"{words.rstrip('.')}. {advice}" if advice else words


def _advice(code: StatusCode | None, text: str, error: BaseException) -> str:
    by_text = next((advice for words, advice in _ADVICE_BY_TEXT if words in text), None)
    if by_text:
        return by_text
    if isinstance(error, auth_exceptions.GoogleAuthError):
        return _ADVICE_CREDENTIALS
    return _ADVICE_BY_CODE.get(code, "") if code else ""


_ADVICE_CREDENTIALS = (
    "Google did not take the credentials: check the connection's keyfile or impersonation chain, or run "
    "'gcloud auth application-default login' where application default credentials are used."
)
_ADVICE_UNKNOWN_HOST = (
    "That host name does not exist: check the connection's api_endpoint and the region's spelling."
)
_ADVICE_BY_TEXT = (
    (
        "has not been used in project",
        "Enable the Vertex AI API: 'gcloud services enable aiplatform.googleapis.com --project PROJECT'.",
    ),
    (
        "actAs",
        "Grant the submitting account roles/iam.serviceAccountUser on the job's service account.",
    ),
    (_CAPACITY, "Ask for more quota, or use another region, machine or accelerator."),
    (
        "failed to connect to all addresses",
        "Nothing answers there: check the connection's api_endpoint, VERTEX_AI_EMULATOR_HOST, the network.",
    ),
    *((words, _ADVICE_UNKNOWN_HOST) for words in _UNKNOWN_HOST),
    ("Getting metadata from plugin failed", _ADVICE_CREDENTIALS),
)
_ADVICE_BY_CODE = {
    StatusCode.PERMISSION_DENIED: (
        "Check that the project's name is right and that the submitting account has the role Vertex AI User "
        "(roles/aiplatform.user) there."
    ),
    StatusCode.UNAUTHENTICATED: _ADVICE_CREDENTIALS,
    StatusCode.RESOURCE_EXHAUSTED: "Too many requests in this project and region: wait, or ask for quota.",
}


def retrying(
    sleep: Callable[[float], None],
    patience: float = RETRY_SECONDS,
    retry: Callable[[BaseException], bool] = is_transient,
    max_wait: float = 15.0,
) -> Retrying:
    """Return the one policy by which calls that can be repeated are repeated, with a log line each time.

    Args:
        sleep: how to wait, so that a test can do it without waiting.
        patience: seconds for which errors are put up with, default two minutes.
        retry: which errors, default those that pass by themselves.
        max_wait: longest wait between two calls in seconds, default 15.
    """

    def is_over(state: RetryCallState) -> bool:
        # The waits that were asked for count, too: a test's sleep takes no time.
        return max(state.idle_for, state.seconds_since_start or 0) >= patience

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is not None:
            logger.info("Trying again in %.0f s. %s", state.upcoming_sleep, describe(error))

    return Retrying(
        retry=retry_if_exception(retry),
        wait=wait_random_exponential(multiplier=1, max=max_wait),
        stop=is_over,
        sleep=sleep,
        before_sleep=say,
        reraise=True,
    )
