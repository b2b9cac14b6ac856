"""What Cloud Logging holds of a job: an entry, its identity, and the questions that find it.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_vertex_training.vertex.logs.payload import of_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECOND = 1_000_000_000
# The replica name under which Vertex itself writes to a job's log.
SERVICE = "service"
# The replica that every job has.
PRIMARY = "workerpool0-0"
# https://cloud.google.com/logging/docs/reference/v2/rpc/google.logging.v2#listlogentriesrequest
MOST_FILTER_CHARACTERS = 20_000
MOST_ENTRIES = 1000
# A filter of so many jobs, each with an id of 20 digits, is still legal.
MOST_JOBS = 700


@dataclass(frozen=True)
class Entry:
    """One entry of a job's log.

    Args:
        job_id: last segment of the job's name.
        replica: such as ``workerpool0-0``, or ``service`` for Vertex's own lines.
        key: tells it from all others; see ``entry_key``.
        time: when it was written, in nanoseconds since 1970, by the replica's clock.
        received: when Cloud Logging got it, in nanoseconds since 1970.
        severity: a number of ``google.logging.type.LogSeverity``.
        payload: the text, or the JSON object.
    """

    job_id: str
    replica: str
    key: bytes
    time: int
    received: int
    severity: int
    payload: str | Mapping[str, Any]


def entry_key(log_name: str, time: int, insert_id: str) -> bytes:
    """Return what tells an entry from all others of its job, in 8 bytes.

    Cloud Logging takes entries with the same log, time and insert id for one.
    """
    return hashlib.blake2b(f"{time} {insert_id} {log_name}".encode(), digest_size=8).digest()


def entry_of(message: Any) -> Entry:
    """Return a ``google.logging.v2.LogEntry``, given as the bare protobuf message."""
    moment = message.timestamp.ToNanoseconds()
    return Entry(
        job_id=message.resource.labels["job_id"],
        replica=message.resource.labels["task_name"],
        key=entry_key(message.log_name, moment, message.insert_id),
        time=moment,
        received=message.receive_timestamp.ToNanoseconds() or moment,
        severity=message.severity,
        payload=of_message(message),
    )


def jobs_filter(job_ids: Iterable[str], since: int, until: int | None = None, replica: str = "") -> str:
    """Return the filter that finds the entries of some jobs.

    Args:
        job_ids: up to ``MOST_JOBS`` jobs.
        since: the earliest time of an entry, in nanoseconds since 1970.
        until: entries of this time and later are left out; default none.
        replica: this replica's entries only; default all.
    """
    ids = " OR ".join(f'"{job_id}"' for job_id in job_ids)
    parts = [f'timestamp>="{in_rfc3339(since)}"', 'resource.type="ml_job"', f"resource.labels.job_id=({ids})"]
    if until is not None:
        parts.append(f'timestamp<"{in_rfc3339(until)}"')
    if replica:
        parts.append(f'resource.labels.task_name="{replica}"')
    return " AND ".join(parts)


def in_rfc3339(nanoseconds: int) -> str:
    """Return a time as Cloud Logging's filters want it."""
    whole = datetime.fromtimestamp(nanoseconds // SECOND, tz=timezone.utc)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{nanoseconds % SECOND:09d}Z"


def clock(nanoseconds: int) -> str:
    """Return the time of day, in UTC, as a log line shows it."""
    return f"{datetime.fromtimestamp(nanoseconds // SECOND, tz=timezone.utc):%H:%M:%S}"


def nanoseconds(moment: datetime) -> int:
    """Return a moment in nanoseconds since 1970."""
    return int(moment.timestamp() * 1_000_000) * 1000


def logs_explorer_url(project: str, job_id: str) -> str:
    """Return the page of the Cloud console that shows a job's whole log."""
    query = quote(f'resource.type="ml_job"\nresource.labels.job_id="{job_id}"', safe="")
    return f"https://console.cloud.google.com/logs/query;query={query}?project={project}"
