"""What it costs to wait for many deferred jobs: this package's trigger beside the Google provider's.

The jobs are the emulator's, behind TLS; half of the time all of them run, in the other half they end one
after the other. Each side waits in a process of its own, without and with Vertex's default request quota.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from benchmarks.waiting import PROJECT, REGION, SIDES, WaitingProcess, tls_emulator, tls_files

if TYPE_CHECKING:
    from tests.tls import TlsFiles

COLUMNS = (
    ("side", 16),
    ("quota", 6),
    ("requests/min", 13),
    ("429s", 6),
    ("connections", 12),
    ("CPU", 7),
    ("memory", 8),
    ("p50", 7),
    ("p99", 7),
    ("loop block", 11),
    ("lost", 14),
)


def main() -> None:
    """Run both sides and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between two looks")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the last job runs")
    parser.add_argument("--only", choices=SIDES.values(), help="one side only")
    arguments = parser.parse_args()
    print(
        f"{arguments.jobs} jobs, every {arguments.interval:g} s, the last ends after {arguments.seconds:g} s"
    )
    print("".join(name.rjust(width) for name, width in COLUMNS), flush=True)
    with tls_files() as tls:
        for quota in (False, True):
            for name, side in SIDES.items():
                if arguments.only in (None, side):
                    row = [name, "600" if quota else "none", *measure(side, arguments, tls, quota=quota)]
                    cells = (cell.rjust(width) for cell, (_, width) in zip(row, COLUMNS, strict=True))
                    print("".join(cells), flush=True)


def measure(side: str, arguments: argparse.Namespace, tls: TlsFiles, *, quota: bool) -> list[str]:
    """Let one side wait for its jobs, on an emulator of its own, and return the cells of its line."""
    with tls_emulator(tls) as emulator, WaitingProcess(side, emulator, tls) as process:
        if quota:
            emulator.control.set_quotas(PROJECT, {})
        names = emulator.control.create_simulated(
            PROJECT,
            REGION,
            arguments.jobs,
            labels={"airflow_deployment": "airflow"},
            run_seconds=arguments.seconds / 2,
            spread_seconds=arguments.seconds / 2,
        )
        result = process.wait_for(
            names, arguments.interval, seconds=arguments.seconds + 6 * arguments.interval
        )
        counts = emulator.control.requests(PROJECT)
        ended = {
            job["name"]: job["history"][-1]["nanoseconds"] / 1e9 for job in emulator.control.jobs(PROJECT)
        }
        connections = emulator.control.connections(PROJECT)
    return cells(result, counts, ended, connections)


def cells(
    result: dict[str, Any], counts: dict[str, dict[str, int]], ended: dict[str, float], connections: int
) -> list[str]:
    """Return what a side's line shows."""
    total = sum(sum(outcomes.values()) for outcomes in counts.values())
    refused = sum(outcomes.get("RESOURCE_EXHAUSTED", 0) for outcomes in counts.values())
    seen = {name: at for name, (status, _, at) in result["told"].items() if status == "success"}
    late = sorted(at - ended[name] for name, at in seen.items())
    return [
        f"{total / result['seconds'] * 60:.0f}",
        str(refused),
        str(connections),
        f"{result['cpu'] / result['seconds']:.1%}",
        f"{result['memory'] / 1024:.0f} MB",
        f"{late[len(late) // 2]:.1f} s" if late else "-",
        f"{late[int(len(late) * 0.99)]:.1f} s" if late else "-",
        f"{result['block'] * 1000:.0f} ms",
        f"{len(ended) - len(seen)} of {len(ended)}",
    ]


if __name__ == "__main__":
    main()
