"""The fields of a log entry, as queries name them.

"Field path identifiers" of https://cloud.google.com/logging/docs/view/logging-query-language has the list.
What is no field of `LogEntry` is refused before the query runs; a field that an entry doesn't have is
*defaulted*; a key that a payload or a map of labels doesn't have is *missing*.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_vertex_training.emulator.api.filter_grammar import Path
    from airflow_vertex_training.emulator.logs.logbook import Entry

__all__ = ["MAPS", "SEVERITY", "TIMES", "Absent", "reader", "values"]


class Absent(Enum):
    """Why a field has no value."""

    MISSING = "missing"
    NULL = "null"


SEVERITY: Path = ("severity",)
TIMES: frozenset[Path] = frozenset({("timestamp",), ("receivetimestamp",)})
"""Fields that hold nanoseconds since 1970."""

_HELD: dict[Path, Callable[[Entry], Any]] = {
    ("logname",): lambda entry: entry.log_name,
    ("resource", "type"): lambda _: "ml_job",
    ("timestamp",): lambda entry: entry.nanoseconds,
    ("receivetimestamp",): lambda entry: entry.received,
    SEVERITY: lambda entry: entry.severity,
    ("insertid",): lambda entry: entry.insert_id,
    ("textpayload",): lambda entry: entry.payload if entry.is_text else "",
}

# Fields of LogEntry that no entry of a job has.
_DEFAULTS: dict[Path, object] = {
    **dict.fromkeys([("trace",), ("spanid",)], ""),
    ("tracesampled",): False,
    **dict.fromkeys([("operation", "id"), ("operation", "producer")], ""),
    **dict.fromkeys([("operation", "first"), ("operation", "last")], False),
    **dict.fromkeys([("sourcelocation", "file"), ("sourcelocation", "function")], ""),
    ("sourcelocation", "line"): 0,
    ("split", "uid"): "",
    **dict.fromkeys([("split", "index"), ("split", "totalsplits")], 0),
    **{
        ("httprequest", name): ""
        for name in (
            "protocol",
            "referer",
            "remoteip",
            "requestmethod",
            "requesturl",
            "serverip",
            "useragent",
        )
    },
    **{
        ("httprequest", name): 0
        for name in ("cachefillbytes", "latency", "requestsize", "responsesize", "status")
    },
    **{
        ("httprequest", name): False for name in ("cachehit", "cachelookup", "cachevalidatedwithoriginserver")
    },
}

# Of these the next part of the path is a key, whose case counts.
_MAPS: dict[Path, Callable[[Entry], Any]] = {
    ("resource", "labels"): lambda entry: entry.resource_labels,
    ("labels",): lambda entry: entry.labels,
    ("jsonpayload",): lambda entry: Absent.MISSING if entry.is_text else json.loads(entry.payload),
    ("protopayload",): lambda _: Absent.MISSING,
    ("metadata",): lambda _: Absent.MISSING,
}

MAPS = frozenset({"labels", "jsonpayload", "protopayload", "metadata"})
"""Where a missing key and a default value are two things."""


def reader(path: Path) -> tuple[Path, Callable[[Entry], Any]]:
    """Find a field.

    Args:
        path: As a query writes it. The fields of `LogEntry` may be in any case, and in snake case.

    Returns:
        The path in one writing, and a function that reads the field's value from an entry: an `Absent` where
        it has none.

    Raises:
        KeyError: There is no such field.
    """
    plain = tuple(part.replace("_", "").lower() for part in path)
    if plain in _HELD:
        return plain, _HELD[plain]
    if plain in _DEFAULTS:
        default = _DEFAULTS[plain]
        return plain, lambda _: default
    for length in (1, 2):
        read = _MAPS.get(plain[:length])
        if read is not None:
            return (*plain[:length], *path[length:]), _key_reader(read, path[length:])
    raise KeyError(path)


def values(entry: Entry) -> Iterator[Any]:
    """Go through all that an entry holds, for a word that may be in any field."""
    for path, read in _HELD.items():
        if path not in TIMES and path != SEVERITY:
            yield read(entry)
    for read in _MAPS.values():
        yield read(entry)


def _key_reader(read: Callable[[Entry], Any], keys: Path) -> Callable[[Entry], Any]:
    def read_key(entry: Entry) -> Any:
        value = read(entry)
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                return Absent.MISSING
            value = value[key]
        return Absent.NULL if value is None else value

    return read_key
