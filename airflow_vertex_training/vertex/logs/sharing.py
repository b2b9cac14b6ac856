"""What all triggers of an event loop share: log tails, and the budget of reads of each project."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakValueDictionary

from airflow_vertex_training.vertex.logs.cursor import DRAIN
from airflow_vertex_training.vertex.logs.pace import ReadBudget
from airflow_vertex_training.vertex.logs.tail import LogTail

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2AsyncClient

    from airflow_vertex_training.vertex.meter import Meter


@dataclass(frozen=True)
class _Shared:
    """What the triggers of one event loop share. Nothing in it keeps the loop alive."""

    budgets: dict[str, ReadBudget] = field(default_factory=dict)
    # Whoever reads holds on to the tail, and its own task does.
    tails: WeakValueDictionary[Hashable, LogTail] = field(default_factory=WeakValueDictionary)


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()


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
    shared = _shared.setdefault(asyncio.get_running_loop(), _Shared())
    budget = shared.budgets.setdefault(project, ReadBudget(reads_per_minute))
    key = (connection, project)
    tail = shared.tails.get(key)
    if tail is None or tail.closed:
        tail = shared.tails[key] = LogTail(connect, project, budget=budget, drain=drain, meter=meter)
    return tail
