"""The API as gRPC serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from airflow_vertex_training.emulator.api.errors import ApiError, not_served

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_vertex_training.emulator.api.gate import Method
    from airflow_vertex_training.emulator.api.messages import Message

__all__ = ["ApiHandler"]


class ApiHandler(grpc.GenericRpcHandler):
    """Hands each call to its method; every other call is told that the emulator lacks it.

    Args:
        services: The methods, by name of the service and of the method.
    """

    def __init__(self, services: Mapping[str, Mapping[str, Method]]) -> None:
        self._handlers = {
            f"/{service}/{name}": _handler(method)
            for service, methods in services.items()
            for name, method in methods.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """Return what answers a call."""
        path = handler_call_details.method
        return self._handlers.get(path) or _refusal(not_served(path.lstrip("/")))


def _handler(method: Method) -> grpc.RpcMethodHandler[Any, Any]:
    async def serve(request: Message, context: grpc.aio.ServicerContext[Message, Message]) -> Message:
        try:
            return await method.answer(request, context.peer())
        except ApiError as error:
            await context.abort(error.code, error.message, error.trailing_metadata())

    handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
        serve,
        request_deserializer=method.request.FromString,
        response_serializer=lambda answer: answer.SerializeToString(),
    )
    return handler


def _refusal(error: ApiError) -> grpc.RpcMethodHandler[Any, Any]:
    async def refuse(_: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        await context.abort(error.code, error.message)

    # A stream of bytes in and out fits every kind of call.
    return grpc.stream_stream_rpc_method_handler(refuse)
