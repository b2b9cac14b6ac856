"""What a replica printed last, for the error of a job that failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.logs.entries import SERVICE, entry_of
from airflow_vertex_training.vertex.logs.lines import Speaker
from airflow_vertex_training.vertex.logs.payload import readable
from airflow_vertex_training.vertex.tracebacks import Said

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class LastWords:
    """What a replica printed last.

    Args:
        lines: its last lines; none where they could not be read in time.
        said: what it said of its failure.
    """

    lines: list[str]
    said: Said = field(default_factory=Said)


def words_in(newest_first: Sequence[Any], replica: str, count: int) -> LastWords:
    """Return what a replica printed last.

    Args:
        newest_first: entries, as the bare protobuf messages.
        replica: such as ``workerpool0-0``; empty: any.
        count: how many lines at most.
    """
    entries = [entry for entry in map(entry_of, reversed(newest_first)) if entry.replica != SERVICE]
    speaker = Speaker()
    for entry in entries:
        speaker.line(entry)
    lines = [readable(entry.payload) for entry in entries[-count:]]
    return LastWords(lines, speaker.said(replica))
