"""Names and labels as Google Cloud allows them.

The rules: https://cloud.google.com/resource-manager/docs/labels-overview#requirements
"""

from __future__ import annotations

import hashlib
import re
from datetime import date, time
from typing import TYPE_CHECKING, Any

from slugify import slugify

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Problems = list[tuple[object, str]]

MAX_LABEL_LENGTH = 63

MAX_LABELS = 64

MAX_DISPLAY_NAME_LENGTH = 128

OUR_PREFIX = "airflow_"

_HASH_LENGTH = 8


# What most ids and labels are like: nothing has to be looked at twice.
_AS_IT_IS = re.compile(rf"(?=.{{0,{MAX_LABEL_LENGTH}}}$)[a-z0-9_]+(-[a-z0-9_]+)*")


# What breaks a line, or is no character: a map index may have any name.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def legal(text: str) -> str:
    """Make ``text`` a legal label value: lower case, ``/`` to ``_``, ``.`` to ``-``, 63 characters at most.

    What is too long is cut and gets a hash, so that two long texts that differ only at their end stay apart.
    """
    if _AS_IT_IS.fullmatch(text):
        return text
    slug = slugify(text, regex_pattern=r"[^a-z0-9_-]+", replacements=[("/", "_"), (".", "-")])
    if len(slug) <= MAX_LABEL_LENGTH:
        return slug
    return f"{slug[: MAX_LABEL_LENGTH - _HASH_LENGTH - 1]}-{_hash(text)[:_HASH_LENGTH]}"


def legal_labels(labels: Mapping[Any, Any]) -> tuple[dict[str, str], Problems, Problems]:
    """Make a user's labels legal.

    Args:
        labels: keys and values as the user wrote them.

    Returns:
        Legal keys to legal values, in the same order; what is wrong, by the user's keys: a key or value that
        has no legal form or is kept for this package, two keys that become one; and what may be wrong: a
        value that loses part of what it says.
    """
    made: dict[str, str] = {}
    origin: dict[str, str] = {}
    wrong: Problems = []
    warnings: Problems = []
    for key, value in labels.items():
        text = _as_text(value)
        problem = _key_problem(key, origin) or _text_problem(value, text, "value")
        if problem:
            wrong.append((key, problem))
            continue
        legal_key, legal_value = legal(key), legal(text or "")
        origin[legal_key] = key
        made[legal_key] = legal_value
        if _loses(text or "", legal_value):
            warnings.append(
                (key, f"{text!r} becomes {legal_value!r}, as other values may: write it in letters")
            )
    return made, wrong, warnings


def display_name(base: str, unique: str) -> str:
    """Return ``base-unique`` in one line, with ``base`` cut so that the whole has 128 characters at most."""
    base = _BREAKS.sub(" ", base)
    return f"{base[: MAX_DISPLAY_NAME_LENGTH - len(unique) - 1]}-{unique}"


def _as_text(value: Any) -> str | None:
    """Return text, or what a template with native types made of it; ``None`` for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (bool, int, float, date, time)) else None


def _key_problem(key: Any, taken: Mapping[str, str]) -> str | None:
    if not isinstance(key, str):
        return f"the key must be a string, got {type(key).__name__}"
    if problem := _text_problem(key, key, "key"):
        return problem
    legal_key = legal(key)
    if not legal_key or not legal_key[0].isalpha():
        return "the key must start with a letter"
    if legal_key.startswith(OUR_PREFIX):
        return f"keys that start with {OUR_PREFIX!r} are kept for Airflow's own labels"
    if legal_key in taken:
        return f"becomes the same label as {taken[legal_key]!r}: {legal_key!r}; rename one of them"
    return None


def _text_problem(value: Any, text: str | None, role: str) -> str | None:
    if text is None:
        return f"the {role} must be a string, got {type(value).__name__}"
    if not text.isascii() and (lost := "".join(sorted(_lost(text)))):
        return f"the {role} {text!r} holds {lost!r}, which no label of Google Cloud can hold"
    return None


def _lost(text: str) -> Iterable[str]:
    return {char for char in text if not char.isascii() and not slugify(char)}


def _loses(text: str, legal_value: str) -> bool:
    """Whether a sign is lost: one at an end, for which no dash stands in its place."""
    text = text.strip()
    if not text:
        return False
    return not legal_value or any(not end.isalnum() and end not in "_-./" for end in (text[0], text[-1]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
