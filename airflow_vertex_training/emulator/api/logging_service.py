"""`google.logging.v2.LoggingServiceV2.ListLogEntries`: the logs of jobs, as Cloud Logging shows them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from airflow_vertex_training.emulator.api import filters, quotas
from airflow_vertex_training.emulator.api.errors import invalid_argument
from airflow_vertex_training.emulator.api.filter_grammar import LOGS
from airflow_vertex_training.emulator.api.gate import Call, Gate, Method
from airflow_vertex_training.emulator.api.messages import (
    ListLogEntriesRequest,
    ListLogEntriesResponse,
    Message,
)
from airflow_vertex_training.emulator.api.names import Location, Projects
from airflow_vertex_training.emulator.api.paging import page_token, parse_page_token
from airflow_vertex_training.emulator.control.faults import FaultBook, Target
from airflow_vertex_training.emulator.logs.query import entry_test

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_vertex_training.emulator.logs.logbook import Entry, LogBook

__all__ = ["LoggingServicer"]

# https://cloud.google.com/logging/docs/reference/v2/rpc/google.logging.v2#listlogentriesrequest
_DEFAULT_PAGE_SIZE = 50
_MAX_PAGE_SIZE = 1000
_MAX_FILTER = 20_000
_PERMISSION = "logging.logEntries.list"

_MAX_RESOURCES = 100

_RESOURCE = re.compile(r"projects/([^/]+)(/locations/[^/]+/buckets/[^/]+/views/[^/]+)?")
_ORDERS = {"": False, "timestamp asc": False, "timestamp desc": True}
_JOB_ID = ("resource", "labels", "job_id")


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

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {"ListLogEntries": Method(ListLogEntriesRequest, self.ListLogEntries)}

    async def ListLogEntries(self, request: Message, peer: str) -> Message:
        """List the entries of the projects that the request names."""

        def resolve() -> Target:
            projects = self._named(request.resource_names)
            return Target(projects[0], "", "ListLogEntries")

        def list_entries(target: Target) -> Message:
            return self._list(request, target)

        call = Call(_PERMISSION, quotas.LOG_READS, resolve, list_entries)
        return await self._gate.serve(call, peer)

    def _list(self, request: Message, target: Target) -> Message:
        if request.order_by not in _ORDERS:
            problem = f"must be `timestamp asc` or `timestamp desc`, got {request.order_by!r}"
            raise invalid_argument([("order_by", problem)])
        if not 0 <= request.page_size <= _MAX_PAGE_SIZE:
            raise invalid_argument([("page_size", f"must be 0 to {_MAX_PAGE_SIZE}, got {request.page_size}")])
        size = request.page_size or _DEFAULT_PAGE_SIZE
        projects = self._named(request.resource_names)
        for project in projects:
            self._projects.check(Location(project, ""), _PERMISSION)
        question = f"{projects} {request.order_by} {request.filter}"
        after = parse_page_token(request.page_token, question)
        entries = self._matching(request.filter, projects, target)
        if _ORDERS[request.order_by]:
            entries.reverse()
        if after is not None:
            entries = _rest(entries, after)
        response = ListLogEntriesResponse(entries=[entry.to_message() for entry in entries[:size]])
        if len(entries) > size:
            response.next_page_token = page_token(entries[size - 1].sequence, question)
        return response

    def _named(self, resource_names: Sequence[str]) -> list[str]:
        """Return the ids of the projects that a request names, without those named twice."""
        if not 1 <= len(resource_names) <= _MAX_RESOURCES:
            problem = f"must be 1 to {_MAX_RESOURCES} resources, got {len(resource_names)}"
            raise invalid_argument([("resource_names", problem)])
        projects: dict[str, None] = {}
        for name in resource_names:
            found = _RESOURCE.fullmatch(name)
            if found is None:
                problem = (
                    f"must be projects/PROJECT or a view of one (the emulator has no other), got {name!r}"
                )
                raise invalid_argument([("resource_names", problem)])
            projects[self._projects.canonical(Location(found[1], "")).project] = None
        return list(projects)

    def _matching(self, text: str, projects: Sequence[str], target: Target) -> list[Entry]:
        if len(text) > _MAX_FILTER:
            raise invalid_argument(
                [("filter", f"must be at most {_MAX_FILTER} characters long, got {len(text)}")]
            )
        try:
            parsed = filters.parse(text, LOGS)
            parsed.compile(entry_test)
            # The jobs are looked up; to compare each entry with hundreds of ids would take seconds.
            matches = parsed.given(_JOB_ID).compile(entry_test)
        except filters.FilterError as error:
            raise invalid_argument([("filter", f"Unparseable filter: {error}")]) from error
        entries: Iterable[Entry] = self._log.of_projects(projects, parsed.required(_JOB_ID))
        late = self._faults.take("view", target)
        if late is not None:
            then = time.time_ns() - int(late.fault.seconds * 1e9)
            entries = (entry for entry in entries if entry.nanoseconds <= then)
        return sorted((entry for entry in entries if matches(entry)), key=lambda entry: entry.order)


def _rest(entries: list[Entry], after: int) -> list[Entry]:
    """Return the entries behind the one with this sequence number; all where it is not there any more."""
    for position, entry in enumerate(entries):
        if entry.sequence == after:
            return entries[position + 1 :]
    return entries
