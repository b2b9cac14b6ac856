"""What an entry of a job's log holds, and how that reads as text.

A training writes what it likes: colours, progress bars, half of a binary file. In a task's log it has to be
text that a browser and a terminal can show.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["extra_fields", "named_level", "of_message", "readable", "uncoloured"]

# A longer text fills a log with what nobody reads.
_MOST_CHARACTERS = 16_000

# What the payload says about the line itself, and the agents that carried it.
_ABOUT_THE_LINE = frozenset(
    {"message", "levelname", "level", "severity", "attrs", "time", "timestamp", "logName", "asctime"}
)

# Where loggers put what is said: Vertex's own field, then those of slog and zap, structlog, and loguru.
_MESSAGES = ("message", "msg", "event", "text")
# An object of more parts is no log line.
_MOST_PARTS = 100

# Colours (CSI ... m) stay: Airflow shows them. All else that moves a terminal's cursor goes.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*(?!m)[@-~]"  # CSI: move, erase
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC and its like: titles, links
    r"|\x1b[ -/]*[0-Z\\^-~]"  # two characters
    r"|\x1b(?!\[)",
    re.DOTALL,
)
_COLOURS = re.compile(r"\x1b\[[0-?]*m")
# Python and JavaScript take some of these for ends of lines, and so cut what is stored as one line.
_OTHER_LINE_ENDS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1f\x7f-\x84\x86-\x9f]")
_UNUSUAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
# Airflow's log view folds what follows such a line away, and with it how the job ended.
_GROUP = re.compile(r"::((?:end)?group)::")


def of_message(message: Any) -> str | dict[str, Any]:
    """Return what an entry holds: its text, or its JSON object. Nothing that is in it can fail.

    Args:
        message: a ``google.logging.v2.LogEntry``, as the bare protobuf message.
    """
    kind = message.WhichOneof("payload")
    if kind == "json_payload":
        payload = {name: _plain(value) for name, value in message.json_payload.fields.items()}
        return _of_json_line(payload) or payload
    return str(message.text_payload) if kind == "text_payload" else ""


def readable(payload: str | Mapping[str, Any]) -> str:
    """Return the text of an entry: its message, then the payload's other fields.

    Fields of several lines, such as a traceback, begin on a line of their own.
    """
    if isinstance(payload, str):
        return _shown(payload.rstrip("\n"))
    said = _said_in(payload)
    parts = [_value(payload[said]).rstrip("\n")] if said else []
    # In an order of their own: that of a message's fields is another one each time.
    extra = {
        name: _value(value).rstrip("\n")
        for name, value in sorted(extra_fields(payload).items())
        if name != said
    }
    short = " ".join(f"{name}={value}" for name, value in extra.items() if "\n" not in value)
    if short:
        parts.append(f"({short})" if parts else short)
    long = [f"{name}:\n{value}" for name, value in extra.items() if "\n" in value]
    return _shown("\n".join([" ".join(parts), *long] if parts else long))


def extra_fields(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a payload that belong to what it says, beside its message."""
    return {
        name: value
        for name, value in payload.items()
        if name not in _ABOUT_THE_LINE and not name.startswith("logging.googleapis.com/")
    }


def named_level(payload: Mapping[str, Any]) -> str:
    """Return the level that a payload names, in capitals; empty where it names none."""
    level = payload.get("level") or payload.get("severity") or payload.get("levelname")
    record = payload.get("record")
    if level is None and isinstance(record, dict) and isinstance(record.get("level"), dict):
        level = record["level"].get("name")
    return str(level or "").upper()


def uncoloured(text: str) -> str:
    """Return a text without colours, for who looks for words in it."""
    return _COLOURS.sub("", text) if "\x1b" in text else text


def _of_json_line(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object of a line of JSON that Vertex took for text; empty where it is no logger's line."""
    text = payload.get("message")
    if not isinstance(text, str) or not text.startswith("{") or extra_fields(payload):
        return {}
    if text.count("{") + text.count("[") > _MOST_PARTS:
        return {}
    try:
        found = json.loads(text)
        # It may hold half of a pair, which no log can.
        json.dumps(found, ensure_ascii=False).encode()
    except ValueError:
        return {}
    return found if isinstance(found, dict) and named_level(found).isalpha() else {}


def _said_in(payload: Mapping[str, Any]) -> str:
    """Return the field that says what is to be said, empty where there is none."""
    return next((name for name in _MESSAGES if payload.get(name) not in (None, "")), "")


def _plain(value: Any) -> Any:
    # As json_format does it, which refuses numbers that JSON has no word for: a loss may be NaN.
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {name: _plain(part) for name, part in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain(part) for part in value.list_value.values]
    return None if kind in {None, "null_value"} else getattr(value, kind)


def _value(value: Any) -> str:
    # Numbers in a Struct are floats, whatever was written.
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_value(part)}" for name, part in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value)


def _shown(text: str) -> str:
    if _UNUSUAL.search(text):
        text = _ESCAPES.sub("", text)
        text = "\n".join(map(_as_overwritten, text.split("\n")))
        text = _CONTROLS.sub("", _OTHER_LINE_ENDS.sub("\n", text))
    if "::" in text:
        text = _GROUP.sub(r":\1:", text)
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]}... ({len(text) - _MOST_CHARACTERS} more characters)"


def _as_overwritten(line: str) -> str:
    """Return what a terminal shows in the end where a progress bar has written over itself."""
    return next((part for part in reversed(line.split("\r")) if part), "")
