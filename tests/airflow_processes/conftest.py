from __future__ import annotations

from tests.airflow_processes.fixtures import airflow, airflow_environment, running_airflow

__all__ = ["airflow", "airflow_environment", "running_airflow"]
