"""Where Vertex AI's JobService answers, and the channels to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from google.api_core import grpc_helpers, grpc_helpers_async
from google.api_core.gapic_v1.client_info import ClientInfo
from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient, JobServiceClient
from google.cloud.aiplatform_v1.services.job_service.transports import (
    JobServiceGrpcAsyncIOTransport,
    JobServiceGrpcTransport,
)

from airflow_vertex_training import __version__
from airflow_vertex_training.vertex.api.emulator import check_address, emulator_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.auth.credentials import Credentials

CLIENT_INFO = ClientInfo(user_agent=f"airflow-vertex-training/{__version__}")
# A connection that died without a word is noticed after half a minute, and one that is back after an
# outage is found within ten seconds instead of gRPC's two minutes.
# https://grpc.github.io/grpc/core/group__grpc__arg__keys.html
_CHANNEL_OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_reconnect_backoff_ms", 10_000),
)


@dataclass(frozen=True)
class Endpoint:
    """Address of a JobService, and whether it is the emulator, which speaks plaintext.

    Address: ``host[:port]``; for the emulator also ``unix:FILE``.
    """

    address: str
    is_emulator: bool = False


def endpoint(region: str, api_endpoint: str | None, environ: Mapping[str, str] | None = None) -> Endpoint:
    """Return where to call for jobs of ``region``.

    Args:
        region: such as ``us-central1``.
        api_endpoint: ``host[:port]`` of a private endpoint, or ``None`` for the region's public one.
        environ: the environment; default that of the process. ``VERTEX_AI_EMULATOR_HOST`` wins over all.

    Raises:
        InvalidJobError: ``api_endpoint`` is no ``host[:port]``, or the variable is neither that nor
            ``unix:FILE``.
    """
    emulator = emulator_address(environ)
    if emulator:
        return Endpoint(emulator, is_emulator=True)
    if api_endpoint:
        check_address("api_endpoint", api_endpoint)
        return Endpoint(api_endpoint)
    return Endpoint(f"{region}-aiplatform.googleapis.com")


def open_client(where: Endpoint, credentials: Credentials) -> JobServiceClient:
    """Open a channel for synchronous calls; close it with ``client.transport.close()``."""
    if where.is_emulator:
        channel: Any = grpc.insecure_channel(where.address, options=list(_CHANNEL_OPTIONS))
    else:
        channel = _secure_channel
    transport = JobServiceGrpcTransport(
        host=where.address, credentials=credentials, channel=channel, client_info=CLIENT_INFO
    )
    return JobServiceClient(transport=transport, client_info=CLIENT_INFO)


def open_async_client(where: Endpoint, credentials: Credentials) -> JobServiceAsyncClient:
    """Open a channel for asynchronous calls of the running event loop; close it as above, with ``await``."""
    transport = JobServiceGrpcAsyncIOTransport(
        host=where.address,
        credentials=credentials,
        channel=async_channel(where),
        client_info=CLIENT_INFO,
    )
    return JobServiceAsyncClient(transport=transport, client_info=CLIENT_INFO)


def async_channel(where: Endpoint) -> Any:
    """Return a channel of the running event loop, or what makes one of the credentials that it is given."""
    if where.is_emulator:
        # As large as the answer may be, as in the channels that the generated clients make.
        options = [*_CHANNEL_OPTIONS, ("grpc.max_receive_message_length", -1)]
        return grpc.aio.insecure_channel(where.address, options=options)
    return _secure_async_channel


def _secure_channel(*args: Any, options: Any = (), **kwargs: Any) -> grpc.Channel:
    channel: grpc.Channel = grpc_helpers.create_channel(
        *args, options=[*options, *_CHANNEL_OPTIONS], **kwargs
    )
    return channel


def _secure_async_channel(*args: Any, options: Any = (), **kwargs: Any) -> grpc.aio.Channel:
    channel: grpc.aio.Channel = grpc_helpers_async.create_channel(
        *args, options=[*options, *_CHANNEL_OPTIONS], **kwargs
    )
    return channel
