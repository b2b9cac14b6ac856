"""`google.longrunning.Operations.GetOperation`: what became of a delete."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import grpc
from google.cloud.aiplatform_v1.types import operation as operation_types
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from airflow_vertex_training.emulator.api import quotas
from airflow_vertex_training.emulator.api.errors import ApiError, invalid_argument
from airflow_vertex_training.emulator.api.gate import Call, Gate, Method
from airflow_vertex_training.emulator.api.names import Location, parse_parent
from airflow_vertex_training.emulator.control.faults import Target

if TYPE_CHECKING:
    import sqlite3

    from airflow_vertex_training.emulator.api.messages import Message
    from airflow_vertex_training.emulator.api.names import JobName, Projects

__all__ = ["OperationStore", "OperationsServicer"]

_DeleteOperationMetadata: Any = operation_types.DeleteOperationMetadata.pb()

_SCHEMA = """
CREATE TABLE IF NOT EXISTS operations (
    project TEXT NOT NULL,
    region TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    message BLOB NOT NULL,
    PRIMARY KEY (project, region, operation_id)
);
"""

_NAME = re.compile(r"(projects/[^/]+/locations/[^/]+)/operations/([^/]+)")


class OperationStore:
    """The operations that deletes have returned.

    Args:
        database: The emulator's.
        projects: What answers call a project.
    """

    def __init__(self, database: sqlite3.Connection, projects: Projects) -> None:
        self._database = database
        self._projects = projects
        database.executescript(_SCHEMA)

    def deleted(self, job: JobName) -> Message:
        """Return the operation of a job's delete. It is done: the job is gone by now."""
        location = self._projects.answered(job.location)
        operation = operations_pb2.Operation(name=f"{location}/operations/{job.job_id}", done=True)
        metadata = _DeleteOperationMetadata()
        now = time.time_ns()
        metadata.generic_metadata.create_time.FromNanoseconds(now)
        metadata.generic_metadata.update_time.FromNanoseconds(now)
        operation.metadata.Pack(metadata)
        operation.response.Pack(empty_pb2.Empty())
        self._database.execute(
            "INSERT OR REPLACE INTO operations VALUES (?, ?, ?, ?)",
            (*job.location, job.job_id, operation.SerializeToString()),
        )
        return operation

    def get(self, location: Location, operation_id: str) -> Message | None:
        """Find an operation.

        Args:
            location: Where, with the project's id.
            operation_id: The last segment of its name.
        """
        row = self._database.execute(
            "SELECT message FROM operations WHERE project = ? AND region = ? AND operation_id = ?",
            (*location, operation_id),
        ).fetchone()
        return None if row is None else operations_pb2.Operation.FromString(row[0])


class OperationsServicer:
    """Answers `GetOperation`.

    Args:
        gate: What every request passes.
        store: The operations.
        projects: Ids and numbers of projects.
    """

    def __init__(self, gate: Gate, store: OperationStore, projects: Projects) -> None:
        self._gate = gate
        self._store = store
        self._projects = projects

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {"GetOperation": Method(operations_pb2.GetOperationRequest, self.GetOperation)}

    async def GetOperation(self, request: Message, peer: str) -> Message:
        """Return an operation."""

        def resolve() -> Target:
            location = self._projects.canonical(parse_parent(_split(request.name)[0], "name"))
            return Target(location.project, location.region, "GetOperation")

        def get(target: Target) -> Message:
            operation_id = _split(request.name)[1]
            operation = self._store.get(Location(target.project, target.region), operation_id)
            if operation is None:
                raise ApiError(grpc.StatusCode.NOT_FOUND, f"The operation does not exist: {request.name}")
            return operation

        call = Call("aiplatform.operations.get", quotas.RESOURCE_REQUESTS, resolve, get)
        return await self._gate.serve(call, peer)


def _split(name: str) -> tuple[str, str]:
    found = _NAME.fullmatch(name)
    if found is None:
        problem = f"must be projects/PROJECT/locations/LOCATION/operations/OPERATION, got {name!r}."
        raise invalid_argument([("name", problem)])
    return found[1], found[2]
