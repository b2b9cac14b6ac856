from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.calls.suite import CALLS, counts
from tests.emulator.calls.world import World, answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from tests.emulator.calls.world import Call


@pytest.fixture(scope="module")
def world(emulator: EmulatorProcess) -> Iterator[World]:
    """The jobs that the calls ask about."""
    made = World(emulator)
    yield made
    made.close()


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_call_gets_its_answer(call: Call, world: World):
    """A call gets the answer that its source gives; without a source, the one that was decided on here."""
    assert answer(call, world) == call.expected, f"source: {call.source}"


def test_suite_is_large_and_says_its_sources():
    """There are at least 120 calls, each once, and most of them have a source."""
    assert len({call.name for call in CALLS}) == len(CALLS) >= 120
    documented, undocumented = [int(part.split()[0]) for part in counts(CALLS).split(": ")[1].split(", ")]
    assert documented + undocumented == len(CALLS)
    assert documented > 4 * undocumented
