"""What many watched jobs need next: (what was seen, when) -> (whom to tell what, what to ask next).

``Rules`` is one synchronous state machine. It touches no network and waits for nothing, so that every order
of answers can be tried on it.

A final state may be believed wherever it is read. An active state in a list, or a job's absence from it,
means little: a list can be late or miss a job.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.naming.identity import DEPLOYMENT
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.watch import lists
from airflow_vertex_training.vertex.watch.job import WatchedJob
from airflow_vertex_training.vertex.watch.messages import (
    Ask,
    Decision,
    Failed,
    Get,
    Got,
    Meaning,
    Open,
    Page,
    ReadPage,
    Recovered,
    Rest,
    Seen,
    Tell,
    Trouble,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Sequence

    from airflow_vertex_training.vertex.watch.messages import End, Update

# How long an error that repeating should not cure is tolerated, in seconds: permissions and credentials are
# mended by people, while the job runs on. Longer than the ten minutes that a token may take.
PATIENCE = 900.0
# Longest wait between two ticks while nothing answers, in seconds.
MAX_BACKOFF = 60.0
# Gets under way at once: one that hangs must not hold up the others.
GETS_AT_ONCE = 10
# A job that neither list shows is asked for itself after so many intervals: a page that shifts while it
# is being read hides some jobs for one tick.
OVERDUE_INTERVALS = 2.0


@dataclass
class _Tick:
    """A tick that is under way: what it took, what went wrong, and whether anything was answered."""

    began: float = 0.0
    requests: int = 0
    error: Failed | None = None
    answered: bool = False

    @property
    def is_outage(self) -> bool:
        """Whether there were errors only."""
        return self.error is not None and not self.answered

    @property
    def is_over_quota(self) -> bool:
        """Whether asking more would only be refused."""
        return self.error is not None and self.error.meaning is Meaning.TOO_MANY_REQUESTS


class Rules:
    """The jobs that one watcher watches, and what it should do about them.

    Time is an argument: seconds of any clock that only grows.

    Args:
        deployment_id: jobs with this value of the label ``airflow_deployment`` are listed, others got.
        requests_per_minute: how many requests a minute may see.
        patience: seconds for which a permanent error is tolerated, default 15 minutes.
        jitter: returns a random number between nothing and its argument, default ``random.uniform``'s.
    """

    def __init__(
        self,
        deployment_id: str,
        *,
        requests_per_minute: int,
        patience: float = PATIENCE,
        jitter: Callable[[float], float] = lambda most: random.uniform(0.0, most),
    ) -> None:
        self._deployment_id = deployment_id
        self._requests_per_minute = requests_per_minute
        self._patience = patience
        self._jitter = jitter
        self._jobs: dict[str, WatchedJob] = {}
        self._active = lists.ListCost()
        self._ended = lists.ListCost()
        self._checks = 0
        self._reopen = False
        self._trouble: Trouble | None = None
        self._trouble_since = 0.0
        # Of the decision that is being made.
        self._now = 0.0
        self._interval = 0.0
        self._tell: list[Tell] = []
        self._this_tick = _Tick()
        # The first rest is over as soon as anything is decided.
        self._asks = self._ticks()
        next(self._asks)
        self._outstanding = 1

    def watch(self, job_name: str, custom_job_id: str, now: float) -> Sequence[Update]:
        """Watch a job from now on; return what is known already and who comes later has to be told."""
        job = self._jobs.get(custom_job_id)
        if job is None:
            job = self._jobs[custom_job_id] = WatchedJob(job_name, custom_job_id, seen=now)
        return [update for update in (job.last, self._trouble) if update]

    def forget(self, custom_job_id: str) -> None:
        """Watch a job no more."""
        self._jobs.pop(custom_job_id, None)

    def watches(self, custom_job_id: str) -> bool:
        """Whether a job is being watched."""
        return custom_job_id in self._jobs

    def decide(self, seen: Seen, now: float, interval: float) -> Decision:
        """Take in an answer to what was asked last, and return what to do.

        Args:
            seen: the answer. A ``Get`` has as many as it has jobs, each to be given as soon as it is there.
            now: when it came.
            interval: the shortest time in which anybody who waits wants to hear of a change, in seconds.
        """
        self._now, self._interval, self._tell = now, interval, []
        self._take_in(seen)
        self._outstanding -= 1
        ask = None
        if not self._outstanding:
            ask = self._asks.send(seen)
            self._outstanding = len(ask.job_names) if isinstance(ask, Get) else 1
            if isinstance(ask, ReadPage | Get):
                self._this_tick.requests += self._outstanding
        return Decision(tuple(self._tell), ask)

    # What to ask next

    def _ticks(self) -> Generator[Ask, Seen, None]:
        yield Rest(0.0)
        failures = 0
        while True:
            self._this_tick = _Tick(began=self._now)
            yield from self._tick()
            self._tell_trouble()
            if self._this_tick.is_outage:
                failures += 1
                yield Rest(self._jitter(min(MAX_BACKOFF, 2.0 ** min(failures, 10))))
            else:
                failures = 0
                yield Rest(max(0.0, self._this_tick.began + self._next_tick() - self._now))

    def _next_tick(self) -> float:
        """Return the seconds from one tick to the next: at that rate the budget must last."""
        return max(self._interval, self._this_tick.requests * 60.0 / self._requests_per_minute)

    def _tick(self) -> Generator[Ask, Seen, None]:
        """Look at all jobs once, as far as the budget allows."""
        anew, self._reopen = self._reopen, False
        opened = yield Open(anew=anew)
        if isinstance(opened, Failed):
            for job in list(self._jobs.values()):
                self._refused(job, opened)
            return
        wanted = list(self._jobs.values())
        listable = [job for job in wanted if job.listable]
        if self._active.worth(len(listable)):
            unlisted = [job for job in wanted if job.ask or not job.listable]
            missing = yield from self._missing_in_lists(listable)
            if self._this_tick.is_over_quota:
                return
            wanted = [*unlisted, *missing]
        room = allowance(self._interval, self._requests_per_minute) - self._this_tick.requests
        unique = {job.custom_job_id: job for job in wanted}
        yield from self._get_each(longest_unseen(unique.values(), room))

    def _missing_in_lists(
        self, listable: Sequence[WatchedJob]
    ) -> Generator[Ask, Seen, Collection[WatchedJob]]:
        """Read the lists and return the jobs that have to be got."""
        # A list can also go on showing a job as active that has ended: one get a tick, of each in turn,
        # keeps it honest.
        self._checks += 1
        check = listable[self._checks % len(listable)]
        missing = yield from self._read(lists.active_filter(self._deployment_id), listable, self._active)
        if self._this_tick.error:
            return listable
        if not self._ended.worth(len(missing)):
            return [check, *missing]
        filter_ = lists.final_filter(self._deployment_id, [job.created for job in missing])
        silent = yield from self._read(filter_, missing, self._ended)
        if self._this_tick.error:
            return listable
        return [check, *overdue(silent, self._now, self._interval)]

    def _read(
        self, filter_: str, wanted: Sequence[WatchedJob], cost: lists.ListCost
    ) -> Generator[Ask, Seen, Sequence[WatchedJob]]:
        """Read a list until it showed all wanted jobs, fails, or costs too many requests; return the rest."""
        missing = {job.custom_job_id: job for job in wanted}
        token, pages, dear = "", 0, False
        while missing and not dear:
            page = yield ReadPage(filter_, token)
            if not isinstance(page, Page):
                break
            pages += 1
            for job in page.jobs:
                missing.pop(job.custom_job_id, None)
            token = page.next_page_token
            if not token:
                break
            dear = pages >= lists.most_pages(len(wanted))
        if not self._this_tick.error:
            cost.set(len(wanted) if dear else pages)
        return list(missing.values())

    def _get_each(self, jobs: Sequence[WatchedJob]) -> Generator[Ask, Seen, None]:
        for first in range(0, len(jobs), GETS_AT_ONCE):
            # One that has ended meanwhile, or that nobody waits for any more, is asked for no more.
            some = [job for job in jobs[first : first + GETS_AT_ONCE] if job.custom_job_id in self._jobs]
            for job in some:
                job.asked, job.failed = self._now, None
            if some:
                yield Get(tuple(job.name for job in some))
            if some and all(job.failed for job in some):
                # Where nothing passes, the rest is not tried either.
                self._this_tick.error = some[0].failed
                return

    # What was seen

    def _take_in(self, seen: Seen) -> None:
        if isinstance(seen, Page):
            self._this_tick.answered = True
            for shown in seen.jobs:
                if job := self._jobs.get(shown.custom_job_id):
                    self._tell_news(job, job.saw_in_list(shown, self._now))
        elif isinstance(seen, Got):
            self._this_tick.answered = True
            if job := self._jobs.get(seen.job.custom_job_id):
                listable = seen.job.labels.get(DEPLOYMENT) == self._deployment_id
                self._tell_news(job, job.got(seen.job, self._now, listable=listable))
        elif isinstance(seen, Failed):
            self._take_in_error(seen)

    def _take_in_error(self, failed: Failed) -> None:
        if not failed.job_name:
            self._this_tick.error = failed
            return
        if failed.meaning is Meaning.NOT_FOUND:
            self._this_tick.answered = True
        if job := self._jobs.get(failed.job_name.rpartition("/")[2]):
            self._refused(job, failed)

    def _refused(self, job: WatchedJob, failed: Failed) -> None:
        self._reopen = self._reopen or failed.bad_credentials
        if end := job.refused(failed, self._now, self._patience):
            self._finish(job, end)

    # What to tell

    def _tell_news(self, job: WatchedJob, news: JobSnapshot | None) -> None:
        if news and news.is_final:
            self._finish(job, news)
        elif news:
            self._tell.append(Tell(job.custom_job_id, news))

    def _finish(self, job: WatchedJob, end: JobSnapshot | End) -> None:
        """Tell the last that there is to tell of a job."""
        self.forget(job.custom_job_id)
        if self._trouble and isinstance(end, JobSnapshot):
            self._tell.append(Tell(job.custom_job_id, Recovered(self._now - self._trouble_since)))
        self._tell.append(Tell(job.custom_job_id, end))

    def _tell_trouble(self) -> None:
        """Tell everybody that the tick met an error, or none any more, unless they know already."""
        update: Trouble | Recovered
        if self._this_tick.error and not self._trouble:
            update = self._trouble = Trouble(self._this_tick.error.words)
            self._trouble_since = self._now
        elif self._trouble and not self._this_tick.error:
            update = Recovered(self._now - self._trouble_since)
            self._trouble = None
        else:
            return
        self._tell += [Tell(custom_job_id, update) for custom_job_id in self._jobs]


def allowance(seconds: float, requests_per_minute: int) -> int:
    """Return how many requests a tick of that length may make; always enough for a few jobs."""
    return max(lists.FEW, int(seconds * requests_per_minute / 60.0))


def longest_unseen(jobs: Iterable[WatchedJob], most: int) -> list[WatchedJob]:
    """Return up to ``most`` jobs, those first that were neither seen nor asked for for longest.

    Jobs that are refused take their turns like all others, and don't keep them from being asked for.
    """
    return sorted(jobs, key=lambda job: max(job.seen, job.asked))[: max(0, most)]


def overdue(missing: Iterable[WatchedJob], now: float, seconds: float) -> list[WatchedJob]:
    """Return the jobs that no list has shown for so long that they are asked for one by one."""
    return [job for job in missing if now - job.seen > OVERDUE_INTERVALS * seconds]
