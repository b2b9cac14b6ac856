"""The errors that this package raises.

::

    VertexTrainingError
    ├── InvalidJobError       the job's description is wrong; nothing was sent (also a ValueError)
    ├── JobEndedError         the job came to its end, and not the one that was hoped for
    │   ├── JobFailedError
    │   └── JobCancelledError
    ├── JobLostError          the job is not there any more: somebody deleted it
    ├── SubmitTimeoutError    the quota refused the job until ``submit_timeout`` was over; no job was made
    ├── UnclearSubmitError    whether a job was made is not known; a later try looks for it
    ├── TryGivenUpError       Airflow goes on with a later try of the task, which has a job
    └── VertexApiError        Vertex answered with an error that does not pass; says what to do

Errors of other libraries are mapped at the boundary and kept as ``__cause__``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class VertexTrainingError(Exception):
    """Base of all errors of this package."""


class Finding(NamedTuple):
    """Something that is wrong with a job's description.

    Args:
        field: the argument at fault, as the user wrote it, such as ``labels['team']``.
        problem: what is wrong with it and what would be right.
    """

    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


class InvalidJobError(VertexTrainingError, ValueError):
    """A training job is described wrongly.

    Args:
        field: the argument at fault, as the user wrote it, such as ``labels['team']``.
        problem: what is wrong with it and what would be right.
        others: what else is wrong, default nothing.
        task_id: the task whose job it is, default not said.
    """

    def __init__(self, field: str, problem: str, others: Sequence[Finding] = (), task_id: str = "") -> None:
        super().__init__(field, problem, tuple(others), task_id)
        self.field = field
        self.problem = problem
        self.findings = (Finding(field, problem), *others)
        self.task_id = task_id

    def __str__(self) -> str:
        task = f" (task {self.task_id!r})" if self.task_id else ""
        return "\n".join(map(str, self.findings)) + task


class JobEndedError(VertexTrainingError):
    """A job ended otherwise than by success.

    Args:
        name: full resource name of the job.
        state: its final state, such as ``JOB_STATE_FAILED``.
        code: code of the job's error, a ``google.rpc.Code``, or ``None``.
        message: the job's own error message, in Vertex's words.
    """

    def __init__(self, *, name: str, state: str, code: int | None, message: str) -> None:
        detail = message or "Vertex gave no reason"
        suffix = "" if code is None else f" (error code {code})"
        super().__init__(f"{name} ended as {state}: {detail}{suffix}")
        self.name = name
        self.state = state
        self.code = code
        self.message = message


class JobFailedError(JobEndedError):
    """A job failed, expired or succeeded in part only."""


class JobCancelledError(JobEndedError):
    """A job was cancelled."""


class JobLostError(VertexTrainingError):
    """A job that was being watched is not there any more.

    Args:
        name: full resource name of the job.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} does not exist any more: somebody deleted it, so how it ended can't be known. "
            "If its output is complete, mark the task as success; otherwise clear the task to train again."
        )
        self.name = name


class SubmitTimeoutError(VertexTrainingError):
    """The request quota refused a job for so long that waiting was given up. No job was made."""


class UnclearSubmitError(VertexTrainingError):
    """A create call got no clear answer and no look has found its job: one may exist all the same.

    The task's next try looks for it. Where none follows, what can be found has to be ended.

    Args:
        message: what happened, and how to look for the job.
        calls: how many create calls may have made a job.
    """

    def __init__(self, message: str, calls: int) -> None:
        super().__init__(message)
        self.calls = calls


class TryGivenUpError(VertexTrainingError):
    """A try learns while it submits that Airflow has given it up: a later one has a job.

    Args:
        try_number: number of the try.
        job_name: full resource name of the later try's job.
    """

    def __init__(self, try_number: int, job_name: str) -> None:
        super().__init__(
            f"Airflow has given up try {try_number} of this task: a later try made {job_name}. "
            "There is nothing to be done"
        )
        self.try_number = try_number
        self.job_name = job_name


class VertexApiError(VertexTrainingError):
    """Vertex AI answered a call with an error that repeating does not cure."""
