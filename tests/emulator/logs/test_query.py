from __future__ import annotations

import contextlib
import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.emulator.api.filter_grammar import LOGS
from airflow_vertex_training.emulator.api.filters import FilterError, parse
from airflow_vertex_training.emulator.logs.logbook import Entry
from airflow_vertex_training.emulator.logs.query import entry_test, nanoseconds

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def entry(payload: dict[str, object]) -> Entry:
    """An entry of a replica with this payload."""
    return Entry(1, "p", "1", "workerpool0-0", 0, 0, 200, json.dumps(payload))


def matches(query: str, payload: dict[str, object]) -> bool:
    """Whether a query finds an entry with this payload."""
    return parse(query, LOGS).compile(entry_test)(entry(payload))


@given(st.text(alphabet='ab=<>!~:"()\\\\ ,ANDORTjsonPayload.*-\n', max_size=40))
def test_any_query_is_answered_or_a_filter_error(text: str):
    """No text makes the parser, or the search of an entry, fail in another way than with its own error."""
    with contextlib.suppress(FilterError):
        assert matches(text, {"message": "ab", "a": [1, {"b": None}]}) in (True, False)


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
    st.booleans(),
)
def test_times_are_read_in_any_zone(moment: datetime, minutes: int, colon: bool):
    """A time reads the same with any offset from UTC, written with a colon or without."""
    zoned = moment.replace(tzinfo=timezone.utc).astimezone(timezone(timedelta(minutes=minutes)))
    text = zoned.isoformat() if colon else zoned.strftime("%Y-%m-%dT%H:%M:%S.%f%z")
    expected = (moment.replace(tzinfo=timezone.utc) - _EPOCH) // timedelta(microseconds=1) * 1000
    assert nanoseconds(text) == expected


@pytest.mark.parametrize("text", ["2026-02-30", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", "now", ""])
def test_no_time_is_refused(text: str):
    """What no calendar or clock has is no time."""
    with pytest.raises(ValueError, match="ISO 8601"):
        nanoseconds(text)


# Plain letters: accents would join with the letter before them.
_ASCII = st.text(st.characters(max_codepoint=127), max_size=20)


@given(_ASCII, _ASCII)
def test_equality_and_has_ignore_letter_case(field: str, value: str):
    """`=` is equality and `:` is containment, both without letter case; `!=` is what `=` is not."""
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    equal = matches(f"jsonPayload.x={quoted}", {"x": field})
    assert matches(f"jsonPayload.x!={quoted}", {"x": field}) is not equal
    assert equal or field != value
    assert matches(f"jsonPayload.x:{quoted}", {"x": f"{field}{value}"})
