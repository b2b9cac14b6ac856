"""The one error that the emulator answers with: a gRPC code, Vertex's words, and Google's error details."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from google.rpc import error_details_pb2, status_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_vertex_training.emulator.api.messages import Message

__all__ = ["ApiError", "invalid_argument", "not_served"]


class ApiError(Exception):
    """An answer other than OK.

    Args:
        code: The gRPC status code.
        message: The status message, as Vertex words it.
        details: Messages of `google.rpc.error_details` that travel in `grpc-status-details-bin`.
    """

    def __init__(self, code: grpc.StatusCode, message: str, details: Sequence[Any] = ()) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message
        self.details = tuple(details)

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """Return the metadata in which gRPC carries error details; empty without details."""
        if not self.details:
            return ()
        return (("grpc-status-details-bin", self.status().SerializeToString()),)

    def status(self) -> Message:
        """Return the error as a `google.rpc.Status`."""
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        for detail in self.details:
            status.details.add().Pack(detail)
        return status


def invalid_argument(errors: Sequence[tuple[str, str]]) -> ApiError:
    """Return Vertex's answer to a request with wrong fields.

    The text has Vertex's form, a list with tabs, as quoted in
    https://github.com/googleapis/python-aiplatform/issues/1684

    Args:
        errors: What is wrong, as pairs of field name and message.

    Returns:
        The error, with a `BadRequest` that names the same fields.
    """
    listed = "".join(f"\t{n}.Field: {field}; Message: {text}" for n, (field, text) in enumerate(errors, 1))
    violations = [
        error_details_pb2.BadRequest.FieldViolation(field=field, description=text) for field, text in errors
    ]
    return ApiError(
        grpc.StatusCode.INVALID_ARGUMENT,
        f"List of found errors:{listed}\t",
        [error_details_pb2.BadRequest(field_violations=violations)],
    )


def not_served(what: str) -> ApiError:
    """Return the answer to a call that the emulator doesn't know: it says that Vertex AI may well know it.

    Args:
        what: The call, as its client wrote it.
    """
    return ApiError(
        grpc.StatusCode.UNIMPLEMENTED,
        f"The Vertex AI emulator lacks {what}; the real service may have it. The emulator has the custom job "
        "methods of JobService (v1), GetOperation, GetLocation, ListLocations, and Cloud Logging's "
        "ListLogEntries (v2).",
    )
