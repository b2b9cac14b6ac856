"""What the rules and the loop tell each other: what to ask, what was seen, whom to tell what. Plain data.

The rules decide and ask nothing; the loop asks and decides nothing.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from airflow_vertex_training.vertex.exceptions import JobLostError
from airflow_vertex_training.vertex.states import JobSnapshot

# What to ask


@dataclass(frozen=True)
class Open:
    """Have an open channel; ``anew`` where the one that is open is not good enough any more."""

    anew: bool = False


@dataclass(frozen=True)
class ReadPage:
    """Read a page of the list that a filter makes.

    Args:
        filter: in the grammar of the API's lists.
        page_token: of the page; the first one has none.
        everything: whether jobs that nobody waits for are wanted as well.
        within: seconds after which it is of no use any more, ``None`` for a call's usual deadline.
    """

    filter: str
    page_token: str = ""
    everything: bool = False
    within: float | None = None


@dataclass(frozen=True)
class Get:
    """Get each of these jobs, all at once. Each is an answer of its own."""

    job_names: tuple[str, ...]


@dataclass(frozen=True)
class Rest:
    """Ask nothing for so many seconds; less where somebody wants to know sooner."""

    seconds: float


Ask = Open | ReadPage | Get | Rest

# What was seen


@dataclass(frozen=True)
class Done:
    """What was asked for is done: a channel is open, or the rest is over."""


@dataclass(frozen=True)
class Page:
    """A page of a list: those of its jobs that were asked for."""

    jobs: tuple[JobSnapshot, ...]
    next_page_token: str = ""


@dataclass(frozen=True)
class Got:
    """A job, as the answer to a get."""

    job: JobSnapshot


class Meaning(enum.Enum):
    """What an error means for the wait."""

    NOT_FOUND = "the job does not exist"
    PASSES = "it passes by itself"
    TOO_MANY_REQUESTS = "it passes by itself, and sooner if nothing is asked"
    REFUSED = "it passes only if somebody does something"


@dataclass(frozen=True)
class Failed:
    """An error instead of an answer.

    Args:
        error: the error itself, which the rules only hand on.
        meaning: what it means for the wait.
        words: the error and what to do about it, in words.
        reconnect: whether the connection, looked up anew, may serve better: somebody may have edited it.
        job_name: the job that was asked for, empty where it was not one job.
    """

    error: Exception
    meaning: Meaning
    words: str
    reconnect: bool = False
    job_name: str = ""


Seen = Done | Page | Got | Failed

# Whom to tell what


@dataclass(frozen=True)
class Trouble:
    """The job can't be seen at the moment. Said once, whatever happens until it is over."""

    message: str


@dataclass(frozen=True)
class Recovered:
    """The job can be seen again, after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class GivenUp:
    """The job could not be seen for too long, and this is why."""

    job_name: str
    failed: Failed


Update = JobSnapshot | Trouble | Recovered
"""What somebody who waits for a job is told."""

End = GivenUp | JobLostError
"""What ends a wait otherwise than by the job's own end."""


@dataclass(frozen=True)
class Tell:
    """Tell those who wait for a job."""

    custom_job_id: str
    update: Update | End


@dataclass(frozen=True)
class ActiveJobs:
    """All jobs of the deployment in a project and region that have not ended, as a list showed them.

    Args:
        jobs: the jobs, each with its labels and times.
        watched: ids (``custom_job_id``) of the jobs that somebody waits for by the same watcher.
    """

    jobs: tuple[JobSnapshot, ...]
    watched: frozenset[str]

    @property
    def unwatched(self) -> tuple[JobSnapshot, ...]:
        """The jobs that nobody waits for here; elsewhere somebody may."""
        return tuple(job for job in self.jobs if job.custom_job_id not in self.watched)


@dataclass(frozen=True)
class Decision:
    """What to tell now, in this order, and what to ask next.

    Args:
        tell: who is told what.
        ask: what to ask; ``None`` while other answers to the last question are still to come.
        active_jobs: a complete list, where one has just been read.
    """

    tell: tuple[Tell, ...]
    ask: Ask | None
    active_jobs: ActiveJobs | None = None
