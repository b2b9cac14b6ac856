"""Jobs that lost their tasks in ways that no hook of Airflow covers: the triggerers find and end them."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from tests.airflow_processes.installation import airflow_installation
from tests.chaos import orphaning
from tests.chaos.conftest import Trainings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_vertex_training.emulator.control.process import EmulatorProcess


@pytest.fixture(scope="module")
def sweeping(emulator: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainings]:
    """An Airflow whose triggerers cancel orphans after a short grace time."""
    home = tmp_path_factory.mktemp("orphans") / "home"
    environment = {"VERTEX_AI_EMULATOR_HOST": emulator.address}
    with airflow_installation(home, environment=environment, more_settings=orphaning.SETTINGS) as airflow:
        yield Trainings(airflow, emulator, itertools.count(1), prefix="orphans")


@pytest.mark.timeout(900)
def test_orphans_end_and_healthy_jobs_run_on(sweeping: Trainings) -> None:
    """However a job lost its task, it ends within two minutes of its grace; no other is touched."""
    healthy = orphaning.healthy(sweeping, 2)
    orphans = [(task, time.time()) for way in orphaning.WAYS.values() for task in way(sweeping, 1)]
    for task, at in orphans:
        assert orphaning.seconds_after_grace(sweeping, task, at) < 120
    assert [sweeping.states(task) for task in healthy] == [["RUNNING"]] * 2
    for task in healthy:
        sweeping.airflow.api.mark_task(task, "failed")
        sweeping.wait_for_states(task, "CANCELLED")
