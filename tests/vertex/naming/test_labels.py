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
    """A user's labels are either refused with the name of one, or legal, all there and in order."""
    try:
        made = labels.user_labels(given_labels)
    except InvalidJobError as error:
        assert error.field in {f"labels[{key!r}]" for key in given_labels}  # noqa: PT017 - one of two good ends
        return
    assert list(made) == [labels.legal(key) for key in given_labels]
    assert all(KEY.fullmatch(key) and VALUE.fullmatch(value) for key, value in made.items())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"a.b": "1", "a-b": "2"}, "labels['a-b']: becomes the same label as 'a.b': 'a-b'; rename"),
        ({"1st": "x"}, "labels['1st']: the key must start with a letter"),
        ({"!": "x"}, "labels['!']: the key must start with a letter"),
        ({"airflow_try": "x"}, "labels['airflow_try']: keys that start with 'airflow_' are kept"),
        ({"Airflow.": "x", "AIRFLOW_x": "y"}, "labels['AIRFLOW_x']: keys that start with 'airflow_'"),
        ({"team": "a\N{ROCKET}"}, "labels['team']: the value 'a\N{ROCKET}' holds '\N{ROCKET}', which no"),
        ({"te\N{ROCKET}am": "a"}, "labels['te\N{ROCKET}am']: the key"),
        ({"team": 3}, "labels['team']: the value must be a string, got int 3"),
        ({3: "team"}, "labels[3]: the key must be a string, got int 3"),
    ],
)
def test_labels_that_have_no_legal_form(wrong: Any, message: str) -> None:
    """What would be lost or merged without a word is refused with one."""
    with pytest.raises(InvalidJobError) as raised:
        labels.user_labels(wrong)
    assert str(raised.value).startswith(message)


def test_more_labels_than_google_cloud_takes() -> None:
    """Airflow's labels and the user's may be 64 together; one more is refused with how many are too many."""
    own = {*a_try(cancel_on_kill=False).labels(), identity.SPEC}
    assert own == set(identity.OWN_LABELS)
    fitting = {f"key-{number}": "x" for number in range(labels.MAX_LABELS - len(own))}
    assert len(identity.all_labels(a_try(cancel_on_kill=False), fitting)) == labels.MAX_LABELS - 1
    message = f"labels: {len(fitting) + 1} given, {len(own)} more are Airflow's own.* takes 64: leave out 1$"
    with pytest.raises(InvalidJobError, match=message):
        identity.all_labels(a_try(), {**fitting, "one-more": "x"})


def test_only_a_job_that_outlives_its_task_says_so() -> None:
    """The label about cancel_on_kill is there only where it is off, for the sweep of orphans to heed."""
    assert identity.CANCEL_ON_KILL not in a_try().labels()
    assert a_try(cancel_on_kill=False).labels()[identity.CANCEL_ON_KILL] == "off"


@given(base=st.text(max_size=300), unique=st.uuids().map(lambda each: each.hex[:12]))
def test_a_display_name_fits_and_ends_in_what_is_unique(base: str, unique: str) -> None:
    """A display name has up to 128 characters, and the cut never takes what tells jobs apart."""
    name = labels.display_name(base, unique)
    assert len(name) <= labels.MAX_DISPLAY_NAME_LENGTH
    assert name.endswith(f"-{unique}")
    assert name == f"{base}-{unique}" or len(name) == labels.MAX_DISPLAY_NAME_LENGTH


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
