"""What all triggers of an event loop share: watchers, and the request budget of each project and region."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_vertex_training.vertex.watch.budget import RequestBudget
from airflow_vertex_training.vertex.watch.loop import JobWatcher

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient

_Loop = asyncio.AbstractEventLoop
_watchers: WeakKeyDictionary[_Loop, dict[Hashable, JobWatcher]] = WeakKeyDictionary()
_budgets: WeakKeyDictionary[_Loop, dict[str, RequestBudget]] = WeakKeyDictionary()


def shared_watcher(
    connection: Hashable,
    connect: Callable[[], Awaitable[JobServiceAsyncClient]],
    *,
    parent: str,
    deployment_id: str,
    requests_per_minute: int,
) -> JobWatcher:
    """Return the running event loop's watcher for a connection and a parent, made now if there is none.

    Args:
        connection: what tells this connection's endpoint and credentials from another's.
        connect: opens a client by that connection.
        parent: ``projects/P/locations/L``.
        deployment_id: value of the label by which jobs are listed.
        requests_per_minute: the budget that all watchers of ``parent`` in this loop share.
    """
    loop = asyncio.get_running_loop()
    budgets = _budgets.setdefault(loop, {})
    if parent not in budgets:
        budgets[parent] = RequestBudget(requests_per_minute)
    watchers = _watchers.setdefault(loop, {})
    for key in [key for key, watcher in watchers.items() if watcher.closed]:
        del watchers[key]
    key = (connection, parent, deployment_id)
    if key not in watchers:
        watchers[key] = JobWatcher(connect, parent, deployment_id=deployment_id, budget=budgets[parent])
    return watchers[key]
