"""A job's way to its end, in words for the task log."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.watch.messages import Recovered, Trouble

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from airflow_vertex_training.vertex.states import JobSnapshot
    from airflow_vertex_training.vertex.watch.messages import Update

# After how many seconds a job that still runs is said to; after the last one, each hour.
_STILL_RUNNING = (600.0, 1800.0, 3600.0)

_MINUTE = 60.0

_QUEUED = "JOB_STATE_QUEUED"


async def follow(
    updates: AsyncGenerator[Update, None],
    log: Any,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(tz=timezone.utc),
    call_later: Callable[[float, Callable[[], None]], asyncio.TimerHandle] | None = None,
) -> JobSnapshot:
    """Log each new state of a job, and trouble with watching it, until its end; now and then, that it runs.

    States that fell between two looks are logged as well, as far as the job's times show them.

    Args:
        updates: of ``JobWatcher.watch``.
        log: the task's logger.
        now: tells the time.
        call_later: as the running loop's, which is the default.

    Returns:
        The job as it ended. That is not logged here.

    Raises:
        JobLostError: the job was deleted.
        VertexApiError: the job could not be seen for too long.
    """
    way = _Way(log, now, call_later or asyncio.get_running_loop().call_later)
    try:
        async with aclosing(updates):
            async for update in updates:
                way.go_on(update)
                if isinstance(update, states.JobSnapshot) and update.is_final:
                    return update
    finally:
        way.end()
    msg = "updates ended before the job did"
    raise RuntimeError(msg)


class _Way:
    """What was said of a job so far."""

    # A triggerer has one for each of a thousand jobs.
    __slots__ = (
        "_call_later",
        "_log",
        "_now",
        "_running_since",
        "_said_running",
        "_sees",
        "_state",
        "_timer",
    )

    def __init__(
        self,
        log: Any,
        now: Callable[[], datetime],
        call_later: Callable[[float, Callable[[], None]], asyncio.TimerHandle],
    ) -> None:
        self._log = log
        self._now = now
        self._call_later = call_later
        self._state = ""
        self._said_running = False
        self._running_since: datetime | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sees = True

    def go_on(self, update: Update) -> None:
        """Say what is new."""
        if isinstance(update, Trouble):
            self._sees = False
            self._log.warning(
                "Watching the job does not work now, trying on; the job is not touched. %s", update.message
            )
        elif isinstance(update, Recovered):
            self._sees = True
            self._log.info("Watching the job works again, after %s", in_words(update.seconds))
        else:
            self._say_missed(update)
            if not update.is_final and update.state != self._state:
                since = update.start_time if update.state == states.RUNNING else update.update_time
                self._say_state(update, update.state, since)
            self._watch_running(update)

    def end(self) -> None:
        """Say no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _say_missed(self, job: JobSnapshot) -> None:
        """Say the states between two looks. A new job is queued first, and one that was started ran."""
        if job.create_time and job.state != _QUEUED and not self._state:
            self._say_state(job, _QUEUED, job.create_time)
        if job.start_time and job.state != states.RUNNING and not self._said_running:
            self._say_state(job, states.RUNNING, job.start_time)

    def _say_state(self, job: JobSnapshot, state: str, since: datetime | None) -> None:
        self._state = state
        self._said_running = self._said_running or state == states.RUNNING
        age = _seconds(job.create_time, since)
        words = states.state_in_words(state)
        self._log.info("%s", words if age is None or age < 1 else f"{words} (after {in_words(age)})")

    def _watch_running(self, job: JobSnapshot) -> None:
        self.end()
        if job.state == states.RUNNING:
            self._running_since = job.start_time or self._now()
            self._say_later()

    def _say_later(self) -> None:
        ran = self._ran
        # A timer can be a little early.
        self._timer = self._call_later(_next_mark(ran + 1.0) - ran, self._say_running)

    def _say_running(self) -> None:
        # A clock that was put back makes it start anew.
        if self._sees and self._ran >= _MINUTE:
            self._log.info("Still running, %s", in_minutes(self._ran))
        self._say_later()

    @property
    def _ran(self) -> float:
        return _seconds(self._running_since, self._now()) or 0.0


def summary(job: JobSnapshot, machines: str = "", accelerators: int = 0) -> str:
    """Say how a job that has ended spent its time, on what, and where its output is.

    Args:
        job: as it ended.
        machines: what it ran on, such as ``2 x g2-standard-8 with 1 x NVIDIA_L4``, default not said. A job's
            snapshot does not have it, for the part of the spec that tells it holds environment values, too.
        accelerators: how many accelerators all its machines have together, default none.
    """
    parts = []
    # A job that got no machines, or was cancelled before, has no start.
    never_ran = job.start_time is None and job.is_final and job.state not in states.SUCCEEDED
    queued = _seconds(job.create_time, job.end_time if never_ran else job.start_time)
    ran = _seconds(job.start_time, job.end_time)
    if queued is not None:
        parts.append(f"queued {in_words(queued)}{', never ran' if never_ran else ''}")
    if ran is not None:
        parts.append(f"ran {in_words(ran)}{f' on {machines}' if machines else ''}")
        if accelerators:
            parts.append(f"{ran * accelerators / 3600.0:.2f} accelerator hours")
    output = f" Output: {job.base_output_directory}" if job.base_output_directory else ""
    return f"{states.state_in_words(job.state)}: {', '.join(parts) or 'no times known'}.{output}"


def in_words(seconds: float) -> str:
    """Say a duration by its two largest units: ``1 h 12 min``, ``2 min 10 s``, ``4 s``."""
    whole = round(seconds)
    units = [(whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    said = [f"{count} {unit}" for count, unit in units if count]
    return " ".join(said[:2]) or "0 s"


def in_minutes(seconds: float) -> str:
    """Say a duration by hours and minutes: ``1 h 20 min``, ``10 min``."""
    return in_words(round(seconds / 60.0) * 60.0)


def _next_mark(ran: float) -> float:
    """Return after how many seconds of running that is said next."""
    return next((mark for mark in _STILL_RUNNING if mark > ran), (ran // 3600.0 + 1.0) * 3600.0)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    # Clocks differ, and can be put back: no time is less than none.
    return max(0.0, (end - start).total_seconds()) if start and end else None
