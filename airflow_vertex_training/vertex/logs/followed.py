"""A job whose log is read: what was told of it, what it may still tell, and where the next reader begins."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.logs.entries import SECOND, SERVICE, logs_explorer_url
from airflow_vertex_training.vertex.logs.lines import Line, Speaker
from airflow_vertex_training.vertex.logs.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_vertex_training.vertex.logs.entries import Entry
    from airflow_vertex_training.vertex.tracebacks import Said

# A job that prints too much is left out for so many seconds at least.
_SHORTEST_PAUSE = 5.0
_MOST_MINUTES = 3
# Who prints no more than is shown for so many seconds is granted as much as others again.
_CALM = 120.0
# A job that goes on printing too much is still granted so many lines each time.
_FEWEST_LINES = 100


@dataclass(frozen=True)
class Limits:
    """How many lines of one job are told.

    Args:
        lines_per_minute: in each minute, by the entries' own times.
        lines_in_all: from the job's beginning to its end, over all its readers.
    """

    lines_per_minute: int = 1000
    lines_in_all: int = 100_000


class FollowedJob:
    """One job's place in the reading.

    Args:
        project: the job's project.
        job_id: last segment of its name.
        since: when the job was created, in nanoseconds since 1970.
        limits: how many lines are told.
        position: where the last reader stopped, as ``position`` returned it; default none.
        url: where a person reads the whole log, default Logs Explorer.
    """

    def __init__(
        self,
        project: str,
        job_id: str,
        since: int,
        limits: Limits,
        position: Mapping[str, Any] | None = None,
        url: str = "",
    ) -> None:
        self.job_id = job_id
        self.url = url or logs_explorer_url(project, job_id)
        self.seen = Seen.from_data(position) if position else Seen(since)
        self.told = int(position["lines"]) if position else 0
        # What came in before may have been told by the last reader, which had no time to say so.
        self.perhaps_told_until = int(position.get("perhaps", 0)) if position else 0
        self.end_due = math.inf
        # When the latest of the entries that were told came in, in nanoseconds since 1970.
        self.received = 0
        self.paused_until: float | None = None
        # From where it was read on after it was left out, in nanoseconds since 1970, and when that was.
        self.resumed_at = 0
        self._resumed = -math.inf
        self._strikes = 0
        self.most_lines = limits.lines_per_minute
        self._most_in_all = limits.lines_in_all
        self._speaker = Speaker()
        self._minute = (0, 0)
        self._left_out = 0
        self._per_second = self._paused = 0.0
        # When the last line before the pause was printed, in nanoseconds since 1970.
        self._paused_at = 0
        if position:
            self._speaker.know(position.get("replicas", ()))

    @property
    def is_paused(self) -> bool:
        """Whether the job is left out for a while, or for good."""
        return self.paused_until is not None

    @property
    def has_ended(self) -> bool:
        """Whether the job itself has come to its end."""
        return self.end_due < math.inf

    def allowance(self, lines: float) -> int:
        """Return how many lines a minute the job is granted where so many are there for it."""
        granted = max(_FEWEST_LINES, int(lines / 2**self._strikes))
        return min(granted, self.most_lines)

    def tell(self, entry: Entry, granted: int) -> Line | None:
        """Return the line of an entry that was not told yet; ``None`` where the job prints too much."""
        minute = entry.time // (60 * SECOND)
        count = self._minute[1] if self._minute[0] == minute else 0
        if self.is_paused or count >= granted or self.told >= self._most_in_all:
            self._left_out += 1
            return None
        self.seen.add(entry.time, entry.key)
        if minute >= self._minute[0]:
            self._minute = (minute, count + 1)
        self.told += 1
        self.received = max(self.received, entry.received)
        return self._speaker.line(entry, perhaps_again=entry.received <= self.perhaps_told_until)

    def is_over(self, granted: int) -> bool:
        """Whether the job has told all that it is granted."""
        in_all = self.told >= self._most_in_all
        return not self.is_paused and (self._left_out > 0 or self._minute[1] >= granted or in_all)

    def pause(self, now: float, time: int, per_second: float) -> Line | None:
        """Leave the job out for the rest of the minute, and for a minute more each time that it goes on so.

        Args:
            now: seconds of the reader's clock.
            time: of the job's last entry.
            per_second: how many lines a second it has printed lately.

        Returns:
            The line that says so, where that was not said lately.
        """
        if now - self._resumed > _CALM:
            self._strikes = 0
        self._strikes += 1
        self._per_second, self._paused, self._paused_at = per_second, now, time
        if self.told >= self._most_in_all:
            self.paused_until = math.inf
            return _warning(
                f"The job has printed {self.told} lines: no more of one job are shown, but its last ones "
                f"(option log_lines_in_all). All of them: {self.url}"
            )
        rest_of_minute = max(_SHORTEST_PAUSE, 60.0 - time % (60 * SECOND) / SECOND)
        self.paused_until = now + rest_of_minute + 60.0 * min(self._strikes - 1, _MOST_MINUTES)
        if self._strikes > 1:
            return None
        return _warning(
            f"The job prints more than is shown, about {per_second:.0f} lines a second (option "
            f"log_lines_per_minute). Lines are left out now and then. All of them: {self.url}"
        )

    def may_resume(self, now: float) -> bool:
        """Whether the job's pause is over. Of one that has ended the last lines are read instead."""
        return self.paused_until is not None and self.paused_until <= now and not self.has_ended

    def resume(self, now: float, since: int) -> Line:
        """Go on with the job at the present, and return the line that says what was left out."""
        self.paused_until = None
        self.resumed_at, self._resumed = since, now
        self.seen.forget(since)
        return self._skipped(now - self._paused)

    def last_words(self, entries: Sequence[Entry], *, are_all: bool) -> list[Line]:
        """Return what ends the log of a job that was left out: what is missing, then its last lines.

        Args:
            entries: those that were not told, in order of time.
            are_all: whether there is no other one that was not told.
        """
        lines = []
        if not are_all:
            self._left_out -= len(entries)
            lines.append(self._skipped((entries[0].time - self._paused_at) / SECOND))
        for entry in entries:
            self.seen.add(entry.time, entry.key)
            lines.append(self._speaker.line(entry))
        return lines

    def unread(self) -> Line:
        """Return the line that says that the job's log was not shown to its end."""
        return _warning(f"The end of the job's log could not be shown in time. All of it: {self.url}")

    def _skipped(self, seconds: float) -> Line:
        by_pace = self._per_second * seconds
        guess = f" (some {by_pace:.0f}, at the pace before)" if by_pace > self._left_out else ""
        count = "At least 1 line is" if self._left_out <= 1 else f"At least {self._left_out} lines are"
        text = f"{count} left out here{guess}. All of them: {self.url}"
        self._left_out, self._minute = 0, (0, 0)
        return _warning(text)

    def said(self, replica: str) -> Said:
        """Return what a replica, empty: any, said of its failure."""
        return self._speaker.said(replica)

    def has_told(self, text: str) -> bool:
        """Whether a text is among the last lines of a replica that were told."""
        return any(text in replica.last for replica in self._speaker.replicas.values())

    @property
    def replicas(self) -> list[str]:
        """The replicas that have printed something."""
        return sorted(self._speaker.replicas.keys() - {SERVICE})

    def know(self, replicas: Iterable[str]) -> None:
        """Take in which replicas print something."""
        self._speaker.know(replicas)

    def position(self) -> dict[str, Any]:
        """Return where the next reader has to begin, as small JSON data."""
        return {"version": 1, **self.seen.to_data(), "lines": self.told, "replicas": self.replicas[:10]}


def _warning(text: str) -> Line:
    return Line(logging.WARNING, text)
