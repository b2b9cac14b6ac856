"""The emulator itself: puts the parts together and serves them."""

from __future__ import annotations

import shutil
import ssl
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from airflow_vertex_training.emulator.api.gate import Gate
from airflow_vertex_training.emulator.api.gateway import Gateway
from airflow_vertex_training.emulator.api.job_service import JobServicer
from airflow_vertex_training.emulator.api.listening import Port, UnixSocket
from airflow_vertex_training.emulator.api.locations import LocationsServicer
from airflow_vertex_training.emulator.api.logging_service import LoggingServicer
from airflow_vertex_training.emulator.api.names import Projects
from airflow_vertex_training.emulator.api.operations import OperationsServicer, OperationStore
from airflow_vertex_training.emulator.api.page import Page
from airflow_vertex_training.emulator.api.quotas import Quotas
from airflow_vertex_training.emulator.api.rpc import ApiHandler
from airflow_vertex_training.emulator.api.services import (
    JOB_SERVICE,
    LOCATIONS,
    LOGGING_SERVICE,
    OPERATIONS,
)
from airflow_vertex_training.emulator.api.validation import check_custom_job
from airflow_vertex_training.emulator.config import EmulatorConfig
from airflow_vertex_training.emulator.control.faults import FaultBook
from airflow_vertex_training.emulator.control.servicer import SERVICE_NAME, ControlServicer
from airflow_vertex_training.emulator.jobs.images import Images
from airflow_vertex_training.emulator.jobs.lifecycle import Lifecycle
from airflow_vertex_training.emulator.jobs.runner import Runner
from airflow_vertex_training.emulator.jobs.storage import Storage
from airflow_vertex_training.emulator.jobs.store import JobStore, open_database
from airflow_vertex_training.emulator.jobs.terminal import Terminal
from airflow_vertex_training.emulator.logs.logbook import LogBook

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from airflow_vertex_training.emulator.api.gate import Method

__all__ = ["Emulator"]

# So often two ports in a row that are free are looked for.
_ATTEMPTS = 50

# Without this, two servers could share one port on Linux, each with half of the connections.
_OPTIONS = (("grpc.so_reuseport", 0),)


class Emulator:
    """Vertex AI's `JobService` and Cloud Logging's list method, on this machine.

    Use it as an async context manager; it serves while the context lasts, and ends its jobs' processes then.

        async with Emulator(EmulatorConfig(queue_seconds=0)) as emulator:
            os.environ["VERTEX_AI_EMULATOR_HOST"] = emulator.address

    Args:
        config: Its settings.
        tell: Takes a line for each thing that happens to a job, and each line that one prints; None for
            none.

    Raises:
        ValueError: A setting is wrong, or what it names.

    Attributes:
        address: `host:port` of the API, or `unix:FILE`.
        http_address: URL of the JSON API and of the emulator's page; empty with a Unix domain socket.
        control_address: As `address`, of the control service; empty if none is served.
        storage: The folder where buckets lie.
        services: The methods that it serves, by name of the service and of the method.
    """

    def __init__(
        self, config: EmulatorConfig | None = None, tell: Callable[[str], None] | None = None
    ) -> None:
        self._config = config = config or EmulatorConfig()
        images = Images(config.images, config.pythons, any_image=config.any_image)
        terminal = Terminal(tell)
        self._tls = _tls(config)
        if config.storage is not None:
            _make_storage(config.storage)
        self._database = open_database(config.state_file)
        self._temporary_storage = config.storage is None
        self.storage = config.storage or Path(tempfile.mkdtemp(prefix="vertex-emulator-storage-"))
        self.storage = self.storage.absolute()
        self.store = JobStore(self._database)
        self.log = LogBook(self._database, config.max_log_lines)
        self.faults = FaultBook()
        self.quotas = Quotas(config.quotas)
        self.projects = Projects(dict(config.project_numbers), config.projects)
        self.gate = Gate(self.projects, self.quotas, self.faults)
        self._runner = Runner(
            self.log,
            terminal,
            Storage(self.storage),
            images,
            stop_grace_seconds=config.stop_grace_seconds,
            memory_limit_bytes=config.memory_limit_bytes,
        )
        self.lifecycle = Lifecycle(
            self.store, self.log, self._runner, self.faults, self.projects, terminal, config
        )
        self.lifecycle.page = lambda name: f"{self.http_address}/{name}" if self.http_address else ""
        self.services = self._make_services()
        self._gateway = Gateway(self.services, Page(self.store, self.log, self.projects))
        self._server: grpc.aio.Server | None = None
        self._control_server: grpc.aio.Server | None = None
        self._endpoint = _endpoint(config)
        self.address = ""
        self.http_address = ""
        self.control_address = ""

    async def __aenter__(self) -> Self:
        try:
            # First of all: who gets an answer may ask for anything at once, also to cancel a job.
            self.lifecycle.resume()
            await self.resume_serving()
            if self._config.control_port is not None:
                handlers = ControlServicer(self).handlers()
                self._control_server = _server(grpc.method_handlers_generic_handler(SERVICE_NAME, handlers))
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
        server = _server(ApiHandler(self.services))
        if isinstance(self._endpoint, Port):
            await self._bind_both(self._endpoint, server)
        else:
            self._endpoint.bind(server)
        await server.start()
        self._server = server
        self.address = self._endpoint.address

    async def _bind_both(self, port: Port, server: grpc.aio.Server) -> None:
        """Listen at a port, and at the next one for HTTP."""
        attempts = 1 if port.number else _ATTEMPTS
        for left in reversed(range(attempts)):
            sockets = port.open_next()
            try:
                port.bind(server, self._credentials())
            except OSError:
                for opened in sockets:
                    opened.close()
                if not left:
                    raise
                port.number = 0
            else:
                await self._gateway.start(sockets, self._tls)
                scheme = "http" if self._config.tls_cert is None else "https"
                self.http_address = f"{scheme}://{port.next_address}"
                return

    async def pause_serving(self) -> None:
        """Cut the API's connections and refuses new ones. Jobs go on."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(grace=None)
        await self._gateway.stop()

    def _make_services(self) -> dict[str, dict[str, Method]]:
        operations = OperationStore(self._database, self.projects)
        refuse = self._config.unknown_machines == "refuse"
        check = partial(check_custom_job, refuse_unknown_machines=refuse)
        jobs = JobServicer(
            self.gate, self.store, self.lifecycle, operations, check, self.projects, self.faults
        )
        return {
            JOB_SERVICE: jobs.methods(),
            LOGGING_SERVICE: LoggingServicer(self.gate, self.log, self.projects, self.faults).methods(),
            OPERATIONS: OperationsServicer(self.gate, operations, self.projects).methods(),
            LOCATIONS: LocationsServicer(self.gate, self.projects).methods(),
        }

    def _credentials(self) -> grpc.ServerCredentials | None:
        if self._config.tls_cert is None or self._config.tls_key is None:
            return None
        pair = (self._config.tls_key.read_bytes(), self._config.tls_cert.read_bytes())
        return grpc.ssl_server_credentials([pair])


def _server(handler: grpc.GenericRpcHandler) -> grpc.aio.Server:
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers([handler])
    return server


def _tls(config: EmulatorConfig) -> ssl.SSLContext | None:
    if config.tls_cert is None or config.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key)
    except OSError as error:
        problem = f"must be PEM files of a certificate and its key, {config.tls_cert} and {config.tls_key}"
        raise ValueError(f"tls_cert and tls_key: {problem}: {error}") from error
    return context


def _make_storage(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        problem = f"must be a folder that can be written, {folder}: {error.strerror}"
        raise ValueError(f"storage: {problem}") from error


def _endpoint(config: EmulatorConfig) -> Port | UnixSocket:
    return UnixSocket(config.unix_socket) if config.unix_socket else Port(config.host, config.port)


def _control_endpoint(config: EmulatorConfig, port: int) -> Port | UnixSocket:
    if config.unix_socket is None:
        return Port(config.host, port)
    return UnixSocket(config.unix_socket.with_name(f"{config.unix_socket.name}.control"))
