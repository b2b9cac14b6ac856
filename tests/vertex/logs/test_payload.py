"""How an entry's payload reads as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud.logging_v2.types import LogEntry
from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex.logs.payload import named_level, of_message, readable, uncoloured

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ("plain\n", "plain"),
        ({"message": "plain", "levelname": "INFO", "attrs": {"tag": "workerpool0-0"}}, "plain"),
        ({"message": "epoch", "loss": 0.5, "step": 3.0, "attrs": {}}, "epoch (loss=0.5 step=3)"),
        ({"loss": 0.5, "at": {"layer": 2.0, "ids": [1.0, "b"]}}, "at={ids: [1, b], layer: 2} loss=0.5"),
        ({"step": 3.0, "message": "epoch", "loss": 0.5}, "epoch (loss=0.5 step=3)"),
        ({"msg": "epoch", "level": "info", "step": 3.0}, "epoch (step=3)"),
        ({"event": "epoch", "level": "info", "timestamp": "now", "loss": 0.5}, "epoch (loss=0.5)"),
        ({"message": "epoch", "event": "end"}, "epoch (event=end)"),
        ({"message": "", "text": "epoch\n", "record": {"line": 3.0}}, "epoch (record={line: 3})"),
        ({"message": {"a": 1.0}}, "{a: 1}"),
        ({"message": "x", "logging.googleapis.com/trace": "t", "severity": "INFO", "time": "now"}, "x"),
        ({"message": "ok", "done": True, "left": None}, "ok (done=True left=None)"),
        ({"message": "", "loss": 1.0}, "loss=1"),
        ({"message": "bad", "loss": math.nan, "top": math.inf}, "bad (loss=nan top=inf)"),
        (
            {"message": "it failed", "exc_info": "Traceback:\n  x\nE: y\n", "step": 3.0},
            "it failed (step=3)\nexc_info:\nTraceback:\n  x\nE: y",
        ),
        ({"exc_info": "a\nb"}, "exc_info:\na\nb"),
        ({}, ""),
        ("   indented  ", "   indented  "),
        ("100%", "100%"),
    ],
)
def test_text(payload: str | Mapping[str, Any], text: str) -> None:
    """The message comes first, then the payload's other fields, without what describes the line itself."""
    assert readable(payload) == text


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        ("\r 25%|#   | 1/4\r 50%|##  | 2/4\r100%|####| 4/4", "100%|####| 4/4"),
        ("loading...\rdone\r", "done"),
        ("one\r\ntwo\r", "one\ntwo"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[2K\x1b[1A\x1b[?25lstep\x1b[K", "step"),
        ("\x1b]8;;https://x\x07link\x1b]8;;\x1b\\ \x1b]0;title\x07here", "link here"),
        ("\x1b(B\x1b7back\x08\x08\x07 nul\x00 del\x7f", "back nul del"),
        ("a\x0bb\x0cc\x85d\u2028e", "a\nb\nc\nd\ne"),
        ("tab\tstays", "tab\tstays"),
        ("::group::Epoch 1", ":group:Epoch 1"),
        ("::endgroup::", ":endgroup:"),
        ("std::vector::size", "std::vector::size"),
        ("unfinished \x1b[", "unfinished \x1b["),
        ("%s {} [bold]x[/bold] <b>", "%s {} [bold]x[/bold] <b>"),
    ],
)
def test_what_is_meant_for_a_terminal(printed: str, text: str) -> None:
    """Colours stay; a progress bar is as it stood in the end; nothing moves a cursor, cuts or folds a log."""
    assert readable(printed) == text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"event": "epoch", "level": "info", "loss": 0.5}', "epoch (loss=0.5)"),
        ('{"level": "error", "exception": "Traceback:\\n  x\\nE: y"}', "exception:\nTraceback:\n  x\nE: y"),
        ('{"text": "epoch\\n", "record": {"level": {"name": "WARNING", "no": 30}}}', None),
        ('{"event": "🚀 \\ud83d\\ude80", "level": "info"}', "🚀 🚀"),
        ('{"event": "\\ud83d", "level": "info"}', ...),
        ('{"loss": 0.5}', ...),
        ('{"level": 30, "msg": "x"}', ...),
        ('{"level": "info", "deep": ' + '{"a":' * 200 + "1" + "}" * 201, ...),
        ('{"level": "info", "cut', ...),
        ('["level"]', ...),
    ],
    ids=["structlog", "traceback", "loguru", "emoji", "half", "data", "number", "deep", "cut", "list"],
)
def test_a_loggers_line_of_json_that_is_there_as_text(line: str, text: Any) -> None:
    """What Vertex takes for text, since it has no message, reads as any entry of JSON; other text stays."""
    message = LogEntry.pb(LogEntry())
    message.json_payload.update({"message": line, "levelname": "ERROR", "attrs": {"tag": "workerpool0-0"}})
    payload = of_message(message)
    assert isinstance(payload, dict)
    if text is None:
        assert (readable(payload), named_level(payload)) == (
            "epoch (record={level: {name: WARNING, no: 30}})",
            "WARNING",
        )
    else:
        assert readable(payload) == (line if text is ... else text)


def test_overlong_text_is_cut() -> None:
    """A line of a megabyte does not fill the task's log, and says what is missing."""
    text = readable("x" * 1_000_000)
    assert len(text) < 20_000
    assert text.endswith("(984000 more characters)")


def test_words_are_found_in_colours() -> None:
    """A level in red is a level."""
    assert uncoloured("\x1b[1;31mERROR\x1b[0m: x") == "ERROR: x"


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["message", "level", "severity", "exc_info", "x"]), VALUES))
def test_any_object_can_be_told(payload: dict[str, Any]) -> None:
    """No entry keeps the others of its page from being told: a loss may be NaN, a message a list."""
    message = LogEntry.pb(LogEntry())
    message.json_payload.SetInParent()
    message.json_payload.update(payload)
    found = of_message(LogEntry.pb(LogEntry.deserialize(message.SerializeToString())))
    assert isinstance(found, dict)
    assert found.keys() == payload.keys()
    text = readable(found)
    assert "\r" not in text


@given(st.text())
def test_any_text_becomes_lines(text: str) -> None:
    """Who cuts a log at the ends of its lines finds the same lines as who counts new lines."""
    shown = readable(text)
    assert shown.splitlines() == (shown.removesuffix("\n").split("\n") if shown else [])
