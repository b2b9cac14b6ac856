"""Which HTTP request means which method, and the way from JSON to its message and back.

Google's rules: https://google.aip.dev/127 and the comments of `google/api/http.proto`. The paths stand in the
protos as `google.api.http` options, which the installed client library leaves out of its descriptors; a test
compares this table with what that library sends.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import descriptor, json_format
from google.rpc import error_details_pb2

from airflow_vertex_training.emulator.api.errors import ApiError
from airflow_vertex_training.emulator.api.services import (
    JOB_SERVICE,
    LOCATIONS,
    LOGGING_SERVICE,
    OPERATIONS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_vertex_training.emulator.api.messages import Message

__all__ = ["ROUTES", "Route", "find", "read_request"]

_SYSTEM_PARAMETERS = frozenset(
    {
        *("$.xgafv", "$alt", "access_token", "alt", "callback", "fields", "key", "oauth_token"),
        *("prettyPrint", "quotaUser", "uploadType", "upload_protocol"),
    }
)
"""What every API of Google's takes beside its own: https://cloud.google.com/apis/docs/system-parameters."""

_PAYLOAD = "Invalid JSON payload received."


@dataclass(frozen=True)
class Route:
    """One kind of HTTP request.

    Args:
        verb: `GET`, `POST` or `DELETE`.
        template: The path, as `google.api.http` writes it.
        service: The gRPC service.
        method: The service's method.
        body: The request's field that the body is; `*` is the whole request, empty is no body.
    """

    verb: str
    template: str
    service: str
    method: str
    body: str = ""

    def match(self, verb: str, path: str) -> dict[str, str] | None:
        """Return the fields that stand in a path; None if the request is another."""
        found = _pattern(self.template).fullmatch(path) if verb == self.verb else None
        return None if found is None else found.groupdict()


_JOBS = "/v1/{parent=projects/*/locations/*}/customJobs"
_JOB = "/v1/{name=projects/*/locations/*/customJobs/*}"

ROUTES = (
    Route("POST", _JOBS, JOB_SERVICE, "CreateCustomJob", "custom_job"),
    Route("GET", _JOBS, JOB_SERVICE, "ListCustomJobs"),
    Route("GET", _JOB, JOB_SERVICE, "GetCustomJob"),
    Route("DELETE", _JOB, JOB_SERVICE, "DeleteCustomJob"),
    Route("POST", f"{_JOB}:cancel", JOB_SERVICE, "CancelCustomJob", "*"),
    Route("GET", "/v1/{name=projects/*/locations/*/operations/*}", OPERATIONS, "GetOperation"),
    Route("GET", "/v1/{name=projects/*/locations/*}", LOCATIONS, "GetLocation"),
    Route("GET", "/v1/{name=projects/*}/locations", LOCATIONS, "ListLocations"),
    Route("POST", "/v2/entries:list", LOGGING_SERVICE, "ListLogEntries", "*"),
)


def find(verb: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Find what a request asks for.

    Args:
        verb: Its HTTP method.
        path: Its path, decoded.

    Returns:
        The route, and the fields that stand in the path; None if there is none.
    """
    for route in ROUTES:
        fields = route.match(verb, path)
        if fields is not None:
            return route, fields
    return None


def read_request(
    route: Route, message: Message, path: Mapping[str, str], query: Mapping[str, str], body: bytes
) -> None:
    """Fill a message from an HTTP request.

    Args:
        route: What was asked for.
        message: An empty request of its method.
        path: The fields that stand in the path.
        query: The query's parameters.
        body: The body.

    Raises:
        ApiError: INVALID_ARGUMENT: something in it is no field of the message, or no value for its field.
    """
    if route.body:
        _read_body(message if route.body == "*" else getattr(message, route.body), route.body, body)
    for name, text in query.items():
        if name not in _SYSTEM_PARAMETERS:
            _read_parameter(message, name, text)
    for name, text in path.items():
        setattr(message, name, text)


def _pattern(template: str) -> re.Pattern[str]:
    found = re.fullmatch(r"(.*)\{(\w+)=(.*)\}(.*)", template)
    if found is None:
        return re.compile(re.escape(template))
    start, field, inner, end = found.groups()
    segments = inner.replace("*", "[^/]+")
    return re.compile(f"{re.escape(start)}(?P<{field}>{segments}){re.escape(end)}")


def _read_body(message: Message, place: str, body: bytes) -> None:
    try:
        values = json.loads(body or b"{}")
        if not isinstance(values, dict):
            raise _invalid(f"{_PAYLOAD} Root element must be a message.")
        json_format.ParseDict(values, message)
    except json_format.ParseError as error:
        raise _parse_error(str(error), "" if place == "*" else place) from error
    except (RecursionError, ValueError) as error:
        raise _invalid(f"{_PAYLOAD} The body is no JSON: {error}") from error
    # A JSON object that is there is set, also when it is empty.
    message.SetInParent()


def _parse_error(text: str, place: str) -> ApiError:
    """Put an error of the JSON parser's in Google's words, and name the field as the API does.

    The parser says `Failed to parse jobSpec field: ` for each field on its way, what is wrong, and often
    ` at CustomJob.jobSpec`, where `CustomJob` is the body.
    """
    unknown = re.search(r'has no field named "([^"]+)"(?: at "([^"]*)")?', text)
    if unknown is not None:
        inner = unknown[2].partition(".")[2] if unknown[2] else ""
        where = ".".join(filter(None, (place, _snake(inner))))
        at = f" at {where!r}" if where else ""
        return _invalid(f'{_PAYLOAD} Unknown name "{unknown[1]}"{at}: Cannot find field.', where)
    names, problem = [], text.rstrip(".")
    while found := re.match(r"Failed to parse (\w+) field: ", problem):
        names.append(found[1])
        problem = problem[found.end() :]
    inner = ".".join(names)
    if found := re.search(r' at "?\w+(?:\.([^"\s]+))?"?$', problem):
        problem = problem[: found.start()].rstrip(".")
        if found[1] and found[1].count(".") >= inner.count("."):
            inner = found[1]  # it has the indexes, too
    where = ".".join(filter(None, (place, _snake(inner))))
    return _invalid(f"Invalid value at {where!r}: {problem}.", where)


def _read_parameter(message: Message, name: str, text: str) -> None:
    field = message.DESCRIPTOR.fields_by_camelcase_name.get(name) or message.DESCRIPTOR.fields_by_name.get(
        name
    )
    if field is None:
        problem = f'Unknown name "{name}": Cannot bind query parameter. Field {name!r} could not be found'
        raise _invalid(f"{_PAYLOAD} {problem} in request message.")
    try:
        _set(message, field, text)
    except (AttributeError, TypeError, ValueError) as error:
        raise _invalid(f"Invalid value at {field.name!r}, {json.dumps(text)}", field.name) from error


def _set(message: Message, field: Any, text: str) -> None:
    if field.message_type is not None and field.message_type.full_name == "google.protobuf.FieldMask":
        paths = (_snake(path.strip()) for path in text.strip('"').split(","))
        getattr(message, field.name).paths.extend(path for path in paths if path)
    elif field.cpp_type == descriptor.FieldDescriptor.CPPTYPE_STRING:
        setattr(message, field.name, text)
    else:
        setattr(message, field.name, int(text))


def _snake(text: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", text)


def _invalid(text: str, field: str = "") -> ApiError:
    details = []
    if field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=text)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    return ApiError(grpc.StatusCode.INVALID_ARGUMENT, text, details)
