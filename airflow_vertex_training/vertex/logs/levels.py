"""The level of a line of a task's log, a number of ``logging``: what its entry says, or its text."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.logs.payload import extra_fields, named_level

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_vertex_training.vertex.logs.entries import Entry

__all__ = ["STDERR", "level_of", "may_be_last_words"]

# google.logging.type.LogSeverity
_LEVELS = ((600, logging.CRITICAL), (500, logging.ERROR), (400, logging.WARNING), (200, logging.INFO))
STDERR = 500
"""The severity that Vertex gives to what a replica writes to stderr."""
_NAMES = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "NOTICE": logging.INFO,
    "SUCCESS": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "CRITICAL": logging.CRITICAL,
}
_LETTERS = {"D": "DEBUG", "I": "INFO", "W": "WARNING", "E": "ERROR", "F": "FATAL"}
# A line names its level among its first characters.
_MOST_CHARACTERS = 200
# What Vertex calls the lines of the two streams.
_STREAMS = {"INFO", "ERROR"}
# ``WARNING:root:text``, ``2026-11-26 12:39:35,123 - trainer - WARNING - text``, ``12:39:35 | WARNING | x``,
# ``12:39:35 [42] [main] ERROR text``: after a time come a name, and what is no plain word.
_TIME = r"\[?(?:[\d/-]{5,10}[T ])?\d\d:\d\d:\d\d[\d.,:Z+-]*\]?[\s|-]*"
_WHERE = r"(?:(?=\S*[^\sA-Za-z])\S+\s+(?:[|-]\s+)?){0,2}(?:[\w.<>]+[\s:|-]+)?"
_LEVEL = "|".join(_NAMES)
_WORD = re.compile(rf"(?:{_TIME}{_WHERE}|\s+)?\[?({_LEVEL})\s*(?:[\]:|\s-]|$)")
# ``2026-11-26 12:39:35 [warning  ] text``, ``[LightGBM] [Warning] text``
_IN_BRACKETS = re.compile(rf"(?:{_TIME}|\[\w+\] )?\[(?i:({_LEVEL}))\s*\]")
# absl and glog: ``W1126 12:39:35.1 42 gpu.cc:7] text``; TensorFlow: ``2026-11-26 12:39:35.1: W gpu.cc:7] x``
_LETTER = re.compile(
    r"(?:\[rank\d+\]:\s?)?\[?([DIWEF])\d{4} \d\d:\d\d|[\d-]{10} [\d:.]+: ([DIWEF]) \S+:\d+\]"
)
# tqdm and its like, warnings of Python and of shells, and what only ends what was said before.
_PROGRESS = re.compile(
    r"%\||it/s|s/it|\w+Warning: |^wandb: "
    r"|^Node\.js v\d|^make(?:\[\d+\])?: \*\*\* "
    r"|^Execution halted$|^exit status \d+$|^goroutine \d+|^\S+\(.*\)$|^[^\w\s]+$"
)


def level_of(entry: Entry, text: str, *, in_traceback: bool) -> int:
    """Return the level of an entry.

    Vertex calls whatever a replica writes to stderr an ERROR. Frameworks show their progress there, so such a
    line is INFO unless its own text names a level.

    Args:
        entry: the entry.
        text: how it reads, without colours.
        in_traceback: whether it is a part of a traceback.
    """
    payload = entry.payload
    if isinstance(payload, str) or not _is_plain(payload):
        level = _named(payload)
        severity = _of_severity(entry.severity)
        return level or (max(severity, logging.ERROR) if in_traceback else severity)
    if in_traceback:
        return logging.ERROR
    is_stderr = payload["levelname"] == "ERROR" and entry.severity == STDERR
    return _in_text(text) or (logging.INFO if is_stderr else _of_severity(entry.severity))


def may_be_last_words(entry: Entry, text: str) -> bool:
    """Whether a line on stderr may say why a program ends, and is no progress bar, and no warning.

    Args:
        entry: the entry.
        text: how it reads, without colours.
    """
    if entry.severity != STDERR or not text.strip() or text[0].isspace() or _PROGRESS.search(text):
        return False
    return min(_named(entry.payload) or logging.ERROR, _in_text(text) or logging.ERROR) >= logging.ERROR


def _named(payload: str | Mapping[str, Any]) -> int | None:
    return None if isinstance(payload, str) else _NAMES.get(named_level(payload))


def _is_plain(payload: Mapping[str, Any]) -> bool:
    """Whether Vertex made this payload of a line that was no JSON."""
    is_named = payload.get("level") or payload.get("severity")
    return not is_named and payload.get("levelname") in _STREAMS and not extra_fields(payload)


def _in_text(text: str) -> int | None:
    text = text[:_MOST_CHARACTERS]
    if found := _WORD.match(text) or ("[" in text and _IN_BRACKETS.match(text)):
        return _NAMES[found[1].upper()]
    found = _LETTER.match(text)
    return _NAMES[_LETTERS[found[1] or found[2]]] if found else None


def _of_severity(severity: int) -> int:
    # DEFAULT, 0, says nothing; DEBUG is 100.
    if severity == 0:
        return logging.INFO
    return next((level for least, level in _LEVELS if severity >= least), logging.DEBUG)
