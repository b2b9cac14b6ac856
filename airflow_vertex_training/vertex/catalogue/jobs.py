"""Failures of jobs: their own errors, set when they have ended.

The words: https://cloud.google.com/vertex-ai/docs/training/troubleshooting
"""

from __future__ import annotations

import re

from airflow_vertex_training.vertex import exceptions as errors
from airflow_vertex_training.vertex import tracebacks
from airflow_vertex_training.vertex.catalogue.entries import CODES, Entry, Explained, Told, explain
from airflow_vertex_training.vertex.catalogue.shared import SHARED

__all__ = ["JOBS", "exception_in", "explain_job", "says_itself"]

# SIGKILL and SIGTERM, as Vertex AI's own images and other containers tell them.
_KILLED = frozenset({"9", "137", "15", "143"})

_TROUBLESHOOTING = "https://cloud.google.com/vertex-ai/docs/training/troubleshooting"


def _exit(statuses: str, means: str, remedy: str) -> Entry:
    """Return the entry of a program that exits with one of some statuses, such as ``6|134``."""
    return Entry(
        title="{replica} exited with status {status}",
        explanation=means,
        remedy=remedy,
        job=errors.JobFailedError,
        pattern=(
            r"replica (?P<replica>[\w-]+) exited with a non-zero status of "
            rf"(?P<status>{statuses})(?!\d)"
        ),
        samples=tuple(
            ("INVALID_ARGUMENT", f"The replica workerpool0-0 exited with a non-zero status of {status}.")
            for status in statuses.split("|")
            if status.isdecimal()
        ),
        source=_TROUBLESHOOTING,
    )


JOBS = (
    Entry(
        title="{replica} ran out of accelerator memory",
        explanation=(
            "The program wanted more memory of its GPU or TPU than that has. The machine's own is another."
        ),
        remedy=(
            "use a smaller batch, gradient accumulation or mixed precision, or an accelerator with more "
            "memory."
        ),
        job=errors.OutOfMemoryError,
        pattern=(
            r"(?:replica (?P<replica>[\w-]+) exited.*)?"
            r"(?:CUDA out of memory|RESOURCE_EXHAUSTED: Out of memory|failed to allocate .{0,80} on GPU)"
        ),
        samples=(
            (
                "INVALID_ARGUMENT",
                (
                    "The replica workerpool0-0 exited with a non-zero status of 1. Termination reason: "
                    "Error. torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB."
                ),
            ),
        ),
        source="https://pytorch.org/docs/stable/notes/cuda.html#memory-management",
    ),
    # What a program did comes before all else: its text may end with a traceback, which may hold any words.
    _exit(
        "1",
        "The program failed. With Python that is an exception that nothing caught.",
        "read the program's last lines in the log.",
    ),
    _exit(
        "2",
        "The program was called wrongly: that is what argparse and shells mean by 2. Python exits so, too, "
        "where the file that it should run is not there.",
        "compare 'command' and 'args' with what the program takes. They follow the image's ENTRYPOINT, "
        "unless 'command' replaces it.",
    ),
    _exit(
        "6|134",
        (
            "The program aborted itself (SIGABRT): an assertion in native code, CUDA or NCCL, or a failed "
            "allocation."
        ),
        "read the program's last lines in the log. Vertex AI tried up to three times.",
    ),
    _exit(
        "9|137",
        "The program was killed (SIGKILL). Nearly always the machine had no memory left.",
        "use a machine_type with more memory, a smaller batch, or fewer loader processes.",
    ),
    _exit(
        "11|139",
        (
            "The program crashed in native code (SIGSEGV): mostly libraries that don't fit each other or "
            "the driver."
        ),
        "read the program's last lines in the log, and run it with PYTHONFAULTHANDLER=1. Vertex AI tried "
        "up to three times.",
    ),
    _exit(
        "126",
        "The program can't be executed: its file is not executable, or made for another processor.",
        "check 'command', the file's mode (chmod +x), and that the image was built for linux/amd64.",
    ),
    _exit(
        "127",
        "The program was not found in the image.",
        (
            "check 'command': its first word must be a program on the image's PATH, and not a whole "
            "command line."
        ),
    ),
    _exit(
        "15|143",
        (
            "The program was asked to end (SIGTERM), as when its machine is taken away or another replica "
            "has failed."
        ),
        "look for the first replica that failed. A Spot job should write checkpoints to AIP_CHECKPOINT_DIR.",
    ),
    _exit(
        r"\d+", "The program failed, with a status of its own.", "read the program's last lines in the log."
    ),
    Entry(
        title="{replica} ran out of memory",
        explanation=(
            "Its programs together took more memory than the machine has, less what Vertex AI's own take."
        ),
        remedy=(
            "use a machine_type with more memory, a smaller batch, or fewer loader processes. Of an "
            "n1-standard-4, Vertex AI's own programs can take up to 40 %."
        ),
        job=errors.OutOfMemoryError,
        pattern=(
            r"replica (?P<replica>[\w-]+) ran out of memory|replicas low on memory: (?P<replica_>[\w-]+)"
        ),
        samples=(
            (
                "INVALID_ARGUMENT",
                "The replica workerpool0-0 ran out of memory and exited with a non-zero status of 137.",
            ),
            (
                "RESOURCE_EXHAUSTED",
                "Replicas low on memory: workerpool0. Specify a machine with larger memory and try again.",
            ),
        ),
        source=_TROUBLESHOOTING,
    ),
    *SHARED,
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


def explain_job(code: int | None, message: str, exception: str = "") -> Explained | None:
    """Return what a job's own error means, ``None`` where that is not known.

    Args:
        code: a ``google.rpc.Code``.
        message: in Vertex AI's words.
        exception: the line of the failing replica's log that says what went wrong, default none.
    """
    name = CODES[code] if code is not None and 0 <= code < len(CODES) else ""
    return explain(Told(name, message, details=exception, of_job=True), JOBS)


def says_itself(code: int | None, message: str) -> bool:
    """Whether what the failing replica wrote last may be the reason of a job's end.

    Who is killed from outside, or loses its machine, does not know why; its last exception is an older one.
    """
    if "ran out" in message:
        return False
    status = re.search(r"non-zero status of (\d+)", message)
    if status:
        return status[1] not in _KILLED
    return explain_job(code, message) is None


def exception_in(message: str) -> str:
    """Return the exception's line of the traceback in a job's own error, empty where there is none.

    Vertex AI may quote what the program wrote last: ``Termination reason: Error. Traceback ...``.
    """
    _, begin, rest = message.rpartition(tracebacks.BEGIN)
    return tracebacks.exception_in([begin, *rest.splitlines()[1:]])
