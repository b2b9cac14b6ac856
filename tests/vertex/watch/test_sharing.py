"""What the triggers of one event loop share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.watch.sharing import shared_watcher

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient

    from airflow_vertex_training.vertex.watch.loop import JobWatcher

PARENT = "projects/acme/locations/us-central1"


async def never() -> JobServiceAsyncClient:
    """Open nothing."""
    raise OSError


def watcher(connection: str = "a", parent: str = PARENT, deployment_id: str = "airflow") -> JobWatcher:
    """Return the running loop's watcher."""
    return shared_watcher(
        connection, never, parent=parent, deployment_id=deployment_id, requests_per_minute=300
    )


async def test_one_watcher_for_each_connection_parent_and_deployment() -> None:
    """The same connection, project, region and deployment share a watcher; any other has one of its own."""
    assert watcher() is watcher()
    others = [watcher("b"), watcher(parent=f"{PARENT}-2"), watcher(deployment_id="staging")]
    assert len({id(each) for each in [watcher(), *others]}) == 4


async def test_a_watcher_that_has_closed_is_replaced() -> None:
    """After the last subscriber has left, the next one gets a new watcher."""
    first = watcher()
    task = asyncio.create_task(anext(first.watch(f"{PARENT}/customJobs/1", 1.0)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert watcher() is not first


async def test_connections_of_one_project_and_region_share_its_budget() -> None:
    """Vertex's quota is one for a project and region, whoever asks; another region has another."""
    assert watcher("a")._budget is watcher("b")._budget
    assert watcher("a")._budget is not watcher(parent=f"{PARENT}-2")._budget
