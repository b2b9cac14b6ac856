"""The emulator itself: puts the parts together and serves them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from airflow_vertex_training.emulator.api.gate import Gate
from airflow_vertex_training.emulator.api.job_service import JobServicer
from airflow_vertex_training.emulator.api.listening import Port, UnixSocket
from airflow_vertex_training.emulator.api.logging_service import LoggingServicer
from airflow_vertex_training.emulator.api.names import Projects
from airflow_vertex_training.emulator.api.quotas import Quotas
from airflow_vertex_training.emulator.config import EmulatorConfig
from airflow_vertex_training.emulator.control.faults import FaultBook
from airflow_vertex_training.emulator.control.servicer import SERVICE_NAME, ControlServicer
from airflow_vertex_training.emulator.jobs.environment import Storage
from airflow_vertex_training.emulator.jobs.lifecycle import Lifecycle
from airflow_vertex_training.emulator.jobs.runner import Runner
from airflow_vertex_training.emulator.jobs.store import JobStore, open_database
from airflow_vertex_training.emulator.logs.logbook import LogBook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

__all__ = ["Emulator"]

_JOB_SERVICE = "google.cloud.aiplatform.v1.JobService"
_LOGGING_SERVICE = "google.logging.v2.LoggingServiceV2"

# Without this, two servers could share one port on Linux, each with half of the connections.
_OPTIONS = (("grpc.so_reuseport", 0),)


class Emulator:
    """Vertex AI's `JobService` and Cloud Logging's list method, on this machine.

    Use it as an async context manager; it serves while the context lasts, and ends its jobs' processes then.

        async with Emulator(EmulatorConfig(queue_seconds=0)) as emulator:
            os.environ["VERTEX_AI_EMULATOR_HOST"] = emulator.address

    Args:
        config: Its settings.

    Attributes:
        address: `host:port` of the API, or `unix:FILE`.
        control_address: The same of the control service; empty if none is served.
        storage: The folder where buckets lie.
    """

    def __init__(self, config: EmulatorConfig | None = None) -> None:
        self._config = config = config or EmulatorConfig()
        self._temporary_storage = config.storage is None
        self.storage = config.storage or Path(tempfile.mkdtemp(prefix="vertex-emulator-storage-"))
        self.storage = self.storage.absolute()
        self._database = open_database(config.state_file)
        self.store = JobStore(self._database)
        self.log = LogBook(self._database, config.max_log_lines)
        self.faults = FaultBook()
        self.quotas = Quotas(config.quotas)
        self.projects = Projects(dict(config.project_numbers), config.projects)
        self.gate = Gate(self.projects, self.quotas, self.faults)
        self._runner = Runner(self.log, Storage(self.storage), config.images, config.stop_grace_seconds)
        self.lifecycle = Lifecycle(self.store, self.log, self._runner, self.faults, self.projects, config)
        self._server: grpc.aio.Server | None = None
        self._control_server: grpc.aio.Server | None = None
        self._endpoint = _endpoint(config)
        self.address = ""
        self.control_address = ""

    async def __aenter__(self) -> Self:
        try:
            # First of all: who gets an answer may ask for anything at once, also to cancel a job.
            self.lifecycle.resume()
            await self.resume_serving()
            if self._config.control_port is not None:
                self._control_server = _server({SERVICE_NAME: ControlServicer(self).handlers()})
                control = _control_endpoint(self._config, self._config.control_port)
                control.bind(self._control_server)
                await self._control_server.start()
                self.control_address = control.address
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pause_serving()
        if self._control_server is not None:
            await self._control_server.stop(grace=None)
        await self.lifecycle.close()
        self._runner.close()
        self._database.close()
        if self._temporary_storage:
            shutil.rmtree(self.storage, ignore_errors=True)

    async def resume_serving(self) -> None:
        """Serve the API; after a pause at the same address.

        Raises:
            OSError: The port or the socket is taken, or others may enter the socket's folder.
        """
        if self._server is not None:
            return
        jobs = JobServicer(self.gate, self.store, self.log, self.lifecycle, self.projects, self.faults)
        logs = LoggingServicer(self.gate, self.log, self.projects, self.faults)
        server = _server({_JOB_SERVICE: jobs.handlers(), _LOGGING_SERVICE: logs.handlers()})
        self._endpoint.bind(server, self._credentials())
        await server.start()
        self._server = server
        self.address = self._endpoint.address

    async def pause_serving(self) -> None:
        """Cut the API's connections and refuses new ones. Jobs go on."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(grace=None)

    def _credentials(self) -> grpc.ServerCredentials | None:
        if self._config.tls_cert is None or self._config.tls_key is None:
            return None
        pair = (self._config.tls_key.read_bytes(), self._config.tls_cert.read_bytes())
        return grpc.ssl_server_credentials([pair])


def _server(services: Mapping[str, dict[str, grpc.RpcMethodHandler[Any, Any]]]) -> grpc.aio.Server:
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(name, handlers) for name, handlers in services.items()]
    )
    return server


def _endpoint(config: EmulatorConfig) -> Port | UnixSocket:
    return UnixSocket(config.unix_socket) if config.unix_socket else Port(config.host, config.port)


def _control_endpoint(config: EmulatorConfig, port: int) -> Port | UnixSocket:
    if config.unix_socket is None:
        return Port(config.host, port)
    return UnixSocket(config.unix_socket.with_name(f"{config.unix_socket.name}.control"))
