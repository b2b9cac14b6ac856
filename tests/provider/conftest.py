from __future__ import annotations

import atexit
import logging
import os
import shutil
import signal
import tempfile
import traceback
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from structlog.testing import capture_logs

from tests.provider.task_runs import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_vertex_training.emulator.control.process import EmulatorProcess

if "AIRFLOW_HOME" not in os.environ:
    # Airflow writes its configuration there when it is imported.
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """What a task or trigger of this test sends its messages to."""
    from airflow.sdk.execution_time.supervisor import set_supervisor_comms

    beside = Supervisor()
    # Airflow's task runner handles the signal in its own way from then on.
    handler = signal.getsignal(signal.SIGTERM)
    with set_supervisor_comms(beside):
        yield beside
        beside.answers.set()
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def on_emulator(
    emulator: EmulatorProcess, project: str, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> EmulatorProcess:
    """The emulator, which the test's hooks reach by its variable, in the test's own project."""
    monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", emulator.address)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", project)
    return emulator


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """What the task logs, `LEVEL text` each, through Airflow's logger or Python's own, and its tracebacks."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.levelname} {record.getMessage()}")

    def keep(_: Any, level: str, event: Any) -> Any:
        text = event["event"] % event["positional_args"] if event.get("positional_args") else event["event"]
        lines.append(f"{level.upper()} {text}")
        if event.get("exc_info"):
            lines.append(traceback.format_exc())
        raise structlog.DropEvent

    ours = logging.getLogger("airflow_vertex_training")
    handler = Handler()
    level = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    with capture_logs():
        processors = structlog.get_config()["processors"]
        captured = processors[:]
        processors[:] = [keep]
        yield lines
        processors[:] = captured
    ours.removeHandler(handler)
    ours.setLevel(level)
