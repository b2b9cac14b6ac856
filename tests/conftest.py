from __future__ import annotations

import uuid
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from airflow_vertex_training.emulator.control.process import EmulatorProcess, launch
from tests.airflow_processes.fixtures import airflow, running_airflow
from tests.tls import make_tls_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.tls import TlsFiles

__all__ = ["airflow", "airflow_environment", "running_airflow"]

# Machines are shared: how long an example takes says nothing about the code.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


def pytest_configure(config: pytest.Config) -> None:
    """Take deprecations for no errors in the Airflows before 3.3, which are behind their own dependencies."""
    if metadata.version("apache-airflow-core") < "3.3":
        for category in ("DeprecationWarning", "FutureWarning"):
            config.addinivalue_line("filterwarnings", f"ignore::{category}")


@pytest.fixture(scope="session")
def emulator(vertex_emulator_process: EmulatorProcess) -> EmulatorProcess:
    """An emulator for all tests, in a process of its own; a project of its own keeps each test apart."""
    return vertex_emulator_process


@pytest.fixture(scope="session")
def airflow_environment(emulator: EmulatorProcess) -> Mapping[str, str]:
    """Where the Airflow's jobs run, and a connection that its file sensor looks up without using it."""
    return {"VERTEX_AI_EMULATOR_HOST": emulator.address, "AIRFLOW_CONN_FS_DEFAULT": "fs://"}


@pytest.fixture
def project() -> str:
    """The id of a project that no other test uses."""
    return f"project-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """PEM files of a certificate authority made for this session."""
    return make_tls_files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def tls_emulator(tls_files: TlsFiles) -> Iterator[EmulatorProcess]:
    """As `emulator`, behind TLS: a client reaches it as `localhost` only, and has to trust `tls_files.ca`."""
    arguments = ("--queue-seconds", "0", "--provision-seconds", "0", "--stop-grace-seconds", "2")
    with launch(*arguments, *tls_files.emulator_arguments) as running:
        yield running
