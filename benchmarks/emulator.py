"""How quick the emulator is: from its start to its first answer, and at 100 requests a second on 2,000 jobs.

Two versions of the code take turns in one run, the checkout and an earlier commit, so that a busy machine
strikes both: `python -m benchmarks.emulator --before COMMIT`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import psutil
from google.cloud.aiplatform_v1 import GetCustomJobRequest, JobServiceAsyncClient, ListCustomJobsRequest
from google.cloud.aiplatform_v1.services.job_service.transports import JobServiceGrpcAsyncIOTransport

from airflow_vertex_training.emulator.control.client import ControlClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

CHECKOUT = Path(__file__).parents[1]
PROJECT = "benchmark"
REGION = "us-central1"
PARENT = f"projects/{PROJECT}/locations/{REGION}"
ACTIVE = 'labels.airflow_deployment="load" AND state!="JOB_STATE_SUCCEEDED"'
LIST_EVERY = 10
"""One request in so many is a list, the others are gets."""

COLUMNS = (
    "version",
    "starts",
    "to first answer",
    "its CPU",
    "gets",
    "p50",
    "p99",
    "lists",
    "p99",
    "CPU/request",
)
WIDTHS = (10, 8, 17, 10, 8, 10, 10, 8, 10, 13)


@dataclass
class Measured:
    """What was measured of one version, over all its turns; in seconds.

    A busy machine lengthens the waits, and hardly the server's CPU time.
    """

    starts: list[float] = field(default_factory=list)
    start_cpu: list[float] = field(default_factory=list)
    serving_cpu: float = 0.0
    gets: list[float] = field(default_factory=list)
    lists: list[float] = field(default_factory=list)

    def cells(self) -> list[str]:
        """Return the columns after the version's name."""
        return [
            str(len(self.starts)),
            f"{statistics.median(self.starts):.2f} s",
            f"{statistics.median(self.start_cpu):.2f} s",
            str(len(self.gets)),
            _milliseconds(statistics.median(self.gets)),
            _milliseconds(_p99(self.gets)),
            str(len(self.lists)),
            _milliseconds(_p99(self.lists)),
            _milliseconds(self.serving_cpu / (len(self.gets) + len(self.lists))),
        ]


def main() -> None:
    """Measure the versions in turn and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", metavar="COMMIT", help="an earlier version to compare with")
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each turn asks")
    parser.add_argument("--turns", type=int, default=4)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as ends:
        versions = {"checkout": CHECKOUT}
        if arguments.before:
            versions = {arguments.before: ends.enter_context(_extracted(arguments.before)), **versions}
        measured = {name: Measured() for name in versions}
        for turn in range(arguments.turns):
            order = list(versions.items())
            for name, folder in order if turn % 2 else reversed(order):
                _measure(folder, arguments, measured[name])
    print(f"{arguments.jobs} jobs, {arguments.rate:g} requests a second")
    for row in (COLUMNS, *((name, *each.cells()) for name, each in measured.items())):
        print("".join(cell.rjust(width) for cell, width in zip(row, WIDTHS, strict=True)))


@contextlib.contextmanager
def _extracted(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit."""
    with tempfile.TemporaryDirectory(prefix="emulator-before-") as folder:
        archive = subprocess.run(
            ["git", "archive", commit, "airflow_vertex_training"],  # noqa: S607
            cwd=CHECKOUT,
            check=True,
            capture_output=True,
        ).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)  # noqa: S607
        yield Path(folder)


def _measure(folder: Path, arguments: argparse.Namespace, measured: Measured) -> None:
    """One turn: start the emulator of a folder, fill it, and ask."""
    begin = time.monotonic()
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "airflow_vertex_training.emulator", "--port", "0", "--control-port", "0"),
            *("--queue-seconds", "0", "--provision-seconds", "0", "--until-stdin-closes"),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        address = _said(process, r"emulator listening on (\S+)")
        measured.starts.append(asyncio.run(_first_answer(address)) - begin)
        measured.start_cpu.append(_cpu(process))
        control = ControlClient(_said(process, r"Control service listening on (\S+)"))
        threading.Thread(target=_drain, args=(process,)).start()
        labels = {"airflow_deployment": "load"}
        names = control.create_simulated(PROJECT, REGION, arguments.jobs, labels=labels, run_seconds=3600)
        control.wait_job(names[-1], ["JOB_STATE_RUNNING"])
        before = _cpu(process)
        asyncio.run(_ask(address, names, arguments, measured))
        measured.serving_cpu += _cpu(process) - before
        control.close()
        process.terminate()


def _said(process: subprocess.Popen[str], pattern: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(pattern, line):
            return found[1]
    raise RuntimeError("the emulator did not start")


def _drain(process: subprocess.Popen[str]) -> None:
    """Read on, so that the pipe never fills up: a newer emulator tells each job's states."""
    assert process.stdout is not None
    for _ in process.stdout:
        pass


@contextlib.asynccontextmanager
async def _client(address: str) -> AsyncIterator[JobServiceAsyncClient]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield JobServiceAsyncClient(transport=JobServiceGrpcAsyncIOTransport(channel=channel))


async def _first_answer(address: str) -> float:
    """Return when a list was answered."""
    async with _client(address) as client:
        await client.list_custom_jobs(request={"parent": PARENT}, timeout=30)
    return time.monotonic()


async def _ask(address: str, names: Sequence[str], arguments: argparse.Namespace, measured: Measured) -> None:
    """Send requests at a steady rate, however long answers take; count from when each was due."""
    async with _client(address) as client:

        async def get(due: float) -> None:
            await client.get_custom_job(GetCustomJobRequest(name=random.choice(names)), timeout=60)
            measured.gets.append(time.monotonic() - due)

        async def list_jobs(due: float) -> None:
            request = ListCustomJobsRequest(
                parent=PARENT, filter=ACTIVE, page_size=100, read_mask={"paths": ["name", "state"]}
            )
            await client.list_custom_jobs(request, timeout=60)
            measured.lists.append(time.monotonic() - due)

        await client.list_custom_jobs(request={"parent": PARENT}, timeout=30)
        begin = time.monotonic()
        asked = []
        for number in range(int(arguments.seconds * arguments.rate)):
            due = begin + number / arguments.rate
            await asyncio.sleep(due - time.monotonic())
            asked.append(asyncio.create_task((get if number % LIST_EVERY else list_jobs)(due)))
        await asyncio.gather(*asked)


def _cpu(process: subprocess.Popen[str]) -> float:
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


def _p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    main()
