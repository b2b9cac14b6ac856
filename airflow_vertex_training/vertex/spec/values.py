"""What one value says, whoever made it: Python's own types, NumPy's, or a template that writes text."""

from __future__ import annotations

import ast
import json
import os
from collections import UserString
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from numbers import Real
from typing import Any
from uuid import UUID

# What text may have been before a template with native types, or before it went through an XCom.
_SCALARS = (Real, Decimal, date, time, timedelta, os.PathLike, UUID)
_NOT_LISTS = (str, bytes, bytearray, memoryview, UserString)
# NumPy's letters for bool, int, unsigned int and float: https://numpy.org/doc/stable/reference/arrays.dtypes.html
_NUMPY_KINDS = "biuf"


def native(value: Any) -> Any:
    """Return what an enum, a number of NumPy or a kind of text stands for in Python's own types."""
    kind = type(value)
    if kind is str:
        return value
    if isinstance(value, Enum):
        return native(value.value)
    if isinstance(value, str):
        # Not by a method of its own, which a subclass may have changed.
        return str.__str__(value)
    if isinstance(value, UserString):
        return value.data
    if kind.__module__ == "numpy" and getattr(value, "shape", None) == ():
        return _of_numpy(value)
    return value


def _of_numpy(value: Any) -> Any:
    number = value.item() if value.dtype.kind in _NUMPY_KINDS else value
    # As it is written: 0.1 of 32 bits is not 0.10000000149011612.
    return float(str(value)) if isinstance(number, float) else number


def as_text(value: Any) -> str | None:
    """Return a single value as text, ``None`` where it is none: a list, bytes, an object."""
    value = native(value)
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, _SCALARS) else None


def as_json(value: Any) -> str | None:
    """Return a list or dict as JSON, ``None`` where it holds what JSON can't say."""
    try:
        return json.dumps(value, ensure_ascii=False, default=_for_json)
    except (TypeError, ValueError, ArithmeticError, RecursionError):
        return None


def _for_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if is_list(value):
        return list(value)
    value = native(value)
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, (Real, Decimal)):
        return float(value)
    text = as_text(value)
    if text is None:
        msg = f"{type(value).__name__} is no JSON"
        raise TypeError(msg)
    return text


def is_list(value: Any) -> bool:
    """Whether a value is a list or its like: no text, and nothing without an order."""
    return isinstance(value, Sequence) and not isinstance(value, _NOT_LISTS)


def is_blank(value: Any) -> bool:
    """Whether a value is text with nothing in it: it says that there is none."""
    return isinstance(value, str) and not value.strip()


def written_out(value: Any) -> Any:
    """Return the list or dict that text stands for, as JSON or Python has it; anything else as it is.

    That is what a template makes of one, unless its DAG renders native types.
    """
    if not isinstance(value, str) or value.strip()[:1] not in {"[", "{"}:
        return value
    text = value.strip()
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
        return ast.literal_eval(text)
    return value


def unsendable(text: str) -> str | None:
    """Return the sign in a text that no program can be given, or none."""
    if text.isprintable() or (text.isascii() and "\0" not in text):
        return None
    return next((sign for sign in text if sign == "\0" or "\ud800" <= sign <= "\udfff"), None)
