"""The table of fields is the client library's CustomJob, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.cloud import aiplatform_v1

from airflow_vertex_training.provider_info import get_provider_info
from airflow_vertex_training.vertex.spec import table
from airflow_vertex_training.vertex.spec.message import OUTPUT_ONLY, POOLS
from airflow_vertex_training.vertex.spec.pools import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Iterator

# Messages whose fields stand in one row: what a row holds is more than a number or a text.
_WHOLE = {"google.protobuf.Duration", "google.cloud.aiplatform.v1.EnvVar"}


def _fields(descriptor: Any, place: str = "") -> Iterator[str]:
    """Yield the place of every field of a message and of the messages in it."""
    for field in descriptor.fields:
        here = f"{place}.{field.name}" if place else field.name
        inner = field.message_type
        if here in OUTPUT_ONLY or inner is None or inner.full_name in _WHOLE or inner.GetOptions().map_entry:
            yield here
        else:
            yield from _fields(inner, here)


def _places() -> dict[str, str]:
    """Return the place in the message of every row, to the row's name."""
    found = {row.message: name for name, row in table.JOB.items() if row.message}
    for name, row in table.POOL.items():
        found[f"{POOLS}.{row.message}"] = f"worker_pools[].{name}"
        if row.package_message:
            found[f"{POOLS}.{row.package_message}"] = f"worker_pools[].{name}"
    for place, name in list(found.items()):
        row = table.POOL[name.partition("].")[2]] if name.startswith("worker_pools") else table.JOB[name]
        if row.items:
            del found[place]
            found.update({f"{place}.{inner.message}": name for inner in table.ITEMS[row.items].values()})
    return found


def test_every_field_of_the_client_is_covered() -> None:
    """A field of the installed client has a row, or a reason for none: a newer client shows what is new."""
    clients = set(_fields(aiplatform_v1.CustomJob.pb().DESCRIPTOR))
    ours = set(_places())
    covered, answered = len(clients & ours), len(clients & OUTPUT_ONLY.keys())
    print(f"{len(clients)} fields: {covered} covered, {answered} only answered")  # noqa: T201 - for who runs it
    assert clients - ours - OUTPUT_ONLY.keys() == set()
    assert ours - clients == set()
    assert OUTPUT_ONLY.keys() - clients == set()


def test_a_connection_has_the_fields_that_it_may_say() -> None:
    """The connection form has a field for each row that a connection may say."""
    info: Any = get_provider_info()
    form = info["connection-types"][0]["conn-fields"]
    assert table.CONNECTION.keys() <= form.keys()


def test_units_are_made_of_rows() -> None:
    """What belongs together is named as the table names it."""
    known = {*table.JOB, *table.POOL}
    assert [name for leads, members in table.UNITS for name in leads | members if name not in known] == []
    assert all(leads <= members for leads, members in table.UNITS)


@pytest.mark.parametrize("place", sorted({place.rpartition(".")[2] for place in _places()}))
def test_each_of_the_apis_names_is_offered(place: str) -> None:
    """Who writes an argument by a name of the API's is told how to write it."""
    if place not in {row.message for rows in table.ITEMS.values() for row in rows.values()}:
        assert table.how_to_say(place)


def test_the_classes_tell_their_rows() -> None:
    """Each class's docstring tells its fields in the table's words."""
    doc = WorkerPool.__doc__ or ""
    assert (
        "        image: container image with its registry; for a Python package, the one that runs it.\n"
        in doc
    )
    assert "        replica_count: how many there are; the first pool has one, default 1.\n" in doc
