"""What to do about an API error, in words."""

from __future__ import annotations

from google.auth import exceptions as auth_exceptions
from grpc import StatusCode

from airflow_vertex_training.vertex.api.emulator import EMULATOR_VARIABLE
from airflow_vertex_training.vertex.api.status import UNKNOWN_HOST, Exhausted, exhausted, status_code
from airflow_vertex_training.vertex.exceptions import VertexApiError


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
    if what := exhausted(error):
        return _ADVICE_EXHAUSTED[what]
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
    (
        "failed to connect to all addresses",
        f"Nothing answers there: check the connection's api_endpoint, {EMULATOR_VARIABLE}, the network.",
    ),
    *((words, _ADVICE_UNKNOWN_HOST) for words in UNKNOWN_HOST),
    ("Getting metadata from plugin failed", _ADVICE_CREDENTIALS),
)

_ADVICE_BY_CODE = {
    StatusCode.PERMISSION_DENIED: (
        "Check that the project's name is right and that the submitting account has the role Vertex AI User "
        "(roles/aiplatform.user) there."
    ),
    StatusCode.UNAUTHENTICATED: _ADVICE_CREDENTIALS,
}

_ADVICE_EXHAUSTED = {
    Exhausted.REQUESTS: "Too many requests in this project and region: wait, or ask for quota.",
    Exhausted.QUOTA: "Ask for more quota, or use another region, machine or accelerator.",
    Exhausted.MACHINES: "Try later, or use another region, machine or accelerator.",
}
