"""Configuration and environment of an Airflow that answers fast and listens on 127.0.0.1 only."""

from __future__ import annotations

import base64
import configparser
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Settings = dict[str, dict[str, str]]
"""Sections, options and values, as in airflow.cfg."""

# Airflow calls this for each DAG that it parses. The tag tells which text of the file a stored DAG came from.
LOCAL_SETTINGS = """
import hashlib
from pathlib import Path


def dag_policy(dag):
    dag.tags.add("text-" + hashlib.sha256(Path(dag.fileloc).read_bytes()).hexdigest()[:16])
"""


def quick_settings(home: Path, database_url: str, api_port: int) -> Settings:
    """Return settings under which things happen within seconds that take minutes by default.

    Args:
        home: The installation's AIRFLOW_HOME.
        database_url: SQLAlchemy's URL of the metadata database.
        api_port: Port of the API server on 127.0.0.1.

    Returns:
        What belongs into airflow.cfg. Options are of Airflow 3.1 to 3.3.
    """
    api_url = f"http://127.0.0.1:{api_port}"
    return {
        "core": {
            "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "dags_are_paused_at_creation": "False",
            "dags_folder": str(home / "dags"),
            "execution_api_server_url": f"{api_url}/execution/",
            "executor": "LocalExecutor",
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "load_examples": "False",
            "min_serialized_dag_update_interval": "0",
            "parallelism": "8",  # LocalExecutor forks that many workers at its start
            "simple_auth_manager_all_admins": "True",
        },
        "database": {"sql_alchemy_conn": database_url},
        "api": {
            "base_url": api_url,
            "host": "127.0.0.1",
            "port": str(api_port),
            "secret_key": secrets.token_hex(32),
        },
        "api_auth": {"jwt_secret": secrets.token_hex(32)},
        "logging": {"base_log_folder": str(home / "logs")},
        "scheduler": {
            "job_heartbeat_sec": "2",
            "scheduler_heartbeat_sec": "1",
            "scheduler_idle_sleep_time": "0.2",
            "orphaned_tasks_check_interval": "5",
            # A task without a heartbeat for this long is given up. Not shorter: a busy machine is not dead.
            "task_instance_heartbeat_timeout": "20",
            "task_instance_heartbeat_timeout_detection_interval": "2",
            "trigger_timeout_check_interval": "1",
        },
        "workers": {"min_heartbeat_interval": "1"},
        "triggerer": {"job_heartbeat_sec": "2", "triggerer_health_check_threshold": "10"},
        "dag_processor": {
            "bundle_refresh_check_interval": "1",
            "refresh_interval": "1",
            # A changed file is parsed at once anyway; one that stays the same need not be.
            "min_file_process_interval": "30",
            "print_stats_interval": "0",
        },
        "usage_data_collection": {"enabled": "False"},
    }


def merged(settings: Settings, more: Settings) -> Settings:
    """Return the settings with those of `more` over and beside them."""
    return {section: settings.get(section, {}) | more.get(section, {}) for section in {**settings, **more}}


def write_home(home: Path, settings: Settings, preload: Sequence[str] = ()) -> None:
    """Make an AIRFLOW_HOME: an empty DAG folder, airflow.cfg, and Airflow's hook for local settings.

    Args:
        home: The folder.
        settings: What airflow.cfg says.
        preload: Modules that each process imports when it starts.
    """
    (home / "dags").mkdir(parents=True)
    (home / "config").mkdir()
    imports = "".join(f"import {module}\n" for module in preload)
    (home / "config" / "airflow_local_settings.py").write_text(LOCAL_SETTINGS + imports)
    # Without a file of that name each of the processes would write one of its own, with secrets of its own.
    config = configparser.RawConfigParser()
    config.read_dict(
        {
            section: {option: value.replace("%", "%%") for option, value in options.items()}
            for section, options in settings.items()
        }
    )
    with (home / "airflow.cfg").open("w") as file:
        config.write(file)


def process_environment(home: Path, repository: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of every Airflow process.

    Args:
        home: The installation's AIRFLOW_HOME.
        repository: Folder from which the processes import the package and the tests.
        more: Further variables, such as AIRFLOW_CONN_... and VERTEX_AI_EMULATOR_HOST; they win.

    Returns:
        This process's environment without what would turn Airflow's head, and with what it needs.
    """
    foreign = ("AIRFLOW", "_AIRFLOW", "PYTEST", "COVERAGE", "COV_", "VERTEX_AI_EMULATOR_HOST")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {
        **inherited,
        "AIRFLOW_HOME": str(home),
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(repository), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
        "SPT_NOENV": "1",  # see reaper.py
        **more,
    }
