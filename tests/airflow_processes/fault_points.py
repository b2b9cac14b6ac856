"""Named points at which an Airflow process stops when a test says so: a fault is reached, not slept for.

Code that runs inside of Airflow (a DAG file, an operator or trigger of the tests) calls `reach("name")`,
which does nothing until a test arms that point. Then the first process that gets there says so and stays
there. The test sees it, with its pid, does its worst (SIGKILL, mark failed, stop the triggerer ...), and lets
it go on if it is still alive. An armed point stops one process, once: the next try runs through.

    # in the DAG file                                # in the test
    class Submitting(VertexCustomTrainingOperator):
        def execute(self, context):                  fault_points.arm("before create")
            reach("before create")                   run_id = airflow.api.trigger("training")
            return super().execute(context)          os.kill(fault_points.reached("before create"), SIGKILL)

What is armed, reached and released is a file each in a folder, so that it works across processes and leaves
nothing to connect to. The product knows nothing of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER_VARIABLE = "AIRFLOW_TEST_FAULT_POINTS"
"""Environment variable of the Airflow processes: the folder."""

LONGEST_STOP = 120.0
"""Seconds after which a process goes on by itself: a failed test must not leave it there for good."""


def reach(point: str) -> None:
    """Stop this thread here if a test has armed the point, until it is released."""
    for _ in _stops(point):
        time.sleep(0.02)  # noqa: TID251  the pause between two looks


async def reach_async(point: str) -> None:
    """Stop this coroutine, but not its event loop, if a test has armed the point, until it is released."""
    for _ in _stops(point):
        await asyncio.sleep(0.02)


@contextlib.contextmanager
def around(owner: object, method: str, point: str) -> Iterator[None]:
    """Reach `before POINT` and `after POINT` at each call of `owner.method` in the block.

    Args:
        owner: The class or module whose function it is.
        method: The function's name; not a coroutine function.
        point: Names the two points.
    """
    original: Callable[..., object] = getattr(owner, method)

    def stopping(*arguments: object, **named: object) -> object:
        reach(f"before {point}")
        result = original(*arguments, **named)
        reach(f"after {point}")
        return result

    setattr(owner, method, stopping)
    try:
        yield
    finally:
        setattr(owner, method, original)


def _stops(point: str) -> Iterator[None]:
    """Yield for as long as this process has to stay at the point."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return
    files = _Files(Path(folder), point)
    claim = files.reached.with_suffix(f".{os.getpid()}")
    try:
        files.armed.rename(claim)  # of several processes one gets it
    except FileNotFoundError:
        return
    claim.write_text(str(os.getpid()))
    claim.rename(files.reached)  # with its content, or not at all
    end = time.monotonic() + LONGEST_STOP
    while not files.released.exists() and time.monotonic() < end:
        yield


class _Files:
    def __init__(self, folder: Path, point: str):
        name = quote(point, safe=" ")
        self.armed = folder / f"{name}.armed"
        self.reached = folder / f"{name}.reached"
        self.released = folder / f"{name}.released"


class FaultPoints:
    """The test's side.

    Args:
        folder: The folder that the processes know by `FOLDER_VARIABLE`.
        wait_for: Waits for a condition and tells what went wrong, as `AirflowInstallation.wait_for`.
    """

    def __init__(self, folder: Path, wait_for: Callable[..., object]):
        self._folder = folder
        self._wait_for = wait_for
        folder.mkdir(parents=True, exist_ok=True)

    def arm(self, point: str) -> None:
        """Stop the next process that reaches the point."""
        files = _Files(self._folder, point)
        files.reached.unlink(missing_ok=True)
        files.released.unlink(missing_ok=True)
        files.armed.touch()

    def reached(self, point: str, timeout: float = 60.0) -> int:
        """Wait until a process has reached an armed point.

        Args:
            point: The point.
            timeout: Seconds to wait.

        Returns:
            The pid of the process that stays there.

        Raises:
            AssertionError: None came in time.
        """
        file = _Files(self._folder, point).reached
        self._wait_for(f"a process to reach the point {point!r}", file.exists, timeout=timeout)
        return int(file.read_text())

    def release(self, point: str) -> None:
        """Let the process that stays at the point go on."""
        _Files(self._folder, point).released.touch()

    def clear(self) -> None:
        """Disarm all points and let go whatever stays at one."""
        for armed in self._folder.glob("*.armed"):
            armed.unlink(missing_ok=True)
        for reached in self._folder.glob("*.reached"):
            reached.with_suffix(".released").touch()
