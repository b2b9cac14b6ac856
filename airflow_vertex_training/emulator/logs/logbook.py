"""What jobs have printed: log entries, by job, bounded, in order."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_vertex_training.emulator.api.messages import LogEntry, Message
from airflow_vertex_training.emulator.jobs.changes import Changes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

__all__ = ["SERVICE", "SEVERITIES", "Entry", "LogBook", "severity_name"]

SERVICE = "service"
"""The task name under which Vertex itself writes to a job's log."""

# Each level is three messages within each other, and protobuf reads a hundred.
_MOST_DEPTH = 20

# google.logging.type.LogSeverity
SEVERITIES = {
    "DEFAULT": 0,
    "DEBUG": 100,
    "INFO": 200,
    "NOTICE": 300,
    "WARNING": 400,
    "ERROR": 500,
    "CRITICAL": 600,
    "ALERT": 700,
    "EMERGENCY": 800,
}
_SEVERITY_NAMES = {number: name for name, number in SEVERITIES.items()}


@dataclass(frozen=True)
class Entry:
    """One line of a job's log.

    Args:
        sequence: Grows with each entry of the emulator.
        project: The project's id.
        job_id: The job's id.
        task_name: `workerpool0-0` and so on, or `service`.
        nanoseconds: When it was written, since 1970. It goes back only where an entry comes late.
        received: When it came, since 1970. It never goes back within the emulator.
        severity: A number of `SEVERITIES`.
        payload: What was written, as an object in JSON; for `service` plain text.
    """

    sequence: int
    project: str
    job_id: str
    task_name: str
    nanoseconds: int
    received: int
    severity: int
    payload: str

    @property
    def order(self) -> tuple[int, int]:
        """Where it stands in the log: by its time, entries of the same time as they came."""
        return (self.nanoseconds, self.sequence)

    @property
    def insert_id(self) -> str:
        """Cloud Logging's id of the entry; here it sorts as the entries came."""
        return f"{self.sequence:016x}"

    @property
    def is_text(self) -> bool:
        """Whether Cloud Logging shows it as `textPayload`, not as `jsonPayload`."""
        return self.task_name == SERVICE

    @property
    def text(self) -> str:
        """The line itself."""
        if self.is_text:
            return self.payload
        return str(json.loads(self.payload).get("message", self.payload))

    @property
    def log_name(self) -> str:
        """The log that it is in: with the project's id, whatever a client calls the project."""
        return f"projects/{self.project}/logs/{self.task_name}"

    @property
    def labels(self) -> dict[str, str]:
        """What Vertex says of the entry."""
        return {"ml.googleapis.com/job_id": self.job_id, "ml.googleapis.com/task_name": self.task_name}

    @property
    def resource_labels(self) -> dict[str, str]:
        """What wrote it, in the labels of the monitored resource `ml_job`."""
        return {"job_id": self.job_id, "task_name": self.task_name, "project_id": self.project}

    def to_message(self) -> Message:
        """Return the entry as Cloud Logging shows it.

        Vertex writes a replica's lines as `jsonPayload` and its own as `textPayload`.
        """
        message = LogEntry(
            log_name=self.log_name, severity=self.severity, insert_id=self.insert_id, labels=self.labels
        )
        message.resource.type = "ml_job"
        message.resource.labels.update(self.resource_labels)
        message.timestamp.FromNanoseconds(self.nanoseconds)
        message.receive_timestamp.FromNanoseconds(self.received)
        if self.is_text:
            message.text_payload = self.payload
        else:
            message.json_payload.update(json.loads(self.payload))
        return message


class LogBook:
    """The log entries of all jobs.

    Args:
        database: From `open_database`; the entries in it are loaded.
        max_lines: How many entries of one job are kept; the oldest go first.

    Attributes:
        changes: Tells of every entry that is written.
    """

    def __init__(self, database: sqlite3.Connection, max_lines: int) -> None:
        self._database = database
        self._max_lines = max_lines
        self.changes = Changes()
        self._entries: dict[tuple[str, str], deque[Entry]] = {}
        self._last_nanoseconds = 0
        self._sequence = itertools.count(1)
        for row in database.execute("SELECT * FROM log_entries ORDER BY sequence").fetchall():
            entry = Entry(*row)
            self._entries.setdefault((entry.project, entry.job_id), deque()).append(entry)
            self._sequence = itertools.count(entry.sequence + 1)
            self._last_nanoseconds = entry.received

    def write_line(
        self,
        project: str,
        job_id: str,
        task_name: str,
        line: str,
        severity: str,
        written: int | None = None,
    ) -> None:
        """Write what a replica printed.

        A line that is a JSON object with a `message` becomes the payload, and its `severity` counts, as on
        Vertex: https://cloud.google.com/vertex-ai/docs/training/code-requirements#logs

        Args:
            project: The project's id.
            job_id: The job's id.
            task_name: The replica.
            line: The line, without its end.
            severity: A name of `SEVERITIES`, for a line that names none.
            written: When it was printed, in nanoseconds since 1970, where it comes late; None is now.
        """
        payload: dict[str, object] = {}
        if line.startswith("{"):
            payload, severity = _structured(line, severity)
        if not payload:
            payload = {"message": line, "levelname": severity}
        payload["attrs"] = {"tag": task_name}
        self._append(project, job_id, task_name, SEVERITIES[severity], json.dumps(payload), written)

    def write_service(self, project: str, job_id: str, text: str, severity: str = "INFO") -> None:
        """Write a line of Vertex's own into a job's log."""
        self._append(project, job_id, SERVICE, SEVERITIES[severity], text)

    def of_job(self, project: str, job_id: str) -> Iterator[Entry]:
        """Go through a job's entries, oldest first."""
        return iter(self._entries.get((project, job_id), ()))

    def of_projects(self, projects: Iterable[str], job_ids: Iterable[str] | None = None) -> list[Entry]:
        """Return the entries of some projects, in no order between jobs.

        Args:
            projects: The projects' ids.
            job_ids: The jobs to look at; None takes all. Others cost no time.
        """
        owners = list(projects)
        if job_ids is None:
            keys = [key for key in self._entries if key[0] in owners]
        else:
            keys = [(owner, job_id) for owner in owners for job_id in job_ids]
        return [entry for key in keys for entry in self.of_job(*key)]

    def forget(self, project: str, job_id: str) -> None:
        """Drop a job's entries."""
        self._entries.pop((project, job_id), None)
        self._database.execute("DELETE FROM log_entries WHERE project = ? AND job_id = ?", (project, job_id))

    def _append(
        self,
        project: str,
        job_id: str,
        task_name: str,
        severity: int,
        payload: str,
        written: int | None = None,
    ) -> None:
        received = self._last_nanoseconds = max(self._last_nanoseconds, time.time_ns())
        entry = Entry(
            sequence=next(self._sequence),
            project=project,
            job_id=job_id,
            task_name=task_name,
            nanoseconds=received if written is None else written,
            received=received,
            severity=severity,
            payload=payload,
        )
        entries = self._entries.setdefault((project, job_id), deque())
        entries.append(entry)
        self._database.execute(
            "INSERT INTO log_entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (entry.sequence, project, job_id, task_name, entry.nanoseconds, received, severity, payload),
        )
        if len(entries) > self._max_lines:
            oldest = entries.popleft()
            self._database.execute("DELETE FROM log_entries WHERE sequence = ?", (oldest.sequence,))
        self.changes.notify()


def severity_name(number: int) -> str:
    """Return the name of a severity's number."""
    return _SEVERITY_NAMES.get(number, "DEFAULT")


def _structured(line: str, severity: str) -> tuple[dict[str, object], str]:
    """Return the payload and the severity of a line in JSON; an empty payload where it is none.

    What a `google.protobuf.Struct` can't hold, or no client could read, is no JSON: NaN, numbers beyond a
    double, half of a surrogate pair, objects within dozens of others.
    """
    try:
        found = json.loads(line, parse_constant=_no_number, parse_float=_double, parse_int=_double)
        line.encode()
        if "\\u" in line:
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return {}, severity
    if not isinstance(found, dict) or not isinstance(found.get("message"), str) or _is_deep(found):
        return {}, severity
    named = str(found.get("severity")).upper()
    if named not in SEVERITIES:
        return found, severity
    del found["severity"]
    return found, named


def _no_number(name: str) -> float:
    problem = f"{name} is no number of JSON"
    raise ValueError(problem)


def _double(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _is_deep(value: object, left: int = _MOST_DEPTH) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(left == 0 or _is_deep(part, left - 1) for part in parts)
