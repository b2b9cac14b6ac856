"""How an entry of a job's log reads as a line of a task's log: its text, its level, and whose it is."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.logs.entries import PRIMARY, SERVICE, clock
from airflow_vertex_training.vertex.logs.levels import level_of, may_be_last_words
from airflow_vertex_training.vertex.logs.payload import readable, uncoloured
from airflow_vertex_training.vertex.tracebacks import Said, Tracebacks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_vertex_training.vertex.logs.entries import Entry

# How many of a replica's last lines are kept for the error of a job that fails.
LAST_LINES = 20

# https://cloud.google.com/vertex-ai/docs/training/troubleshooting
_REPLICA = re.compile(r"\b[Rr]eplica ([\w-]+) (?:exited|ran out)")


@dataclass(frozen=True)
class Line:
    """A line for a task's log: its level, a number of ``logging``, and its text."""

    level: int
    text: str


def replica_in(message: str) -> str:
    """Return the replica that a job's error says has failed, empty where it names none."""
    found = _REPLICA.search(message)
    return found[1] if found else ""


@dataclass
class Replica:
    """What was told of one replica.

    Args:
        newest: the latest time of an entry that was told, in nanoseconds since 1970.
        tracebacks: those in its lines.
        last: the last lines.
        last_words: of the last lines those on stderr that may say why it ends; empty for all others.
    """

    newest: int = 0
    tracebacks: Tracebacks = field(default_factory=Tracebacks)
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    last_words: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))

    @property
    def said(self) -> Said:
        """What it said of its failure, if it has failed."""
        exception = self.tracebacks.exception
        words = next((text for text in reversed(self.last_words) if text), "")
        return Said(exception, "" if exception else words)


class Speaker:
    """Puts the entries of one job into lines, one after the other."""

    def __init__(self) -> None:
        self.replicas: dict[str, Replica] = {}

    def line(self, entry: Entry, *, perhaps_again: bool = False) -> Line:
        """Return the line of an entry.

        Args:
            entry: in order of time, or a late one.
            perhaps_again: whether an earlier reader may have told it already.
        """
        replica = self.replicas.setdefault(entry.replica, Replica())
        text = readable(entry.payload)
        plain = uncoloured(text)
        in_traceback = replica.tracebacks.take(plain, entry.severity)
        level = level_of(entry, plain, in_traceback=in_traceback)
        replica.last.append(text)
        is_last_words = not in_traceback and may_be_last_words(entry, plain)
        replica.last_words.append(plain.partition("\n")[0] if is_last_words else "")
        late = entry.time < replica.newest
        replica.newest = max(replica.newest, entry.time)
        marks = [clock(entry.time) + " (late)"] if late else []
        if perhaps_again:
            marks.append("(perhaps told before)")
        if entry.replica == SERVICE:
            marks.append("Vertex AI:")
        elif entry.replica != PRIMARY or len(self.replicas.keys() - {SERVICE}) > 1:
            marks.append(f"[{entry.replica}]")
        return Line(level, " ".join([*marks, text]))

    def said(self, replica: str) -> Said:
        """Return what a replica, empty: any, said of its failure."""
        names = [replica] if replica else sorted(self.replicas.keys() - {SERVICE})
        told = [self.replicas[name].said for name in names if name in self.replicas]
        best = [*(said for said in told if said.exception), *(said for said in told if said.last_words)]
        return best[0] if best else Said()

    def know(self, replicas: Iterable[str]) -> None:
        """Take in which replicas the job has, so that each line names its own where there are several."""
        for name in replicas:
            if name not in self.replicas:
                self.replicas[name] = Replica()
