from __future__ import annotations

import pytest

from tests.airflow_processes.fixtures import airflow, running_airflow

__all__ = ["airflow", "airflow_environment", "running_airflow"]


@pytest.fixture(scope="session")
def airflow_environment():
    """Airflow's file sensor looks a connection up, though it needs nothing of it."""
    return {"AIRFLOW_CONN_FS_DEFAULT": "fs://"}
