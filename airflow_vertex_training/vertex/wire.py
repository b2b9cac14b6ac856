"""Jobs and events as stored data: what lies in Airflow's database, and what is made of it again.

Triggerers and workers are upgraded at different times, so whatever is read may be of another version: what
is not known is ignored, and what is missing has a default. Nothing of a job's spec is stored: environment
values may be secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_vertex_training.vertex import exceptions
from airflow_vertex_training.vertex.exceptions import (
    JobEndedError,
    JobLostError,
    VertexApiError,
    VertexTrainingError,
)
from airflow_vertex_training.vertex.states import JobSnapshot, ended_badly

# Of the event's form. It grows when an old worker could misread a new event.
VERSION = 1

_TEXTS = ("name", "display_name", "state", "error_message", "base_output_directory")
_TIMES = ("create_time", "start_time", "end_time")


def snapshot(job: JobSnapshot) -> dict[str, Any]:
    """Return a job as plain JSON data (times in ISO 8601, no labels), small enough for an event."""
    times = {key: time and time.isoformat() for key in _TIMES for time in [getattr(job, key)]}
    return {**{key: getattr(job, key) for key in _TEXTS}, **times, "error_code": job.error_code}


def read_snapshot(data: object) -> JobSnapshot:
    """Return the job that ``snapshot`` made ``data`` of, as far as it can be read."""
    stored: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    known: dict[str, Any] = {key: str(stored[key]) for key in _TEXTS if stored.get(key) is not None}
    known.update((key, _time(stored.get(key))) for key in _TIMES)
    return JobSnapshot(**{"name": "", **known}, error_code=_number(stored.get("error_code")))


def event(job: JobSnapshot, error: VertexTrainingError | None) -> dict[str, Any]:
    """Return what a trigger tells the task: plain JSON data.

    Args:
        job: as it was last seen; where the wait was given up, its name is enough.
        error: what ended the wait, ``None`` where the job succeeded.
    """
    return {
        "version": VERSION,
        "status": "success" if error is None else "error",
        "kind": "" if error is None else type(error).__name__,
        "message": f"{job.name} ended as {job.state}" if error is None else str(error),
        "details": {} if error is None else _plain(vars(error)),
        "job": snapshot(job),
    }


def read_event(event: object) -> tuple[JobSnapshot, VertexTrainingError | None]:
    """Return the job and the error that ``event`` made an event of, as far as they can be read.

    An error of a kind that this version does not know is what the job's state says, else a
    ``VertexTrainingError`` with the same message.
    """
    stored: Mapping[str, Any] = event if isinstance(event, Mapping) else {}
    job = read_snapshot(stored.get("job"))
    status = stored.get("status")
    if status == "success" or (status is None and job.is_final):
        return job, ended_badly(job) if job.is_final else None
    message = str(stored.get("message") or "the trigger did not say how the wait ended")
    kind = _kinds().get(str(stored.get("kind")))
    if kind is None:
        return job, (ended_badly(job) if job.is_final else None) or VertexTrainingError(message)
    error = kind.__new__(kind, message)
    details = stored.get("details")
    error.__dict__.update(_of_job(kind, job) | _plain(details if isinstance(details, Mapping) else {}))
    return job, error


def _kinds() -> dict[str, type[VertexTrainingError]]:
    """Return the classes of the errors that can end a wait, by their names."""
    roots = (JobEndedError, JobLostError, VertexApiError)
    classes = {name: kind for name, kind in vars(exceptions).items() if isinstance(kind, type)}
    return {name: kind for name, kind in classes.items() if issubclass(kind, roots)}


def _of_job(kind: type[VertexTrainingError], job: JobSnapshot) -> dict[str, Any]:
    """Return the data of an error as far as its job tells it; what an event says besides, comes on top."""
    data: dict[str, Any] = {"name": job.name}
    if issubclass(kind, VertexApiError):
        data |= {"status": "", "message": ""}
    if issubclass(kind, JobEndedError):
        data |= {"state": job.state, "code": job.error_code, "message": job.error_message, "exception": ""}
    return data


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    plain = str | int | float | None
    return {str(key): value for key, value in data.items() if isinstance(value, plain)}


def _time(value: object) -> datetime | None:
    try:
        # Python 3.10 does not read the Z.
        time = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def _number(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None
