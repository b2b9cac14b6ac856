"""A job's way to its end, in words for the task log."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.watch.messages import Recovered, Trouble

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime, timedelta

    from airflow_vertex_training.vertex.states import JobSnapshot
    from airflow_vertex_training.vertex.watch.messages import Update


async def follow(updates: AsyncGenerator[Update, None], log: Any) -> JobSnapshot:
    """Log each new state of a job, and trouble with watching it, until its end.

    Args:
        updates: of ``JobWatcher.watch``.
        log: the task's logger.

    Returns:
        The job as it ended.

    Raises:
        JobLostError: the job was deleted.
        VertexApiError: the job could not be seen for too long.
    """
    async with aclosing(updates):
        async for update in updates:
            if isinstance(update, Trouble):
                log.warning(
                    "Watching the job does not work now, trying on; the job is not touched. %s",
                    update.message,
                )
            elif isinstance(update, Recovered):
                log.info("Watching the job works again, after %s", in_words(update.seconds))
            elif update.is_final:
                return update
            else:
                log.info("%s", _state_and_age(update))
    msg = "updates ended before the job did"
    raise RuntimeError(msg)


def summary(job: JobSnapshot) -> str:
    """Say how a job that succeeded spent its time and where its output is."""
    parts = []
    queued = _between(job.create_time, job.start_time)
    ran = _between(job.start_time, job.end_time)
    if queued is not None:
        parts.append(f"queued {in_words(queued.total_seconds())}")
    if ran is not None:
        parts.append(f"ran {in_words(ran.total_seconds())}")
    output = f" Output: {job.base_output_directory}" if job.base_output_directory else ""
    return f"{states.state_in_words(job.state)}: {', '.join(parts) or 'no times known'}.{output}"


def in_words(seconds: float) -> str:
    """Say a duration by its two largest units: ``1 h 12 min``, ``2 min 10 s``, ``4 s``."""
    whole = round(seconds)
    units = [(whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    said = [f"{count} {unit}" for count, unit in units if count]
    return " ".join(said[:2]) or "0 s"


def _state_and_age(job: JobSnapshot) -> str:
    since = job.start_time if job.state == states.RUNNING else job.update_time
    age = _between(job.create_time, since)
    words = states.state_in_words(job.state)
    return (
        words
        if age is None or age.total_seconds() < 1
        else f"{words} (after {in_words(age.total_seconds())})"
    )


def _between(start: datetime | None, end: datetime | None) -> timedelta | None:
    return end - start if start and end else None
