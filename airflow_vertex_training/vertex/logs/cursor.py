"""What was read of many jobs' logs, and what to ask next: decisions, made without asking anything.

No place in Cloud Logging's order is safe to read on from: entries come late, and their ids order them only
within one log. So each look goes back over what was read, and what is known is left out. Where there is too
much for that, a slower second look goes over what is a minute old.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.logs.entries import MOST_ENTRIES, MOST_JOBS, SECOND
from airflow_vertex_training.vertex.logs.looks import LATEST, OVERLAP, Group, Kind, Look
from airflow_vertex_training.vertex.logs.pace import TICK, Pace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow_vertex_training.vertex.logs.entries import Entry
    from airflow_vertex_training.vertex.logs.followed import FollowedJob
    from airflow_vertex_training.vertex.logs.lines import Line

# Jobs that come while others are being read wait so long for more to be read with, in seconds.
_GATHER, _FIRST_GATHER = 15.0, 0.5
# How long an ended job's log is read on at least, in seconds.
DRAIN = 5.0
# Jobs are picked up again where others were read completely within so many seconds.
_CURRENT = 30.0
# An entry can be found so many seconds after Cloud Logging got it.
_INDEXING = 5.0
# After so many seconds more an ended job is let go, read to its end or not.
_PATIENCE = 90.0


class Cursor:
    """The logs of many jobs of one project.

    Args:
        reads_per_minute: the budget; looks keep such a distance that they stay in it.
        epoch: the time at the zero of the reader's clock, in nanoseconds since 1970. It only says where the
            present is when a job is picked up again.
        drain: seconds for which an ended job's log is read on at least, default 5.
        page_size: how many entries a read finds at most, default 1000, which is the most that there can be.
    """

    def __init__(
        self, reads_per_minute: int, *, epoch: int, drain: float = DRAIN, page_size: int = MOST_ENTRIES
    ) -> None:
        self._pace = Pace(reads_per_minute, page_size, drain)
        self._page_size = page_size
        self._epoch = epoch
        # The same by Google's clock, as far as entries have shown it: never later than it is.
        self._google_epoch = 0
        self._groups: list[Group] = []
        self._lines: dict[FollowedJob, list[Line]] = {}
        self._finished: list[FollowedJob] = []

    def add(self, job: FollowedJob, now: float) -> None:
        """Begin to read a job's log."""
        since = job.seen.since
        for group in self._groups:
            fits = not group.front or since >= group.lower()
            if len(group.jobs) < MOST_JOBS and fits and not group.looks:
                break
        else:
            due = now + (_GATHER if self._groups else _FIRST_GATHER)
            group = Group(
                since, due, due, now, self._page_size, catching_up=bool(self._groups), checked=since
            )
            self._groups.append(group)
        group.jobs[job.job_id] = job
        if not group.front:
            group.start = group.checked = min(group.start, since)

    def remove(self, job: FollowedJob) -> None:
        """Read a job's log no more."""
        for group in self._groups:
            if group.jobs.get(job.job_id) is job:
                del group.jobs[job.job_id]
        self._groups = [group for group in self._groups if group.jobs]
        self._lines.pop(job, None)

    def end(self, job: FollowedJob, now: float) -> None:
        """Take in that a job has ended: read on for late lines, then finish with it."""
        job.end_due = now + self._pace.drain()
        for group in self._groups:
            if job.job_id in group.jobs:
                group.due = min(group.due, job.end_due)

    def give_up(self, due: float = math.inf, *, say: bool = False) -> None:
        """Finish with ended jobs: their logs can't be read.

        Args:
            due: with those that were to be finished before this time only; default with all.
            say: whether a line says so.
        """
        for group in self._groups:
            ended = [job for job in group.jobs.values() if job.end_due < due]
            for job in ended if say else ():
                self._lines.setdefault(job, []).append(job.unread())
            self._finish(ended)

    def collect(self) -> tuple[list[tuple[FollowedJob, list[Line]]], list[FollowedJob]]:
        """Return the lines that are to be told, and the jobs that are finished with, each once."""
        lines, finished = list(self._lines.items()), self._finished
        self._lines, self._finished = {}, []
        return lines, finished

    def next(self, now: float, left: int) -> Look | float:
        """Return what to ask now, or for how many seconds there is nothing to ask.

        Args:
            now: seconds of the reader's clock.
            left: how many reads may be made now.
        """
        best, best_due = None, math.inf
        for group in self._groups:
            self._wake(group, now)
            for due, kind in self._dues(group, now, left):
                if due < best_due:
                    best, best_due = (group, kind), due
        if best is None or best_due > now:
            return min(best_due - now, TICK)
        group, kind = best
        look = group.looks.get(kind) or _look(group, kind, now)
        group.looks[kind] = look
        return look

    def is_new(self, look: Look, job_id: str, time: int, key: bytes) -> bool:
        """Whether an entry is to be told, or was left out, but was not told yet."""
        job = look.group.jobs.get(job_id)
        return job is not None and not job.seen.knows(time, key)

    def take(self, look: Look, entries: Sequence[Entry], token: str, now: float) -> None:
        """Take in a page.

        Args:
            look: what was asked.
            entries: those of the page for which ``is_new`` holds, in its order.
            token: of the next page, empty where there is none.
            now: seconds of the reader's clock.
        """
        group = look.group
        look.pages += 1
        look.entries += len(entries)
        look.token = token
        if look.kind is Kind.LAST:
            job = look.jobs[0]
            # A page of entries that are all new does not reach back to those that were told.
            lines = job.last_words(entries[::-1], are_all=len(entries) < look.page_size)
            self._lines.setdefault(job, []).extend(lines)
            self._finish([job])
            del group.looks[look.kind]
            return
        self._pace.saw(entries, now)
        for entry in entries:
            self._google_epoch = max(self._google_epoch, entry.received - int(now * SECOND))
        is_over = self._tell(look, entries, now)
        if look.kind is Kind.NEW and entries:
            # A replica whose clock is ahead takes nobody beyond Google's present.
            group.advance(min(entries[-1].time, self._google_epoch + int(now * SECOND)))
        if token and is_over:
            # Ask anew, without the jobs that print too much, from where this page ended.
            self.failed(look)
        elif not token:
            self._complete(look, now)

    def failed(self, look: Look) -> None:
        """Take in that a question was not answered, or is not worth going on with: it is asked anew."""
        look.group.looks.pop(look.kind, None)

    def _dues(self, group: Group, now: float, left: int) -> Iterator[tuple[float, Kind]]:
        """Return what there is to ask about a group, and since when or from when on."""
        readable = group.readable()
        # Where all jobs have ended long enough ago, looks for the rest of their logs find what is new, too.
        if any(job.end_due > now for job in readable) or (readable and group.lower() <= group.checked):
            new = group.looks.get(Kind.NEW)
            yield (new.started if new else group.due), Kind.NEW
            yield self._late_due(group, now, left), Kind.LATE
        ended = [job for job in group.jobs.values() if job.has_ended]
        rest = [job.end_due for job in ended if not group.leaves_out(job)]
        if rest and group.lower() > group.checked:
            yield min(rest), Kind.END
        loud = [job.end_due for job in ended if group.leaves_out(job)]
        if loud:
            # The last lines of a job that printed too much come after all lines of others.
            yield min(loud) + TICK, Kind.LAST

    def _late_due(self, group: Group, now: float, left: int) -> float:
        """Return when to look for late entries, infinity where there is no use in it."""
        until = group.late_until(now)
        if not group.calm() or group.lower() <= group.checked or until <= group.checked:
            return math.inf
        # Late as they are, they come after the new ones.
        if left <= self._pace.reserve and now < group.late_due + LATEST:
            return math.inf
        is_full = Kind.LATE in group.looks or until < group.settled(now)
        return min(now, group.late_due) if is_full else group.late_due

    def _wake(self, group: Group, now: float) -> None:
        """Go on with jobs whose pause is over, and let jobs go that ended too long ago."""
        if not group.calm():
            group.check(group.settled(now))
        over = [job for job in group.jobs.values() if job.may_resume(now)]
        alone = not group.readable()
        if over and not group.looks and (alone or now - group.looked < _CURRENT):
            if alone:
                group.skip(self._epoch + int((now - _CURRENT / 6) * SECOND))
            for job in over:
                self._lines.setdefault(job, []).append(job.resume(now, group.front - OVERLAP))
        for job in [job for job in group.jobs.values() if now > job.end_due + _PATIENCE]:
            self._lines.setdefault(job, []).append(job.unread())
            self._finish([job])

    def _tell(self, look: Look, entries: Sequence[Entry], now: float) -> bool:
        """Put entries into lines, and return whether some job has told all that it may for a while."""
        group = look.group
        grants = self._pace.grants(entries, group.jobs) if look.token and look.kind is Kind.NEW else {}
        met: dict[FollowedJob, Entry] = {}
        group.meet(entries)
        for entry in entries:
            job = group.jobs.get(entry.job_id)
            if job is None:
                continue
            line = job.tell(entry, grants.get(entry.job_id, job.most_lines))
            if line is not None:
                self._lines.setdefault(job, []).append(line)
                group.count(entry)
            met[job] = entry
        over = [job for job in met if job.is_over(grants.get(job.job_id, job.most_lines))]
        for job in over:
            line = job.pause(now, met[job].time, _per_second(entries, job))
            if line is not None:
                self._lines.setdefault(job, []).append(line)
        return bool(over)

    def _complete(self, look: Look, now: float) -> None:
        group = look.group
        is_quiet = look.since <= group.checked
        seconds = look.started - group.looked
        if look.kind is Kind.NEW and group.front:
            # Where nothing was printed, the present moves on all the same.
            group.advance(self._google_epoch + int((look.started - _INDEXING) * SECOND))
        group.complete(look)
        if look.kind is Kind.LATE:
            group.late_due = now + self._pace.late_interval
        elif look.kind is Kind.END:
            self._finish(job for job in look.jobs if not job.is_paused)
        else:
            every = self._pace.interval(look, seconds, len(self._groups), is_quiet=is_quiet)
            ended = [job for job in group.readable() if job.has_ended]
            if is_quiet:
                self._finish(job for job in ended if job.end_due <= look.started)
            left = [job.end_due for job in ended if job.end_due > look.started]
            group.due = max(now, min([look.started + every, *left]))
            if group.catching_up and look.pages == 1:
                self._join(group, now)

    def _join(self, group: Group, now: float) -> None:
        """Read the jobs of a group with those of another, where no late entries would be missed by that."""
        for other in self._groups:
            has_room = len(other.jobs) + len(group.jobs) <= MOST_JOBS
            waited = not group.front and now - group.born > LATEST
            if other.catching_up or other.looks or not has_room:
                continue
            if waited or group.checked >= other.start:
                other.jobs.update(group.jobs)
                self._groups.remove(group)
                return
        group.catching_up = any(not other.catching_up for other in self._groups)

    def _finish(self, jobs: Iterable[FollowedJob]) -> None:
        for job in list(jobs):
            self._finished.append(job)
            lines = self._lines.get(job)
            self.remove(job)
            if lines:
                self._lines[job] = lines


def _look(group: Group, kind: Kind, now: float) -> Look:
    ended = [job for job in group.jobs.values() if job.end_due <= now]
    if kind is Kind.NEW:
        return Look(kind, group, group.readable(), now, group.lower())
    if kind is Kind.LATE:
        return Look(kind, group, group.calm(), now, group.checked, group.late_until(now))
    if kind is Kind.END:
        return Look(kind, group, [job for job in ended if not group.leaves_out(job)], now, group.checked)
    loud = next(job for job in ended if group.leaves_out(job))
    return Look(kind, group, [loud], now, loud.seen.since)


def _per_second(entries: Sequence[Entry], job: FollowedJob) -> float:
    times = [entry.time for entry in entries if entry.job_id == job.job_id]
    return len(times) / max(0.1, (times[-1] - times[0]) / SECOND)
