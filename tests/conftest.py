from __future__ import annotations

import uuid
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import HealthCheck, settings

from airflow_vertex_training.emulator.process import EmulatorProcess, launch
from tests.airflow_processes.fixtures import airflow, running_airflow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

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
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """An emulator for all tests, in a process of its own; a project of its own keeps each test apart."""
    storage = tmp_path_factory.mktemp("storage")
    arguments = ("--queue-seconds", "0", "--provision-seconds", "0", "--stop-grace-seconds", "2")
    with launch(*arguments, "--storage", str(storage)) as running:
        yield running


@pytest.fixture(scope="session")
def airflow_environment(emulator: EmulatorProcess) -> Mapping[str, str]:
    """Where the Airflow's jobs run, and a connection that its file sensor looks up without using it."""
    return {"VERTEX_AI_EMULATOR_HOST": emulator.address, "AIRFLOW_CONN_FS_DEFAULT": "fs://"}


@pytest.fixture
def project() -> str:
    """The id of a project that no other test uses."""
    return f"project-{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True)
class TlsFiles:
    """A private certificate authority, and what it signed for `localhost`."""

    ca: Path
    cert: Path
    key: Path


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """PEM files of a certificate authority made for this session.

    grpc reads the CA's path, `GRPC_DEFAULT_SSL_ROOTS_FILE_PATH`, once in a process: set it for a subprocess.
    """
    folder = tmp_path_factory.mktemp("tls")
    files = TlsFiles(ca=folder / "ca.pem", cert=folder / "server.pem", key=folder / "server.key")
    authority = trustme.CA()
    server = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(files.ca)
    server.cert_chain_pems[0].write_to_path(files.cert)
    server.private_key_pem.write_to_path(files.key)
    return files


@pytest.fixture(scope="session")
def tls_emulator(tls_files: TlsFiles) -> Iterator[EmulatorProcess]:
    """As `emulator`, behind TLS: a client reaches it as `localhost` only, and has to trust `tls_files.ca`."""
    arguments = ("--queue-seconds", "0", "--provision-seconds", "0", "--stop-grace-seconds", "2")
    tls = ("--host", "localhost", "--tls-cert", str(tls_files.cert), "--tls-key", str(tls_files.key))
    with launch(*arguments, *tls) as running:
        yield running
