"""The API over HTTP, as Google's JSON API, and the emulator's own page: both on one port.

The emulator runs the commands that it is sent, so no website may reach it. A browser says in `Origin` whose
page sends a request, and in `Host` which name it has looked up: an attacker's name may lead to a loopback
address. And what a page sends without asking first is never labelled as JSON.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import grpc
from aiohttp import web
from google.protobuf import json_format

from airflow_vertex_training.emulator.api import routes
from airflow_vertex_training.emulator.api.errors import ApiError, not_served
from airflow_vertex_training.emulator.config import is_loopback

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterable, Mapping

    from airflow_vertex_training.emulator.api.gate import Method
    from airflow_vertex_training.emulator.api.messages import Message
    from airflow_vertex_training.emulator.api.page import Page

__all__ = ["Gateway"]

# What gRPC takes by default.
_MAX_BODY = 4 * 1024 * 1024

# How long each of two steps may take when connections are cut.
_CUT_SECONDS = 0.01

# google/rpc/code.proto
_HTTP_STATUS = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
}

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


class Gateway:
    """Serves the methods over HTTP.

    Args:
        services: The methods, by name of the service and of the method.
        page: What a browser is shown.
    """

    def __init__(self, services: Mapping[str, Mapping[str, Method]], page: Page) -> None:
        self._services = services
        self._page = page
        self._runner: web.AppRunner | None = None

    async def start(
        self, sockets: Iterable[socket.socket], certificate: ssl.SSLContext | None = None
    ) -> None:
        """Serve.

        Args:
            sockets: Bound ones; they are closed in the end.
            certificate: For TLS.
        """
        application = web.Application(client_max_size=_MAX_BODY)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=_CUT_SECONDS
        )
        await runner.setup()
        for bound in sockets:
            await web.SockSite(runner, bound, ssl_context=certificate).start()

    async def stop(self) -> None:
        """Cut all connections and take no more."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            _refuse_websites(request)
            if request.method in ("GET", "HEAD"):
                shown = self._page.render(request.path)
                if shown is not None:
                    status, text = shown
                    return web.Response(
                        status=status, text=text, content_type="text/html", headers=_PAGE_HEADERS
                    )
            return _json_response(200, _as_dict(await self._answer(request), request))
        except ApiError as error:
            return _error_response(error)

    async def _answer(self, request: web.Request) -> Message:
        found = routes.find(request.method, request.path)
        if found is None:
            raise not_served(f"{request.method} {request.path}")
        route, path = found
        method = self._services[route.service][route.method]
        message = method.request()
        routes.read_request(route, message, path, request.query, await _read(request))
        return await method.answer(message, _peer(request))


def _refuse_websites(request: web.Request) -> None:
    if "Origin" in request.headers:
        raise _refused("comes from a website (it has an Origin header)")
    try:
        host = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        host = ""
    if not is_loopback(host):
        raise _refused(f"was sent to {host!r}, which is no name of this machine (localhost, 127.0.0.1, ::1)")


def _refused(why: str) -> ApiError:
    return ApiError(
        grpc.StatusCode.PERMISSION_DENIED,
        f"The request {why}. The Vertex AI emulator runs the commands that it is sent, so it answers only "
        "programs of this machine.",
    )


async def _read(request: web.Request) -> bytes:
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        problem = f"The body must be at most {_MAX_BODY} bytes long."
        raise ApiError(grpc.StatusCode.INVALID_ARGUMENT, problem) from None
    if body and request.content_type != "application/json":
        problem = (
            "The body must be JSON, and say so with the header 'Content-Type: application/json'. This one "
            f"says {request.content_type!r}."
        )
        raise ApiError(grpc.StatusCode.INVALID_ARGUMENT, problem)
    return body


def _peer(request: web.Request) -> str:
    # The transport is gone once the client is.
    name = None if request.transport is None else request.transport.get_extra_info("peername")
    return f"http:{name}"


def _as_dict(message: Message, request: web.Request) -> dict[str, Any]:
    return json_format.MessageToDict(
        message, use_integers_for_enums="enum-encoding=int" in request.query.get("$alt", "")
    )


def _error_response(error: ApiError) -> web.Response:
    status = _HTTP_STATUS[error.code.name]
    shown: dict[str, Any] = {"code": status, "message": error.message, "status": error.code.name}
    if error.details:
        shown["details"] = json_format.MessageToDict(error.status())["details"]
    return _json_response(status, {"error": shown})


def _json_response(status: int, value: dict[str, Any]) -> web.Response:
    return web.json_response(value, status=status, dumps=lambda answer: json.dumps(answer, indent=2) + "\n")
