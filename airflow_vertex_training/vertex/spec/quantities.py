"""Checks of numbers, durations and switches; what a check is, ``checks`` says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec.values import is_blank, native
from airflow_vertex_training.vertex.spec.words import kind, shown

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.reader import Reader
    from airflow_vertex_training.vertex.spec.rows import Check


def count(least: int, most: int, unit: str = "") -> Check:
    """Return a check for a whole number within limits; 0 and empty text are none."""

    def check(value: Any, where: str, reader: Reader) -> Any:
        if is_blank(value):
            return None
        number = _number(value)
        if number is None or number != number // 1:
            return reader.wrong(where, f"must be a whole number, got {kind(value)}")
        if number and not least <= number <= most:
            limits = f"at least {least:,}" if number < least else f"at most {most:,}"
            return reader.wrong(where, f"must be {limits}{unit}, got {shown(value)}")
        return int(number) or None

    return check


def flag(value: Any, where: str, reader: Reader) -> Any:
    """Take true or false, also as text."""
    value = native(value)
    if isinstance(value, (bool, int)) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in _FLAGS:
        return _FLAGS[value.strip().lower()]
    return reader.wrong(where, f"must be True or False, got {kind(value)}")


# As JSON, Python and YAML write them.
_FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
    "": None,
}


def duration(value: Any, where: str, reader: Reader) -> Any:
    """Take a timedelta, seconds, the API's ``"3600s"`` or its ``{"seconds": 3600}``; empty is none."""
    if is_blank(value):
        return None
    plain = as_duration(value)
    if plain is None:
        return reader.wrong(where, f"must be a timedelta or seconds, got {kind(value)}")
    if plain < timedelta(0):
        return reader.wrong(where, f"must not be less than 0, got {shown(value)}")
    return plain


def as_duration(value: Any) -> timedelta | None:
    """Return what says a duration as one; ``None`` where it says none."""
    seconds = _seconds(value)
    try:
        return None if seconds is None else timedelta(seconds=seconds)
    except OverflowError:
        return None


def run_time(value: Any, where: str, reader: Reader) -> Any:
    """Take a duration of a second or more; 0 is none."""
    plain = duration(value, where, reader)
    if isinstance(plain, timedelta):
        if not plain:
            return None
        if plain < timedelta(seconds=1):
            return reader.wrong(where, f"must be at least a second, got {shown(value)}")
        if plain > timedelta(days=MOST_DAYS):
            return reader.wrong(where, f"must be at most {MOST_DAYS} days, got {shown(value)}")
    return plain


# Longer than any job, and within what the API's Duration can say.
MOST_DAYS = 3650


def _seconds(value: Any) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        value = value.strip().removesuffix("s")
    if isinstance(value, Mapping) and value and set(value) <= {"seconds", "nanos"}:
        whole, nanos = _number(value.get("seconds", 0)), _number(value.get("nanos", 0))
        return None if whole is None or nanos is None else whole + nanos / 1e9
    if hasattr(type(value), "ToTimedelta"):
        # The API's Duration.
        return _seconds(value.ToTimedelta())
    return _number(value)


def _number(value: Any) -> float | int | None:
    """Return a finite number, which may be given as text; ``None`` where it is none."""
    value = native(value)
    if isinstance(value, (bool, bytes, bytearray)):
        return None
    if isinstance(value, int):
        return value
    try:
        # Fraction, Decimal and NumPy's numbers know how to become a float.
        number = float(value)
    except Exception:  # noqa: BLE001 - an object of any type may be given, and its __float__ may raise anything
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number
