"""The pytest plugin: the fixture `vertex_emulator`, for tests of your own code that trains on Vertex AI.

pytest loads this module in every run of an environment that has the package, so it imports almost nothing:
what takes time is imported when a test asks for the fixture. Airflow is never imported.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from airflow_vertex_training.emulator.testing import VertexEmulator

__all__ = ["vertex_emulator", "vertex_emulator_arguments", "vertex_emulator_process"]


@pytest.fixture(scope="session")
def vertex_emulator_arguments() -> Sequence[str]:
    """Return the emulator's command line: jobs neither queue nor wait for machines.

    Define a fixture of this name in your `conftest.py` for other arguments, such as `--image`.
    """
    return ("--queue-seconds", "0", "--provision-seconds", "0", "--stop-grace-seconds", "2")


@pytest.fixture(scope="session")
def vertex_emulator_process(
    vertex_emulator_arguments: Sequence[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmulatorProcess]:
    """Run the emulator that all tests share, in a process of its own."""
    from airflow_vertex_training.emulator.control.process import launch

    storage = tmp_path_factory.mktemp("storage")
    with launch("--storage", str(storage), *vertex_emulator_arguments) as running:
        yield running


@pytest.fixture
def vertex_emulator(
    vertex_emulator_process: EmulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> Iterator[VertexEmulator]:
    """Give the test a Vertex AI of its own: a project that no other test uses.

    `VERTEX_AI_EMULATOR_HOST` and `GOOGLE_CLOUD_PROJECT` name it while the test runs, so this package's
    operator finds it without a connection. Jobs that still run at the end are cancelled.
    """
    from airflow_vertex_training.emulator.testing import VertexEmulator

    emulator = VertexEmulator(vertex_emulator_process, f"project-{uuid.uuid4().hex[:12]}")
    monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", emulator.address)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", emulator.project)
    yield emulator
    emulator.clear()
