"""The pages for those who come from elsewhere name every field, and nothing that is not there."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_vertex_training.operators import VertexCustomTrainingOperator

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"
# Of prefect-gcp 0.6.22's block and worker, and of the classes that they extend.
PREFECTS = {
    "The block": {
        *("image", "command", "env", "region", "machine_type", "accelerator_type", "accelerator_count"),
        *("boot_disk_type", "boot_disk_size_gb", "maximum_run_time", "network", "reserved_ip_ranges"),
        *("service_account", "job_watch_poll_interval", "gcp_credentials", "name", "labels"),
    },
    "The worker": {
        *("image", "command", "env", "region", "machine_type", "accelerator_type", "accelerator_count"),
        *("boot_disk_type", "boot_disk_size_gb", "maximum_run_time_hours", "scheduling", "network"),
        *("reserved_ip_ranges", "service_account_name", "job_watch_poll_interval", "credentials", "name"),
        *("labels", "job_spec"),
    },
}


def _table(page: str, heading: str) -> Iterator[tuple[set[str], set[str]]]:
    """The names in the first two columns of the table under a heading."""
    text = (DOCS / page).read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| ")]
    assert rows
    for row in rows[2:]:
        there, here = (set(re.findall(r"`(\w+)`", cell)) for cell in row)
        yield there, here


def _names(operator: type) -> set[str]:
    return {
        name
        for kind in operator.__mro__
        if kind.__module__.startswith("airflow.providers.google.cloud.operators.vertex_ai")
        for name in inspect.signature(vars(kind)["__init__"]).parameters
    } - {"self", "kwargs"}


@pytest.mark.parametrize(
    ("heading", "operator"),
    [
        ("CreateCustomJobOperator", "CreateCustomJobOperator"),
        (
            "CreateCustomContainerTrainingJobOperator and its like",
            "CreateCustomContainerTrainingJobOperator",
        ),
    ],
    ids=["job", "training"],
)
def test_every_argument_of_googles_operators(heading: str, operator: str) -> None:
    """The page maps each argument that the installed provider's operator takes."""
    from airflow.providers.google.cloud.operators.vertex_ai import custom_job

    there = [name for row in _table("coming_from_google.md", heading) for name in row[0]]
    assert len(there) == len(set(there))
    assert set(there) == _names(getattr(custom_job, operator))


@pytest.mark.parametrize("heading", PREFECTS)
def test_every_field_of_prefects(heading: str) -> None:
    """The page maps each field of the block and the worker."""
    there = [name for row in _table("coming_from_prefect.md", heading) for name in row[0]]
    assert sorted(there) == sorted(PREFECTS[heading])


@pytest.mark.parametrize(
    ("page", "heading"),
    [
        ("coming_from_google.md", "CreateCustomJobOperator"),
        ("coming_from_google.md", "CreateCustomContainerTrainingJobOperator and its like"),
        *(("coming_from_prefect.md", heading) for heading in PREFECTS),
    ],
)
def test_who_writes_another_systems_name_is_told_of_ours(page: str, heading: str) -> None:
    """An argument that is called otherwise here is refused with the name that the page gives it."""
    ours = set(inspect.signature(vars(VertexCustomTrainingOperator)["__init__"]).parameters)
    for theirs, here in _table(page, heading):
        # What lets Google's client try again are numbers of another kind.
        for name in theirs - ours - {"retry", "timeout"} if here else ():
            arguments: dict[str, Any] = {name: "a"}
            with pytest.raises(TypeError) as raised:
                VertexCustomTrainingOperator(task_id="train", **arguments)
            assert any(f"{name}: did you mean {each}=" in str(raised.value) for each in here), name


def test_every_argument_that_is_named_exists() -> None:
    """What a field becomes is an argument of the operator."""
    known = set(inspect.signature(VertexCustomTrainingOperator.__init__).parameters)
    pages = {
        "coming_from_google.md": [
            "CreateCustomJobOperator",
            "CreateCustomContainerTrainingJobOperator and its like",
        ],
        "coming_from_prefect.md": list(PREFECTS),
    }
    for page, headings in pages.items():
        for heading in headings:
            for _, here in _table(page, heading):
                assert here <= known
