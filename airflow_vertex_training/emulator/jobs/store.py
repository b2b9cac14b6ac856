"""The jobs, in memory for speed and in SQLite so that they survive a restart.

Without a file the same code writes to a database in memory: one path, so that what the tests use is what is
kept.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_vertex_training.emulator.api.messages import CustomJob, JobState, Message
from airflow_vertex_training.emulator.api.names import JobName, Location
from airflow_vertex_training.emulator.jobs.changes import Changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["FINAL_STATES", "Job", "JobStore", "open_database"]

FINAL_STATES = frozenset(
    {JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED}
)
"""The states that this emulator's jobs end in."""

# The fields that the proto of CustomJob calls "Output only".
_OUTPUT_ONLY = (
    *("name", "state", "create_time", "start_time", "end_time", "update_time", "error"),
    *("web_access_uris", "satisfies_pzs", "satisfies_pzi"),
)

_SCHEMA_VERSION = 3
_SCHEMA = """
CREATE TABLE jobs (
    sequence INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    region TEXT NOT NULL,
    job_id TEXT NOT NULL,
    message BLOB NOT NULL,
    history TEXT NOT NULL,
    late_error TEXT NOT NULL
);
CREATE TABLE log_entries (
    sequence INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    job_id TEXT NOT NULL,
    task_name TEXT NOT NULL,
    nanoseconds INTEGER NOT NULL,
    received INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    payload TEXT NOT NULL
);
"""


def open_database(path: Path | None) -> sqlite3.Connection:
    """Open the emulator's database and make its tables.

    Args:
        path: The file; None takes a database in memory.

    Raises:
        ValueError: The file can't be opened, is no SQLite database, another emulator uses it, or another
            version has written it.
    """
    try:
        if path is not None:
            _keep_private(path)
        database = sqlite3.connect(path or ":memory:", isolation_level=None)
        # Two emulators would both run the jobs in it.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        # Every statement commits by itself. That outlives a killed process, which is what is promised; to
        # outlive a machine that loses power would cost an fsync a statement.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        is_new = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if is_new:
            database.executescript(_SCHEMA)
            database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        (version,) = database.execute("PRAGMA user_version").fetchone()
    except (sqlite3.Error, OSError) as error:
        if "locked" in str(error):
            problem = f"another emulator uses {path}: end that one, or take another file"
        else:
            problem = f"must be an SQLite file that can be written, {path}: {error}"
        raise ValueError(f"state_file: {problem}") from error
    if version != _SCHEMA_VERSION:
        database.close()
        raise ValueError(f"state_file: {path} is of another version of the emulator: remove it")
    return database


def _keep_private(path: Path) -> None:
    """Make the file its owner's alone: it holds env values, which may be secrets.

    SQLite gives the file that it makes beside it, `-wal`, the same permissions.
    """
    path.touch(mode=0o600)
    for end in ("", "-wal"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + end).chmod(0o600)


@dataclass(eq=False)
class Job:
    """A custom job.

    Args:
        sequence: Grows with each job: the order in which they were made.
        location: Its project (always the id) and region.
        job_id: The last segment of its name.
        message: What the API shows of it.
        history: Its states and when it entered them, in nanoseconds since 1970, oldest first.
        late_error: The error of a job that has ended, as gRPC status code and text, until it is set.
    """

    sequence: int
    location: Location
    job_id: str
    message: Message
    history: list[tuple[int, int]] = field(default_factory=list)
    late_error: tuple[int, str] | None = None

    @classmethod
    def new(cls, sequence: int, location: Location, message: Message) -> Job:
        """Make a job of what a create request asks for.

        Args:
            sequence: Its place.
            location: Where.
            message: The request's `CustomJob`; what is output only in it is left out.
        """
        # Like Vertex's: up to 19 digits, and no order in them.
        job = cls(sequence, location, str(random.randrange(10**15, 2**63)), CustomJob())
        job.message.CopyFrom(message)
        for name in _OUTPUT_ONLY:
            job.message.ClearField(name)
        return job

    @property
    def name(self) -> JobName:
        """The job's name with the project's id."""
        return JobName(self.location, self.job_id)

    @property
    def state(self) -> int:
        """The `JobState` that it is in."""
        return int(self.message.state)

    @property
    def state_name(self) -> str:
        """Its state as text, such as `JOB_STATE_RUNNING`."""
        return str(JobState(self.message.state).name)

    @property
    def final(self) -> bool:
        """Whether it has ended."""
        return self.message.state in FINAL_STATES

    def enter(self, state: int) -> None:
        """Set a state and the times that Vertex sets with it.

        Args:
            state: The new state.
        """
        now = time.time_ns()
        self.history.append((int(state), now))
        self.message.state = state
        self.message.update_time.FromNanoseconds(now)
        if not self.message.HasField("create_time"):
            self.message.create_time.FromNanoseconds(now)
        if state == JobState.JOB_STATE_RUNNING and not self.message.HasField("start_time"):
            self.message.start_time.FromNanoseconds(now)
        if state in FINAL_STATES:
            self.message.end_time.FromNanoseconds(now)

    def tell_error(self) -> None:
        """Set the error that has been waited for."""
        if self.late_error is not None:
            self.message.error.code, self.message.error.message = self.late_error
            self.late_error = None
            self.message.update_time.GetCurrentTime()

    def as_of(self, nanoseconds: int) -> Message | None:
        """Return the message as it was then; None if the job was not there yet."""
        past = [(state, since) for state, since in self.history if since <= nanoseconds]
        if not past:
            return None
        message = CustomJob()
        message.CopyFrom(self.message)
        message.state, since = past[-1]
        if message.update_time.ToNanoseconds() > nanoseconds:
            # The last update was a state, or the error after the last state.
            message.update_time.FromNanoseconds(since)
            message.ClearField("error")
        if message.state not in FINAL_STATES:
            message.ClearField("end_time")
        if not any(state == JobState.JOB_STATE_RUNNING for state, _ in past):
            message.ClearField("start_time")
        return message


class JobStore:
    """All jobs, by location, newest last; those that have not ended are indexed apart.

    Args:
        database: From `open_database`; the jobs in it are loaded.

    Attributes:
        changes: Tells of every job that is added, changed or removed.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._jobs: dict[Location, dict[str, Job]] = {}
        self._active: dict[Location, dict[str, Job]] = {}
        self.changes = Changes()
        rows = database.execute("SELECT * FROM jobs ORDER BY sequence").fetchall()
        for sequence, project, region, job_id, message, history, late_error in rows:
            states = [(state, since) for state, since in json.loads(history)]
            location, error = Location(project, region), json.loads(late_error)
            late = None if error is None else (error[0], error[1])
            self._index(Job(sequence, location, job_id, CustomJob.FromString(message), states, late))
        self.last_sequence = rows[-1][0] if rows else 0

    def add(self, jobs: Sequence[Job]) -> None:
        """Add new jobs, in one transaction."""
        self._database.execute("BEGIN")
        for job in jobs:
            self._write(job)
        self._database.execute("COMMIT")
        for job in jobs:
            self._index(job)
        self.last_sequence = max(self.last_sequence, *(job.sequence for job in jobs))
        self.changes.notify()

    def save(self, job: Job) -> None:
        """Keep what was changed in a job."""
        self._write(job)
        if job.final:
            self._active.get(job.location, {}).pop(job.job_id, None)
        self.changes.notify()

    def remove(self, job: Job) -> None:
        """Remove a job."""
        self._database.execute("DELETE FROM jobs WHERE sequence = ?", (job.sequence,))
        self._jobs.get(job.location, {}).pop(job.job_id, None)
        self._active.get(job.location, {}).pop(job.job_id, None)
        self.changes.notify()

    def get(self, name: JobName) -> Job | None:
        """Find a job by its name; None if there is none."""
        return self._jobs.get(name.location, {}).get(name.job_id)

    def newest_first(self, location: Location, *, active_only: bool = False) -> Iterator[Job]:
        """Go through a location's jobs.

        Args:
            location: The location, with the project's id.
            active_only: Leave out jobs that have ended. A project's ended jobs pile up, so it is much
                quicker.
        """
        return reversed(((self._active if active_only else self._jobs).get(location) or {}).values())

    def all(self) -> list[Job]:
        """Return the jobs of all locations."""
        return [job for jobs in self._jobs.values() for job in jobs.values()]

    def _index(self, job: Job) -> None:
        self._jobs.setdefault(job.location, {})[job.job_id] = job
        if not job.final:
            self._active.setdefault(job.location, {})[job.job_id] = job

    def _write(self, job: Job) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                job.sequence,
                job.location.project,
                job.location.region,
                job.job_id,
                job.message.SerializeToString(),
                json.dumps(job.history),
                json.dumps(job.late_error),
            ),
        )
