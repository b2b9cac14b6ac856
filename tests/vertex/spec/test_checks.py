"""A job that is described wrongly is refused before anything is sent, with words that name the field."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.spec import checks
from tests.vertex.conftest import a_job, a_try

GOOD = a_job(a_try())
NETWORK = "projects/1234/global/networks/default"


@pytest.mark.parametrize(
    ("field", "wrong", "message"),
    [
        ("image", "python", "does not name its registry; write it out, such as 'docker.io/library/python'"),
        ("image", "acme/digits:1", "does not name its registry; write it out, such as 'docker.io/acme/digi"),
        (
            "image",
            "quay.io/acme/digits",
            "Vertex AI does not pull from 'quay.io'; push the image to Artifact",
        ),
        ("image", "localhost:5000/digits", "Vertex AI does not pull from 'localhost:5000'"),
        ("image", "us-docker.pkg.dev.evil.org/a/b", "Vertex AI does not pull from"),
        ("image", "gcr.io/", "does not name its registry"),
        ("image", "", "must be a string that is not empty, got str ''"),
        ("command", [], "is empty; name the program to run, or leave it out to run the image's own"),
        ("command", "python -m trainer", "must be a list of strings, got str 'python -m trainer'"),
        ("args", {"--epochs"}, "must be a list of strings, got set"),
        ("env", ["A=1"], "must be a dict of strings, got list"),
        ("env", {"1": ""}, "is no name for an environment variable"),
        ("env", {f"A{number}": "" for number in range(101)}, "takes 100 variables at most, got 101"),
        ("machine_type", "  ", "must be a string that is not empty"),
        ("boot_disk_size_gb", 0, "must be a whole number of at least 1, got int 0"),
        ("boot_disk_size_gb", True, "must be a whole number of at least 1, got bool True"),
        ("maximum_run_time", 3600, "must be a timedelta of at least a second, got int 3600"),
        ("maximum_run_time", timedelta(seconds=0.5), "must be a timedelta of at least a second"),
        ("network", "default", "'default' is no full name; write projects/NUMBER/global/networks/NAME"),
        ("service_account", "trainer", "'trainer' is no e-mail address of a service account"),
        (
            "base_output_directory",
            "s3://acme",
            "'s3://acme' is no folder in Cloud Storage; write gs://BUCKET",
        ),
        ("base_output_directory", "gs://", "'gs://' is no folder in Cloud Storage"),
        ("reserved_ip_ranges", ["range"], "lie in a VPC network; set network as well"),
        ("display_name", "", "must be a string that is not empty"),
    ],
)
def test_a_wrong_field_is_named(field: str, wrong: Any, message: str) -> None:
    """Each rule names the field, what is wrong with it and what would be right."""
    with pytest.raises(InvalidJobError, match=re.escape(message)) as raised:
        dataclasses.replace(GOOD, **{field: wrong})
    assert raised.value.field.startswith(field)


@pytest.mark.parametrize(
    ("field", "wrong", "message"),
    [
        ("args", ["--epochs", 3], "args[1]: must be a string, got int 3; write '3'"),
        ("env", {"EPOCHS": 3}, "env['EPOCHS']: must be a string, got int; use str(...)"),
        ("env", {"NOT=ONE": "x"}, "env['NOT=ONE']: is no name for an environment variable"),
    ],
)
def test_a_wrong_item_is_named(field: str, wrong: Any, message: str) -> None:
    """Where one of many is wrong, the message says which."""
    with pytest.raises(InvalidJobError, match=re.escape(message)):
        dataclasses.replace(GOOD, **{field: wrong})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"accelerator_type": "NVIDIA_L4"}, "accelerator_count: must be at least 1 with accelerator_type"),
        ({"accelerator_count": 1}, "accelerator_type: is missing, such as 'NVIDIA_L4', with accelerator_co"),
        ({"accelerator_type": "NVIDIA_L4", "accelerator_count": 0}, "accelerator_count: must be a whole nu"),
    ],
)
def test_an_accelerator_needs_type_and_count(values: dict[str, Any], message: str) -> None:
    """One of the two without the other is refused, and the message names the one that is missing."""
    with pytest.raises(InvalidJobError) as raised:
        dataclasses.replace(GOOD, **values)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("us-central1-a", "region: 'us-central1-a' is a zone; write 'us-central1'"),
        (
            "northamerica-northeast1-b",
            "'northamerica-northeast1-b' is a zone; write 'northamerica-northeast1'",
        ),
        ("us", "region: 'us' is no region; write a region such as 'us-central1'"),
        ("US-Central1", "is no region"),
        (1, "region: must be a string that is not empty, got int 1"),
    ],
)
def test_what_is_no_region(region: Any, message: str) -> None:
    """A zone or a multi-region is told from a region, and the zone's region is offered."""
    with pytest.raises(InvalidJobError, match=re.escape(message)):
        checks.check_fields({"region": region})


@pytest.mark.parametrize("region", ["us-central1", "europe-west10", "me-central2", "us-east5"])
def test_regions(region: str) -> None:
    """Vertex AI's regions pass."""
    checks.check_fields({"region": region})


@pytest.mark.parametrize(
    "values",
    [
        {"image": "europe-west4-docker.pkg.dev/acme.org/trainers/digits@sha256:0123"},
        {"image": "eu.gcr.io/acme/digits"},
        {"image": "docker.io/library/python:3.11"},
        {"command": None, "args": []},
        {"network": NETWORK, "reserved_ip_ranges": ["range"]},
        {"accelerator_type": "NVIDIA_L4", "accelerator_count": 4},
        {"env": {f"A{number}": "" for number in range(100)}},
        {"base_output_directory": "file:///tmp/models"},
        {"maximum_run_time": timedelta(seconds=1)},
    ],
)
def test_good_fields_pass(values: dict[str, Any]) -> None:
    """What Vertex AI takes is not refused."""
    dataclasses.replace(GOOD, **values)


@given(
    st.dictionaries(st.sampled_from([each.name for each in dataclasses.fields(GOOD)]), st.none() | st.text())
)
def test_any_text_in_any_field_is_taken_or_refused_by_name(values: dict[str, Any]) -> None:
    """Whatever a template renders to, the only error is the one that names a field."""
    try:
        checks.check_fields(values)
    except InvalidJobError as error:
        assert error.field.partition("[")[0] in values  # noqa: PT017 - one of two good ends


def test_no_secret_is_told() -> None:
    """The message about an environment variable's value does not hold the value."""
    secret: Any = b"s3cret"
    with pytest.raises(InvalidJobError) as raised:
        dataclasses.replace(GOOD, env={"TOKEN": secret})
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("given_value", "number"), [("4", 4), (4, 4), (" 4 ", 4), ("", None), (None, None)], ids=repr
)
def test_numbers_that_templates_made_text_of(given_value: object, number: int | None) -> None:
    """Text that is a whole number is one; what is empty is none."""
    assert checks.whole_number("accelerator_count", given_value) == number


@pytest.mark.parametrize("wrong", ["4.5", "four", 4.5], ids=repr)
def test_what_is_no_whole_number(wrong: object) -> None:
    """Other text is refused by the field's name."""
    with pytest.raises(InvalidJobError, match="accelerator_count: must be a whole number, got"):
        checks.whole_number("accelerator_count", wrong)


@pytest.mark.parametrize("given_value", [timedelta(hours=1), 3600, "3600", "3.6e3"], ids=repr)
def test_durations(given_value: object) -> None:
    """A timedelta, or seconds as a number or text, is a duration."""
    assert checks.duration("maximum_run_time", given_value) == timedelta(hours=1)


@pytest.mark.parametrize("wrong", ["an hour", "", None, "nan", "inf", "1e300"])
def test_what_is_no_duration(wrong: object) -> None:
    """Anything else is refused by the field's name, the infinite too."""
    with pytest.raises(InvalidJobError, match="maximum_run_time: must be a timedelta or seconds, got"):
        checks.duration("maximum_run_time", wrong)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "1 x n1-standard-4"),
        ({"accelerator_type": "NVIDIA_L4", "accelerator_count": 2}, "1 x n1-standard-4 with 2 x NVIDIA_L4"),
    ],
)
def test_the_machine_in_words(values: dict[str, Any], words: str) -> None:
    """What is about to be paid for is said in a few words."""
    assert dataclasses.replace(GOOD, **values).machine_in_words() == words
