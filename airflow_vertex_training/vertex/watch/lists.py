"""When a list is cheaper than asking for each job, and the filters of the two lists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.naming.identity import DEPLOYMENT
from airflow_vertex_training.vertex.states import FINAL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


# With so few jobs a list saves nothing, and a get is never late.
FEW = 5

# After so many ticks a list that was found too dear is tried again.
RETHINK_TICKS = 30


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


def active_filter(deployment_id: str) -> str:
    """Return the filter that lists a deployment's jobs that have not ended."""
    return " AND ".join([_of_deployment(deployment_id), *(f'state!="{state}"' for state in sorted(FINAL))])


def final_filter(deployment_id: str, created: Sequence[datetime | None]) -> str:
    """Return the filter that lists a deployment's ended jobs of these create times.

    Where one of them is not known, all ended jobs are listed.
    """
    ended = " OR ".join(f'state="{state}"' for state in sorted(FINAL))
    parts = [_of_deployment(deployment_id), f"({ended})"]
    known = [time for time in created if time]
    if len(known) == len(created):
        # What is cut to microseconds here is exact to the nanosecond there.
        since, until = min(known), max(known) + timedelta(microseconds=1)
        parts += [f'create_time>="{since.isoformat()}"', f'create_time<="{until.isoformat()}"']
    return " AND ".join(parts)


def _of_deployment(deployment_id: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]+", str(deployment_id)):
        raise InvalidJobError("deployment_id", f"{deployment_id!r} is no legal label")
    return f'labels.{DEPLOYMENT}="{deployment_id}"'
