"""Failures of jobs: their own errors, set when they have ended.

The words: https://cloud.google.com/vertex-ai/docs/training/troubleshooting
"""

from __future__ import annotations

import re

from airflow_vertex_training.vertex import exceptions as errors
from airflow_vertex_training.vertex import tracebacks
from airflow_vertex_training.vertex.catalogue.entries import CODES, Entry, Explained, Told, explain
from airflow_vertex_training.vertex.catalogue.programs import PROGRAMS
from airflow_vertex_training.vertex.catalogue.said import DISK_HOLDS, DISK_REMEDY
from airflow_vertex_training.vertex.catalogue.shared import SHARED

__all__ = ["JOBS", "exception_in", "explain_job", "says_itself"]

_OUT_OF_MEMORY = re.compile(r"replica [\w-]+ ran out[ -]of[ -]memory", re.IGNORECASE)
# SIGKILL and SIGTERM, as Vertex AI's own images and other containers tell them.
_STATUS = re.compile(r"non-zero status of (-?\d+)")
_KILLED = frozenset({"9", "137", "15", "143"})

_TROUBLESHOOTING = "https://cloud.google.com/vertex-ai/docs/training/troubleshooting"


JOBS = (
    *PROGRAMS,
    *SHARED,
    Entry(
        title="The registry gives no more images for now",
        explanation=(
            "Docker Hub limits how many images are pulled from an address, and Vertex AI's machines share "
            "theirs with others."
        ),
        remedy=(
            "copy the image to Artifact Registry, or pull it through a remote repository there: "
            "https://cloud.google.com/artifact-registry/docs/repositories/remote-repo."
        ),
        job=errors.JobFailedError,
        pattern=r"toomanyrequests|pull rate limit",
        samples=(
            (
                "INVALID_ARGUMENT",
                (
                    'Failed to pull image "acme/digits:1.4": toomanyrequests: You have reached your pull '
                    "rate limit. You may increase the limit by authenticating and upgrading: "
                    "https://www.docker.com/increase-rate-limit"
                ),
            ),
        ),
        source="https://docs.docker.com/docker-hub/usage/pulls/",
    ),
    Entry(
        title="The disk of a machine is too small",
        explanation=DISK_HOLDS,
        remedy=DISK_REMEDY,
        job=errors.JobFailedError,
        pattern=r"no space left on device|replicas? low on disk",
        samples=(
            (
                "INVALID_ARGUMENT",
                (
                    'Failed to pull image "us-docker.pkg.dev/acme/trainers/digits:1.4": failed to register '
                    "layer: write /opt/conda/lib/libtorch_cuda.so: no space left on device"
                ),
            ),
        ),
        source="https://cloud.google.com/vertex-ai/docs/training/configure-compute",
    ),
    Entry(
        title="No machines came in the time that the job may wait",
        explanation=(
            "With strategy='FLEX_START' a job waits for machines for as long as max_wait_duration, by "
            "default a day, and then fails."
        ),
        remedy=(
            "give it a longer max_wait_duration (0 is for ever), use another region or accelerator, or try "
            "again later (retry_policy=vertex_retry_policy() waits longer)."
        ),
        job=errors.JobStockoutError,
        # Google's words are not known: the field's name, or what it says.
        pattern=(
            r"max(?:imum)?[ _-]?wait[ _-]?(?:duration|time)"
            r"|wait(?:ed|ing) for [\w ]{0,20}(?:resources|machines)"
        ),
        samples=(("DEADLINE_EXCEEDED", "The job waited for longer than its max_wait_duration of 86400s."),),
        source="https://cloud.google.com/vertex-ai/docs/training/schedule-jobs-dws",
    ),
    Entry(
        title="The job's Spot machines were taken away",
        explanation=(
            "Google takes Spot machines back whenever it needs them. Vertex AI restarted the job up to six "
            "times."
        ),
        remedy=(
            "try again later (retry_policy=vertex_retry_policy() waits longer), write checkpoints to "
            "AIP_CHECKPOINT_DIR so that a new try goes on, or use strategy='STANDARD'."
        ),
        job=errors.PreemptedError,
        pattern=r"^\w*: STOCKOUT\b|preempted",
        samples=(
            ("RESOURCE_EXHAUSTED", "STOCKOUT"),
            ("UNAVAILABLE", "The replica workerpool0-0 was preempted."),
        ),
        source=_TROUBLESHOOTING,
    ),
    Entry(
        title="The job ran as long as it may",
        explanation=(
            "It reached its scheduling.timeout: the argument maximum_run_time, or Vertex AI's default of 7 "
            "days."
        ),
        remedy=(
            "give it more time, or less to do. Write checkpoints to AIP_CHECKPOINT_DIR to keep what was done."
        ),
        job=errors.JobTimeoutError,
        codes=("CANCELLED", "DEADLINE_EXCEEDED"),
        pattern=r"exceeded its timeout|timed out|time limit|(?:reached|exceeded) the (?:maximum|timeout)",
        samples=(
            ("CANCELLED", "The job exceeded its timeout (scheduling.timeout) of 3600 seconds."),
            ("DEADLINE_EXCEEDED", "The CustomJob timed out."),
        ),
        source="https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec#Scheduling",
    ),
    Entry(
        title="The job was cancelled",
        explanation=(
            "Not by this task, whose log would say so: by a person in the console, or by another program."
        ),
        remedy="ask who did, or see the audit log: protoPayload.methodName:CancelCustomJob.",
        job=errors.JobCancelledError,
        codes=("CANCELLED",),
        samples=(("CANCELLED", "CANCELED"),),
        source=_TROUBLESHOOTING,
    ),
    Entry(
        title="Vertex AI itself failed",
        explanation="The program is not at fault. Vertex AI has tried up to three times.",
        remedy="try again. If it stays, ask Google's support with the job's name.",
        job=errors.VertexInternalError,
        codes=("INTERNAL", "UNAVAILABLE", "UNKNOWN", "ABORTED"),
        samples=(("INTERNAL", "Internal error occurred for the current attempt."),),
        source=_TROUBLESHOOTING,
    ),
)


def explain_job(code: int | None, message: str, said: str = "") -> Explained | None:
    """Return what a job's own error means, ``None`` where that is not known.

    Args:
        code: a ``google.rpc.Code``.
        message: in Vertex AI's words.
        said: what the failing replica said, its exception or its last words; default the exception that
            ``message`` ends with, if it has any.
    """
    name = CODES[code] if code is not None and 0 <= code < len(CODES) else ""
    details = "" if _was_killed(message) else said or exception_in(message) or _last_line(message)
    return explain(Told(name, message, details=details, of_job=True), JOBS)


def says_itself(code: int | None, message: str) -> bool:
    """Whether what the failing replica wrote last may be the reason of a job's end.

    Who is killed from outside, or loses its machine, does not know why; its last exception is an older one.
    """
    if _STATUS.search(message):
        return not _was_killed(message)
    return explain_job(code, message) is None


def _was_killed(message: str) -> bool:
    status = _STATUS.search(message)
    return status is not None and (status[1] in _KILLED or bool(_OUT_OF_MEMORY.search(message)))


def _last_line(message: str) -> str:
    """Return the last line of what Vertex AI quotes of a program, empty where it quotes nothing."""
    quoted = message.partition("Termination reason:")[2].partition("To find out more")[0].strip()
    return quoted.rpartition("\n")[2]


def exception_in(message: str) -> str:
    """Return the exception's line of the traceback in a job's own error, empty where there is none.

    Vertex AI may quote what the program wrote last: ``Termination reason: Error. Traceback ...``.
    """
    _, begin, rest = message.rpartition(tracebacks.BEGIN)
    return tracebacks.exception_in([begin, *rest.splitlines()[1:]])
