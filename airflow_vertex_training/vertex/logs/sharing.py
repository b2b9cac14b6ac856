"""Readers of logs, one for each connection and project, and the budget of reads of each project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.logs.cursor import DRAIN
from airflow_vertex_training.vertex.logs.pace import ReadBudget
from airflow_vertex_training.vertex.logs.tail import LogTail
from airflow_vertex_training.vertex.sharing import SharedInLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2AsyncClient

    from airflow_vertex_training.vertex.meter import Meter


_shared: SharedInLoop[LogTail, ReadBudget] = SharedInLoop()


def shared_tail(
    connection: Hashable,
    connect: Callable[[], Awaitable[LoggingServiceV2AsyncClient]],
    *,
    project: str,
    reads_per_minute: int,
    drain: float = DRAIN,
    meter: Meter | None = None,
) -> LogTail:
    """Return the running event loop's tail for a connection and a project, made now if there is none.

    Args:
        connection: what tells this connection's endpoint and credentials from another's.
        connect: opens a client by that connection.
        project: project id or number.
        reads_per_minute: the budget that all tails of ``project`` in this loop share.
        drain: seconds for which an ended job's log is read on at least, default 5.
        meter: see ``LogTail``; that of the first call counts as long as its tail lives.
    """
    budget = _shared.budget(project, lambda: ReadBudget(reads_per_minute))
    return _shared.poller(
        (connection, project),
        lambda: LogTail(connect, project, budget=budget, drain=drain, meter=meter),
    )
