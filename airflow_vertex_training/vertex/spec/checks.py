"""What each value may be: a check makes it plain, or tells what is wrong and what would be right.

A check takes a value, its name in messages and the reader that keeps what is wrong. What a template with
native types makes of text (numbers, lists, dicts) becomes text again. Those of numbers are in ``quantities``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec.objects import read_item
from airflow_vertex_training.vertex.spec.reader import KEY_IS_OPEN, Open, Reader
from airflow_vertex_training.vertex.spec.values import (
    as_json,
    as_text,
    is_blank,
    is_list,
    native,
    unsendable,
    written_out,
)
from airflow_vertex_training.vertex.spec.words import kind, nearest, shown

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.rows import Check


def text(value: Any, where: str, reader: Reader) -> Any:
    """Take one line of text without spaces around it; what is empty is none."""
    line = as_text(value)
    if line is None:
        return reader.wrong(where, f"must be a string, got {kind(value)}")
    line = line.strip()
    if not line.isprintable():
        return reader.wrong(where, f"must be one line of text, got {shown(line)}")
    return line or None


def named(pattern: str, form: str) -> Check:
    """Return a check for text of a form.

    Args:
        pattern: a regular expression.
        form: the form in words, which follow ``write``.
    """
    compiled = re.compile(pattern)

    def check(value: Any, where: str, reader: Reader) -> Any:
        name = text(value, where, reader)
        if isinstance(name, str) and not compiled.fullmatch(name):
            return reader.wrong(where, f"{shown(name)} is not of the right form: write {form}")
        return name

    return check


def one_of(known: Mapping[str, int], example: str, *, strict: bool = True) -> Check:
    """Return a check for a name of an enum of the API; its number or its zeroth name (none) will do.

    Args:
        known: names to numbers.
        example: what to write.
        strict: whether a name that is not known is wrong; else it is a warning, if it can be one.
    """
    names = {number: name for name, number in known.items()}

    def check(value: Any, where: str, reader: Reader) -> Any:
        value = value.name if isinstance(value, Enum) and value.name in known else native(value)
        if isinstance(value, int) and not isinstance(value, bool):
            value = names.get(value, value)
        name = text(value, where, reader)
        if not isinstance(name, str) or known.get(name) == 0:
            return None if isinstance(name, str) else name
        if name in known:
            return name
        right = nearest(name, [each for each, number in known.items() if number])
        problem = f"{shown(name)} is not known{f', did you mean {right!r}?' if right else ''}"
        if not strict and _ENUM_NAME.fullmatch(name):
            reader.warn(where, f"{problem} It is checked when the task runs" if right else f"{problem} here")
            return name
        return reader.wrong(where, f"{problem} Write {example}" if right else f"{problem}: write {example}")

    return check


_ENUM_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def texts(value: Any, where: str, reader: Reader) -> Any:
    """Take a list of texts, as they are written."""
    if is_blank(value):
        return None
    value = written_out(value)
    if not is_list(value):
        return reader.wrong(where, f"must be a list of strings, got {kind(value)}")
    return tuple(written(item, f"{where}[{index}]", reader) for index, item in enumerate(value)) or None


def written(value: Any, where: str, reader: Reader) -> Any:
    """Take text as it is written, spaces and all; lists and dicts become JSON."""
    if reader.is_open(value):
        return Open(value)
    text = as_json(value) if isinstance(value, Mapping) or is_list(value) else as_text(value)
    # The value may be a secret: only its type is told, and what must not be in it.
    if text is None:
        return reader.wrong(where, f"must be a string, got {_no_text(value)}")
    if sign := unsendable(text):
        return reader.wrong(where, f"holds {sign!r}, which no program can be given: leave it out")
    return text


def _no_text(value: Any) -> str:
    name = type(value).__name__
    if value is None:
        return "None: leave it out, or write ''"
    if isinstance(value, (bytes, bytearray)):
        return f"{name}; use .decode()"
    if isinstance(value, Mapping) or is_list(value):
        return f"{name} that is no JSON"
    if hasattr(type(value), "_undefined_message"):
        return "a template that names what is not there"
    return f"{name}; use str(...)"


def list_of(check: Check, at_most: int) -> Check:
    """Return a check for a list whose items are of a form."""

    def one(item: Any, where: str, reader: Reader) -> Any:
        if isinstance(item, Open):
            return item
        plain = check(item, where, reader)
        return reader.wrong(where, "is empty: leave it out") if plain is None else plain

    def check_all(value: Any, where: str, reader: Reader) -> Any:
        items = texts(value, where, reader)
        if not isinstance(items, tuple):
            return items
        if len(items) > at_most:
            return reader.wrong(where, f"has {len(items)} items: {at_most} at most")
        return tuple(one(item, f"{where}[{index}]", reader) for index, item in enumerate(items))

    return check_all


_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def env(value: Any, where: str, reader: Reader) -> Any:
    """Take environment variables: a dict, or the API's list of names and values.

    Names are C identifiers: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/EnvVar
    """
    value = written_out(value)
    if is_list(value):
        value = _named(value, where, reader)
        if isinstance(value, Open):
            return value
    if is_blank(value):
        return {}
    if not isinstance(value, Mapping):
        return reader.wrong(where, f"must be a dict of strings, got {type(value).__name__}")
    plain = {}
    for name, item in value.items():
        at = f"{where}[{name!r}]"
        if reader.is_open(name):
            reader.wrong(at, KEY_IS_OPEN)
        elif not isinstance(name, str) or not _ENV_NAME.fullmatch(name):
            reader.wrong(
                at, "is no name for an environment variable: use letters, digits and _, and no digit first"
            )
        else:
            plain[name] = written(item, at, reader)
    return plain


def _name_is_open(item: Any, reader: Reader) -> bool:
    return isinstance(item, Mapping) and reader.is_open(item.get("name"))


def _named(items: Any, where: str, reader: Reader) -> Any:
    """Return the API's list of names and values as a dict; ``Open`` where not all names are known."""
    if any(reader.is_open(item) or _name_is_open(item, reader) for item in items):
        return Open(items)
    found: dict[Any, Any] = {}
    before = len(reader.findings)
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            return reader.wrong(where, "must be a dict of strings, got list")
        for key in item.keys() - {"name", "value"}:
            reader.wrong(f"{where}[{index}].{key}", "is no field of a variable: it has name and value")
        name, value = item.get("name"), item.get("value")
        said = "" if value is None else value
        if not isinstance(name, str):
            reader.wrong(f"{where}[{index}].name", f"must be a string, got {kind(name)}")
        elif found.setdefault(name, said) != said:
            reader.wrong(f"{where}[{name!r}]", "is said twice and differently: say it once")
    return found if len(reader.findings) == before else Open()


def command(value: Any, where: str, reader: Reader) -> Any:
    """Take a command as a list of texts."""
    value = written_out(value)
    if isinstance(value, str) and value.strip():
        right = json.dumps(value.split())
        return reader.wrong(where, f"must be a list of strings, got {kind(value)}: write {right}")
    return texts(value, where, reader)


def items(kind_of_items: type[Any]) -> Check:
    """Return a check for a list of objects of a class, or of dicts with its fields."""

    def check(value: Any, where: str, reader: Reader) -> Any:
        if is_blank(value):
            return None
        value = written_out(value)
        if not is_list(value):
            return reader.wrong(where, f"must be a list of {kind_of_items.__name__}, got {kind(value)}")
        found = (
            read_item(kind_of_items, each, f"{where}[{index}]", reader) for index, each in enumerate(value)
        )
        return tuple(found) or None

    return check
