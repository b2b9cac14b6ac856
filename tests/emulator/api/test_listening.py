from __future__ import annotations

import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.auth.credentials import AnonymousCredentials

from airflow_vertex_training.emulator.config import EmulatorConfig
from airflow_vertex_training.emulator.control.process import EmulatorProcess, launch
from airflow_vertex_training.emulator.server import Emulator
from airflow_vertex_training.vertex.api import endpoint, log_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

PARENT = "projects/p/locations/us-central1"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, as sockets need it: pytest's own can be too long."""
    made = Path(tempfile.mkdtemp(prefix="vertex-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def on_socket(folder: Path) -> Iterator[EmulatorProcess]:
    """An emulator that serves at a socket in a folder that it has to make."""
    timing = ("--queue-seconds", "0", "--provision-seconds", "0")
    with launch("--unix-socket", str(folder / "own" / "vertex.sock"), *timing) as running:
        yield running


async def test_socket_serves_the_product_as_a_port_does(folder, on_socket, make_job):
    """`VERTEX_AI_EMULATOR_HOST=unix:FILE` takes all calls to the socket, also after a pause."""
    assert on_socket.address == f"unix:{folder}/own/vertex.sock"
    assert on_socket.http_address == "", "at a socket nothing is served over HTTP"
    assert on_socket.control.address == f"{on_socket.address}.control"
    assert stat.S_IMODE((folder / "own").stat().st_mode) == 0o700
    where = endpoint.endpoint("us-central1", None, {"VERTEX_AI_EMULATOR_HOST": on_socket.address})
    client = endpoint.open_client(where, AnonymousCredentials())
    name = client.create_custom_job(parent=PARENT, custom_job=make_job("echo", "hello")).name
    assert on_socket.control.wait_job(name)["state"] == "JOB_STATE_SUCCEEDED"
    on_socket.control.drop_connections()
    async_client = endpoint.open_async_client(where, AnonymousCredentials())
    assert (await async_client.get_custom_job(name=name)).name == name
    logs = log_calls.open_async_logging_client(
        log_calls.logging_endpoint(where, None), AnonymousCredentials()
    )
    entries = await logs.list_log_entries({"resource_names": ["projects/p"]})
    assert "hello" in [entry.json_payload["message"] async for entry in entries if entry.json_payload]
    await logs.transport.close()
    await async_client.transport.close()
    client.transport.close()


async def test_socket_is_not_taken_from_another(folder):
    """A second emulator at the same socket is refused; the first goes on. One that crashed leaves none."""
    config = EmulatorConfig(unix_socket=folder / "s")
    async with Emulator(config):
        with pytest.raises(OSError, match="another process listens at"):
            await Emulator(config).__aenter__()
    with launch("--unix-socket", str(folder / "s")) as crashed:
        crashed.kill()
    assert (folder / "s").exists()
    async with Emulator(config) as again:
        assert again.address == f"unix:{folder}/s"


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o770])
async def test_socket_needs_a_folder_of_its_own(folder, mode):
    """A folder that anybody else may enter is refused, with the command that mends it."""
    folder.chmod(mode)
    with pytest.raises(OSError, match=r"runs commands as you.*chmod 700"):
        await Emulator(EmulatorConfig(unix_socket=folder / "s")).__aenter__()


async def test_path_too_long_for_a_socket_is_named(folder):
    """A path that no kernel takes is refused before anything is made."""
    with pytest.raises(OSError, match="take a shorter path"):
        await Emulator(EmulatorConfig(unix_socket=folder / ("s" * 100))).__aenter__()


def test_socket_and_tls_exclude_each_other(folder):
    """TLS over a socket is refused: nothing but its owner can reach it."""
    with pytest.raises(ValueError, match="unix_socket: can't be used with TLS"):
        EmulatorConfig(unix_socket=folder / "s", tls_cert=folder / "c", tls_key=folder / "k")
