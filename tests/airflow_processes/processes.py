"""One `airflow` command as a background process that can be killed, frozen and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


class AirflowProcess:
    """A background process that runs one `airflow` command, in a session of its own.

    It says nothing about what the tasks that it started are doing: `reaper.py` ends those.

    Args:
        name: Names it in messages and its log file.
        arguments: What follows `airflow` on the command line.
        environment: Its whole environment.
        log_folder: Where `NAME.log` is written; a restart appends.
        python: The Python that has Airflow.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log_folder: Path,
        python: str = sys.executable,
    ):
        self.name = name
        self.log_file = log_folder / f"{name}.log"
        self._command = [python, "-m", "airflow", *arguments]
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the command itself, which is also its session's."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the command itself is alive; frozen counts as alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, or start it again after its end. Returns before it is ready for work."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already, as process {self.pid}")
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, timeout: float = 120.0) -> None:
        """Run a command that ends by itself.

        Args:
            timeout: Seconds it may take.

        Raises:
            RuntimeError: It ended with another exit code than 0, or not in time.
        """
        self.start()
        try:
            code = self._wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            code = None
        if code != 0:
            raise RuntimeError(f"{self.name} ended with {code}:\n{self.log_tail()}")

    def kill(self, *, with_children: bool = True) -> None:
        """SIGKILL, as when the machine goes away.

        Args:
            with_children: Also whatever it has started, at once; False leaves orphans, as a kill of the one
                process does.
        """
        targets = self._family() if with_children else self._family()[:1]
        send_signal(targets, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def stop(self, timeout: float = 30.0) -> None:
        """SIGTERM, as when somebody restarts it in an orderly way, and wait for its end."""
        if self.running:
            os.kill(self.pid, signal.SIGTERM)
            self._wait(timeout)

    def freeze(self) -> None:
        """SIGSTOP it and all it has started, as when a machine hangs."""
        send_signal(self._family(), signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT it and all it has started."""
        send_signal(self._family(), signal.SIGCONT)

    @contextlib.contextmanager
    def slowed(self, part: float = 0.1) -> Iterator[None]:
        """Give the process, not those it has started, a part of its time only, as a busy machine does."""
        fast_again = threading.Event()

        def slow() -> None:
            while not fast_again.is_set():
                os.kill(self.pid, signal.SIGSTOP)
                fast_again.wait((1.0 - part) * 0.1)
                os.kill(self.pid, signal.SIGCONT)
                fast_again.wait(part * 0.1)

        slowing = threading.Thread(target=slow, name=f"slow {self.name}")
        slowing.start()
        try:
            yield
        finally:
            fast_again.set()
            slowing.join()

    def log_tail(self, lines: int = 25) -> str:
        """Return the last lines of the log, under the process's name."""
        text = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        state = f"running as {self.pid}" if self.running else "not running"
        return "\n".join([f"--- {self.name} ({state}), {self.log_file}", *text.splitlines()[-lines:]])

    def _wait(self, timeout: float) -> int | None:
        return self._process.wait(timeout) if self._process is not None else None

    def _family(self) -> list[psutil.Process]:
        if not self.running:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        return []


def send_signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to those processes that are still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
