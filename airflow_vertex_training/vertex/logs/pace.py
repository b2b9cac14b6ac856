"""How often to ask, and how much of a job to tell: so that a budget lasts and quiet jobs never wait."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.logs.entries import SECOND
from airflow_vertex_training.vertex.logs.looks import FULL_PART, KNOWN_PART, LATEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_vertex_training.vertex.logs.entries import Entry
    from airflow_vertex_training.vertex.logs.followed import FollowedJob
    from airflow_vertex_training.vertex.logs.looks import Look

# The shortest time between two looks for new entries, in seconds.
TICK = 5.0
# The longest one that a group of many lines gets so that a look fits in a page.
_LONG_TICK = 8.0
# Between two looks of jobs that are only catching up with others.
_CATCHING_UP_TICK = 12.0
_LATE_TICK = 45.0
# Which part of the budget looks for new entries may use: beside looks for late ones, without them.
_NEW_SHARE, _ONLY_NEW_SHARE = 0.55, 0.8
_LATE_SHARE = 0.25
# Which part of the budget all jobs that print too much may use together.
_LOUD_SHARE = 0.1
# An ended job's log is read on for so much longer than entries have lately taken, in seconds.
_MARGIN = 5.0
# Entries that take no longer than this are not late.
_PROMPT = 2.0
_LATENESS_SECONDS = 300.0


class ReadBudget:
    """Lets no minute see more reads than the budget, and all of them at once where none were made.

    Args:
        reads_per_minute: the budget.
    """

    def __init__(self, reads_per_minute: int) -> None:
        self.reads_per_minute = reads_per_minute
        self._reads: deque[float] = deque(maxlen=reads_per_minute)

    def left(self, now: float) -> int:
        """Return how many reads may be made now."""
        return self.reads_per_minute - sum(read > now - 60.0 for read in self._reads)

    def wait(self, now: float) -> float:
        """Return for how many seconds no read may be made."""
        full = len(self._reads) == self.reads_per_minute
        return max(0.0, self._reads[0] + 60.0 - now) if full else 0.0

    def take(self, now: float) -> None:
        """Make a read."""
        self._reads.append(now)


class Pace:
    """The distances between looks, and what jobs are granted that print more than can be read.

    Args:
        reads_per_minute: the budget.
        page_size: how many entries a read finds at most.
        drain: seconds for which an ended job's log is read on at least.
    """

    def __init__(self, reads_per_minute: int, page_size: int, drain: float) -> None:
        self._page_size = page_size
        self._reads_per_minute = reads_per_minute
        self._drain = drain
        # The longest delay of an entry in this and in the last five minutes, in seconds.
        self._delays = (0.0, 0.0)
        self._delays_since = 0.0

    @property
    def reserve(self) -> int:
        """How many reads are left to looks for new entries: late ones can wait."""
        return self._reads_per_minute // 10

    @property
    def late_interval(self) -> float:
        """Seconds between two looks for late entries."""
        return max(_LATE_TICK, 60.0 / (_LATE_SHARE * self._reads_per_minute))

    def interval(self, look: Look, seconds: float, groups: int, *, is_quiet: bool) -> float:
        """Return the seconds from a look for new entries to the next.

        Args:
            look: the last one.
            seconds: what it took since the one before.
            groups: how many groups of jobs share the budget.
            is_quiet: whether it went back so far that no look for late entries is needed.
        """
        if look.group.catching_up:
            return _CATCHING_UP_TICK
        share = _ONLY_NEW_SHARE if is_quiet else _NEW_SHARE
        least = 60.0 * look.pages * groups / (share * self._reads_per_minute)
        if is_quiet or not look.entries:
            return max(TICK, least)
        per_second = look.entries / max(seconds, 1.0)
        fits = (FULL_PART - KNOWN_PART) * self._page_size / per_second
        return max(least, min(fits, _LONG_TICK))

    def grants(self, entries: Sequence[Entry], jobs: Mapping[str, FollowedJob]) -> dict[str, int]:
        """Return how many lines a minute the loudest jobs are granted, after a page that did not hold all.

        Nothing is held back where reading is only behind: there are more entries than one page, but not more
        in a second than can be read. Otherwise the loudest jobs are, until the rest can be read.
        """
        if not entries:
            return {}
        seconds = max(0.001, (entries[-1].time - entries[0].time) / SECOND)
        readable = _NEW_SHARE * self._reads_per_minute * self._page_size / 60.0 * seconds
        counts = Counter(entry.job_id for entry in entries)
        rest, loudest = len(entries), []
        for job_id, count in counts.most_common():
            if rest <= readable:
                break
            loudest.append(job_id)
            rest -= count
        share = _LOUD_SHARE * self._reads_per_minute * self._page_size / max(1, len(loudest))
        return {job_id: jobs[job_id].allowance(share) for job_id in loudest if job_id in jobs}

    def saw(self, entries: Sequence[Entry], now: float) -> None:
        """Take in how late entries came."""
        if now - self._delays_since > _LATENESS_SECONDS:
            self._delays, self._delays_since = (0.0, self._delays[0]), now
        worst = max((entry.received - entry.time for entry in entries), default=0) / SECOND
        self._delays = (max(self._delays[0], worst), self._delays[1])

    def drain(self) -> float:
        """Return for how many seconds an ended job's log is read on."""
        late = max(self._delays)
        return self._drain if late <= _PROMPT else max(self._drain, min(LATEST, late + _MARGIN))
