"""What all triggers of an event loop share: watchers, and the request budget of each project and region."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakValueDictionary

from airflow_vertex_training.vertex.watch.budget import RequestBudget
from airflow_vertex_training.vertex.watch.loop import JobWatcher

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient

    from airflow_vertex_training.vertex.meter import Meter
    from airflow_vertex_training.vertex.watch.loop import OnActiveJobs


@dataclass(frozen=True)
class _Shared:
    """What the triggers of one event loop share. Nothing in it keeps the loop alive."""

    budgets: dict[str, RequestBudget] = field(default_factory=dict)
    # Whoever watches holds on to the watcher, and its own task does.
    watchers: WeakValueDictionary[Hashable, JobWatcher] = field(default_factory=WeakValueDictionary)


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()


def shared_watcher(
    connection: Hashable,
    connect: Callable[[], Awaitable[JobServiceAsyncClient]],
    *,
    parent: str,
    deployment_id: str,
    requests_per_minute: int,
    on_active_jobs: OnActiveJobs | None = None,
    meter: Meter | None = None,
) -> JobWatcher:
    """Return the running event loop's watcher for a connection and a parent, made now if there is none.

    Args:
        connection: what tells this connection's endpoint and credentials from another's.
        connect: opens a client by that connection.
        parent: ``projects/P/locations/L``.
        deployment_id: value of the label by which jobs are listed.
        requests_per_minute: the budget that all watchers of ``parent`` in this loop share.
        on_active_jobs: see ``JobWatcher``; that of the first call counts as long as its watcher lives.
        meter: see ``JobWatcher``; that of the first call counts, too.
    """
    shared = _shared.setdefault(asyncio.get_running_loop(), _Shared())
    budget = shared.budgets.setdefault(parent, RequestBudget(requests_per_minute))
    key = (connection, parent, deployment_id)
    watcher = shared.watchers.get(key)
    if watcher is None or watcher.closed:
        watcher = shared.watchers[key] = JobWatcher(
            connect,
            parent,
            deployment_id=deployment_id,
            budget=budget,
            on_active_jobs=on_active_jobs,
            meter=meter,
        )
    return watcher
