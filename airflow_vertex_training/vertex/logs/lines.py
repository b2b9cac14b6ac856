"""How an entry of a job's log reads as a line of a task's log: its text and its level."""

from __future__ import annotations

import logging
import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.logs.entries import SERVICE, clock
from airflow_vertex_training.vertex.tracebacks import Tracebacks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_vertex_training.vertex.logs.entries import Entry

# How many of a replica's last lines are kept for the error of a job that fails.
LAST_LINES = 20
# A longer text fills a log with what nobody reads.
_MOST_CHARACTERS = 16_000

# google.logging.type.LogSeverity
_LEVELS = ((600, logging.CRITICAL), (500, logging.ERROR), (400, logging.WARNING), (200, logging.INFO))
_ERROR = 500
_LEVEL_NAMES = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "NOTICE": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "CRITICAL": logging.CRITICAL,
}
# What Python's logging and absl write to stderr by default: ``WARNING:root:text``, ``E1126 12:39:35 ...``.
_TEXT_LEVEL = re.compile(r"\[?(DEBUG|INFO|WARNING|ERROR|CRITICAL|FATAL)\]?[:\s]|([DIWEF])\d{4} \d\d:\d\d")
_ABSL = {"D": "DEBUG", "I": "INFO", "W": "WARNING", "E": "ERROR", "F": "FATAL"}
# https://cloud.google.com/vertex-ai/docs/training/troubleshooting
_REPLICA = re.compile(r"\b[Rr]eplica ([\w-]+) (?:exited|ran out)")

# What the payload says about the line itself, and the agents that carried it.
_ABOUT_THE_LINE = frozenset(
    {"message", "levelname", "level", "severity", "attrs", "time", "timestamp", "logName", "asctime"}
)


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
    """

    newest: int = 0
    tracebacks: Tracebacks = field(default_factory=Tracebacks)
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))


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
        in_traceback = replica.tracebacks.take(text, entry.severity)
        level = logging.ERROR if in_traceback else own_level(entry, text)
        replica.last.append(text)
        late = entry.time < replica.newest
        replica.newest = max(replica.newest, entry.time)
        marks = [clock(entry.time) + " (late)"] if late else []
        if perhaps_again:
            marks.append("(perhaps told before)")
        if entry.replica == SERVICE:
            marks.append("Vertex AI:")
        elif len(self.replicas.keys() - {SERVICE}) > 1:
            marks.append(f"[{entry.replica}]")
        return Line(level, " ".join([*marks, text]))

    def know(self, replicas: list[str]) -> None:
        """Take in which replicas the job has, so that each line names its own where there are several."""
        for name in replicas:
            self.replicas.setdefault(name, Replica())


def own_level(entry: Entry, text: str) -> int:
    """Return the level that an entry itself says.

    Vertex calls whatever a replica writes to stderr an ERROR. Frameworks show their progress there, so such a
    line is INFO unless its own text names a level.
    """
    payload = entry.payload
    if isinstance(payload, str):
        return _of_severity(entry.severity)
    named = _LEVEL_NAMES.get(str(payload.get("level") or payload.get("severity") or "").upper())
    if named is not None:
        return named
    is_stderr = entry.severity == _ERROR and payload.get("levelname", "ERROR") == "ERROR"
    if not is_stderr or "levelname" not in payload or _extra_fields(payload):
        return _of_severity(entry.severity)
    found = _TEXT_LEVEL.match(text)
    if found is None:
        return logging.INFO
    return _LEVEL_NAMES[found[1] or _ABSL[found[2]]]


def readable(payload: str | Mapping[str, Any]) -> str:
    """Return the text of an entry: its message, then the payload's other fields."""
    if isinstance(payload, str):
        return _cut(payload.rstrip("\n"))
    message = payload.get("message")
    parts = [] if message is None else [message.rstrip("\n") if isinstance(message, str) else _value(message)]
    extra = " ".join(f"{name}={_value(value)}" for name, value in _extra_fields(payload).items())
    if extra:
        parts.append(f"({extra})" if parts else extra)
    return _cut(" ".join(parts))


def _of_severity(severity: int) -> int:
    # DEFAULT, 0, says nothing; DEBUG is 100.
    if severity == 0:
        return logging.INFO
    return next((level for least, level in _LEVELS if severity >= least), logging.DEBUG)


def _extra_fields(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in payload.items()
        if name not in _ABOUT_THE_LINE and not name.startswith("logging.googleapis.com/")
    }


def _value(value: Any) -> str:
    # Numbers in a Struct are floats, whatever was written.
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_value(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value)


def _cut(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]}... ({len(text) - _MOST_CHARACTERS} more characters)"
