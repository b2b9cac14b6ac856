"""Pytest fixtures: `airflow`, one real Airflow for many tests.

Name this module once, `pytest_plugins = ["tests.airflow_processes.fixtures"]` in the topmost conftest.py, so
that one Airflow serves all tests. What its processes need in their environment, a conftest says by a
session-scoped fixture `airflow_environment` of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.airflow_processes.installation import AirflowInstallation, airflow_installation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@pytest.fixture(scope="session")
def airflow_environment() -> Mapping[str, str]:
    """Further environment of all Airflow processes; override it to add some."""
    return {}


@pytest.fixture(scope="session")
def running_airflow(
    tmp_path_factory: pytest.TempPathFactory, airflow_environment: Mapping[str, str]
) -> Iterator[AirflowInstallation]:
    """The Airflow of this test session, started by the first test that asks for it."""
    home = tmp_path_factory.mktemp("airflow") / "home"
    with airflow_installation(home, environment=airflow_environment) as installation:
        yield installation


@pytest.fixture
def airflow(running_airflow: AirflowInstallation) -> Iterator[AirflowInstallation]:
    """A healthy Airflow, in which the test may kill what it likes."""
    yield running_airflow
    running_airflow.restore()
