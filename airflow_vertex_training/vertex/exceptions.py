"""The errors that this package raises.

::

    VertexTrainingError
    ├── InvalidJobError              the job's description is wrong; nothing was sent (also a ValueError)
    │   └── MissingSettingError      a setting that every job needs is set nowhere
    ├── VertexApiError               Vertex AI did not do what it was asked
    │   ├── PermissionDeniedError    an account may not do this
    │   ├── ApiNotEnabledError       the project does not use Vertex AI yet
    │   ├── ProjectNotFoundError     there is no such project, or its display name was given for its id
    │   ├── ProjectBlockedError      the project's billing is off, or Google has suspended it
    │   ├── PolicyError              an organization's policy, or a service perimeter, forbids it
    │   ├── InvalidRequestError      Vertex AI does not take the request as it is
    │   ├── BucketLocationError      a bucket is in another place than the job
    │   ├── CredentialsError         there are no credentials, or Google does not take them
    │   ├── UnreachableError         nothing answers where the calls go
    │   │   └── EndpointError        the endpoint is not what it is taken for
    │   ├── TooManyRequestsError     the quota of requests a minute is used up
    │   ├── QuotaExceededError       the project may not have so many machines or accelerators
    │   ├── StockoutError            Google has no machines to give
    │   ├── ImageError               the container image can't be pulled
    │   └── NetworkError             the VPC network can't be reached from the job's machines
    ├── JobEndedError                the job came to its end, and not the one that was hoped for
    │   ├── JobFailedError           the program failed, or the job failed for a reason that is not known here
    │   │   ├── OutOfMemoryError     a replica took more memory than its machine has
    │   │   ├── JobTimeoutError      the job ran as long as it may
    │   │   ├── PreemptedError       Spot machines were taken away
    │   │   ├── VertexInternalError  Vertex AI itself failed
    │   │   ├── JobQuotaExceededError, JobStockoutError, JobImageError, JobNetworkError, JobPolicyError,
    │   │   │   JobPermissionDeniedError
    │   │   │                        as above, met when the job was there already (also those classes)
    │   └── JobCancelledError        somebody cancelled the job
    ├── JobLostError                 the job is not there any more: somebody deleted it
    ├── SubmitTimeoutError           the quota refused the job for all of ``submit_timeout``; no job was made
    ├── UnclearSubmitError           whether a job was made is not known; a later try looks for it
    └── TryGivenUpError              Airflow goes on with a later try of the task, which has a job

Each class says in ``retry`` whether another try of the task can help. What the classes stand for, and how
they are recognised, is in the package ``catalogue``.

Errors of other libraries are mapped at the boundary and kept as ``__cause__``. Where an error leaves the
task, its cause is dropped: our error has the code and the words of it, and its traceback says no more.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Retry(Enum):
    """Whether another try of the task can help after an error."""

    HELPS = "may help"
    LATER = "helps after a while"
    SELDOM = "seldom helps"
    NEVER = "does not help"


class VertexTrainingError(Exception):
    """Base of all errors of this package."""

    retry: ClassVar[Retry] = Retry.HELPS
    """Whether another try of the task can help."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without calling ``__init__``, whose arguments are not ``args``."""
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[VertexTrainingError], args: tuple[Any, ...], state: dict[str, Any]) -> Any:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


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

    retry = Retry.NEVER

    def __init__(self, field: str, problem: str, others: Sequence[Finding] = (), task_id: str = "") -> None:
        super().__init__(field, problem, tuple(others), task_id)
        self.field = field
        self.problem = problem
        self.findings = (Finding(field, problem), *others)
        self.task_id = task_id

    def __str__(self) -> str:
        task = f" (task {self.task_id!r})" if self.task_id else ""
        return "\n".join(map(str, self.findings)) + task


class MissingSettingError(InvalidJobError):
    """A setting that every job needs is set nowhere.

    Args:
        field: the operator's argument.
        remedy: how to set it.
    """

    def __init__(self, field: str, remedy: str) -> None:
        super().__init__(field, f"is not set: {remedy}")

    def __str__(self) -> str:
        return f"{self.field} {self.problem}"


class VertexApiError(VertexTrainingError):
    """Vertex AI did not do what it was asked. This class itself: for a reason that may pass.

    Args:
        text: what happened and what to do.
        status: name of the answer's gRPC status code, such as ``PERMISSION_DENIED``, default none.
        message: Vertex AI's own words, default none.
    """

    def __init__(self, text: str, *, status: str = "", message: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.message = message


class PermissionDeniedError(VertexApiError):
    """An account may not do this."""

    retry = Retry.NEVER


class ApiNotEnabledError(VertexApiError):
    """The project does not use Vertex AI yet."""

    retry = Retry.NEVER


class ProjectNotFoundError(VertexApiError):
    """There is no such project, or its display name was given for its id."""

    retry = Retry.NEVER


class ProjectBlockedError(VertexApiError):
    """Google does nothing for the project: its billing is off, or it was suspended."""

    retry = Retry.NEVER


class PolicyError(VertexApiError):
    """An organization's policy, or a service perimeter, forbids it."""

    retry = Retry.NEVER


class InvalidRequestError(VertexApiError):
    """Vertex AI does not take the request as it is."""

    retry = Retry.NEVER


class BucketLocationError(VertexApiError):
    """A bucket is in another place than the job."""

    retry = Retry.NEVER


class CredentialsError(VertexApiError):
    """There are no credentials, or Google does not take them."""

    # Where a metadata server gives them, it can be away for a moment.
    retry = Retry.SELDOM


class UnreachableError(VertexApiError):
    """Nothing answers where the calls go."""


class EndpointError(UnreachableError):
    """The endpoint is not what it is taken for: plaintext for TLS, Vertex AI for the emulator."""

    retry = Retry.NEVER


class TooManyRequestsError(VertexApiError):
    """The quota of requests a minute is used up."""

    retry = Retry.LATER


class QuotaExceededError(VertexApiError):
    """The project may not have so many machines or accelerators."""

    retry = Retry.LATER


class StockoutError(VertexApiError):
    """Google has no machines to give."""

    retry = Retry.LATER


class ImageError(VertexApiError):
    """The container image can't be pulled."""

    retry = Retry.NEVER


class NetworkError(VertexApiError):
    """The VPC network can't be reached from the job's machines."""

    retry = Retry.NEVER


class JobEndedError(VertexTrainingError):
    """A job ended otherwise than by success.

    The first line says why, as shortly as can be. What it means and what to do follows, then Vertex AI's own
    words, the link to the logs, and the job's name, each on a line of its own.

    Args:
        name: full resource name of the job.
        state: its final state, such as ``JOB_STATE_FAILED``.
        code: code of the job's error, a ``google.rpc.Code``, or ``None``.
        message: the job's own error message, in Vertex AI's words.
        reason: what happened, in a few words, default the first line of ``message``.
        advice: what it means and what to do, default nothing.
        exception: the line of the failing replica's log that says what went wrong, such as
            ``ValueError: no data``, default none.
        last_words: where there is no exception, the last line that the replica wrote to stderr, default none.
    """

    def __init__(
        self,
        *,
        name: str,
        state: str,
        code: int | None,
        message: str,
        reason: str = "",
        advice: str = "",
        exception: str = "",
        last_words: str = "",
    ) -> None:
        words, _, link = message.partition(_BEFORE_LINK)
        lines = [": ".join(part for part in (reason or _plain(state, words), exception) if part)]
        if last_words:
            lines[0] += f", its last words: {last_words}"
        if advice:
            lines.append(advice)
        if reason and words:
            lines.append(f"Vertex AI's words: {words.strip()}")
        if link:
            lines.append(f"Logs: {link.strip()}")
        lines.append(f"Job: {name} ({state}{'' if code is None else f', error code {code}'})")
        super().__init__("\n".join(lines))
        self.name = name
        self.state = state
        self.code = code
        self.message = message
        self.exception = exception


# How Vertex AI leads over to the link that ends its messages:
# https://cloud.google.com/vertex-ai/docs/training/troubleshooting
_BEFORE_LINK = "To find out more about why your job exited please check the logs:"


def _plain(state: str, words: str) -> str:
    """Say what is known where nothing is recognised: Vertex AI's own words, whole."""
    said = state.removeprefix("JOB_STATE_").replace("_", " ").lower()
    return words.strip() or f"The job is {said}, and Vertex AI gave no reason"


class JobFailedError(JobEndedError):
    """A replica's program failed, or the job failed for a reason that is not known here."""

    retry = Retry.SELDOM


class OutOfMemoryError(JobFailedError):
    """A replica took more memory than its machine has."""


class JobTimeoutError(JobFailedError):
    """The job ran as long as it may: ``maximum_run_time``."""


class PreemptedError(JobFailedError):
    """Spot machines were taken away, and none came back in time."""

    retry = Retry.LATER


class VertexInternalError(JobFailedError):
    """Vertex AI itself failed, not the program."""

    retry = Retry.HELPS


class JobQuotaExceededError(JobFailedError, QuotaExceededError):
    """A job met the quota of machines or accelerators after it was created."""

    retry = QuotaExceededError.retry


class JobStockoutError(JobFailedError, StockoutError):
    """A job got no machines."""

    retry = StockoutError.retry


class JobImageError(JobFailedError, ImageError):
    """A job's container image could not be pulled."""

    retry = ImageError.retry


class JobNetworkError(JobFailedError, NetworkError):
    """A job's machines could not join its VPC network."""

    retry = NetworkError.retry


class JobPolicyError(JobFailedError, PolicyError):
    """A job met a policy after it was created."""

    retry = PolicyError.retry


class JobPermissionDeniedError(JobFailedError, PermissionDeniedError):
    """An account of the job's may not do what the job needs."""

    retry = PermissionDeniedError.retry


class JobCancelledError(JobEndedError):
    """Somebody cancelled the job."""

    retry = Retry.SELDOM


class JobLostError(VertexTrainingError):
    """A job that was being watched is not there any more.

    Args:
        name: full resource name of the job.
    """

    retry = Retry.SELDOM

    def __init__(self, name: str) -> None:
        super().__init__(
            "The job is not there any more: somebody deleted it, so how it ended can't be known.\n"
            "What to do: if its output is complete, mark the task as success; otherwise clear the task to "
            f"train again.\nJob: {name}"
        )
        self.name = name


class SubmitTimeoutError(VertexTrainingError):
    """The request quota refused a job for so long that waiting was given up. No job was made."""

    retry = Retry.LATER


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
            f"Airflow has given up try {try_number} of this task: a later try has a job. "
            f"There is nothing to do.\nJob: {job_name}"
        )
        self.try_number = try_number
        self.job_name = job_name
