"""What the triggers of one event loop share, whatever it is that they share."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from airflow_vertex_training.vertex.logs.sharing import shared_tail
from airflow_vertex_training.vertex.watch.sharing import shared_watcher

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.logs.tail import LogTail
    from airflow_vertex_training.vertex.watch.loop import JobWatcher

PARENT = "projects/acme/locations/us-central1"


async def never() -> Any:
    """Open nothing."""
    raise OSError


def watcher() -> JobWatcher:
    """Return the running loop's watcher."""
    return shared_watcher("a", never, parent=PARENT, deployment_id="airflow", requests_per_minute=300)


def tail() -> LogTail:
    """Return the running loop's reader of logs."""
    return shared_tail("a", never, project="acme", reads_per_minute=20)


async def watch() -> None:
    """Wait for a job."""
    await anext(watcher().watch(f"{PARENT}/customJobs/1", 1.0))


async def read() -> None:
    """Read a job's log."""
    with tail().follow("1", since=0) as lines:
        await anext(lines)


@pytest.mark.parametrize("at_work", [watch, read])
@pytest.mark.parametrize("is_left", [True, False], ids=["left", "at work"])
def test_an_event_loop_that_has_ended_is_dropped(at_work: Any, *, is_left: bool) -> None:
    """Nothing that was shared keeps a loop alive after its end, not even what was at work in it."""

    async def work() -> weakref.ref[asyncio.AbstractEventLoop]:
        task = asyncio.create_task(at_work())
        await asyncio.sleep(0)
        if is_left:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return weakref.ref(asyncio.get_running_loop())

    loop = asyncio.run(work())
    # The first client of a process keeps all that is there from the collector.
    gc.unfreeze()
    gc.collect()
    assert loop() is None


@pytest.mark.parametrize("shared", [watcher, tail])
def test_each_event_loop_has_its_own(shared: Any) -> None:
    """A channel belongs to one event loop, and so does who uses it."""

    async def get() -> Any:
        return shared()

    first, second = asyncio.run(get()), asyncio.run(get())
    assert first is not second
