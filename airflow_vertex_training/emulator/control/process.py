"""Starts an emulator as a process of its own, and ends it: for tests, demos and benchmarks."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from airflow_vertex_training.emulator.control.client import ControlClient

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["EmulatorProcess", "launch"]

_ADDRESS = re.compile(rb"emulator listening on (\S+)")
_HTTP = re.compile(rb"JSON API, .* (http\S+)")
_CONTROL = re.compile(rb"Control service listening on (\S+)")
_STORAGE = re.compile(rb"gs://BUCKET lies in (.+)/BUCKET")
_READY = re.compile(rb"To use it: .*\n")


class EmulatorProcess:
    """An emulator that runs in another process. As a context manager it is stopped at the end.

    Attributes:
        address: `host:port` of the API: the value of `VERTEX_AI_EMULATOR_HOST`.
        http_address: URL of the JSON API and of the page; empty with a Unix domain socket.
        control: A client of its control service.
        pid: Its process id.
        storage: The folder where buckets lie.
    """

    def __init__(self, process: subprocess.Popen[bytes], output: bytes, errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors
        self._said = ""
        self.pid = process.pid
        self.address = _find(_ADDRESS, output)
        self.http_address = _find(_HTTP, output) if _HTTP.search(output) else ""
        self.storage = Path(_find(_STORAGE, output))
        self.control = ControlClient(_find(_CONTROL, output))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, timeout: float = 30.0) -> int:
        """End it with SIGTERM: its jobs' processes end too.

        Args:
            timeout: How long that may take, in seconds.

        Returns:
            Its exit status.

        Raises:
            subprocess.TimeoutExpired: It took longer, and was killed.
        """
        self._process.terminate()
        return self._reap(timeout)

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        self._process.kill()
        self._reap(timeout=30.0)

    def stderr(self) -> str:
        """Return what it has written to its standard error, also when it has ended."""
        return self._said if self._errors.closed else _content(self._errors)

    def _reap(self, timeout: float) -> int:
        self.control.close()
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            _close_pipes(self._process)
            self._said = self.stderr()
            self._errors.close()
        return status


def launch(*arguments: str, timeout: float = 60.0) -> EmulatorProcess:
    """Start an emulator and wait until it serves.

    It ends by itself when this process does, however that ends.

    Args:
        *arguments: Of the command line, such as `--queue-seconds`, `0`. Unless these say otherwise, port and
            control port are free ones, and jobs of any image run (`--any-image`). It tells nothing of jobs:
            nobody reads its terminal.
        timeout: How long the start may take, in seconds; Google's message types alone take some.

    Returns:
        The running emulator.

    Raises:
        RuntimeError: It did not start; the message has what it said.
    """
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
    package_root = str(Path(__file__).parents[2])
    search_path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "airflow_vertex_training.emulator"),
            *("--port", "0", "--control-port", "0", "--any-image", "--quiet", "--until-stdin-closes"),
            *arguments,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**os.environ, "PYTHONPATH": search_path},
    )
    output = _read_until_ready(process, time.monotonic() + timeout)
    if _READY.search(output) is None:
        process.kill()
        process.wait()
        _close_pipes(process)
        said = _content(errors).strip()
        errors.close()
        raise RuntimeError(f"The emulator did not start: {said or 'it took too long'}")
    return EmulatorProcess(process, output, errors)


def _read_until_ready(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    output = b""
    while _READY.search(output) is None:
        readable, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(process.stdout.fileno(), 65_536) if readable else b""
        if not chunk:
            break
        output += chunk
    return output


def _content(file: IO[bytes]) -> str:
    """Read a file from its start, and leave the position that the emulator writes at alone."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")


def _close_pipes(process: subprocess.Popen[Any]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _find(pattern: re.Pattern[bytes], output: bytes) -> str:
    found = pattern.search(output)
    if found is None:
        raise RuntimeError(f"The emulator did not say what was expected: {output.decode(errors='replace')}")
    return found[1].decode()
