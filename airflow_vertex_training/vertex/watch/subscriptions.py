"""Who waits for which job, each with a queue of what it is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.api import advice
from airflow_vertex_training.vertex.naming.job_name import JobName
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.watch.messages import GivenUp, Update

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.watch.jobs import WatchedJobs
    from airflow_vertex_training.vertex.watch.messages import Tell

Queue = asyncio.Queue[Update | Exception]


class Subscriptions:
    """Those who wait for jobs.

    Args:
        jobs: which are told what jobs are waited for.
    """

    def __init__(self, jobs: WatchedJobs) -> None:
        self.subscribers = 0
        self._jobs = jobs
        # Of each job: who waits for it, and within how many seconds it wants to know.
        self._queues: dict[str, dict[Queue, float]] = {}

    def add(self, job_name: str, interval: float, now: float) -> Queue:
        """Subscribe to a job; the queue already has what is known.

        Raises:
            InvalidJobError: ``job_name`` is no full resource name.
        """
        custom_job_id = JobName.parse(job_name).custom_job_id
        queue: Queue = asyncio.Queue()
        for update in self._jobs.watch(job_name, custom_job_id, now):
            queue.put_nowait(update)
        self._queues.setdefault(custom_job_id, {})[queue] = interval
        self.subscribers += 1
        return queue

    def remove(self, job_name: str, queue: Queue) -> None:
        """End a subscription; a job that nobody waits for is watched no more."""
        self.subscribers -= 1
        custom_job_id = JobName.parse(job_name).custom_job_id
        queues = self._queues.get(custom_job_id, {})
        if queues.pop(queue, None) is not None and not queues:
            del self._queues[custom_job_id]
            self._jobs.forget(custom_job_id)

    def shortest_interval(self, *, default: float) -> float:
        """Return within how many seconds the most impatient one wants to know."""
        intervals = (interval for queues in self._queues.values() for interval in queues.values())
        return min(intervals, default=default)

    def tell(self, tell: Tell) -> None:
        """Tell all who wait for a job; after its end nobody does any more."""
        update = tell.update
        is_end = not isinstance(update, Update) or (isinstance(update, JobSnapshot) and update.is_final)
        queues = self._queues.pop(tell.custom_job_id, {}) if is_end else self._queues[tell.custom_job_id]
        for queue in queues:
            queue.put_nowait(_given_up(update) if isinstance(update, GivenUp) else update)

    def fail(self, error: Exception) -> None:
        """End all waits by an error."""
        for queues in self._queues.values():
            for queue in queues:
                queue.put_nowait(error)


def _given_up(given_up: GivenUp) -> Exception:
    error = advice.api_error(f"Watching {given_up.job_name}", given_up.failed.error)
    error.__cause__ = given_up.failed.error
    return error
