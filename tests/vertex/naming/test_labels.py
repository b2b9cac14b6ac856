"""Names and labels that Google Cloud takes, whatever they are made of."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.naming import identity, labels
from tests.vertex.conftest import RUN_START, a_try

VALUE = re.compile(r"[a-z0-9_-]{0,63}")
KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@given(st.text(max_size=200))
def test_any_text_becomes_a_legal_value(text: str) -> None:
    """Whatever an id holds, its label is legal, and making it legal again changes nothing."""
    legal = labels.legal(text)
    assert VALUE.fullmatch(legal)
    assert labels.legal(legal) == legal


@pytest.mark.parametrize(
    ("text", "legal"),
    [
        ("Vision/Team", "vision_team"),
        ("digits.v1.4", "digits-v1-4"),
        ("scheduled__2026-11-24T22:25:37+00:00", "scheduled__2026-11-24t22-25-37-00-00"),
        ("Zürich", "zurich"),
        ("a" * 63, "a" * 63),
    ],
)
def test_how_texts_become_labels(text: str, legal: str) -> None:
    """Slashes become underscores, dots dashes, letters lower case; what fits is not cut."""
    assert labels.legal(text) == legal


def test_long_texts_that_differ_at_their_end_stay_apart() -> None:
    """What is cut gets a hash of the whole."""
    one, two = labels.legal("a" * 70 + "1"), labels.legal("a" * 70 + "2")
    assert one != two
    assert len(one) == len(two) == labels.MAX_LABEL_LENGTH


@given(st.dictionaries(st.text(max_size=80), st.text(max_size=80), max_size=8))
def test_user_labels_are_legal_and_none_is_lost(given_labels: dict[str, str]) -> None:
    """Each of a user's labels is either refused by its key, or legal, all there and in order."""
    made, wrong, _ = labels.legal_labels(given_labels)
    refused = {key for key, _ in wrong}
    assert list(made) == [labels.legal(key) for key in given_labels if key not in refused]
    assert all(KEY.fullmatch(key) and VALUE.fullmatch(value) for key, value in made.items())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"a.b": "1", "a-b": "2"}, "becomes the same label as 'a.b': 'a-b'; rename"),
        ({"1st": "x"}, "the key must start with a letter"),
        ({"!": "x"}, "the key must start with a letter"),
        ({"airflow_try": "x"}, "keys that start with 'airflow_' are kept"),
        ({"Airflow": "x", "AIRFLOW_x": "y"}, "keys that start with 'airflow_'"),
        ({"team": "a\N{ROCKET}"}, "the value 'a\N{ROCKET}' holds '\N{ROCKET}', which no"),
        ({"te\N{ROCKET}am": "a"}, "the key"),
        ({"team": None}, "the value must be a string, got NoneType"),
        ({"team": ["a"]}, "the value must be a string, got list"),
        ({3: "team"}, "the key must be a string, got int"),
    ],
)
def test_labels_that_have_no_legal_form(wrong: Any, message: str) -> None:
    """What would be lost or merged without a word is refused with one."""
    _, found, _ = labels.legal_labels(wrong)
    assert found[-1][0] == list(wrong)[-1]
    assert found[-1][1].startswith(message)


@pytest.mark.parametrize(("value", "legal"), [(2024, "2024"), (True, "true"), (0.5, "0-5")])
def test_numbers_become_labels(value: Any, legal: str) -> None:
    """What a template with native types made a number of is text again."""
    assert labels.legal_labels({"a": value}) == ({"a": legal}, [], [])


@pytest.mark.parametrize("value", ["C++", "C#", "!!!", "(beta)"])
def test_a_value_that_loses_a_sign_is_warned_of(value: str) -> None:
    """Two values that become one, or one that becomes empty, don't do so without a word."""
    made, wrong, warnings = labels.legal_labels({"language": value})
    legal = made["language"]
    assert not wrong
    assert warnings == [
        ("language", f"{value!r} becomes {legal!r}, as other values may: write it in letters")
    ]


@pytest.mark.parametrize("value", ["Vision Team", "R/D", "v1.4", "2026-03-01T12:30:00+00:00", "Zürich", ""])
def test_a_value_that_stays_readable_is_not_warned_of(value: str) -> None:
    """What becomes a dash or a small letter loses nothing."""
    assert labels.legal_labels({"a": value})[1:] == ([], [])


@given(base=st.text(max_size=300), unique=st.uuids().map(lambda each: each.hex[:12]))
def test_a_display_name_fits_and_ends_in_what_is_unique(base: str, unique: str) -> None:
    """A display name has up to 128 characters, and the cut never takes what tells jobs apart."""
    name = labels.display_name(base, unique)
    assert len(name) <= labels.MAX_DISPLAY_NAME_LENGTH
    assert name.endswith(f"-{unique}")
    assert len(name) == min(len(f"{base}-{unique}"), labels.MAX_DISPLAY_NAME_LENGTH)
    kept = name.removesuffix(f"-{unique}")
    assert all(made in (said, " ") for made, said in zip(kept, base, strict=False))
    assert len(name.splitlines()) == 1
    name.encode()


ids = st.text(min_size=1, max_size=250)
starts = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(timezone.utc))  # noqa: DTZ001 - hypothesis adds the zone


@given(
    dag_id=ids,
    run_id=ids,
    task_id=ids,
    map_index=st.integers(-1, 5000),
    max_tries=st.integers(0, 10**6),
    clear_number=st.integers(0, 10**6),
    cancel_on_kill=st.booleans(),
    try_id=st.uuids().map(str),
    run_start=st.none() | starts,
)
def test_the_labels_of_a_try_are_legal(**ids: Any) -> None:
    """Whatever Airflow's ids are, a job's labels are ones that Google Cloud takes."""
    for key, value in a_try(**ids).labels().items():
        assert KEY.fullmatch(key)
        assert VALUE.fullmatch(value)


@pytest.mark.parametrize(
    "other",
    [
        {"deployment_id": "staging"},
        {"dag_id": "letters"},
        {"run_id": "manual__2026-11-25"},
        {"task_id": "evaluate"},
        {"map_index": 0},
    ],
    ids=lambda other: next(iter(other)),
)
def test_task_instances_are_told_apart(other: dict[str, Any]) -> None:
    """Another deployment, DAG, run, task or map index is another task instance."""
    assert a_try().task_instance != a_try(**other).task_instance


def test_tries_of_a_task_instance_belong_together() -> None:
    """Try number, series, id and run start don't change which task instance it is."""
    later = a_try(try_number=3, clear_number=2, max_tries=4, run_start=RUN_START + timedelta(days=1))
    assert a_try().task_instance == later.task_instance


@given(starts, st.integers(1, 10**6))
def test_run_starts_are_told_apart_to_the_microsecond(start: datetime, microseconds: int) -> None:
    """Two runs that started within the same second have different labels."""
    later = start + timedelta(microseconds=microseconds)
    assert a_try(run_start=start).run_start_label != a_try(run_start=later).run_start_label


def test_a_run_without_a_start_has_no_such_label() -> None:
    """Where Airflow knows no start, nothing is put in its place that another run could share."""
    assert identity.RUN_START not in a_try(run_start=None).labels()


@pytest.mark.parametrize("deployment_id", ["", "Prod", "a" * 64, "eu/prod"])
def test_a_deployment_id_that_is_no_label(deployment_id: str) -> None:
    """A deployment id is used as it is written or refused: two must not become one."""
    with pytest.raises(InvalidJobError, match=r"^\[vertex_training\] deployment_id: .* write '[a-z]"):
        a_try(deployment_id=deployment_id)
