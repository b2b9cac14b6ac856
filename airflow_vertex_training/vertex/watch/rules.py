"""What to ask next: decisions about many watched jobs, made without asking anything.

The rules are those of "Watching" in the design: a final state may be believed wherever it is read,
an active state or a job's absence in a list means little, for a list can be late or miss a job.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from airflow_vertex_training.vertex.naming.identity import DEPLOYMENT
from airflow_vertex_training.vertex.states import FINAL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime


# With so few jobs a list saves nothing, and a get is never late.
FEW = 5

# After so many ticks a list that was found too dear is tried again.
RETHINK_TICKS = 30

# A job that neither list shows is asked for itself after so many intervals: a page that shifts while it
# is being read hides some jobs for one tick.
OVERDUE_INTERVALS = 2.0


@dataclass
class Sighting:
    """What is known of a watched job.

    Args:
        custom_job_id: last segment of its name: the API may name the project by number or by id.
        seen: when it was last answered for, or else first asked for, in seconds of the watcher's clock.
        created: its create time, ``None`` where not known yet.
        listable: whether a list of the deployment's jobs can show it.
        asked: when it was last asked for by itself, answered or not.
    """

    custom_job_id: str
    seen: float
    created: datetime | None = None
    listable: bool = True
    asked: float = 0.0


Seen = TypeVar("Seen", bound=Sighting)


@dataclass
class ListCost:
    """How many pages a list took when it was last read, which tells whether the next one is worth it."""

    pages: int = 1
    age: int = 0

    def set(self, pages: int) -> None:
        """Remember what the list just took."""
        self.pages, self.age = pages, 0

    def worth(self, jobs: int) -> bool:
        """Whether reading the list is cheaper than getting ``jobs`` jobs one by one."""
        self.age += 1
        return jobs > FEW and (jobs > self.pages or self.age > RETHINK_TICKS)


def most_pages(jobs: int) -> int:
    """Return how many pages of a list may be read for so many jobs: each has to save several gets."""
    return max(1, jobs // 5)


def interval(asked_for: Iterable[float], requests: int, requests_per_minute: int) -> float:
    """Return the seconds from one tick to the next.

    Args:
        asked_for: each subscriber's own interval.
        requests: what the last tick took; at that rate the budget must last.
        requests_per_minute: the budget.
    """
    return max(min(asked_for, default=1.0), requests * 60.0 / requests_per_minute)


def allowance(seconds: float, requests_per_minute: int) -> int:
    """Return how many requests a tick of that length may make; always enough for a few jobs."""
    return max(FEW, int(seconds * requests_per_minute / 60.0))


def longest_unseen(jobs: Iterable[Seen], most: int) -> list[Seen]:
    """Return up to ``most`` jobs, those first that were neither seen nor asked for for longest.

    Jobs that are refused take their turns like all others, and don't keep them from being asked for.
    """
    return sorted(jobs, key=lambda job: max(job.seen, job.asked))[: max(0, most)]


def overdue(missing: Iterable[Seen], now: float, seconds: float) -> list[Seen]:
    """Return the jobs that no list has shown for so long that they are asked for one by one."""
    return [job for job in missing if now - job.seen > OVERDUE_INTERVALS * seconds]


def active_filter(deployment_id: str) -> str:
    """Return the filter that lists a deployment's jobs that have not ended."""
    return " AND ".join([_of_deployment(deployment_id), *(f'state!="{state}"' for state in sorted(FINAL))])


def final_filter(deployment_id: str, missing: Collection[Sighting]) -> str:
    """Return the filter that lists a deployment's ended jobs which were created when ``missing`` were.

    Where one of them was never seen, so that its create time is not known, all ended jobs are listed.
    """
    ended = " OR ".join(f'state="{state}"' for state in sorted(FINAL))
    parts = [_of_deployment(deployment_id), f"({ended})"]
    created = [job.created for job in missing if job.created]
    if len(created) == len(missing):
        since, until = min(created), max(created) + timedelta(microseconds=1)
        parts += [f'create_time>="{since.isoformat()}"', f'create_time<="{until.isoformat()}"']
    return " AND ".join(parts)


def _of_deployment(deployment_id: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]+", deployment_id):
        msg = f"deployment_id {deployment_id!r} is no legal label"
        raise ValueError(msg)
    return f'labels.{DEPLOYMENT}="{deployment_id}"'
