from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from airflow_vertex_training.emulator.api.names import Location
from airflow_vertex_training.emulator.config import EmulatorConfig
from airflow_vertex_training.emulator.jobs.terminal import Writer
from airflow_vertex_training.emulator.server import Emulator

if TYPE_CHECKING:
    from airflow_vertex_training.emulator.jobs.store import Job

PARENT = "projects/p/locations/us-central1"


async def run(emulator: Emulator, message) -> Job:
    """Run a job to its end."""
    (job,) = emulator.lifecycle.create(Location("p", "us-central1"), [type(message).pb(message)])
    while not job.final:
        await emulator.store.changes.wait()
    return job


async def test_terminal_tells_a_jobs_life(make_job, tmp_path):
    """Of each job the states, the command and its folder, its lines by replica, and how it ended are told."""
    said: list[str] = []
    image = "us-docker.pkg.dev/acme/x/y"
    config = EmulatorConfig(queue_seconds=0, provision_seconds=0, images={image: tmp_path})
    async with Emulator(config, said.append) as emulator:
        job = await run(emulator, make_job("sh", "-c", "echo one; exit 3"))
        unknown = make_job("true")
        unknown.job_spec.worker_pool_specs[0].container_spec.image_uri = "docker.io/a/b"
        lost = await run(emulator, unknown)
    name = f"job ({job.job_id})"
    assert said[:6] == [
        f"{name}: QUEUED",
        f"{name}: PENDING",
        f"{name}: RUNNING",
        f"{name} workerpool0-0 runs in {tmp_path}: sh -c 'echo one; exit 3'",
        f"job (...{job.job_id[-4:]}) workerpool0-0 | one",
        f"{name}: FAILED: The replica workerpool0-0 exited with a non-zero status of 3.",
    ]
    assert said[-1].startswith(f"job ({lost.job_id}): FAILED: Image docker.io/a/b not found")


def test_terminal_that_stands_still_stops_nothing():
    """Lines for a terminal that takes none are let go, and when it goes on, how many is said."""
    reader, descriptor = os.pipe()
    writer = Writer(descriptor)
    for number in range(30_000):
        writer.write(f"line {number} {'.' * 100}")
    read = b""
    while b"line 9999 " not in read:
        read += os.read(reader, 1_000_000)
    writer.write("goes on")
    # What is waiting may be more than the pipe takes.
    with ThreadPoolExecutor(1) as threads:
        rest = threads.submit(lambda: b"".join(iter(lambda: os.read(reader, 1_000_000), b"")))
        writer.close()
        os.close(descriptor)
    read += rest.result()
    os.close(reader)
    *lines, last = read.decode().splitlines()
    shown = [int(line.split()[1]) for line in lines if line.startswith("line ")]
    left_out = [int(line[1:].split()[0]) for line in lines if line.startswith("(")]
    assert shown == sorted(shown)
    assert left_out
    assert len(shown) + sum(left_out) == 30_000
    assert last == "goes on"


def start(*options: str) -> subprocess.Popen[str]:
    """Start the command line; its first line ends with its address."""
    command = [sys.executable, "-m", "airflow_vertex_training.emulator", "--port", "0", "--any-image"]
    return subprocess.Popen(
        [*command, "--queue-seconds", "0", "--provision-seconds", "0", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("quiet", [True, False])
def test_command_line_tells_unless_quiet(connect, make_job, quiet):
    """The command line tells of jobs on standard output, and with `--quiet` of none."""
    process = start(*(["--quiet"] if quiet else []))
    assert process.stdout is not None
    client = connect(process.stdout.readline().split()[-1])
    name = client.create_custom_job(parent=PARENT, custom_job=make_job("echo", "hello")).name
    while client.get_custom_job(name=name).state.name != "JOB_STATE_SUCCEEDED":
        pass
    process.terminate()
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert ("workerpool0-0 | hello" in said) is not quiet
    assert ("SUCCEEDED" in said) is not quiet


def test_jobs_need_no_listener(connect, make_job):
    """Where whoever read the terminal has gone, jobs go on as before."""
    process = start()
    assert process.stdout is not None
    client = connect(process.stdout.readline().split()[-1])
    process.stdout.close()
    name = client.create_custom_job(parent=PARENT, custom_job=make_job("echo", "hello")).name
    while not (job := client.get_custom_job(name=name)).end_time:
        pass
    assert job.state.name == "JOB_STATE_SUCCEEDED"
    process.terminate()
    process.wait(20)


def test_port_is_always_the_same():
    """The port does not change over a restart, so that what was exported holds."""
    usage = [sys.executable, "-m", "airflow_vertex_training.emulator", "--help"]
    told = subprocess.run(usage, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "0 takes free ones (default: 8686)" in " ".join(told.split())
