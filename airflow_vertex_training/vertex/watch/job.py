"""What is known of one watched job, and what an answer about it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.exceptions import JobLostError
from airflow_vertex_training.vertex.watch.messages import End, Failed, GivenUp, Meaning

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_vertex_training.vertex.states import JobSnapshot


@dataclass
class WatchedJob:
    """What is known of a watched job.

    Args:
        name: full resource name, as who waits for it wrote it.
        custom_job_id: last segment of its name: the API may name the project by number or by id.
        seen: when it was last answered for, or else first asked for, in seconds of the watcher's clock.
        asked: when it was last asked for by itself, answered or not.
        listable: whether a list of the deployment's jobs can show it.
        last: what was told last, ``None`` where nothing yet.
        created: its create time, ``None`` where not known yet.
        updated: the newest update time that was seen.
        ask: a get is needed: it was missing once, or a list told its end without the reason.
        missed: how often in a row it did not exist.
        refused_since: when gets of it began to be refused.
        failed: why the last get of it had no answer that passes for one, ``None`` where it had.
    """

    name: str
    custom_job_id: str
    seen: float
    asked: float = 0.0
    listable: bool = True
    last: JobSnapshot | None = None
    created: datetime | None = None
    updated: datetime | None = None
    ask: bool = False
    missed: int = 0
    refused_since: float | None = None
    failed: Failed | None = None

    def saw_in_list(self, job: JobSnapshot, now: float) -> JobSnapshot | None:
        """Take in what a list shows of the job; return it where that is news."""
        if self._is_behind(job, now):
            return None
        # The reason of an end may be missing in a list.
        self.ask = job.state in states.FINAL - states.SUCCEEDED and not job.error_message
        return None if self.ask else self._news(job)

    def got(self, job: JobSnapshot, now: float, *, listable: bool) -> JobSnapshot | None:
        """Take in the answer to a get; return the job where that is news."""
        self.missed, self.refused_since = 0, None
        if self._is_behind(job, now):
            return None
        self.ask, self.listable = False, listable
        return self._news(job)

    def refused(self, failed: Failed, now: float, patience: float) -> End | None:
        """Take in that a get had no answer; return what ends the wait, if this does."""
        if failed.meaning is Meaning.NOT_FOUND:
            # The second look is the next tick's.
            self.missed += 1
            self.ask = True
            return JobLostError(self.name) if self.missed > 1 else None
        self.failed = failed
        if failed.meaning is not Meaning.REFUSED:
            return None
        if self.refused_since is None:
            self.refused_since = now
        return GivenUp(self.name, failed) if now - self.refused_since >= patience else None

    def _is_behind(self, job: JobSnapshot, now: float) -> bool:
        """Whether the job has left that state already: a list can be late."""
        self.seen = now
        if job.update_time and self.updated and job.update_time < self.updated:
            return True
        self.updated = job.update_time or self.updated
        self.created = job.create_time or self.created
        return False

    def _news(self, job: JobSnapshot) -> JobSnapshot | None:
        if self.last is not None and self.last.state == job.state:
            return None
        self.last = job
        return job
