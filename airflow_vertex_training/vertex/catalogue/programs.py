"""Failures of the training's own program: how it ended."""

from __future__ import annotations

from airflow_vertex_training.vertex import exceptions as errors
from airflow_vertex_training.vertex.catalogue.entries import Entry
from airflow_vertex_training.vertex.catalogue.said import EXITED, SAID

__all__ = ["PROGRAMS"]

_TROUBLESHOOTING = "https://cloud.google.com/vertex-ai/docs/training/troubleshooting"
_READ = (
    "read the program's last lines in the log. If it has none, the account that the training runs as may "
    "lack the role Logs Writer (roles/logging.logWriter)."
)


def _exit(statuses: str, means: str, remedy: str) -> Entry:
    """Return the entry of a program that exits with one of some statuses, such as ``6|134``."""
    return Entry(
        title="{replica} exited with status {status}",
        explanation=means,
        remedy=remedy,
        job=errors.JobFailedError,
        pattern=rf"{EXITED} with a non-zero status of (?P<status>{statuses})(?!\d)",
        samples=tuple(
            ("INVALID_ARGUMENT", f"The replica workerpool0-0 exited with a non-zero status of {status}.")
            for status in statuses.split("|")
            if status.isdecimal()
        ),
        source=_TROUBLESHOOTING,
    )


PROGRAMS = (
    *SAID,
    # What a program did comes before all else: its text may end with a traceback, which may hold any words.
    _exit(
        "1",
        "The program failed. With Python that is an exception that nothing caught.",
        _READ,
    ),
    _exit(
        "2",
        "The program was called wrongly: that is what argparse and shells mean by 2. Python exits so, too, "
        "where the file that it should run is not there, and Go where it panics.",
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
            "The program crashed in native code (SIGSEGV): mostly libraries that don't fit each other or the "
            "driver."
        ),
        "read the program's last lines in the log, and run it with PYTHONFAULTHANDLER=1. Vertex AI tried up "
        "to three times.",
    ),
    _exit(
        "135",
        "The program met a bus error (SIGBUS): mostly /dev/shm was full, which is small in a container.",
        (
            "use fewer loader processes (num_workers), or have PyTorch use files: "
            "torch.multiprocessing.set_sharing_strategy('file_system')."
        ),
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
            "check 'command': its first word must be a program on the image's PATH, and not a whole command "
            "line."
        ),
    ),
    _exit(
        "128",
        "The container's program could not be started: it is not in the image, or not executable.",
        (
            "check 'command': its first word must be a program on the image's PATH that may be executed, and "
            "not a whole command line. For a Python module write command=['python', '-m', 'MODULE']."
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
    _exit(r"-?\d+", "The program failed, with a status of its own.", _READ),
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
            r"replica (?P<replica>[\w-]+) ran out[ -]of[ -]memory"
            r"|replicas low on memory: (?P<replica_>[\w-]+)"
        ),
        samples=(
            (
                "INVALID_ARGUMENT",
                "The replica workerpool0-0 ran out of memory and exited with a non-zero status of 137.",
            ),
            (
                "INVALID_ARGUMENT",
                (
                    "The replica workerpool0-0 ran out-of-memory and exited with a non-zero status of "
                    "9(SIGKILL)."
                ),
            ),
            (
                "RESOURCE_EXHAUSTED",
                "Replicas low on memory: workerpool0. Specify a machine with larger memory and try again.",
            ),
        ),
        source=_TROUBLESHOOTING,
    ),
)
