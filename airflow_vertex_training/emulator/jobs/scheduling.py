"""How long a job may wait for its machines, and run on them: its `Scheduling`, by the proto's comments."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import custom_job

from airflow_vertex_training.emulator.api.messages import JobState

if TYPE_CHECKING:
    from airflow_vertex_training.emulator.jobs.store import Job

__all__ = ["seconds_to_run", "seconds_to_wait"]

_DEFAULT_TIMEOUT_SECONDS = 7 * 24 * 3600.0
_DEFAULT_MAX_WAIT_SECONDS = 24 * 3600.0
_FLEX_START = custom_job.Scheduling.Strategy.FLEX_START


def seconds_to_wait(job: Job) -> float | None:
    """Return how long a job may still wait for its machines; None is for ever.

    "If set to 0, the job will wait indefinitely. The default is 24 hours." Only FLEX_START knows a limit.
    """
    scheduling = job.message.job_spec.scheduling
    if scheduling.strategy != _FLEX_START or job.state == JobState.JOB_STATE_RUNNING:
        return None
    limit = _DEFAULT_MAX_WAIT_SECONDS
    if scheduling.HasField("max_wait_duration"):
        limit = scheduling.max_wait_duration.ToNanoseconds() / 1e9
    return limit - _seconds_since(job.message.create_time.ToNanoseconds()) if limit else None


def seconds_to_run(job: Job) -> tuple[float, float]:
    """Return how long a running job may run in all, and from now on."""
    scheduling = job.message.job_spec.scheduling
    allowed = _DEFAULT_TIMEOUT_SECONDS
    if scheduling.HasField("timeout"):
        allowed = scheduling.timeout.ToNanoseconds() / 1e9
    return allowed, allowed - _seconds_since(job.message.start_time.ToNanoseconds())


def _seconds_since(nanoseconds: int) -> float:
    return (time.time_ns() - nanoseconds) / 1e9
