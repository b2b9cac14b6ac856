from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from google.api_core import exceptions

from airflow_vertex_training.emulator.config import EmulatorConfig, check_host
from airflow_vertex_training.emulator.control.process import launch
from airflow_vertex_training.emulator.server import Emulator

PARENT = "projects/p/locations/us-central1"


def wait_gone(pid: int, seconds: float = 20) -> bool:
    """Whether a process ends in time; a zombie that nobody has reaped yet has ended too."""
    deadline = time.monotonic() + seconds
    while not _ended(pid):
        if time.monotonic() > deadline:
            return False
    return True


def _ended(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(timeout=0.05)
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_hosts_are_taken(host: str):
    """Every loopback address is a host to listen on."""
    check_host(host)


OTHER_HOSTS = ["0.0.0.0", "::", "10.0.0.1", "example.org", "", "localhost.example.org"]  # noqa: S104


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_other_hosts_are_refused(host: str):
    """Any host that other machines could reach is refused, with the reason."""
    with pytest.raises(ValueError, match="must be a loopback address") as caught:
        EmulatorConfig(host=host)
    assert "the emulator runs the commands it is sent" in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"port": 65_535}, "port: must be 0 to 65534, since HTTP is served at the next one, got 65535"),
        ({"port": -1}, "port: must be 0 to 65534"),
        ({"control_port": 65_536}, "control_port: must be 0 to 65535, got 65536"),
        ({"max_log_lines": 0}, "max_log_lines: must be at least 1, got 0"),
        ({"storage": Path(__file__)}, "storage: must be a folder, got the file"),
        ({"queue_seconds": -1.0}, "queue_seconds: must be 0 or more seconds"),
        ({"error_delay_seconds": float("nan")}, "error_delay_seconds: must be 0 or more seconds"),
        ({"project_numbers": {"p": "x"}}, "project_numbers['p']: must be digits, got 'x'"),
        ({"images": {"x": Path("/nowhere")}}, "images['x']: must be an existing folder, got '/nowhere'"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_settings_that_can_not_be(settings: dict[str, Any], problem: str):
    """A wrong setting is told in a sentence at the start, not when it is first used."""
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}"):
        EmulatorConfig(**settings)


NO_PEM = str(Path(__file__))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"storage": Path("/proc/x")}, "storage: must be a folder that can be written, /proc/x: "),
        ({"storage": Path("/proc")}, "storage: must be a folder that can be written, /proc: "),
        (
            {"tls_cert": NO_PEM, "tls_key": NO_PEM},
            f"tls_cert and tls_key: must be PEM files of a certificate and its key, {NO_PEM} and {NO_PEM}: ",
        ),
        (
            {"tls_cert": Path("/nowhere"), "tls_key": Path("/nowhere")},
            "tls_cert and tls_key: must be PEM files of a certificate and its key, /nowhere and /nowhere: ",
        ),
        ({"pythons": {"x": Path("/nowhere")}}, "--python x: /nowhere does not exist"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_a_setting_names_can_not_be_used(settings: dict[str, Any], problem: str):
    """What can't be used is told when the emulator starts, by the setting's name, not in each job's error."""
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}"):
        Emulator(EmulatorConfig(**settings))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ("--image", "x=a=b", "--image", "y=z"),
            "images['x']: must be an existing folder, got 'HERE/a=b'",
        ),
        (("--image", "x=a", "--image", "x=b"), "--image: x is given twice, as a and b: leave one out"),
        (("--python", "x=a", "--python", "x=b"), "--python: x is given twice, as a and b"),
        (("--submissions-per-minute", "-1"), "submissions: must be 0 or more requests, got -1"),
        (("--examples", __file__), f"examples: must be a folder that can be written, {__file__}: "),
        (
            ("--projects", " , "),
            "argument --projects: must be project ids with commas between them, got ' , '",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_argument_is_told_by_its_name(tmp_path, arguments, problem):
    """A wrong argument ends the start with status 2 and one sentence about it."""
    command = [sys.executable, "-m", "airflow_vertex_training.emulator", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert done.returncode == 2
    said = done.stderr.splitlines()[-1].partition("error: ")[2].replace(str(tmp_path), "HERE")
    assert said.startswith(problem)


def test_projects_are_taken_without_the_blanks_around_them(connect):
    """`--projects "p, q"` permits both."""
    with launch("--projects", "p, q") as emulator:
        assert not list(connect(emulator.address).list_custom_jobs(parent=PARENT.replace("/p/", "/q/")))


def test_command_line_refuses_other_hosts():
    """The command line says why it doesn't listen on all addresses, and exits with 2."""
    command = [sys.executable, "-m", "airflow_vertex_training.emulator", "--host", "0.0.0.0"]  # noqa: S104
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("error: host: must be a loopback address")


def test_life_of_a_process(connect, make_job, tmp_path):
    """An emulator keeps its jobs over a stop, a crash and a restart, and leave no process behind.

    One test for all of it: each start costs seconds.
    """
    state = ("--state", str(tmp_path / "state.sqlite"), "--provision-seconds", "0")
    image = tmp_path / "image"
    image.mkdir()
    (image / "trainer.py").write_text("import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    uri = "us-docker.pkg.dev/acme/trainers/digits:1.4"
    images = ("--image", f"{uri}={image}")
    options = ("--queue-seconds", "0", *images, "--projects", "p,q")

    with launch(*state, *options) as first:
        client = connect(first.address)
        training = make_job("python", "-m", "trainer")
        training.job_spec.worker_pool_specs[0].container_spec.image_uri = uri
        running = client.create_custom_job(parent=PARENT, custom_job=training).name
        pid = int(first.control.wait_line(running))
        done = client.create_custom_job(parent=PARENT, custom_job=make_job("echo", "hello")).name
        first.control.wait_job(done)
        with pytest.raises(exceptions.PermissionDenied, match=r"'aiplatform\.customJobs\.list' denied"):
            client.list_custom_jobs(parent=PARENT.replace("/p/", "/other/"))
        with pytest.raises(RuntimeError, match="can't be bound"):
            launch("--port", first.address.rpartition(":")[2])
        assert first.stop() == 0
        assert "Traceback" not in first.stderr()
    assert wait_gone(pid), "SIGTERM ends the jobs' processes"

    second = launch(*state, *options)
    client = connect(second.address)
    assert [job.name for job in client.list_custom_jobs(parent=PARENT)] == [done, running]
    assert [line["text"] for line in second.control.log_lines(done)] == ["hello"]
    second.control.wait_line(running)
    pid = int(_last_line(second, running, other_than=pid))
    assert len(second.control.wait_job(running, ["JOB_STATE_RUNNING"])["history"]) == 3
    second.kill()
    assert wait_gone(pid), "a job's processes don't outlive an emulator that was killed"

    with launch(*state, *images, "--queue-seconds", "600") as third:
        client = connect(third.address)
        client.cancel_custom_job(name=running)
        assert third.control.wait_job(running)["state"] == "JOB_STATE_CANCELLED"
        queued = client.create_custom_job(parent=PARENT, custom_job=make_job("echo", "later")).name
        os.kill(third.pid, signal.SIGINT)
        assert third.stop() == 0

    with launch(*state, "--queue-seconds", "0") as fourth:
        assert fourth.control.wait_job(queued)["state"] == "JOB_STATE_SUCCEEDED"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="strays are found in /proc")
def test_killed_emulator_leaves_nothing_behind(connect, make_job):
    """No process outlives a SIGKILL, nor the replicas' folders.

    Not even a process that has left its replica's group, as torchrun's workers do.
    """
    script = (
        "import os, subprocess, time; child = subprocess.Popen(['sleep', '600'], start_new_session=True); "
        "print(child.pid, os.environ['HOME'], flush=True); time.sleep(600)"
    )
    with launch("--queue-seconds", "0", "--provision-seconds", "0") as emulator:
        client = connect(emulator.address)
        name = client.create_custom_job(parent=PARENT, custom_job=make_job("python", "-c", script)).name
        child, home = emulator.control.wait_line(name).split()
        emulator.kill()
    assert wait_gone(int(child))
    replicas = Path(home).parents[1]
    deadline = time.monotonic() + 20
    while replicas.exists():
        assert time.monotonic() < deadline


def test_emulator_ends_with_the_process_that_launched_it(tmp_path):
    """When its parent is killed, a launched emulator ends too."""
    script = (
        "from airflow_vertex_training.emulator.control.process import launch; "
        "print(launch().pid, flush=True); input()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    parent.stdin.close()
    assert wait_gone(pid)


def test_tls_needs_the_authority(tls_emulator, tls_files):
    """Over TLS a client that trusts the authority gets through as `localhost`; a plaintext one doesn't."""
    trusted = grpc.ssl_channel_credentials(tls_files.ca.read_bytes())
    with grpc.secure_channel(tls_emulator.address, trusted) as channel:
        grpc.channel_ready_future(channel).result(timeout=20)
    with grpc.insecure_channel(tls_emulator.address) as channel, pytest.raises(grpc.FutureTimeoutError):
        grpc.channel_ready_future(channel).result(timeout=0.5)


def _last_line(running, name: str, *, other_than: int) -> str:
    """The process id that the restarted replica printed."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        line: str = running.control.log_lines(name)[-1]["text"]
        if line != str(other_than):
            return line
    raise AssertionError(f"{name} was not restarted")
