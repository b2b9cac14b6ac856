"""Names and labels as Google Cloud allows them.

The rules: https://cloud.google.com/resource-manager/docs/labels-overview#requirements
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from slugify import slugify

from airflow_vertex_training.vertex.exceptions import InvalidJobError

if TYPE_CHECKING:
    from collections.abc import Mapping


MAX_LABEL_LENGTH = 63

MAX_LABELS = 64

MAX_DISPLAY_NAME_LENGTH = 128

OUR_PREFIX = "airflow_"

_HASH_LENGTH = 8


def legal(text: str) -> str:
    """Make ``text`` a legal label value: lower case, ``/`` to ``_``, ``.`` to ``-``, 63 characters at most.

    What is too long is cut and gets a hash, so that two long texts that differ only at their end stay apart.
    """
    slug = slugify(text, regex_pattern=r"[^a-z0-9_-]+", replacements=[("/", "_"), (".", "-")])
    if len(slug) <= MAX_LABEL_LENGTH:
        return slug
    return f"{slug[: MAX_LABEL_LENGTH - _HASH_LENGTH - 1]}-{_hash(text)[:_HASH_LENGTH]}"


def user_labels(labels: Mapping[str, str], *, field: str = "labels") -> dict[str, str]:
    """Make a user's labels legal.

    Args:
        labels: keys and values as the user wrote them.
        field: how an error message names them, default ``labels``.

    Returns:
        Legal keys to legal values, in the same order.

    Raises:
        InvalidJobError: a key or value has no legal form, is kept for this package, or two keys become one.
    """
    result: dict[str, str] = {}
    origin: dict[str, str] = {}
    for key, value in labels.items():
        where = f"{field}[{key!r}]"
        _check_text(where, key, "key")
        _check_text(where, value, "value")
        legal_key = legal(key)
        if not legal_key or not legal_key[0].isalpha():
            raise InvalidJobError(where, "the key must start with a letter")
        if legal_key.startswith(OUR_PREFIX):
            raise InvalidJobError(
                where, f"keys that start with {OUR_PREFIX!r} are kept for Airflow's own labels"
            )
        if legal_key in origin:
            raise InvalidJobError(
                where, f"becomes the same label as {origin[legal_key]!r}: {legal_key!r}; rename one of them"
            )
        origin[legal_key] = key
        result[legal_key] = legal(value)
    return result


def display_name(base: str, unique: str) -> str:
    """Return ``base-unique``, with ``base`` cut so that the whole has 128 characters at most."""
    return f"{base[: MAX_DISPLAY_NAME_LENGTH - len(unique) - 1]}-{unique}"


def _check_text(where: str, text: object, role: str) -> None:
    if not isinstance(text, str):
        raise InvalidJobError(where, f"the {role} must be a string, got {type(text).__name__} {text!r}")
    lost = "".join(sorted({char for char in text if not char.isascii() and not slugify(char)}))
    if lost:
        raise InvalidJobError(
            where, f"the {role} {text!r} holds {lost!r}, which no label of Google Cloud can hold"
        )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
