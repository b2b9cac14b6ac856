from __future__ import annotations

import contextlib
import operator
import re
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.emulator.api.filters import Field, FilterError, field_test, parse

FIELDS = {
    "name": Field(lambda record: record.get("name")),
    "state": Field(lambda record: record.get("state"), operators="= !="),
    "size": Field(lambda record: record.get("size"), int, "= != < <= > >="),
}
RECORDS: list[dict[str, Any]] = [
    {"name": name, "state": state, "size": size}
    for name in ("a", "ab", None)
    for state in ("UP", "DOWN")
    for size in (1, 2, None)
]


def matching(text: str) -> list[dict[str, Any]]:
    """The records that a filter lets through."""
    matches = parse(text).compile(partial(field_test, lambda path: FIELDS[path[0]]))
    return [record for record in RECORDS if matches(record)]


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("", lambda r: True),
        ('name="a"', lambda r: r["name"] == "a"),
        ("name=a", lambda r: r["name"] == "a"),
        ("name='a'", lambda r: r["name"] == "a"),
        ('name!="a"', lambda r: r["name"] != "a"),
        ('NOT name="a"', lambda r: r["name"] != "a"),
        ("-name=a", lambda r: r["name"] != "a"),
        ("name:*", lambda r: r["name"] is not None),
        ('name:"a*"', lambda r: (r["name"] or "").startswith("a")),
        ('name:"*b"', lambda r: (r["name"] or "").endswith("b")),
        ('name:"b"', lambda r: "b" in (r["name"] or "")),
        ("size>1", lambda r: r["size"] is not None and r["size"] > 1),
        ("size <= 1", lambda r: r["size"] is not None and r["size"] <= 1),
        ('name="a" state="UP"', lambda r: r["name"] == "a" and r["state"] == "UP"),
        ('name="a"\nstate="UP"', lambda r: r["name"] == "a" and r["state"] == "UP"),
        ('name=("a" OR "ab")', lambda r: r["name"] in ("a", "ab")),
        ("size=1 AND name=a OR name=ab", lambda r: r["size"] == 1 and r["name"] in ("a", "ab")),
        ("(size=1 AND name=a) OR name=ab", lambda r: r["name"] == "ab" or (r["size"], r["name"]) == (1, "a")),
    ],
)  # fmt: skip
def test_filter_selects(text: str, law: Any):
    """A filter lets through exactly the records that its reading in AIP-160 describes."""
    assert matching(text) == [record for record in RECORDS if law(record)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name", "expected a comparison after 'name', got the end"),
        ("name=", "expected a value, got the end"),
        ('(name="a"', "expected a closing parenthesis"),
        ('name="a")', "unexpected ')'"),
        ("AND name=a", "expected a field, got 'AND name=a'"),
        ('name=~"a"', """expected a comparison after 'name', got '=~"a"'"""),
        ("other=1", "unknown field 'other'"),
        ("state>UP", "state: supports = !=, got '>'"),
        ("size=big", "size: invalid literal for int"),
        ("(" * 60 + "size=1" + ")" * 60, "too many nested parentheses"),
    ],
)
def test_wrong_filter_is_named(text: str, message: str):
    """A wrong filter is an error that says what and where."""
    with pytest.raises(FilterError, match=re.escape(message)):
        matching(text)


def test_required_values_are_found_through_and_or():
    """What a match must have in a field is known for equalities joined by AND and OR, and for no other."""
    assert parse('name="a" AND size>1').required(("name",)) == frozenset({"a"})
    assert parse('name="a" OR name="b"').required(("name",)) == frozenset({"a", "b"})
    assert parse('name="a" OR size=1').required(("name",)) is None
    assert parse('NOT name="a"').required(("name",)) is None


_COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _restriction(path: str, comparison: str, value: Any) -> tuple[str, Any]:
    def test(record: dict[str, Any]) -> bool:
        found = record[path]
        if found is None:
            return comparison == "!="
        return bool(_COMPARE[comparison](found, value))

    return f'{path} {comparison} "{value}"', test


_LEAVES = st.one_of(
    st.builds(_restriction, st.just("name"), st.sampled_from(["=", "!="]), st.sampled_from(["a", "ab", "c"])),
    st.builds(_restriction, st.just("state"), st.sampled_from(["=", "!="]), st.sampled_from(["UP", "DOWN"])),
    st.builds(_restriction, st.just("size"), st.sampled_from(sorted(_COMPARE)), st.integers(0, 3)),
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda node: (f"NOT ({node[0]})", lambda r: not node[1](r))),
        st.tuples(inner, inner).map(
            lambda pair: (f"({pair[0][0]}) AND ({pair[1][0]})", lambda r: pair[0][1](r) and pair[1][1](r))
        ),
        st.tuples(inner, inner).map(
            lambda pair: (f"({pair[0][0]}) OR ({pair[1][0]})", lambda r: pair[0][1](r) or pair[1][1](r))
        ),
    ),
    max_leaves=8,
)


@given(_TREES)
def test_filter_agrees_with_a_naive_reading(tree: tuple[str, Any]):
    """Any filter of the grammar selects what Python's own and, or and not select."""
    text, law = tree
    assert matching(text) == [record for record in RECORDS if law(record)]


@given(_TREES)
def test_could_match_never_rules_out_a_match(tree: tuple[str, Any]):
    """A filter that says "no such state can match" matches no record in that state."""
    text, law = tree
    for record in RECORDS:
        if law(record):
            assert parse(text).could_match({("state",): record["state"]})
            required = parse(text).required(("name",))
            assert required is None or record["name"] in required


@given(st.text(alphabet='ab=<>!:"()\\ ANDORT.*-', max_size=30))
def test_any_text_parses_or_is_a_filter_error(text: str):
    """No text makes the parser fail in another way than with its own error."""
    with contextlib.suppress(FilterError):
        assert parse(text).could_match({})
