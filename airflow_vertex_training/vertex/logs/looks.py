"""The questions to Cloud Logging: each finds some entries of many jobs, page after page."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.logs.entries import SECOND, jobs_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_vertex_training.vertex.logs.entries import Entry
    from airflow_vertex_training.vertex.logs.followed import FollowedJob

# Entries that come so much later than their time are told, in seconds.
LATEST = 60.0
# As far back as a look goes where few entries are there, in nanoseconds.
FARTHEST = 120 * SECOND
# As far back as a look goes in any case: entries of that age come in any order.
OVERLAP = 2 * SECOND
# Which part of a page may be entries that are known: a look is to fit in a page.
KNOWN_PART = 0.3
# So full is a page that is worth a look for late entries before it is time.
FULL_PART = 0.9


class Kind(Enum):
    """What a look is for: what is new, what came late, an ended job's rest, a capped job's last lines."""

    NEW = "new"
    LATE = "late"
    END = "end"
    LAST = "last"


@dataclass
class Look:
    """A question under way.

    Args:
        kind: what it is for.
        group: whose jobs it is about.
        jobs: the jobs.
        started: when its first page was asked for, by the reader's clock.
        since: the earliest time of an entry, in nanoseconds since 1970.
        until: entries of this time and later are left out; ``None``: none are.
        token: of the next page.
        pages: how many pages were read.
        entries: how many new entries they had.
    """

    kind: Kind
    group: Group
    jobs: Sequence[FollowedJob]
    started: float
    since: int
    until: int | None = None
    token: str = ""
    pages: int = 0
    entries: int = 0

    @property
    def filter(self) -> str:
        """Cloud Logging's filter for it."""
        return jobs_filter((job.job_id for job in self.jobs), self.since, self.until)

    @property
    def order_by(self) -> str:
        """Oldest entries first, or the newest."""
        return "timestamp desc" if self.kind is Kind.LAST else "timestamp asc"

    @property
    def page_size(self) -> int:
        """How many entries a page has at most."""
        return min(50, self.group.page_size) if self.kind is Kind.LAST else self.group.page_size


@dataclass(eq=False)
class Group:
    """Jobs that are asked for in one filter.

    Args:
        start: the earliest time of an entry, where none was read yet, in nanoseconds since 1970.
        due: when to look for new entries, by the reader's clock.
        late_due: when to look for late ones.
        born: when the group was made.
        page_size: how many entries a page has at most.
        catching_up: whether it is to join another group when it has read all that is there.
        jobs: the jobs by id.
        front: the newest time up to which entries were read, by Google's clock; 0: none were.
        checked: up to this time late entries were looked for.
        looks: those under way.
        looked: when the last complete look for new entries began.
    """

    start: int
    due: float
    late_due: float
    born: float
    page_size: int
    catching_up: bool = False
    jobs: dict[str, FollowedJob] = field(default_factory=dict)
    front: int = 0
    checked: int = 0
    looks: dict[Kind, Look] = field(default_factory=dict)
    looked: float = 0.0
    _seconds: Counter[int] = field(default_factory=Counter)
    _fronts: deque[tuple[float, int]] = field(default_factory=deque)

    def lower(self) -> int:
        """Return how far back the next look for new entries goes: as far as a page has room for it.

        What was left out of a job that printed too much is not gone over.
        """
        if not self.front:
            return self.start
        second, known = self.front // SECOND, 0
        while second * SECOND > self.front - FARTHEST:
            known += self._seconds.get(second, 0)
            if known > KNOWN_PART * self.page_size:
                break
            second -= 1
        floor = max((job.resumed_at for job in self.readable()), default=0)
        back = max(self.start, floor, (second + 1) * SECOND)
        return max(self.start, min(back, self.front - OVERLAP))

    def readable(self) -> list[FollowedJob]:
        """Return the jobs that are not left out at the moment."""
        return [job for job in self.jobs.values() if not job.is_paused]

    def calm(self) -> list[FollowedJob]:
        """Return the jobs of which nothing was left out lately."""
        return [job for job in self.jobs.values() if not self.leaves_out(job)]

    def leaves_out(self, job: FollowedJob) -> bool:
        """Whether a job is left out, or was lately: then there is no use in looking for its late entries."""
        return job.is_paused or job.resumed_at > self.checked

    def advance(self, until: int) -> None:
        """Take in that everything up to a time was read."""
        self.front = max(self.front, until)

    def skip(self, until: int) -> None:
        """Go on at a later time, where all jobs were left out."""
        self.front = max(self.front, until)
        self.start = self.checked = max(self.checked, until)
        self._seconds.clear()

    def meet(self, entries: Sequence[Entry]) -> None:
        """Take in who prints, before what was printed is told: each line names its replica then."""
        for job_id, replica in {(entry.job_id, entry.replica) for entry in entries}:
            if job_id in self.jobs:
                self.jobs[job_id].know([replica])

    def count(self, entry: Entry) -> None:
        """Take in a new entry: how far the next look goes back depends on it."""
        self._seconds[entry.time // SECOND] += 1

    def complete(self, look: Look) -> None:
        """Take in that a look has read all there was."""
        del self.looks[look.kind]
        if look.kind is Kind.NEW:
            self.looked = look.started
            self._fronts.append((look.started, self.front))
            if look.since <= self.checked:
                self.check(self.settled(look.started))
        elif look.kind is Kind.LATE and look.until:
            self.check(look.until)

    def check(self, until: int) -> None:
        """Take in that late entries were looked for up to a time; what lies behind is forgotten."""
        self.checked = max(self.checked, until)
        self.start = max(self.start, min(self.checked, self.lower()))
        for job in self.jobs.values():
            job.seen.forget(self.start)
        for second in [second for second in self._seconds if (second + 1) * SECOND <= self.start]:
            del self._seconds[second]

    def late_until(self, now: float) -> int:
        """Return how far the next look for late entries goes: not farther than a page holds."""
        settled = self.settled(now)
        second, known = self.checked // SECOND, 0
        while (second + 1) * SECOND <= settled:
            known += self._seconds.get(second, 0)
            if known > FULL_PART * self.page_size:
                return max(second, self.checked // SECOND + 1) * SECOND
            second += 1
        return settled

    def settled(self, now: float) -> int:
        """Return the time before which no entry is expected any more."""
        while len(self._fronts) > 1 and self._fronts[1][0] <= now - LATEST:
            self._fronts.popleft()
        if self._fronts and self._fronts[0][0] <= now - LATEST:
            return max(self.checked, self._fronts[0][1])
        return self.checked
