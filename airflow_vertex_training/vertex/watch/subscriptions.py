"""Who waits for which job, and what they are told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.api import advice
from airflow_vertex_training.vertex.api.calls import JobName
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.watch.rules import Sighting

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


@dataclass(frozen=True)
class Trouble:
    """Watching does not work at the moment. Said once, whatever happens until it is over."""

    message: str


@dataclass(frozen=True)
class Recovered:
    """Watching works again, after so many seconds."""

    seconds: float


Update = JobSnapshot | Trouble | Recovered
Queue = asyncio.Queue[Update | Exception]


@dataclass
class WatchedJob(Sighting):
    """A job and those who wait for it.

    Args:
        name: full resource name.
        last: what the subscribers were told last, ``None`` where nothing yet.
        updated: the newest update time that was seen.
        ask: a get is needed: it was missing once, or a list told its end without the reason.
        missed: how often in a row it did not exist.
        refused_since: when gets of it began to be refused for good, by the watcher's clock.
        queues: the subscribers, each with its interval in seconds.
    """

    name: str = ""
    last: JobSnapshot | None = None
    updated: datetime | None = None
    ask: bool = False
    missed: int = 0
    refused_since: float | None = None
    queues: dict[Queue, float] = field(default_factory=dict)

    def publish(self, update: Update | Exception) -> None:
        """Tell all who wait for this job."""
        for queue in self.queues:
            queue.put_nowait(update)


class Subscriptions:
    """The jobs that are being watched.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.subscribers = 0
        self._clock = clock
        self._jobs: dict[str, WatchedJob] = {}
        self._trouble: Trouble | None = None
        self._trouble_since = 0.0

    def add(self, job_name: str, interval: float) -> Queue:
        """Subscribe to a job; the queue already has what is known.

        Raises:
            InvalidJobError: ``job_name`` is no full resource name.
        """
        custom_job_id = JobName.parse(job_name).custom_job_id
        queue: Queue = asyncio.Queue()
        job = self._jobs.get(custom_job_id)
        if job is None:
            job = self._jobs[custom_job_id] = WatchedJob(custom_job_id, seen=self._clock(), name=job_name)
        elif job.last:
            queue.put_nowait(job.last)
        job.queues[queue] = interval
        self.subscribers += 1
        if self._trouble:
            queue.put_nowait(self._trouble)
        return queue

    def remove(self, job_name: str, queue: Queue) -> None:
        """End a subscription; a job that nobody waits for is watched no more."""
        self.subscribers -= 1
        job = self.find(JobName.parse(job_name).custom_job_id)
        if job is not None:
            job.queues.pop(queue, None)
            if not job.queues:
                del self._jobs[job.custom_job_id]

    def find(self, custom_job_id: str) -> WatchedJob | None:
        """Return a job that is being watched, ``None`` where it is not."""
        return self._jobs.get(custom_job_id)

    def jobs(self) -> list[WatchedJob]:
        """Return all jobs that are being watched."""
        return list(self._jobs.values())

    def intervals(self) -> list[float]:
        """Return within how many seconds each subscriber wants to know."""
        return [interval for job in self._jobs.values() for interval in job.queues.values()]

    def publish(self, update: Update | Exception) -> None:
        """Tell everybody."""
        for job in self._jobs.values():
            job.publish(update)

    def finish(self, job: WatchedJob, update: JobSnapshot | Exception) -> None:
        """Tell a job's subscribers the last that there is to tell."""
        self._jobs.pop(job.custom_job_id, None)
        if self._trouble and isinstance(update, JobSnapshot):
            job.publish(Recovered(self._clock() - self._trouble_since))
        job.publish(update)

    def tell_trouble(self, error: Exception | None) -> None:
        """Tell everybody that watching met an error, or none any more, unless they know already."""
        if error and not self._trouble:
            self._trouble = Trouble(advice.describe(error))
            self._trouble_since = self._clock()
            self.publish(self._trouble)
        elif self._trouble and not error:
            self.publish(Recovered(self._clock() - self._trouble_since))
            self._trouble = None
