"""All calls, and how many have a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.emulator.calls import create_calls, job_calls, log_calls, machine_calls
from tests.emulator.calls.world import UNDOCUMENTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.emulator.calls.world import Call

__all__ = ["CALLS", "counts"]

CALLS: Sequence[Call] = [*create_calls.CALLS, *machine_calls.CALLS, *job_calls.CALLS, *log_calls.CALLS]


def counts(calls: Sequence[Call]) -> str:
    """Return how many calls there are, and how many of them have a source, in a sentence."""
    undocumented = sum(call.source == UNDOCUMENTED for call in calls)
    return f"{len(calls)} calls: {len(calls) - undocumented} documented, {undocumented} undocumented."
