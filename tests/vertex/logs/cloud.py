"""A model of Cloud Logging for the cursor's tests: late entries, in pages, by a clock of the test."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.logs.cursor import Cursor
from airflow_vertex_training.vertex.logs.entries import SECOND, Entry, entry_key
from airflow_vertex_training.vertex.logs.followed import FollowedJob, Limits
from airflow_vertex_training.vertex.logs.looks import Kind, Look
from airflow_vertex_training.vertex.logs.pace import ReadBudget

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

EPOCH = 1_790_000_000 * SECOND


@dataclass
class Cloud:
    """What was written, and a reader of it.

    Args:
        page_size: of a page.
        reads_per_minute: the reader's budget.
    """

    page_size: int = 1000
    reads_per_minute: int = 20
    entries: list[tuple[int, str, Entry]] = field(default_factory=list)
    now: float = 0.0
    reads: list[float] = field(default_factory=list)
    told: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    _unsorted: list[tuple[int, str, Entry]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin with a reader that knows nothing."""
        self.cursor = Cursor(self.reads_per_minute, epoch=EPOCH, page_size=self.page_size)
        self.budget = ReadBudget(self.reads_per_minute)
        self.jobs: dict[str, FollowedJob] = {}

    def follow(
        self,
        job_id: str,
        *,
        since: float = 0.0,
        position: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
    ) -> FollowedJob:
        """Read a job's log."""
        start = EPOCH + int(since * SECOND)
        job = self.jobs[job_id] = FollowedJob("acme", job_id, start, limits or Limits(), position)
        self.cursor.add(job, self.now)
        return job

    def write(
        self, job_id: str, text: str, at: float, *, late: float = 0.0, replica: str = "workerpool0-0"
    ) -> None:
        """Write a line at a second of the test's clock; it can be read ``late`` seconds later."""
        time = EPOCH + int(at * SECOND)
        received = time + int(late * SECOND)
        insert_id = f"{len(self.entries) + len(self._unsorted):08x}"
        entry = Entry(job_id, replica, entry_key(replica, time, insert_id), time, received, 200, text)
        self._unsorted.append((time, insert_id, entry))

    def run(self, until: float) -> None:
        """Let the reader read until a second of the test's clock."""
        while self.now < until:
            ask = self.cursor.next(self.now, self.budget.left(self.now))
            if isinstance(ask, Look):
                wait = self.budget.wait(self.now)
                if not wait:
                    self.budget.take(self.now)
                    self.reads.append(self.now)
                    self._answer(ask)
                    self.now += 0.1
                ask = wait
            self._collect()
            self.now += ask
        self._collect()

    def _answer(self, look: Look) -> None:
        if self._unsorted:
            self.entries = sorted(self.entries + self._unsorted)
            self._unsorted = []
        present = EPOCH + int(self.now * SECOND)
        ids = {job.job_id for job in look.jobs}
        assert ids
        assert len(look.filter) <= 20_000
        first = bisect.bisect_left(self.entries, (look.since,))
        last = bisect.bisect_left(self.entries, (min(look.until or present + 1, present + 1),))
        found = [
            entry
            for _, _, entry in self.entries[first:last]
            if entry.job_id in ids and entry.received <= present
        ]
        if look.kind is Kind.LAST:
            found.reverse()
        at = int(look.token or 0)
        page = found[at : at + look.page_size]
        rest = at + len(page)
        token = str(rest) if rest < len(found) else ""
        new = [entry for entry in page if self.cursor.is_new(look, entry.job_id, entry.time, entry.key)]
        self.cursor.take(look, new, token, self.now)

    def _collect(self) -> None:
        lines, finished = self.cursor.collect()
        for job, texts in lines:
            self.told.setdefault(job.job_id, []).extend((self.now, line.text) for line in texts)
        self.finished |= {job.job_id for job in finished}

    def texts(self, job_id: str) -> list[str]:
        """Return what was told of a job."""
        return [text for _, text in self.told.get(job_id, [])]

    def most_reads(self) -> int:
        """Return how many reads the busiest minute saw."""
        return max(sum(at <= other < at + 60 for other in self.reads) for at in self.reads)
