"""Watchers, one for each connection and place, and the budget of requests of each project and region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.sharing import SharedInLoop
from airflow_vertex_training.vertex.watch.budget import RequestBudget
from airflow_vertex_training.vertex.watch.loop import JobWatcher

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient

    from airflow_vertex_training.vertex.meter import Meter
    from airflow_vertex_training.vertex.watch.loop import OnActiveJobs


_shared: SharedInLoop[JobWatcher, RequestBudget] = SharedInLoop()


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
    budget = _shared.budget(parent, lambda: RequestBudget(requests_per_minute))
    return _shared.poller(
        (connection, parent, deployment_id),
        lambda: JobWatcher(
            connect,
            parent,
            deployment_id=deployment_id,
            budget=budget,
            on_active_jobs=on_active_jobs,
            meter=meter,
        ),
    )
