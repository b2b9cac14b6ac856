"""Cloud Logging's list of entries: where it answers, the channel to it, and the one call that is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2AsyncClient
from google.cloud.logging_v2.services.logging_service_v2.transports import (
    LoggingServiceV2GrpcAsyncIOTransport,
)
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse

from airflow_vertex_training.vertex.api.connection import AsyncConnection
from airflow_vertex_training.vertex.api.emulator import check_address
from airflow_vertex_training.vertex.api.endpoint import CLIENT_INFO, Endpoint, async_channel
from airflow_vertex_training.vertex.api.retries import LIST_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from google.auth.credentials import Credentials

_PUBLIC = "logging.googleapis.com"


def logging_endpoint(vertex: Endpoint, address: str | None) -> Endpoint:
    """Return where Cloud Logging answers.

    Args:
        vertex: where Vertex AI does; an emulator answers for both.
        address: ``host[:port]`` of a private endpoint, or ``None`` for the public one.

    Raises:
        InvalidJobError: ``address`` is no ``host[:port]``.
    """
    if vertex.is_emulator:
        return vertex
    if address:
        check_address("logging_endpoint", address)
    return Endpoint(address or _PUBLIC)


def open_async_logging_client(where: Endpoint, credentials: Credentials) -> LoggingServiceV2AsyncClient:
    """Open a channel for calls of the running event loop; close it: ``await client.transport.close()``."""
    transport = LoggingServiceV2GrpcAsyncIOTransport(
        host=where.address,
        credentials=credentials,
        channel=async_channel(where),
        client_info=CLIENT_INFO,
    )
    return LoggingServiceV2AsyncClient(transport=transport, client_info=CLIENT_INFO)


class AsyncLogs(AsyncConnection):
    """The log entries of one project, for an event loop: single calls, none repeated.

    Args:
        connect: opens a client.
        project: project id or number.
        call_timeout: deadline of a call in seconds.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[LoggingServiceV2AsyncClient]],
        project: str,
        *,
        call_timeout: float = LIST_TIMEOUT,
    ) -> None:
        super().__init__(connect)
        self.project = project
        self._timeout = call_timeout

    async def page(self, filter_: str, order_by: str, page_size: int, page_token: str = "") -> Any:
        """Return a page of a list as the bare protobuf message, which is quicker than the wrapped one.

        Args:
            filter_: in Cloud Logging's query language.
            order_by: ``timestamp asc`` or ``timestamp desc``.
            page_size: 1 to 1000.
            page_token: of the page, empty for the first one.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: as the API answers it.
        """
        request = ListLogEntriesRequest(
            resource_names=[f"projects/{self.project}"],
            filter=filter_,
            order_by=order_by,
            page_size=page_size,
            page_token=page_token,
        )
        # The generated client would repeat the call by itself, beside the budget.
        pager = await self._client.list_log_entries(request, retry=None, timeout=self._timeout)
        return ListLogEntriesResponse.pb(await anext(pager.pages))
