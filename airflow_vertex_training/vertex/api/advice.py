"""Our error for one of Google's: what happened, what it means, and what to do.

What Google's errors mean is in the ``catalogue``; what one is made of, the client library says.
"""

from __future__ import annotations

from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.auth import exceptions as auth_exceptions

from airflow_vertex_training.vertex.api import status
from airflow_vertex_training.vertex.catalogue.calls import explain_call, lacks_permission
from airflow_vertex_training.vertex.catalogue.entries import Told
from airflow_vertex_training.vertex.exceptions import VertexApiError, VertexTrainingError


def api_error(doing: str, error: BaseException) -> VertexApiError:
    """Return our error for one of the API's, to be chained to it.

    Its first line says what happened, as shortly as can be. What it means, what to do, Google's own words and
    what was being done follow, each on a line of its own.

    Args:
        doing: what was being done, such as ``Creating a job in us-central1 of project acme``.
        error: the API's own error, or one of google-auth's.
    """
    if isinstance(error, VertexApiError):
        return error
    told = _told(error)
    explained = explain_call(told)
    words = _words(error, told)
    if explained is None or not explained.title:
        lines = [words]
    else:
        lines = [explained.title, explained.advice, f"{_whose(error)}: {words}"]
    kind = VertexApiError
    if explained is not None and issubclass(explained.kind, VertexApiError):
        kind = explained.kind
    return kind("\n".join([*lines, f"{doing} failed."]), status=told.code, message=told.text)


def describe(error: BaseException) -> str:
    """Say what an error is and, where known, what to do about it, in one paragraph for a log line."""
    if isinstance(error, VertexTrainingError):
        return ". ".join(line.rstrip(". ") for line in str(error).splitlines() if line)
    told = _told(error)
    explained = explain_call(told)
    words = _words(error, told)
    if explained is None or not explained.title:
        return words
    return f"{explained.title}. {explained.advice} {_whose(error)}: {words}".replace("\n", " ")


def lacks_role(error: BaseException) -> bool:
    """Whether an error says that the account lacks a permission, and nothing more special."""
    return lacks_permission(_told(error))


def _whose(error: BaseException) -> str:
    is_google = isinstance(error, (GoogleAPICallError, auth_exceptions.GoogleAuthError))
    return "Google's words" if is_google else "The error itself"


def _words(error: BaseException, told: Told) -> str:
    code = status.status_code(error)
    if type(error).__module__.startswith("airflow_vertex_training"):
        return told.text
    return f"{type(error).__name__ if code is None else code.name}: {told.text}"


def _told(error: BaseException) -> Told:
    code = status.status_code(error)
    details: list[Any] = getattr(error, "details", None) or []
    return Told(
        code=_class(error) if code is None else code.name,
        text=str(getattr(error, "message", None) or error),
        reason=str(getattr(error, "reason", None) or ""),
        details="\n".join(map(str, details)),
    )


def _class(error: BaseException) -> str:
    """Return the name of an error's class; of google-auth's many, only those that mean something else."""
    if isinstance(error, auth_exceptions.DefaultCredentialsError):
        return "DefaultCredentialsError"
    if isinstance(error, auth_exceptions.GoogleAuthError):
        return "TransportError" if status.passes_soon(error) else "GoogleAuthError"
    return type(error).__name__
