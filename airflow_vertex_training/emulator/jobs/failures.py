"""How a job fails, and in which words.

Google's page on training errors, https://cloud.google.com/vertex-ai/docs/training/troubleshooting, has the
sentences. How a traceback follows them is not documented; public reports of failed jobs show it, such as
https://github.com/GoogleCloudPlatform/vertex-ai-samples/pull/1504
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LINK_TO_LOG", "CannotRun", "ReplicaFailure", "ReplicaLost", "failure_text", "last_traceback"]

LINK_TO_LOG = "To find out more about why your job exited please check the logs:"
"""What stands before the link in a failed job's error."""

_TRACEBACK = "Traceback (most recent call last):"
_LONGEST_REASON = 2_000
"""Containers keep the last 2,048 bytes of what ended them."""


class CannotRun(Exception):  # noqa: N818 - what happens to a job is no error of the emulator
    """The emulator does not know how to run a job. The text says what to pass."""


@dataclass(eq=False)
class ReplicaFailure(Exception):  # noqa: N818 - as above
    """A replica ended with another status than 0.

    Args:
        replica: Its name.
        status: Its exit status, as a container has it: 128 and the signal's number where a signal ended it.
        reason: What is known of the cause: the container's termination reason and what belongs to it.
        out_of_memory: Whether it was killed for the memory that it took.
    """

    replica: str
    status: int
    reason: str = ""
    out_of_memory: bool = False


class ReplicaLost(Exception):  # noqa: N818 - as above
    """A replica was lost to a fault of the infrastructure, and is not restarted any more."""


def failure_text(failure: ReplicaFailure, project_number: str, job_id: str, page: str = "") -> str:
    """Return the text of a failed job's error: Vertex's words, with a link to the log.

    Args:
        failure: What happened.
        project_number: The project's number.
        job_id: The job's id.
        page: The emulator's page of the job; where it has none, the link is as Vertex has it.
    """
    query = quote(f'resource.type="ml_job"\nresource.labels.job_id="{job_id}"', safe="")
    link = (
        f"https://console.cloud.google.com/logs/viewer?project={project_number}"
        f"&resource=ml_job%2Fjob_id%2F{job_id}&advancedFilter={query}"
    )
    if page:
        link = f"{page}#log"
    what = "ran out of memory and exited" if failure.out_of_memory else "exited"
    why = f"Termination reason: {failure.reason}\n\n" if failure.reason else ""
    return (
        f"The replica {failure.replica} {what} with a non-zero status of {failure.status}. {why}"
        f"{LINK_TO_LOG} {link}"
    )


def last_traceback(lines: Sequence[str]) -> str:
    """Return the last traceback of a replica's output as Vertex shows it: from its head, the middle left out.

    Args:
        lines: What the replica wrote last to its standard error.

    Returns:
        Its text; empty if there is none.
    """
    heads = [number for number, line in enumerate(lines) if line.strip() == _TRACEBACK]
    if not heads:
        return ""
    frames = lines[heads[-1] + 1 :]
    rest = "\n".join(frames)
    if len(rest) > _LONGEST_REASON:
        rest = "  [...]\n" + rest[-_LONGEST_REASON:].partition("\n")[2]
    return f"{_TRACEBACK}\n{rest}"
