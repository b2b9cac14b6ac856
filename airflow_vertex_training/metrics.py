"""What the package tells Airflow's metrics: one table of names.

Airflow sends them wherever its section ``[metrics]`` says, tagged as its own are:
https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/metrics.html
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.meter import Meter
from airflow_vertex_training.vertex.naming.job_name import JobName

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_vertex_training.vertex.states import JobSnapshot

__all__ = ["ALL", "JobMeter", "Kind", "Metric", "job_tags", "measure_end"]

logger = logging.getLogger(__name__)

# The kinds of error of Airflow's backend that this process has told.
_told: set[type[Exception]] = set()

_TASK = ("dag_id", "task_id", "project", "region")
_PLACE = ("project", "region")


class Kind(Enum):
    """How a metric is told."""

    COUNTER = "counter"
    GAUGE = "gauge"
    TIMER = "timer"


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        name: as Airflow sends it.
        kind: how it is told.
        tags: the tags that it has.
        what: what it says, for the documentation.
    """

    name: str
    kind: Kind
    tags: tuple[str, ...]
    what: str

    def tell(self, value: Any, tags: dict[str, str]) -> None:
        """Tell Airflow. No metric is worth a job: what goes wrong is logged, once for each kind of error.

        Args:
            value: how many more for a counter, how many for a gauge, a ``timedelta`` for a timer.
            tags: of which those are sent that the metric has.
        """
        try:
            # Where it is used: Airflow loads it, and it changed its place over the versions.
            from airflow.providers.common.compat.sdk import Stats

            stats: Any = Stats
            how = {Kind.COUNTER: stats.incr, Kind.GAUGE: stats.gauge, Kind.TIMER: stats.timing}[self.kind]
            how(self.name, value, tags={key: tags[key] for key in self.tags if key in tags})
        except Exception as error:  # noqa: BLE001 - whatever [metrics] configures
            if type(error) not in _told:
                _told.add(type(error))
                logger.warning("Metrics are missing: Airflow's backend for them failed. %r", error)


SUBMITTED = Metric("vertex_training.submitted", Kind.COUNTER, _TASK, "A task created its job.")
ADOPTED = Metric(
    "vertex_training.adopted", Kind.COUNTER, _TASK, "A retry went on with the job of an earlier try."
)
RESULT_TAKEN = Metric(
    "vertex_training.result_taken",
    Kind.COUNTER,
    _TASK,
    "A retry took the result of a job that an earlier try had started, and that had succeeded.",
)
CANCELLED = Metric(
    "vertex_training.cancelled",
    Kind.COUNTER,
    _TASK,
    "A task or a trigger asked Vertex AI to cancel a job, and Vertex AI took it.",
)
ORPHANS = Metric(
    "vertex_training.orphans",
    Kind.COUNTER,
    ("fate", *_PLACE),
    "A job was found that nobody waits for, and was cancelled (`fate` is `cancel`) or reported (`leave`).",
)
QUEUE_TIME = Metric(
    "vertex_training.queue_time",
    Kind.TIMER,
    (*_TASK, "state"),
    "From a job's creation to its start, told at its end.",
)
RUN_TIME = Metric(
    "vertex_training.run_time",
    Kind.TIMER,
    (*_TASK, "state"),
    "From a job's start to its end. `state` is how it ended, such as `succeeded`.",
)
WATCHED_JOBS = Metric(
    "vertex_training.watched_jobs",
    Kind.GAUGE,
    ("connection", *_PLACE),
    "How many jobs one process watches by one connection.",
)
POLL_REQUESTS = Metric(
    "vertex_training.poll_requests",
    Kind.COUNTER,
    ("connection", *_PLACE),
    "A request to Vertex AI about jobs that are watched.",
)
POLL_ERRORS = Metric(
    "vertex_training.poll_errors",
    Kind.COUNTER,
    ("code", "connection", *_PLACE),
    "Such a request failed. `code` is the status code's name, such as `UNAVAILABLE`.",
)
LOG_READS = Metric(
    "vertex_training.log_reads",
    Kind.COUNTER,
    ("connection", "project"),
    "A request to Cloud Logging for lines of jobs.",
)
LOG_READ_ERRORS = Metric(
    "vertex_training.log_read_errors",
    Kind.COUNTER,
    ("code", "connection", "project"),
    "Such a request failed, as in `poll_errors`.",
)
LOG_LINES = Metric(
    "vertex_training.log_lines",
    Kind.COUNTER,
    ("connection", "project"),
    "Lines of jobs that were handed on to task logs.",
)

ALL = (
    SUBMITTED,
    ADOPTED,
    RESULT_TAKEN,
    CANCELLED,
    ORPHANS,
    QUEUE_TIME,
    RUN_TIME,
    WATCHED_JOBS,
    POLL_REQUESTS,
    POLL_ERRORS,
    LOG_READS,
    LOG_READ_ERRORS,
    LOG_LINES,
)
"""All metrics, as the documentation lists them."""


class JobMeter(Meter):
    """Tells Airflow what the Vertex side counts in one project and region.

    Args:
        project: project id or number.
        region: such as ``us-central1``.
        connection: id of the connection.
    """

    def __init__(self, project: str, region: str, connection: str) -> None:
        self._tags = {"project": project, "region": region, "connection": connection}

    def polled(self) -> None:
        """Count a request for jobs."""
        POLL_REQUESTS.tell(1, self._tags)

    def poll_failed(self, code: str) -> None:
        """Count a request for jobs that failed."""
        POLL_ERRORS.tell(1, {**self._tags, "code": code})

    def watches(self, jobs: int) -> None:
        """Tell how many jobs are watched."""
        WATCHED_JOBS.tell(jobs, self._tags)

    def read_logs(self) -> None:
        """Count a request for log lines."""
        LOG_READS.tell(1, self._tags)

    def reading_failed(self, code: str) -> None:
        """Count a request for log lines that failed."""
        LOG_READ_ERRORS.tell(1, {**self._tags, "code": code})

    def got_lines(self, count: int) -> None:
        """Count lines."""
        LOG_LINES.tell(count, self._tags)


def job_tags(job_name: str, ti: Any = None) -> dict[str, str]:
    """Return the tags of what is told of one job.

    Args:
        job_name: full resource name.
        ti: the task instance that it belongs to, default none that is known.

    Raises:
        InvalidJobError: ``job_name`` is no full resource name.
    """
    job = JobName.parse(job_name)
    tags = {"project": job.project, "region": job.region}
    return tags if ti is None else {**tags, "dag_id": ti.dag_id, "task_id": ti.task_id}


def measure_end(job: JobSnapshot, ti: Any) -> None:
    """Tell how long a job that has ended was queued and ran, as far as its times are known.

    Args:
        job: as it ended.
        ti: the task instance that it belongs to.
    """
    tags = {**job_tags(job.name, ti), "state": job.state.removeprefix("JOB_STATE_").lower()}
    _time(QUEUE_TIME, job.create_time, job.start_time, tags)
    _time(RUN_TIME, job.start_time, job.end_time, tags)


def _time(metric: Metric, start: datetime | None, end: datetime | None, tags: dict[str, str]) -> None:
    if start and end:
        metric.tell(end - start, tags)
