"""Pytest fixtures: `airflow`, one real Airflow for many tests.

The topmost conftest.py imports them, once, so that one Airflow serves all tests; what its processes need in
their environment it says by a session-scoped fixture `airflow_environment`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.airflow_processes.installation import AirflowInstallation, airflow_installation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@pytest.fixture(scope="session")
def running_airflow(
    tmp_path_factory: pytest.TempPathFactory, airflow_environment: Mapping[str, str]
) -> Iterator[AirflowInstallation]:
    """The Airflow of this test session, started by the first test that asks for it."""
    home = tmp_path_factory.mktemp("airflow") / "home"
    preload = ["tests.airflow_processes.client_library"]
    with airflow_installation(home, environment=airflow_environment, preload=preload) as installation:
        yield installation


@pytest.fixture
def airflow(running_airflow: AirflowInstallation) -> Iterator[AirflowInstallation]:
    """A healthy Airflow, in which the test may kill what it likes."""
    yield running_airflow
    running_airflow.restore()
