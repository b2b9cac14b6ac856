"""`google.logging.v2.LoggingServiceV2.ListLogEntries`: the logs of jobs, as Cloud Logging shows them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.emulator.api import filters, quotas
from airflow_vertex_training.emulator.api.errors import invalid_argument
from airflow_vertex_training.emulator.api.gate import Call, Context, Gate, rpc_handler
from airflow_vertex_training.emulator.api.messages import (
    ListLogEntriesRequest,
    ListLogEntriesResponse,
    Message,
)
from airflow_vertex_training.emulator.api.names import Location, Projects
from airflow_vertex_training.emulator.api.paging import page_token, parse_page_token
from airflow_vertex_training.emulator.control.faults import FaultBook, Target
from airflow_vertex_training.emulator.logs.logbook import SEVERITIES, Entry, LogBook

if TYPE_CHECKING:
    from collections.abc import Iterable

    import grpc

__all__ = ["LoggingServicer"]

# https://cloud.google.com/logging/docs/reference/v2/rpc/google.logging.v2#listlogentriesrequest
_DEFAULT_PAGE_SIZE = 50
_MAX_PAGE_SIZE = 1000
_MAX_FILTER = 20_000

_RESOURCE = re.compile(r"projects/([^/]+)(/locations/.+)?")
_ORDERS = {"": False, "timestamp": False, "timestamp asc": False, "timestamp desc": True}


class LoggingServicer:
    """Answers `ListLogEntries`.

    Args:
        gate: What every request passes.
        log: The logs.
        projects: Ids and numbers of projects.
        faults: Says when entries come late.
    """

    def __init__(self, gate: Gate, log: LogBook, projects: Projects, faults: FaultBook) -> None:
        self._gate = gate
        self._log = log
        self._projects = projects
        self._faults = faults

    def handlers(self) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        """Return gRPC's handlers by method name."""
        return {"ListLogEntries": rpc_handler(self.ListLogEntries, ListLogEntriesRequest)}

    async def ListLogEntries(self, request: Message, context: Context) -> Message:
        """List the entries of one project."""

        def resolve() -> Target:
            location = self._projects.canonical(Location(_project(request.resource_names), ""))
            return Target(location.project, "", "ListLogEntries")

        def list_entries(target: Target) -> Message:
            return self._list(request, target)

        call = Call("logging.logEntries.list", quotas.LOG_READS, resolve, list_entries)
        return await self._gate.serve(call, context)

    def _list(self, request: Message, target: Target) -> Message:
        if request.order_by not in _ORDERS:
            problem = f"must be `timestamp asc` or `timestamp desc`, got {request.order_by!r}"
            raise invalid_argument([("order_by", problem)])
        if not 0 <= request.page_size <= _MAX_PAGE_SIZE:
            raise invalid_argument([("page_size", f"must be 0 to {_MAX_PAGE_SIZE}, got {request.page_size}")])
        size = request.page_size or _DEFAULT_PAGE_SIZE
        question = f"{target.project} {request.order_by} {request.filter}"
        after = parse_page_token(request.page_token, question)
        entries = self._matching(request.filter, target)
        if _ORDERS[request.order_by]:
            entries.reverse()
            if after is not None:
                entries = [entry for entry in entries if entry.sequence < after]
        elif after is not None:
            entries = [entry for entry in entries if entry.sequence > after]
        name = self._projects.answered(Location(target.project, "")).project
        response = ListLogEntriesResponse(entries=[entry.to_message(name) for entry in entries[:size]])
        if len(entries) > size:
            response.next_page_token = page_token(entries[size - 1].sequence, question)
        return response

    def _matching(self, text: str, target: Target) -> list[Entry]:
        if len(text) > _MAX_FILTER:
            raise invalid_argument(
                [("filter", f"must be at most {_MAX_FILTER} characters long, got {len(text)}")]
            )
        try:
            parsed = filters.parse(text)
            matches = parsed.compile(_entry_field)
        except filters.FilterError as error:
            raise invalid_argument([("filter", f"Unparseable filter: {error}")]) from error
        entries: Iterable[Entry] = self._log.of_project(
            target.project, parsed.required("resource.labels.job_id")
        )
        late = self._faults.take("view", target)
        if late is not None:
            then = time.time_ns() - int(late.fault.seconds * 1e9)
            entries = (entry for entry in entries if entry.nanoseconds <= then)
        return [entry for entry in entries if matches(entry)]


def _project(resource_names: Iterable[str]) -> str:
    names = list(resource_names)
    found = _RESOURCE.fullmatch(names[0]) if len(names) == 1 else None
    if found is None:
        raise invalid_argument([("resource_names", f"must be one of the form projects/PROJECT, got {names}")])
    return found[1]


def _severity(text: str) -> int:
    if text not in SEVERITIES:
        raise ValueError(f"must be one of {', '.join(SEVERITIES)}, got {text!r}")
    return SEVERITIES[text]


_ORDERED = "= != < <= > >="
_ENTRY_FIELDS = {
    "resource.type": filters.Field(lambda _: "ml_job"),
    "resource.labels.job_id": filters.Field(lambda entry: entry.job_id),
    "resource.labels.task_name": filters.Field(lambda entry: entry.task_name),
    "resource.labels.project_id": filters.Field(lambda entry: entry.project),
    "timestamp": filters.Field(lambda entry: entry.nanoseconds, filters.nanoseconds, _ORDERED),
    "severity": filters.Field(lambda entry: entry.severity, _severity, _ORDERED),
    "insertId": filters.Field(lambda entry: entry.insert_id, operators=_ORDERED),
    "jsonPayload.message": filters.Field(lambda entry: None if entry.is_text else entry.text),
    "textPayload": filters.Field(lambda entry: entry.text if entry.is_text else None),
}
_ENTRY_FIELDS["insert_id"] = _ENTRY_FIELDS["insertId"]


def _entry_field(path: str) -> filters.Field:
    return _ENTRY_FIELDS[path]
