"""What it takes to show the logs of 200 running jobs within Cloud Logging's 20 reads a minute.

The emulator holds the logs; the jobs themselves are not run. Each quiet job prints a line every two seconds,
one line in a hundred comes up to 45 s late. Once all jobs are quiet, once ten print 500 lines a second each.
The reader is a process of its own, as a triggerer is: one ``LogTail`` with a subscriber for each job.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.waiting import longest, longest_block, peak_kib, resident_kib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from airflow_vertex_training.vertex.logs.subscription import Subscription

PROJECT = "benchmark"
REPLICA = "workerpool0-0"
READS_PER_MINUTE = 20
EVERY, LOUD_LINES, LATEST = 2.0, 500, 45.0
# Lines are written so often a second.
BEATS = 4

COLUMNS = (
    ("jobs", 18),
    ("lines", 8),
    ("lost", 6),
    ("twice", 7),
    ("behind p50", 12),
    ("most", 8),
    ("reads/min", 11),
    ("loop block", 12),
    ("memory", 10),
    ("CPU", 7),
    ("loud: told", 12),
    ("say so", 8),
)


def main() -> None:
    """Run both cases and print a line for each."""
    if sys.argv[1:] == ["reader"]:
        print(json.dumps(asyncio.run(read(json.loads(sys.stdin.readline())))))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--loud", type=int, nargs="*", default=[0, 10], help="how many of them, in each case")
    parser.add_argument("--seconds", type=float, default=180.0)
    arguments = parser.parse_args()
    print(f"{arguments.jobs} jobs, {arguments.seconds:g} s; at most {READS_PER_MINUTE} reads a minute")
    print("".join(name.rjust(width) for name, width in COLUMNS), flush=True)
    ticks = []
    for loud in arguments.loud:
        row, seconds = measure(arguments.jobs, loud, arguments.seconds)
        ticks.append(seconds)
        cells = (cell.rjust(width) for cell, (_, width) in zip(row, COLUMNS, strict=True))
        print("".join(cells), flush=True)
    every = max(ticks)
    print(
        f"A read a job, as KubernetesPodOperator reads a pod's log, at the same pace, {every:.1f} s, would "
        f"be {arguments.jobs * 60 / every:.0f} reads a minute. The quota of a project is 60."
    )


def measure(jobs: int, loud: int, seconds: float) -> tuple[list[str], float]:
    """Run one case, and return the cells of its line, and how many seconds were between two reads."""
    from airflow_vertex_training.emulator.control.process import launch

    with launch() as emulator:
        task = {"address": emulator.address, "jobs": jobs, "loud": loud}
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.logs", "reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        ) as reader:
            assert reader.stdin is not None
            assert reader.stdout is not None
            reader.stdin.write(json.dumps(task) + "\n")
            reader.stdin.flush()
            assert reader.stdout.readline() == "ready\n"
            wanted = write_all(emulator, jobs, loud, seconds)
            output, _ = reader.communicate("the jobs have ended\n")
        result = json.loads(output.splitlines()[-1])
        (reads,) = emulator.control.requests(PROJECT).values()
        assert set(reads) == {"OK"}, reads
    return cells(jobs, loud, wanted, result)


def write_all(emulator: EmulatorProcess, jobs: int, loud: int, seconds: float) -> dict[str, float]:
    """Write what all jobs print; return how late each line of the quiet ones comes."""
    dice = random.Random(7)
    wanted: dict[str, float] = {}
    started = time.monotonic()
    for beat in range(int(seconds * BEATS)):
        time_left = started + beat / BEATS - time.monotonic()
        if time_left > 0:
            time.sleep(time_left)  # noqa: TID251 - the jobs' own pace
        lines = []
        for job in range(loud, jobs):
            # Each job has its own beat within its two seconds.
            if (beat - job) % int(EVERY * BEATS) == 0:
                late = dice.uniform(0.0, LATEST) if dice.random() < 0.01 else 0.0
                text = f"{job} {beat} {time.time_ns()}"
                wanted[text] = late
                lines.append((job_id(job), REPLICA, text, "INFO", late))
        for job in range(loud):
            texts = [f"{job} {beat}.{number}" for number in range(LOUD_LINES // BEATS)]
            lines.extend((job_id(job), REPLICA, text, "INFO", 0.0) for text in texts)
        emulator.control.write_log(PROJECT, lines)
    return wanted


def job_id(number: int) -> str:
    """Return an id as long as Vertex's."""
    return f"{1_000_000_000_000_000_000 + number}"


def cells(jobs: int, loud: int, wanted: dict[str, float], result: dict[str, Any]) -> tuple[list[str], float]:
    """Return what a case's line shows, and how many seconds were between two reads."""
    told: dict[str, list[float]] = {}
    for number in range(loud, jobs):
        for at, text in result["told"][job_id(number)]:
            # What is late begins with its own time.
            told.setdefault(text.rpartition("(late) ")[2], []).append(at)
    assert told.keys() <= wanted.keys(), sorted(told.keys() - wanted.keys())[:5]
    behind = sorted(times[0] - int(text.split()[2]) / 1e9 for text, times in told.items() if not wanted[text])
    of_loud = [[text for _, text in result["told"][job_id(number)]] for number in range(loud)]
    say_so = sum(any("left out here" in text for text in texts) for texts in of_loud)
    reads = result["reads"]
    busiest = max(sum(at <= other < at + 60 for other in reads) for at in reads)
    row = [
        f"{jobs - loud} quiet, {loud} loud",
        str(len(wanted)),
        str(len(wanted.keys() - told.keys())),
        str(sum(len(times) > 1 for times in told.values())),
        f"{behind[len(behind) // 2]:.1f} s",
        f"{behind[-1]:.1f} s",
        str(busiest),
        f"{1000 * result['block']:.0f} ms",
        f"{result['memory'] / 1024:.1f} MB",
        f"{100 * result['cpu'] / result['seconds']:.1f} %",
        str(min(map(len, of_loud))) if loud else "-",
        f"{say_so} of {loud}" if loud else "-",
    ]
    return row, (reads[-1] - reads[0]) / len(reads)


# In the reader's process


async def read(task: dict[str, Any]) -> dict[str, Any]:
    """Follow all jobs until they have ended and were read; return what each told, when, and what it took."""
    from google.auth.credentials import AnonymousCredentials

    from airflow_vertex_training.vertex.api.endpoint import Endpoint
    from airflow_vertex_training.vertex.api.log_calls import open_async_logging_client
    from airflow_vertex_training.vertex.logs.pace import ReadBudget
    from airflow_vertex_training.vertex.logs.tail import LogTail

    async def connect() -> Any:
        return open_async_logging_client(Endpoint(task["address"], is_emulator=True), AnonymousCredentials())

    budget = RecordingBudget(ReadBudget(READS_PER_MINUTE))
    tail = LogTail(connect, PROJECT, budget=budget)  # type: ignore[arg-type]
    since = time.time_ns()
    subscriptions = {
        job_id(number): tail.follow(job_id(number), since=since) for number in range(task["jobs"])
    }
    told: dict[str, list[tuple[float, str]]] = {name: [] for name in subscriptions}
    readers = [asyncio.create_task(keep(each, told[name])) for name, each in subscriptions.items()]
    block = asyncio.create_task(longest_block())
    memory, started, cpu = resident_kib(), time.monotonic(), time.process_time()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for each in subscriptions.values():
        each.end()
    await asyncio.gather(*readers)
    block.cancel()
    spent = time.monotonic() - started
    return {
        "told": told,
        "reads": budget.reads,
        "seconds": spent,
        "cpu": time.process_time() - cpu,
        "memory": peak_kib() - memory - kib_of(told),
        "block": longest[0],
    }


class RecordingBudget:
    """A budget that remembers when each read was made."""

    def __init__(self, budget: Any) -> None:
        self.reads: list[float] = []
        self.reads_per_minute = budget.reads_per_minute
        self.wait = budget.wait
        self.left = budget.left
        self._take = budget.take

    def take(self, now: float) -> None:
        """Make a read."""
        self.reads.append(now)
        self._take(now)


async def keep(subscription: Subscription, lines: list[tuple[float, str]]) -> None:
    """Keep what is told, as a task's log does elsewhere."""
    async for batch in subscription:
        now = time.time()
        lines.extend((now, line.text) for line in batch.lines)


def kib_of(told: dict[str, list[tuple[float, str]]]) -> int:
    """Return what the lines themselves take, which in a triggerer go into files."""

    def sizes() -> Iterator[int]:
        for lines in told.values():
            for line in lines:
                yield sum(map(sys.getsizeof, (line, *line))) + 8

    return sum(sizes()) // 1024


if __name__ == "__main__":
    main()
