"""Which state of a job means what, and what is remembered of a job.

The names are those of Vertex AI's ``JobState``:
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.catalogue.jobs import exception_in, explain_job, says_itself
from airflow_vertex_training.vertex.exceptions import JobCancelledError, JobEndedError, JobFailedError
from airflow_vertex_training.vertex.tracebacks import Said

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# A paused job can be resumed, and UNSPECIFIED is what an older client reads of a state that it
# does not know: neither is an end by itself, so the job is waited for.
ACTIVE = frozenset(
    {
        "JOB_STATE_UNSPECIFIED",
        "JOB_STATE_QUEUED",
        "JOB_STATE_PENDING",
        "JOB_STATE_RUNNING",
        "JOB_STATE_PAUSED",
        "JOB_STATE_UPDATING",
        "JOB_STATE_CANCELLING",
    }
)
SUCCEEDED = frozenset({"JOB_STATE_SUCCEEDED"})
# "Some results may be missing due to errors" is no success for a task that others build upon.
FAILED = frozenset({"JOB_STATE_FAILED", "JOB_STATE_EXPIRED", "JOB_STATE_PARTIALLY_SUCCEEDED"})
CANCELLED = frozenset({"JOB_STATE_CANCELLED"})
FINAL = SUCCEEDED | FAILED | CANCELLED

CANCELLING = "JOB_STATE_CANCELLING"
RUNNING = "JOB_STATE_RUNNING"
UNSPECIFIED = "JOB_STATE_UNSPECIFIED"


def state_in_words(state: str) -> str:
    """``JOB_STATE_RUNNING`` as a person says it: ``Running``."""
    return state.removeprefix("JOB_STATE_").replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """What was last seen of a job. It holds no spec: environment values may be secrets."""

    name: str
    display_name: str = ""
    state: str = "JOB_STATE_UNSPECIFIED"
    create_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    update_time: datetime | None = None
    error_code: int | None = None
    error_message: str = ""
    base_output_directory: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    # Replica and address of each interactive shell.
    web_access_uris: tuple[tuple[str, str], ...] = ()

    @property
    def custom_job_id(self) -> str:
        """The last segment of its name; the API may name the project by number or by id."""
        return self.name.rpartition("/")[2]

    @property
    def is_final(self) -> bool:
        """Whether the job has come to its end; a final state never changes.

        One that this client does not know is final where Vertex AI says when the job ended.
        """
        return self.state in FINAL or (self.state == UNSPECIFIED and self.end_time is not None)

    @property
    def can_be_waited_for(self) -> bool:
        """Whether the job has not ended and nobody has asked for its end."""
        return not self.is_final and self.state != CANCELLING


def ended_badly(job: JobSnapshot, said: Said | None = None) -> JobEndedError | None:
    """Return the error that a final job stands for, or ``None`` where it succeeded.

    Args:
        job: as it ended.
        said: what the failing replica said in its log, default nothing. Where it told of no exception, the
            one that Vertex AI's message ends with counts, if it has any.
    """
    if job.state in SUCCEEDED:
        return None
    said = said or Said()
    if not said.exception and (exception := exception_in(job.error_message)):
        said = Said(exception)
    if not says_itself(job.error_code, job.error_message):
        said = Said()
    explained = explain_job(job.error_code, job.error_message, said.exception or said.last_words)
    kind: type[JobEndedError] = JobCancelledError if job.state in CANCELLED else JobFailedError
    if explained is not None and issubclass(explained.kind, JobEndedError):
        kind = explained.kind
    reason = _UNKNOWN_END if job.state == UNSPECIFIED and not job.error_message else ""
    return kind(
        name=job.name,
        state=job.state,
        code=job.error_code,
        message=job.error_message,
        reason=reason if explained is None else explained.title,
        advice="" if explained is None else explained.advice,
        exception=said.exception,
        last_words=said.last_words,
    )


_UNKNOWN_END = "The job has ended in a state that the installed google-cloud-aiplatform does not know"


def age(job: JobSnapshot) -> tuple[bool, str, str]:
    """Sort key: the oldest job first. No order of a list is documented; a job without a date comes last."""
    created = "" if job.create_time is None else job.create_time.isoformat(timespec="microseconds")
    return (job.create_time is None, created, job.name)
