"""Makes all calls to an emulator and prints what came back: `python -m tests.emulator.calls`."""

from __future__ import annotations

import sys

from airflow_vertex_training.emulator.control.process import launch
from tests.emulator.calls.suite import CALLS, counts
from tests.emulator.calls.world import World, answer


def main() -> int:
    """Make the calls; return how many answers were others than the expected ones."""
    wrong = 0
    with launch("--queue-seconds", "0", "--provision-seconds", "0") as emulator:
        world = World(emulator)
        for call in CALLS:
            got = answer(call, world)
            wrong += got != call.expected
            print(f"{'ok   ' if got == call.expected else 'WRONG'}  {call.name}  [{call.source}]")  # noqa: T201
            if got != call.expected:
                print(f"       expected {call.expected!r}, got {got!r}")  # noqa: T201
        world.close()
    print(counts(CALLS), f"Wrong: {wrong}.")  # noqa: T201
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(), 1))
