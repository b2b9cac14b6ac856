"""A Vertex AI that is a few lists of states, for the watcher's rules: no network, and time is a number."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.watch.messages import (
    ActiveJobs,
    Decision,
    Done,
    End,
    Failed,
    Get,
    Got,
    Meaning,
    Open,
    Page,
    ReadPage,
    Rest,
    Seen,
    Update,
)
from airflow_vertex_training.vertex.watch.rules import Rules
from tests.vertex.conftest import RUN_START

if TYPE_CHECKING:
    from collections.abc import Callable

PARENT = "projects/acme/locations/us-central1"

# What comes of a request. `stale` is a list of half a minute ago, `lossy` one that lacks every second job.
# `gone` is a get that does not find a job though it is there.
Outcome = Literal["well", "stale", "lossy", "passes", "too many", "refused", "gone"]
MEANINGS = {"passes": Meaning.PASSES, "too many": Meaning.TOO_MANY_REQUESTS, "refused": Meaning.REFUSED}


@dataclass(frozen=True)
class Life:
    """How a job's states follow each other.

    Args:
        states: each with the second in which it begins; the first one is the job's beginning.
        reason_at: when the error of a failed job is set, `None` for never.
        deleted_at: when the job is deleted, `None` for never.
        labelled: whether our lists show it.
    """

    states: tuple[tuple[float, str], ...]
    reason_at: float | None = None
    deleted_at: float | None = None
    labelled: bool = True

    def at(self, name: str, now: float) -> JobSnapshot | None:
        """Return the job as it is at a time, `None` where it does not exist."""
        begun = [(since, state) for since, state in self.states if since <= now]
        if not begun or (self.deleted_at is not None and now >= self.deleted_at):
            return None
        since, state = begun[-1]
        has_reason = self.reason_at is not None and now >= self.reason_at
        return JobSnapshot(
            name,
            state=f"JOB_STATE_{state}",
            create_time=RUN_START + timedelta(seconds=self.states[0][0]),
            update_time=RUN_START + timedelta(seconds=self.reason_at if has_reason else since),  # type: ignore[arg-type]
            error_code=3 if has_reason else None,
            error_message="exited with a non-zero status of 1" if has_reason else "",
            labels={"airflow_deployment": "airflow"} if self.labelled else {},
        )


@dataclass
class World:
    """Jobs, and a watcher of some of them.

    Args:
        lives: the jobs' lives by their ids.
        surveys: whether complete lists are wanted.
        interval: seconds between two looks.
        requests_per_minute: the budget.
        page_size: how many jobs a page of a list has.
        now: the time.
        frozen_at: from when on lists show nothing new, `None` for never.
    """

    lives: dict[str, Life]
    surveys: bool = False
    interval: float = 10.0
    requests_per_minute: int = 300
    page_size: int = 100
    now: float = 100.0
    frozen_at: float | None = None
    told: dict[str, list[Update | End]] = field(default_factory=lambda: defaultdict(list))
    told_at: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    surveyed: list[ActiveJobs] = field(default_factory=list)
    asked: list[object] = field(default_factory=list)
    answers: list[tuple[float, Seen]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin to watch nothing."""
        self.rules = Rules(
            "airflow", requests_per_minute=self.requests_per_minute, surveys=self.surveys, jitter=lambda x: x
        )
        self.ask = self._decide(Done()).ask

    def watch(self, *ids: str) -> None:
        """Watch jobs, all of them unless their ids are given."""
        for custom_job_id in ids or self.lives:
            self.rules.jobs.watch(f"{PARENT}/customJobs/{custom_job_id}", custom_job_id, self.now)

    def step(self, choose: Callable[[object], Outcome] = lambda _: "well") -> None:
        """Answer what was asked.

        Args:
            choose: returns what comes of a request, which is that of one job; default all goes well.
        """
        ask = self.ask
        self.asked.append(ask)
        if isinstance(ask, Get):
            for name in ask.job_names:
                self.ask = self._decide(self._get(name, choose(Get((name,))))).ask
            return
        if isinstance(ask, Rest):
            self.now += ask.seconds
            seen: Seen = Done()
        else:
            self.now += 0.1
            outcome = choose(ask)
            seen = Done() if isinstance(ask, Open) else Page(())
            if outcome in MEANINGS:
                seen = failed(MEANINGS[outcome])
            elif isinstance(ask, ReadPage):
                seen = self._page(ask, outcome)
        self.ask = self._decide(seen).ask

    def run(self, seconds: float = 3600.0, choose: Callable[[object], Outcome] = lambda _: "well") -> None:
        """Answer for so long, or until nothing is watched any more."""
        until = self.now + seconds
        while self.now < until and self.rules.jobs.ids:
            self.step(choose)

    def _get(self, name: str, outcome: Outcome) -> Seen:
        self.now += 0.05
        if outcome in MEANINGS:
            return failed(MEANINGS[outcome], name)
        job = self.lives[name.rpartition("/")[2]].at(name, self.now)
        return Got(job) if job and outcome != "gone" else failed(Meaning.NOT_FOUND, name)

    def _page(self, ask: ReadPage, outcome: Outcome) -> Page:
        now = self.now - 30.0 if outcome == "stale" else self.frozen_at or self.now
        every = [life.at(f"{PARENT}/customJobs/{id_}", now) for id_, life in self.lives.items()]
        wants_active = "state!=" in ask.filter
        jobs = [job for job in every if job and job.labels and job.is_final != wants_active]
        if outcome == "lossy":
            jobs = jobs[::2]
        first = int(ask.page_token or 0)
        shown = jobs[first : first + self.page_size]
        if not ask.everything:
            shown = [job for job in shown if job.custom_job_id in self.rules.jobs.ids]
        rest = first + self.page_size < len(jobs)
        return Page(tuple(shown), str(first + self.page_size) if rest else "")

    def _decide(self, seen: Seen) -> Decision:
        self.answers.append((self.now, seen))
        decision = self.rules.decide(seen, self.now, self.interval)
        for tell in decision.tell:
            self.told[tell.custom_job_id].append(tell.update)
            self.told_at[tell.custom_job_id].append(self.now)
        if decision.active_jobs:
            self.surveyed.append(decision.active_jobs)
        return decision


def failed(meaning: Meaning, job_name: str = "") -> Failed:
    """Return an error that means so much."""
    return Failed(Exception(meaning.value), meaning, meaning.value, job_name=job_name)


def running(until: float = float("inf"), end: str = "SUCCEEDED", **more: object) -> Life:
    """Return the life of a job that runs from the beginning until its end."""
    life = Life(((0.0, "QUEUED"), (1.0, "RUNNING"), (until, end)))
    return dataclasses.replace(life, **more)  # type: ignore[arg-type]
