"""What it costs to wait for many deferred jobs: this package's trigger beside the Google provider's.

The jobs are the emulator's, behind TLS; half of the time all of them run, in the other half they end one
after the other. Each side waits in a process of its own, without and with Vertex's default request quota.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import trustme

REGION = "us-central1"
SIDES = {"this package": "ours", "Google provider": "google"}
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
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(asyncio.run(wait_for_all(json.load(sys.stdin)))))
        return
    print(
        f"{arguments.jobs} jobs, every {arguments.interval:g} s, the last ends after {arguments.seconds:g} s"
    )
    print("".join(name.rjust(width) for name, width in COLUMNS), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        tls = make_tls_files(Path(folder))
        for quota in (False, True):
            for name, side in SIDES.items():
                if arguments.only in (None, side):
                    row = measure(side, arguments, tls, quota=quota)
                    cells = [name, "600" if quota else "none", *row]
                    print(
                        "".join(cell.rjust(width) for cell, (_, width) in zip(cells, COLUMNS, strict=True)),
                        flush=True,
                    )


def measure(side: str, arguments: argparse.Namespace, tls: Path, *, quota: bool) -> list[str]:
    """Let one side wait for its jobs, on an emulator of its own, and return the cells of its line."""
    from airflow_vertex_training.emulator.process import launch

    project = "benchmark"
    files = ("--tls-cert", str(tls / "server.pem"), "--tls-key", str(tls / "server.key"))
    with launch(
        "--host", "localhost", *files, "--queue-seconds", "0", "--provision-seconds", "0"
    ) as emulator:
        if quota:
            emulator.control.set_quotas(project, {})
        names = emulator.control.create_simulated(
            project,
            REGION,
            arguments.jobs,
            labels={"airflow_deployment": "airflow"},
            run_seconds=arguments.seconds / 2,
            spread_seconds=arguments.seconds / 2,
        )
        task = {
            "side": side,
            "names": names,
            "interval": arguments.interval,
            "address": emulator.address,
            "seconds": arguments.seconds + 6 * arguments.interval,
        }
        connection = {
            "conn_type": "vertex_training",
            "extra": {"is_anonymous": True, "api_endpoint": emulator.address},
        }
        child = subprocess.run(
            [sys.executable, __file__, "--child"],
            input=json.dumps(task),
            env={
                **os.environ,
                "AIRFLOW_CONN_BENCHMARK": json.dumps(connection),
                "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tls / "ca.pem"),
                "PYTHONPATH": str(Path(__file__).parents[1]),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if child.returncode:
            sys.exit(child.stderr)
        result = json.loads(child.stdout.splitlines()[-1])
        counts = emulator.control.requests(project)
        ended = {
            job["name"]: job["history"][-1]["nanoseconds"] / 1e9 for job in emulator.control.jobs(project)
        }
        connections = emulator.control.connections(project)
    return cells(result, counts, ended, connections)


def cells(
    result: dict[str, Any], counts: dict[str, dict[str, int]], ended: dict[str, float], connections: int
) -> list[str]:
    """Return what a side's line shows."""
    total = sum(sum(outcomes.values()) for outcomes in counts.values())
    refused = sum(outcomes.get("RESOURCE_EXHAUSTED", 0) for outcomes in counts.values())
    late = sorted(at - ended[name] for name, at in result["ended"].items()) or [0.0]
    return [
        f"{total / result['seconds'] * 60:.0f}",
        str(refused),
        str(connections),
        f"{result['cpu'] / result['seconds']:.1%}",
        f"{result['memory'] / 1024:.0f} MB",
        f"{late[len(late) // 2]:.1f} s",
        f"{late[int(len(late) * 0.99)]:.1f} s",
        f"{result['block'] * 1000:.0f} ms",
        f"{result['lost']} of {len(ended)}",
    ]


async def wait_for_all(task: dict[str, Any]) -> dict[str, Any]:
    """In the child: run a trigger for each job and return when each fired, and what it took."""
    triggers = [make_trigger(task, name) for name in task["names"]]
    await warm_up(task)
    memory, started, cpu = resident_kib(), time.monotonic(), time.process_time()
    block = asyncio.create_task(longest_block())
    ended: dict[str, float] = {}
    waits = [asyncio.create_task(fire(trigger)) for trigger in triggers]
    done, hanging = await asyncio.wait(waits, timeout=task["seconds"])
    spent = time.monotonic() - started
    for name, wait in zip(task["names"], waits, strict=True):
        at = wait.result() if wait in done and not wait.exception() else None
        if at is not None:
            ended[name] = at
    block.cancel()
    for each in hanging:
        each.cancel()
    return {
        "ended": ended,
        "lost": len(waits) - len(ended),
        "seconds": spent,
        "cpu": time.process_time() - cpu,
        "memory": peak_kib() - memory,
        "block": longest[0],
    }


def make_trigger(task: dict[str, Any], name: str) -> Any:
    """Return a side's trigger for a job."""
    if task["side"] == "ours":
        from airflow_vertex_training.triggers import VertexJobTrigger

        return VertexJobTrigger(job_name=name, gcp_conn_id="benchmark", poll_interval=task["interval"])
    from airflow.providers.google.cloud.hooks.vertex_ai.custom_job import CustomJobHook
    from airflow.providers.google.cloud.triggers.vertex_ai import CustomJobTrigger

    # The provider has no setting for an endpoint.
    setattr(CustomJobHook, "_get_api_endpoint", lambda *_, **__: task["address"])  # noqa: B010
    _, project, _, region, _, custom_job_id = name.split("/")
    return CustomJobTrigger(project, region, custom_job_id, "benchmark", poll_interval=task["interval"])


async def warm_up(task: dict[str, Any]) -> None:
    """Load all modules, so that what is measured is the waiting."""
    if task["side"] == "ours":
        from airflow_vertex_training.hooks import VertexTrainingHook

        client = await VertexTrainingHook("benchmark").get_async_job_service_client(REGION)
        await client.transport.close()


async def fire(trigger: Any) -> float | None:
    """Run a trigger until its event; return when that was, ``None`` where it tells an error."""
    async for event in trigger.run():
        return time.time() if event.payload["status"] == "success" else None
    return None


longest = [0.0]


async def longest_block() -> None:
    """Measure for how long the event loop lets nobody else run, once all triggers have started."""
    await asyncio.sleep(5.0)
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


def make_tls_files(folder: Path) -> Path:
    """Write a certificate authority and what it signed for localhost."""
    authority = trustme.CA()
    server = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server.cert_chain_pems[0].write_to_path(folder / "server.pem")
    server.private_key_pem.write_to_path(folder / "server.key")
    return folder


if __name__ == "__main__":
    main()
