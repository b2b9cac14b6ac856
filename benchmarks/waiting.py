"""A process that waits for deferred jobs by one side's trigger, as a triggerer does, and what it cost there.

The other benchmarks start it: `python -m benchmarks.waiting SIDE` loads its modules, says `ready`, reads what
to wait for from standard input, and prints what came of it as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tls import make_tls_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from tests.tls import TlsFiles

REGION = "us-central1"
PROJECT = "benchmark"
SIDES = {"this package": "ours", "Google provider": "google"}


@contextlib.contextmanager
def tls_files() -> Iterator[TlsFiles]:
    """Make a certificate authority and a server's certificate, for the length of a block."""
    with tempfile.TemporaryDirectory() as folder:
        yield make_tls_files(Path(folder))


@contextlib.contextmanager
def tls_emulator(tls: TlsFiles) -> Iterator[EmulatorProcess]:
    """Run an emulator behind TLS for the length of a block."""
    from airflow_vertex_training.emulator.control.process import launch

    with launch(*tls.emulator_arguments, "--queue-seconds", "0", "--provision-seconds", "0") as emulator:
        yield emulator


class WaitingProcess:
    """One side's process, ready to wait. As a context manager it has ended at the end.

    Args:
        side: `ours` or `google`.
        emulator: Where the jobs are.
        tls: What the emulator's certificate is signed by.
        credentials: Connection fields that say who calls, default nobody.
    """

    def __init__(
        self, side: str, emulator: EmulatorProcess, tls: TlsFiles, credentials: dict[str, Any] | None = None
    ) -> None:
        self._address = emulator.address
        extra = {"api_endpoint": emulator.address, **(credentials or {"is_anonymous": True})}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.waiting", side],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "AIRFLOW_CONN_BENCHMARK": json.dumps({"conn_type": "vertex_training", "extra": extra}),
                "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tls.ca),
                "PYTHONPATH": str(Path(__file__).parents[1]),
            },
        )

    def __enter__(self) -> Self:
        for line in self._process.stdout or ():
            if line == "ready\n":
                return self
        raise RuntimeError("the process that should wait for jobs has ended")

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def wait_for(self, names: list[str], interval: float, seconds: float) -> dict[str, Any]:
        """Wait for jobs, for so many seconds at most, and return what `wait_for_all` returns."""
        task = {"names": names, "interval": interval, "seconds": seconds, "address": self._address}
        output, _ = self._process.communicate(json.dumps(task))
        result: dict[str, Any] = json.loads(output.splitlines()[-1])
        return result


# In the process


class TaskLog:
    """Stands for a task's log; keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _add(self, text: str, *arguments: object, **_: object) -> None:
        self.lines.append(text % arguments)

    debug = info = warning = error = exception = _add


def main() -> None:
    """Load, wait as asked, and print what it took."""
    (side,) = sys.argv[1:]
    asyncio.run(warm_up(side))
    print("ready", flush=True)
    print(json.dumps(asyncio.run(wait_for_all(side, json.loads(sys.stdin.read())))))


async def warm_up(side: str) -> None:
    """Load all modules, so that what is measured is the waiting."""
    if side == "ours":
        # What waits loads the reader of logs, too.
        import airflow_vertex_training.polling  # noqa: F401
        from airflow_vertex_training.hooks import VertexTrainingHook

        client = await VertexTrainingHook("benchmark").get_async_job_service_client(REGION)
        await client.transport.close()
    else:
        import airflow.providers.google.cloud.triggers.vertex_ai  # noqa: F401


async def wait_for_all(side: str, task: dict[str, Any]) -> dict[str, Any]:
    """Run a trigger for each job and return what each told, when, and what it took."""
    logs = {name: TaskLog() for name in task["names"]}
    triggers = [make_trigger(side, task, name, log) for name, log in logs.items()]
    block = asyncio.create_task(longest_block())
    meter = await cpu_of_the_meter()
    # What starting all triggers at once blocks is no part of the waiting.
    asyncio.get_running_loop().call_later(5.0, longest.__setitem__, 0, 0.0)
    memory, started, cpu = resident_kib(), time.monotonic(), time.process_time()
    waits = [asyncio.create_task(fire(trigger)) for trigger in triggers]
    done, hanging = await asyncio.wait(waits, timeout=task["seconds"])
    spent = time.monotonic() - started
    block.cancel()
    for each in hanging:
        each.cancel()
    told = {
        name: wait.result()
        for name, wait in zip(task["names"], waits, strict=True)
        if wait in done and not wait.exception()
    }
    return {
        "told": told,
        "logs": {name: log.lines for name, log in logs.items()},
        "seconds": spent,
        "cpu": time.process_time() - cpu - meter * spent,
        "memory": peak_kib() - memory,
        "block": longest[0],
    }


def make_trigger(side: str, task: dict[str, Any], name: str, log: TaskLog) -> Any:
    """Return a side's trigger for a job."""
    trigger: Any
    if side == "ours":
        from airflow_vertex_training.triggers import VertexJobTrigger

        trigger = VertexJobTrigger(
            job_name=name, gcp_conn_id="benchmark", poll_interval=task["interval"], stream_logs=False
        )
    else:
        from airflow.providers.google.cloud.hooks.vertex_ai.custom_job import CustomJobHook
        from airflow.providers.google.cloud.triggers.vertex_ai import CustomJobTrigger

        # The provider has no setting for an endpoint.
        setattr(CustomJobHook, "_get_api_endpoint", lambda *_, **__: task["address"])  # noqa: B010
        _, project, _, region, _, custom_job_id = name.split("/")
        trigger = CustomJobTrigger(
            project, region, custom_job_id, "benchmark", poll_interval=task["interval"]
        )
    trigger._log = log  # noqa: SLF001 - as the triggerer gives each trigger the log of its task
    return trigger


async def fire(trigger: Any) -> tuple[str, str, float]:
    """Run a trigger until its event; return the event's status and message, and the time."""
    async for event in trigger.run():
        return event.payload["status"], event.payload["message"], time.time()
    return "nothing", "", time.time()


longest = [0.0]


async def cpu_of_the_meter() -> float:
    """Return the share of a CPU that measuring the event loop's blocks takes by itself."""
    started, cpu = time.monotonic(), time.process_time()
    await asyncio.sleep(5.0)
    return (time.process_time() - cpu) / (time.monotonic() - started)


async def longest_block() -> None:
    """Measure for how long the event loop lets nobody else run."""
    while True:
        before = time.monotonic()
        await asyncio.sleep(0.01)
        longest[0] = max(longest[0], time.monotonic() - before - 0.01)


def resident_kib() -> int:
    """Return the memory that this process has now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return peak_kib()


def peak_kib() -> int:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
