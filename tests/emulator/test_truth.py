from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.cloud import aiplatform_v1
from google.cloud.logging_v2.types import ListLogEntriesRequest

from airflow_vertex_training.emulator.jobs import without_effect
from airflow_vertex_training.emulator.server import Emulator
from tests.emulator.truth.page import PAGE, checked_fields, make_page
from tests.emulator.truth.rows import (
    BEHAVIOUR,
    DOCUMENTED,
    FIELDS,
    KEPT,
    METHODS,
    REFUSED,
    REQUESTS,
    UNKNOWN,
    Row,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST_TYPES: list[Any] = [
    aiplatform_v1.CreateCustomJobRequest,
    aiplatform_v1.GetCustomJobRequest,
    aiplatform_v1.ListCustomJobsRequest,
    aiplatform_v1.CancelCustomJobRequest,
    aiplatform_v1.DeleteCustomJobRequest,
    ListLogEntriesRequest,
]


def fields_of(descriptor: Any, prefix: str = "") -> Iterator[str]:
    """Go through the paths of a message's fields, and of those of the API's own messages in it."""
    for field in descriptor.fields:
        path = f"{prefix}{field.name}"
        yield path
        inner = field.message_type
        if (
            inner is not None
            and inner.full_name.startswith("google.cloud.")
            and not inner.GetOptions().map_entry
        ):
            yield from fields_of(inner, f"{path}.")


def test_every_field_of_a_job_has_a_row():
    """Each field of `CustomJob` that the client library knows has one row, and no row is of another."""
    names = [row.name for row in FIELDS]
    assert len(names) == len(set(names))
    assert set(names) == set(fields_of(aiplatform_v1.CustomJob.pb().DESCRIPTOR))


def test_every_field_of_a_request_has_a_row():
    """Each field of the requests of the methods that are served has one row."""
    known = [
        f"{kind.pb().DESCRIPTOR.name}.{field.name}"
        for kind in REQUEST_TYPES
        for field in kind.pb().DESCRIPTOR.fields
    ]
    assert sorted(row.name for row in REQUESTS) == sorted(known)


async def test_every_method_that_is_served_has_a_row():
    """The table of methods names those that the emulator serves, and no other."""
    async with Emulator() as emulator:
        services = emulator.services.items()
        served = [f"{service}/{name}" for service, methods in services for name in methods]
    assert sorted(row.name for row in METHODS if row.standing != REFUSED) == sorted(served)


def test_what_the_log_calls_without_effect_is_kept():
    """Fields of which a job's log says that they have no effect are "kept without effect" in the table."""
    told = {f"job_spec.{name}" for name in without_effect.OF_JOB}
    told |= {f"job_spec.worker_pool_specs.{name}" for name in without_effect.OF_POOL}
    assert {row.name for row in FIELDS if row.name in told and row.standing == KEPT} == told


def test_what_is_checked_is_a_field():
    """Each field that the suite of calls has refused is in the table."""
    known = {row.name for row in FIELDS}
    assert checked_fields() <= known


@pytest.mark.parametrize("row", [*METHODS, *REQUESTS, *FIELDS, *BEHAVIOUR], ids=lambda row: row.name)
def test_row_is_complete(row: Row):
    """A row has one of the four standings and a source; one of unknown standing says what is done."""
    assert row.standing in (DOCUMENTED, KEPT, REFUSED, UNKNOWN)
    assert row.source
    assert row.note or row.standing != UNKNOWN


def test_page_is_up_to_date():
    """docs/emulator.md is what `python -m tests.emulator.truth` writes."""
    assert PAGE.read_text() == make_page()
