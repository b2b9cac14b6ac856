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

from airflow_vertex_training.vertex.watch import lists, survey
from airflow_vertex_training.vertex.watch.budget import allowance
from airflow_vertex_training.vertex.watch.job import longest_unseen, overdue
from airflow_vertex_training.vertex.watch.jobs import WatchedJobs
from airflow_vertex_training.vertex.watch.messages import (
    ActiveJobs,
    Decision,
    Failed,
    Get,
    Meaning,
    Open,
    Page,
    ReadPage,
    Rest,
)
from airflow_vertex_training.vertex.watch.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from airflow_vertex_training.vertex.watch.job import WatchedJob
    from airflow_vertex_training.vertex.watch.messages import Ask, Seen

# How long an error that repeating should not cure is tolerated, in seconds: permissions and credentials are
# mended by people, while the job runs on. Longer than the ten minutes that a token may take.
PATIENCE = 900.0
# Longest wait between two ticks while nothing answers, in seconds.
MAX_BACKOFF = 60.0
# Gets under way at once: one that hangs must not hold up the others.
GETS_AT_ONCE = 10


@dataclass
class _Tick:
    """A look at all jobs that is under way.

    Args:
        began: when.
        requests: how many it took so far.
        error: what a list, or all gets of a round, failed with.
    """

    began: float = 0.0
    requests: int = 0
    error: Failed | None = None


class Rules:
    """The jobs that one watcher watches, and what it should do about them.

    Time is an argument: seconds of any clock that only grows.

    Args:
        deployment_id: jobs with this value of the label ``airflow_deployment`` are listed, others got.
        requests_per_minute: how many requests a minute may see.
        patience: seconds for which a permanent error is tolerated, default 15 minutes.
        surveys: whether all active jobs of the deployment are listed once a minute, default no.
        jitter: returns a random number between nothing and its argument, default ``random.uniform``'s.
    """

    def __init__(
        self,
        deployment_id: str,
        *,
        requests_per_minute: int,
        patience: float = PATIENCE,
        surveys: bool = False,
        jitter: Callable[[float], float] = lambda most: random.uniform(0.0, most),
    ) -> None:
        self._deployment_id = deployment_id
        self._jobs = WatchedJobs(deployment_id, patience)
        self._active_filter = lists.active_filter(deployment_id)
        self._requests_per_minute = requests_per_minute
        self._jitter = jitter
        self._active = lists.ListCost()
        self._ended = lists.ListCost()
        self._checks = 0
        self._failures = 0
        self._next_survey = 0.0 if surveys else float("inf")
        self._survey: Survey | None = None
        # Of the decision that is being made, and of the tick that is under way.
        self._now = 0.0
        self._interval = 0.0
        self._active_jobs: ActiveJobs | None = None
        self._tick = _Tick()
        # The first rest is over as soon as anything is decided.
        self._asks = self._ask()
        next(self._asks)
        self._outstanding = 1

    @property
    def jobs(self) -> WatchedJobs:
        """The jobs that are being watched."""
        return self._jobs

    def decide(self, seen: Seen, now: float, interval: float) -> Decision:
        """Take in an answer to what was asked last, and return what to do.

        Args:
            seen: the answer. A ``Get`` has as many as it has jobs, each to be given as soon as it is there.
            now: when it came.
            interval: the shortest time in which anybody who waits wants to hear of a change, in seconds.
        """
        self._now, self._interval, self._active_jobs = now, interval, None
        self._jobs.take_in(seen, now)
        self._outstanding -= 1
        ask = None
        if not self._outstanding:
            ask = self._asks.send(seen)
            self._outstanding = len(ask.job_names) if isinstance(ask, Get) else 1
            if isinstance(ask, ReadPage | Get):
                self._tick.requests += self._outstanding
        return Decision(self._jobs.take_tells(), ask, self._active_jobs)

    # What to ask next

    def _ask(self) -> Generator[Ask, Seen, None]:
        yield Rest(0.0)
        while True:
            self._tick = _Tick(began=self._now)
            self._jobs.begin_tick()
            yield from self._look()
            self._jobs.end_tick(self._tick.error if self._is_outage else None)
            if self._is_outage:
                self._failures += 1
                yield Rest(self._jitter(min(MAX_BACKOFF, 2.0 ** min(self._failures, 10))))
            else:
                self._failures = 0
                yield from self._go_on_with_survey()
                yield from self._rest()

    def _look(self) -> Generator[Ask, Seen, None]:
        """Look at all jobs once, as far as the budget allows."""
        opened = yield Open(anew=self._jobs.take_reconnect())
        if isinstance(opened, Failed):
            self._tick.error = opened
            self._jobs.all_failed(opened)
            return
        survey_ = self._begin_survey()
        unended = [job for job in self._jobs if not job.end]
        listable = [job for job in unended if job.listable]
        if self._active.worth(len(listable)):
            missing = yield from self._missing_in_lists(listable, survey_)
            if self._is_over_quota:
                return
            # A list can also go on showing a job as active that has ended: one get a tick, of each in turn,
            # keeps it honest.
            self._checks += 1
            check = listable[self._checks % len(listable)]
            unended = [check, *missing, *(job for job in unended if job.has_to_be_got)]
        yield from self._get_each([*unended, *self._without_reason()])

    def _missing_in_lists(
        self, listable: Sequence[WatchedJob], in_passing: Survey | None
    ) -> Generator[Ask, Seen, Sequence[WatchedJob]]:
        """Read the lists and return the jobs that have to be got."""
        missing = yield from self._read(self._active_filter, listable, self._active, in_passing)
        if self._tick.error:
            return listable
        if not self._ended.worth(len(missing)):
            return missing
        filter_ = lists.final_filter(self._deployment_id, [job.created for job in missing])
        silent = yield from self._read(filter_, missing, self._ended)
        if self._tick.error:
            return listable
        return overdue(silent, self._now, self._interval)

    def _read(
        self,
        filter_: str,
        wanted: Sequence[WatchedJob],
        cost: lists.ListCost,
        in_passing: Survey | None = None,
    ) -> Generator[Ask, Seen, Sequence[WatchedJob]]:
        """Read a list until it showed all wanted jobs, fails, or costs too many requests; return the rest."""
        missing = {job.custom_job_id: job for job in wanted}
        most, dear = lists.most_pages(len(wanted)), False
        token, pages = "", 0
        while missing and not dear:
            page = yield ReadPage(filter_, token, everything=in_passing is not None)
            if not isinstance(page, Page):
                if isinstance(page, Failed):
                    self._tick.error = page
                    self._jobs.list_failed(page, missing)
                return list(missing.values())
            pages += 1
            for shown in page.jobs:
                missing.pop(shown.custom_job_id, None)
            if in_passing:
                in_passing.add(page)
            token = page.next_page_token
            if not token:
                break
            dear = bool(missing) and pages >= most
        cost.set(len(wanted) if dear else pages)
        return list(missing.values())

    def _get_each(self, jobs: Iterable[WatchedJob]) -> Generator[Ask, Seen, None]:
        """Get jobs as far as the budget allows, those first that were not seen for longest."""
        chosen = longest_unseen({job.custom_job_id: job for job in jobs}.values(), self._room)
        for first in range(0, len(chosen), GETS_AT_ONCE):
            # One that has ended meanwhile, or that nobody waits for any more, is asked for no more.
            some = [
                job for job in chosen[first : first + GETS_AT_ONCE] if job.custom_job_id in self._jobs.ids
            ]
            if not some:
                continue
            for job in some:
                job.asked = self._now
            self._jobs.failed.clear()
            yield Get(tuple(job.name for job in some))
            failed = list(self._jobs.failed)
            if len(failed) == len(some):
                self._tick.error = failed[0]
                if all(each.meaning is not Meaning.REFUSED for each in failed):
                    # Nothing passes, so the rest is not tried either.
                    for job in chosen[first + GETS_AT_ONCE :]:
                        job.concern = failed[0]
                    return

    def _without_reason(self) -> list[WatchedJob]:
        """Return the jobs whose end is known, and the reason of which has to be looked for now."""
        return [job for job in self._jobs if job.end and job.next_look <= self._now]

    def _rest(self) -> Generator[Ask, Seen, None]:
        """Rest until the next tick is due, but for looks at ends without a reason."""
        while True:
            looks = [job.next_look for job in self._jobs if job.end and self._room > 0]
            look = min(looks, default=float("inf"))
            yield Rest(max(0.0, min(self._due, look) - self._now))
            if not look <= self._now < self._due:
                # Where that is sooner, somebody has come who wants to know sooner.
                return
            yield from self._get_each(self._without_reason())
            self._jobs.end_without_reason()

    @property
    def _is_outage(self) -> bool:
        """Whether this tick met errors only."""
        return self._tick.error is not None and not self._jobs.answered

    @property
    def _is_over_quota(self) -> bool:
        """Whether asking more in this tick would only be refused."""
        return self._tick.error is not None and self._tick.error.meaning is Meaning.TOO_MANY_REQUESTS

    @property
    def _room(self) -> int:
        """How many requests may still be made in this tick."""
        allowed = allowance(self._interval, self._requests_per_minute, least=lists.FEW)
        return allowed - self._tick.requests

    @property
    def _due(self) -> float:
        """When the next tick is due: at the last one's rate the budget must last."""
        return self._tick.began + max(self._interval, self._tick.requests * 60.0 / self._requests_per_minute)

    # All active jobs of the deployment

    def _begin_survey(self) -> Survey | None:
        """Return the survey that begins in this tick."""
        if self._survey or self._now < self._next_survey:
            return None
        self._next_survey = self._now + survey.EVERY
        self._survey = Survey(watched=frozenset(self._jobs.ids))
        return self._survey

    def _go_on_with_survey(self) -> Generator[Ask, Seen, None]:
        """Read on in the complete list with what this tick leaves of budget and time, a page at least."""
        for _ in range(max(1, self._room)):
            if self._survey and not self._survey.read:
                within = max(1.0, self._due - self._now)
                token = self._survey.page_token
                page = yield ReadPage(self._active_filter, token, everything=True, within=within)
                if not isinstance(page, Page):
                    # That is nobody's trouble. The next one begins in a minute.
                    self._survey = None
                    return
                self._survey.add(page)
        if self._survey and self._survey.read:
            watched = self._survey.watched.union(self._jobs.ids)
            self._active_jobs = ActiveJobs(tuple(self._survey.found.values()), watched)
            self._survey = None
