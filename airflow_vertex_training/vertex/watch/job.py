"""What is known of one watched job, and what each answer changes about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.exceptions import JobLostError
from airflow_vertex_training.vertex.watch.messages import Failed, GivenUp, Meaning, Recovered, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from airflow_vertex_training.vertex.states import JobSnapshot
    from airflow_vertex_training.vertex.watch.messages import End, Update

# Vertex sets the error of a job "about one minute" after the job's end, so an end without one is looked at
# again, so often and for so long, in seconds:
# https://cloud.google.com/vertex-ai/docs/training/understanding-training-service
REASON_INTERVAL = 15.0
REASON_PATIENCE = 90.0
# A job that neither list shows is asked for itself after so many intervals: a page that shifts while it
# is being read hides some jobs for one tick.
OVERDUE_INTERVALS = 2.0


@dataclass(slots=True)
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
        missed: how many gets in a row said that it does not exist.
        refused_since: when it began to be refused, ``None`` where it was seen since.
        end: a final state that is known, but not yet its reason.
        ended: when ``end`` was first seen.
        shown: whether this tick showed it.
        concern: the error that this tick met when it looked for the job.
        trouble: what those who wait were told does not work, ``None`` where it works.
        trouble_since: when they were told.
    """

    name: str
    custom_job_id: str
    seen: float
    asked: float = float("-inf")
    listable: bool = True
    last: JobSnapshot | None = None
    created: datetime | None = None
    updated: datetime | None = None
    missed: int = 0
    refused_since: float | None = None
    end: JobSnapshot | None = None
    ended: float = 0.0
    shown: bool = False
    concern: Failed | None = None
    trouble: Trouble | None = None
    trouble_since: float = 0.0

    @property
    def known(self) -> list[Update]:
        """What who comes later has to be told."""
        return [update for update in (self.last, self.trouble) if update]

    @property
    def has_to_be_got(self) -> bool:
        """Whether no list can help: it can't show the job, or a get said that there is no such job."""
        return not self.listable or self.missed > 0

    @property
    def next_look(self) -> float:
        """When an end without a reason is looked at again, or tolerated."""
        return min(self.asked + REASON_INTERVAL, self.ended + REASON_PATIENCE)

    def begin_tick(self) -> None:
        """Be looked for anew."""
        self.shown, self.concern = False, None

    def saw(self, job: JobSnapshot, now: float) -> JobSnapshot | None:
        """Take in what an answer shows of the job; return the job where that is news."""
        # Whoever may see the job is not refused it, however old the state is that is shown.
        self.seen, self.shown, self.refused_since = now, True, None
        is_older = bool(job.update_time and self.updated and job.update_time < self.updated)
        if is_older and not job.is_final:
            # A late list: the job has left that state already. A final one no job leaves.
            return None
        if not is_older:
            self.updated = job.update_time or self.updated
        self.created = job.create_time or self.created
        if self.end or (job.is_final and job.state not in states.SUCCEEDED and not _has_reason(job)):
            return self._saw_end(job, now)
        # Shells have their addresses some time after the job runs.
        if self.last is not None and not _is_news(job, self.last):
            return None
        self.last = job
        return job

    def got(self, job: JobSnapshot, now: float, *, listable: bool) -> JobSnapshot | None:
        """Take in the answer to a get, as ``saw`` does."""
        # A list can go on showing a job that was deleted, a get can't.
        self.missed, self.listable = 0, listable
        return self.saw(job, now)

    def failed(self, failed: Failed, now: float, patience: float) -> JobSnapshot | End | None:
        """Take in that the job was looked for in vain; return what ends the wait, if this does."""
        if failed.meaning is Meaning.NOT_FOUND:
            self.shown = True
            # The second look is the next tick's.
            self.missed += 1
            return (self.end or JobLostError(self.name)) if self.missed > 1 else None
        self.concern = failed
        if failed.meaning is not Meaning.REFUSED:
            return None
        if self.refused_since is None:
            self.refused_since = now
        return GivenUp(self.name, failed) if now - self.refused_since >= patience else None

    def end_without_reason(self, now: float) -> JobSnapshot | None:
        """Return the end that is known, once its reason was waited for long enough."""
        return self.end if self.end and now >= self.ended + REASON_PATIENCE else None

    def change_of_trouble(self, now: float) -> Trouble | Recovered | None:
        """Return what a tick changed: looking for the job does not work any more, or it works again.

        A look that failed does not matter where another one showed the job; nor is a trouble over as long as
        the job is seen in a roundabout way only.
        """
        if self.concern and not self.shown and not self.trouble:
            self.trouble, self.trouble_since = Trouble(self.concern.words), now
            return self.trouble
        return self.end_of_trouble(now) if self.shown and not self.concern else None

    def end_of_trouble(self, now: float) -> Recovered | None:
        """End the trouble that was told; return what to say of it, ``None`` where there was none."""
        if not self.trouble:
            return None
        self.trouble = None
        return Recovered(now - self.trouble_since)

    def _saw_end(self, job: JobSnapshot, now: float) -> JobSnapshot | None:
        """Keep an end back until its reason is known; what is shown against it later, does not count."""
        if self.end is None:
            self.end, self.ended = job, now
        return job if job.state == self.end.state and _has_reason(job) else None


def _is_news(job: JobSnapshot, last: JobSnapshot) -> bool:
    has_new_shells = len(job.web_access_uris) > len(last.web_access_uris)
    return (job.state, job.is_final) != (last.state, last.is_final) or has_new_shells


def _has_reason(job: JobSnapshot) -> bool:
    return job.error_code is not None or bool(job.error_message)


def longest_unseen(jobs: Iterable[WatchedJob], most: int) -> list[WatchedJob]:
    """Return up to ``most`` jobs, those first that were neither seen nor asked for for longest.

    Jobs that are refused take their turns like all others, and don't keep them from being asked for.
    """
    return sorted(jobs, key=lambda job: max(job.seen, job.asked))[: max(0, most)]


def overdue(missing: Iterable[WatchedJob], now: float, interval: float) -> list[WatchedJob]:
    """Return the jobs that no list has shown for so long that they are asked for one by one."""
    return [job for job in missing if now - job.seen > OVERDUE_INTERVALS * interval]
