"""Reads a job as the API's own message: a dict in snake or camel case, a gcloud config; also as text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec.layers import Layer
from airflow_vertex_training.vertex.spec.message import OUTPUT_ONLY, POOLS, by_place, snake
from airflow_vertex_training.vertex.spec.objects import plain
from airflow_vertex_training.vertex.spec.reader import KEY_IS_OPEN, Open, OpenPart, Reader, Said, is_settled
from airflow_vertex_training.vertex.spec.table import ITEMS, JOB, POOL
from airflow_vertex_training.vertex.spec.values import is_list, written_out
from airflow_vertex_training.vertex.spec.words import choices, kind, nearest

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_vertex_training.vertex.spec.layers import Fields

PROGRAMS = ("container_spec", "python_package_spec")
"""Parts of a worker pool that say what it runs: one of them."""


def read(data: Any, where: str, reader: Reader) -> Layer:
    """Read a ``CustomJobSpec``, a ``CustomJob`` or the request to create one.

    What the table does not know is a warning that names the nearest known field; it goes into the message as
    it is, where the client library may know it.

    Args:
        data: the message, as a dict, as the client library has it, or as text in JSON or YAML.
        where: its name in messages.
        reader: keeps what is wrong.
    """
    walk = _Walk(reader)
    walk.whole(plain(_parsed(data)), where)
    return Layer(walk.said, {}, walk.pools, walk.other, unknown=walk.unknown)


def _parsed(data: Any) -> Any:
    """Return what text says, where it is a document of several lines; anything else as it is."""
    data = written_out(data)
    if not isinstance(data, str) or ":" not in data:
        return data
    from airflow_vertex_training.vertex.spec.yaml_text import YamlError, load

    try:
        return load(data)
    except YamlError:
        return data


class _Walk:
    """A walk through a message.

    Attributes:
        said: rows of the job.
        pools: rows of each pool.
        other: what the table does not know, by its place in the message.
        unknown: whether the message says more than is known yet, or than can be read.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.said: dict[str, Said] = {}
        self.pools: list[Fields] | None = None
        self.other: dict[str, Said] = {}
        self.unknown = False

    def whole(self, data: Any, where: str) -> None:
        """Read a message of a job, of its spec, or of the request: their fields have no name in common."""
        if not isinstance(data, Mapping):
            self.unknown = True
            self.reader.wrong(where, f"must be a dict with the fields of a CustomJobSpec, got {kind(data)}")
            return
        for key, value in data.items():
            at, name = f"{where}.{key}", _name(key)
            if name == "custom_job":
                self.whole(value, at)
            elif name in _IGNORED:
                if value:
                    self.reader.warn(at, f"is ignored: {_IGNORED[name]}")
            else:
                self.field("job", name if name in _TOPS else f"job_spec.{name}", value, at, self.said)

    def field(
        self, scope: str, place: str, value: Any, where: str, said: dict[str, Said], before: str = ""
    ) -> None:
        """Read one field and what is in it."""
        if value is None:
            return
        known = by_place(scope)
        if before + place == POOLS:
            self._pools(value, where)
        elif place in known:
            row = (JOB if scope == "job" else POOL)[known[place]]
            value = self._items(row.items, value, before + place, where) if row.items else value
            self._keep(said, known[place], self.reader.said(row, value, where))
        elif any(each.startswith(f"{place}.") for each in known):
            self._group(scope, place, value, where, said, before)
        else:
            self._unknown(before + place, value, where)

    def _group(
        self, scope: str, place: str, value: Any, where: str, said: dict[str, Said], before: str
    ) -> None:
        value = written_out(value)
        inside = {each: name for each, name in by_place(scope).items() if each.startswith(f"{place}.")}
        if self.reader.is_open(value):
            # None of its fields is known yet.
            said.update({name: Said(OpenPart(value), where) for name in inside.values()})
            self.unknown = self.unknown or place == "job_spec"
        elif isinstance(value, Mapping):
            for key, each in value.items():
                self.field(scope, f"{place}.{_name(key)}", each, f"{where}.{key}", said, before)
        elif not isinstance(value, str) or value.strip():
            names = dict.fromkeys(each[len(place) + 1 :].partition(".")[0] for each in inside)
            self.reader.wrong(where, f"must be a dict with {choices(names)}, got {kind(value)}")

    def _pools(self, value: Any, where: str) -> None:
        value = written_out(value)
        if self.pools is not None:
            self.reader.wrong(where, "are said twice: say them once")
        if self.reader.is_open(value):
            self.unknown = True
            return
        if isinstance(value, Mapping):
            # As gcloud takes a single one, and its own help writes it.
            value = [value]
        if not is_list(value):
            self.unknown = True
            self.reader.wrong(where, f"must be a list of dicts, got {kind(value)}")
            return
        pools = [self._pool(pool, index, f"{where}[{index}]") for index, pool in enumerate(value)]
        self.pools = pools or None

    def _pool(self, value: Any, index: int, where: str) -> Fields:
        value = written_out(value)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            if not self.reader.is_open(value):
                self.reader.wrong(
                    where, f"must be a dict with the fields of a WorkerPoolSpec, got {kind(value)}"
                )
            return {name: Said(OpenPart(value), where) for name in POOL}
        said: dict[str, Said] = {}
        runs = None
        for key, each in value.items():
            name, at = _name(key), f"{where}.{key}"
            if each and name in PROGRAMS:
                runs = runs or name
                if name != runs:
                    self.reader.wrong(at, f"does not go with {runs}: a pool runs a container or a package")
                    continue
            self.field("pool", name, each, at, said, f"{POOLS}[{index}].")
        # The client library writes an empty place as a pool whose fields are all none.
        return said if any(each.value not in (None, {}) for each in said.values()) else {}

    def _items(self, kind_of: type[Any], value: Any, place: str, where: str) -> Any:
        """Return a list of the API's objects with the names of ours; keep what those have not."""
        value = written_out(value)
        if isinstance(value, Mapping):
            value = [value]
        if not is_list(value):
            return value
        known = {row.message: name for name, row in ITEMS[kind_of].items()}
        found: list[Any] = []
        for index, item in enumerate(value):
            if not isinstance(item, Mapping):
                found.append(item)
                continue
            mine: dict[str, Any] = {}
            for key, each in item.items():
                name = _name(key)
                if name in known:
                    mine[known[name]] = each
                elif each is not None:
                    self._unknown(f"{place}[{index}].{name}", each, f"{where}[{index}].{key}", known)
            found.append(mine)
        return found

    def _keep(self, said: dict[str, Said], name: str, value: Said) -> None:
        known = name in said and is_settled(said[name].value) and is_settled(value.value)
        if known and said[name].value != value.value:
            self.reader.wrong(value.where, f"is said differently in {said[name].where}: say it once")
        said[name] = value

    def _unknown(self, place: str, value: Any, where: str, known: Collection[str] = ()) -> None:
        if self.reader.is_open(place):
            self.reader.wrong(where, KEY_IS_OPEN)
            return
        self.reader.warn(where, f"is no field that this package knows{_offer(place, known)}")
        if not self._is_json(value):
            self.reader.wrong(where, f"must be text, a number, a list or a dict, got {kind(value)}")
        self.other[place] = Said(value if not self.reader.is_open(value) else Open(value), where)

    def _is_json(self, value: Any) -> bool:
        """Whether a value can be in a message, once what is open in it is known."""

        def known(value: Any) -> None:
            if not self.reader.is_open(value):
                msg = f"{type(value).__name__} is no JSON"
                raise TypeError(msg)

        try:
            json.dumps(value, default=known)
        except (TypeError, ValueError, RecursionError):
            return False
        return True


def _offer(place: str, known: Collection[str]) -> str:
    """Return what may have been meant, with the way to it, where that is another."""
    way, _, name = place.rpartition(".")
    if known:
        right = nearest(name, known)
        return f": did you mean {right!r}?" if right else ""
    if way == "job_spec" and name in _TOPS:
        return f": write {name} beside job_spec"
    pool = place.startswith(f"{POOLS}[")
    if pool:
        way = way.partition("].")[2]
    ways = {each.rpartition(".")[2]: each for each in _ways("pool" if pool else "job")}
    right = nearest(name, ways)
    if right is None:
        return ""
    same = ways[right].rpartition(".")[0] == way
    return f": did you mean {right if same else ways[right].removeprefix('job_spec.')!r}?"


def _ways(scope: str) -> dict[str, None]:
    """Return all places of a scope and the places that they are in; the shorter come last."""
    places = [*by_place(scope), *([POOLS] if scope == "job" else ())]
    steps = [place.split(".") for place in places]
    found = {".".join(each[:length]) for each in steps for length in range(1, len(each) + 1)}
    return dict.fromkeys(sorted(found, key=lambda place: (-place.count("."), place)))


def _name(key: Any) -> str:
    """Return a key as the name of a field; what would lead elsewhere in a place's name becomes ``_``."""
    return re.sub(r"[.\[\]]", "_", snake(str(key)))


_IGNORED = {**OUTPUT_ONLY, "parent": "region and project_id say where the job runs"}
_TOPS = {place.partition(".")[0] for place in by_place("job")}
