"""What a comparison of the Logging query language means for a log entry.

https://cloud.google.com/logging/docs/view/logging-query-language: "Comparison operators", "Values and
conversions", "Missing fields", "Functions". A value is converted to the field's type; where that fails in a
payload, the comparison is false.
"""

from __future__ import annotations

import operator
import re
import unicodedata
import zlib
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.emulator.api.filter_grammar import (
    Call,
    FilterError,
    Restriction,
    Value,
    Word,
)
from airflow_vertex_training.emulator.logs.fields import MAPS, SEVERITY, TIMES, Absent, reader, values
from airflow_vertex_training.emulator.logs.logbook import SEVERITIES, Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_vertex_training.emulator.api.filters import Test

__all__ = ["entry_test", "nanoseconds"]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    ":": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PATTERNS = ("=~", "!~")
_NOT_RE2 = re.compile(r"(?<!\\)(?:\(\?(?:[=!]|<[=!]|P=)|\\[1-9])")
_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<clock>\d\d:\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?"
    r"(?P<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?)?"
)
_TOKEN = re.compile(r"[^\W_]+")


def entry_test(node: Restriction | Word | Call) -> Test:
    """Bind a comparison to log entries: what `Filter.compile` wants as `leaf`.

    Raises:
        FilterError: A field that `LogEntry` doesn't have, or a value of the wrong form.
    """
    if isinstance(node, Word):
        return lambda entry: any(_holds(value, _fold(node.text)) for value in values(entry))
    if isinstance(node, Call):
        if node.name not in _FUNCTIONS:
            known = ", ".join(sorted(_FUNCTIONS))
            raise FilterError(f"the emulator doesn't have the function {node.name!r}, only {known}")
        return _FUNCTIONS[node.name](node.arguments)
    path, read = _reader(".".join(node.path), node.path)
    if node.operator == ":" and node.value == Value("*"):
        absent = (Absent.MISSING,) if path[0] in MAPS else (Absent.MISSING, "", 0, False)
        return lambda entry: read(entry) not in absent
    if node.operator in _PATTERNS:
        return _pattern_test(node, read)
    compare = _comparison(path, node)
    return lambda entry: _any(read(entry), compare)


def nanoseconds(text: str) -> int:
    """Read a time in RFC 3339 or ISO 8601: a date alone is its midnight, and without a zone it is UTC.

    Args:
        text: Such as `2026-05-18T00:00:00Z`, `2026-05-18T00:00:00.5+0000` or `2026-05-18`.

    Returns:
        Nanoseconds since 1970.

    Raises:
        ValueError: It is no such text.
    """
    found = _TIME.fullmatch(text)
    moment = None
    with suppress(ValueError):  # a date that no calendar has
        if found is not None:
            clock = f"{found['clock'] or '00:00'}:{found['second'] or '00'}"
            moment = datetime.fromisoformat(f"{found['date']}T{clock}").replace(tzinfo=timezone.utc)
    if found is None or moment is None:
        raise ValueError(f'must be an RFC 3339 or ISO 8601 time such as "2026-05-18T00:00:00Z", got {text!r}')
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc) - _offset(found["zone"])
    return since // timedelta(seconds=1) * 1_000_000_000 + int((found["fraction"] or "0").ljust(9, "0"))


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta()
    digits = zone[1:].replace(":", "").ljust(4, "0")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return ahead if zone[0] == "+" else -ahead


def _reader(text: str, path: tuple[str, ...]) -> tuple[tuple[str, ...], Callable[[Entry], Any]]:
    try:
        return reader(path)
    except KeyError:
        raise FilterError(f"unknown field {text!r} of LogEntry") from None


def _severity(text: str) -> int:
    if text.upper() not in SEVERITIES:
        raise ValueError(f"must be one of {', '.join(SEVERITIES)}, got {text!r}")
    return SEVERITIES[text.upper()]


def _comparison(path: tuple[str, ...], node: Restriction) -> Callable[[Any], bool]:
    """Return what says whether one value of the field, no array, is as the query wants it."""
    compare, text = _ORDER[node.operator], node.value.text
    if path in TIMES or path == SEVERITY:
        try:
            wanted = nanoseconds(text) if path in TIMES else _severity(text)
        except ValueError as error:
            raise FilterError(f"{node.path[0]}: {error}") from error
        return lambda found: compare(found, wanted)
    folded = _fold(text)
    is_null = node.value == Value("NULL_VALUE")

    def test(found: Any) -> bool:
        if found is Absent.NULL:
            return is_null and compare is operator.eq
        if isinstance(found, bool):
            return folded in ("true", "false") and compare(found, folded == "true")
        if isinstance(found, int | float):
            number = _number(text)
            return number is not None and compare(found, number)
        if isinstance(found, str):
            return folded in _fold(found) if node.operator == ":" else compare(_fold(found), folded)
        return node.operator == ":" and _holds(found, folded)

    return test


def _pattern_test(node: Restriction, read: Callable[[Entry], Any]) -> Test:
    text = node.value.text
    if _NOT_RE2.search(text):
        raise FilterError(f"{'.'.join(node.path)}: RE2 has no lookaround and no backreferences, got {text!r}")
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise FilterError(f"{'.'.join(node.path)}: {text!r} is no regular expression: {error}") from error
    wanted = node.operator == "=~"
    return lambda entry: _any(
        read(entry),
        lambda found: isinstance(found, str) and (pattern.search(found) is not None) is wanted,
    )


def _any(found: Any, test: Callable[[Any], bool]) -> bool:
    """Say whether a field passes: an array does if any of its members does, a missing field never."""
    if found is Absent.MISSING:
        return False
    if isinstance(found, list):
        return any(_any(Absent.NULL if member is None else member, test) for member in found)
    return test(found)


def _holds(found: Any, folded: str) -> bool:
    """Say whether a value, or anything in it, contains a text in any letter case."""
    if isinstance(found, dict):
        return any(_holds(value, folded) for value in found.values())
    if isinstance(found, list):
        return any(_holds(value, folded) for value in found)
    if isinstance(found, str):
        return folded in _fold(found)
    return isinstance(found, int | float) and _fold(str(found)) == folded


def _fold(text: str) -> str:
    """Return a text as comparisons see it: normalized, without letter case."""
    return unicodedata.normalize("NFKC", text).casefold()


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _log_id(arguments: tuple[Value, ...]) -> Test:
    (name,) = _exactly("log_id", arguments, 1)
    return lambda entry: entry.task_name == name.text


def _sample(arguments: tuple[Value, ...]) -> Test:
    field, fraction = _exactly("sample", arguments, 2)
    share = _number(fraction.text)
    if share is None or not 0 < share <= 1:
        raise FilterError(f"sample: the fraction must be more than 0 and at most 1, got {fraction.text!r}")
    _, read = _reader(field.text, tuple(field.text.split(".")))

    def test(entry: Entry) -> bool:
        found = read(entry)
        return found is not Absent.MISSING and zlib.crc32(str(found).encode()) <= share * 0xFFFFFFFF

    return test


def _search(arguments: tuple[Value, ...]) -> Test:
    *field, query = arguments if len(arguments) in (1, 2) else _exactly("search", arguments, 2)
    phrases = [_fold(phrase) for phrase in re.findall(r"`([^`]*)`", query.text)]
    wanted = set(_TOKEN.findall(_fold(re.sub(r"`[^`]*`", " ", query.text))))
    if not wanted and not phrases:
        raise FilterError("search: the query is empty")
    if field:
        _, read = _reader(field[0].text, tuple(field[0].text.split(".")))
    else:
        read = _everything

    def test(entry: Entry) -> bool:
        text = "\n".join(_texts(read(entry)))
        return wanted <= set(_TOKEN.findall(text)) and all(
            re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text) for phrase in phrases
        )

    return test


def _everything(entry: Entry) -> list[Any]:
    return list(values(entry))


def _texts(found: Any) -> list[str]:
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list):
        return [text for value in found for text in _texts(value)]
    return [_fold(found)] if isinstance(found, str) else []


def _exactly(name: str, arguments: tuple[Value, ...], number: int) -> tuple[Value, ...]:
    if len(arguments) != number:
        raise FilterError(f"{name}: takes {number} arguments, got {len(arguments)}")
    return arguments


_FUNCTIONS: dict[str, Callable[[tuple[Value, ...]], Test]] = {
    "log_id": _log_id,
    "sample": _sample,
    "search": _search,
}
