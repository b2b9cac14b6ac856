"""How an entry reads in a task's log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_vertex_training.vertex.logs.entries import SECOND, Entry, entry_key
from airflow_vertex_training.vertex.logs.lines import Speaker, readable
from airflow_vertex_training.vertex.tracebacks import exception_in

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT, DEBUG, INFO, WARNING, ERROR, CRITICAL = 0, 100, 200, 400, 500, 600


def entry(
    payload: str | Mapping[str, Any], severity: int = INFO, *, replica: str = "workerpool0-0", at: float = 0.0
) -> Entry:
    """Return an entry of a job."""
    moment = int(at * SECOND)
    return Entry("1", replica, entry_key(replica, moment, "id"), moment, moment, severity, payload)


def printed(text: str, stream: str = "stdout") -> Mapping[str, Any]:
    """Return the payload that Vertex makes of a plain line."""
    return {
        "message": text,
        "levelname": "ERROR" if stream == "stderr" else "INFO",
        "attrs": {"tag": "workerpool0-0"},
    }


def to_stderr(*texts: str) -> list[Entry]:
    """Return what Vertex makes of lines that a replica writes to stderr."""
    return [entry(printed(text, "stderr"), ERROR) for text in texts]


@pytest.mark.parametrize(
    ("payload", "severity", "level"),
    [
        (printed("loss 0.5"), INFO, logging.INFO),
        (printed("10%|#  | 1/10", "stderr"), ERROR, logging.INFO),
        (printed("WARNING:root:slow disk", "stderr"), ERROR, logging.WARNING),
        (printed("ERROR:trainer:no disk", "stderr"), ERROR, logging.ERROR),
        (printed("W1126 12:39:35.1 42 gpu.cc:7] slow", "stderr"), ERROR, logging.WARNING),
        (printed("[INFO] step 3", "stderr"), ERROR, logging.INFO),
        (printed("DEBUG: cache hit", "stderr"), ERROR, logging.DEBUG),
        ({"message": "no disk", "attrs": {}}, ERROR, logging.ERROR),
        ({"message": "no disk", "level": "warning"}, ERROR, logging.WARNING),
        ({"message": "x", "levelname": "ERROR", "disk": "sda"}, ERROR, logging.ERROR),
        ({"message": "x"}, CRITICAL, logging.CRITICAL),
        ({"message": "x"}, DEBUG, logging.DEBUG),
        ({"message": "x"}, DEFAULT, logging.INFO),
        ("Job failed.", ERROR, logging.ERROR),
    ],
)
def test_level(payload: str | Mapping[str, Any], severity: int, level: int) -> None:
    """A payload's own level counts; what goes to stderr is INFO, unless its text names a level."""
    assert Speaker().line(entry(payload, severity)).level == level


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ("plain\n", "plain"),
        (printed("plain"), "plain"),
        ({"message": "epoch", "loss": 0.5, "step": 3.0, "attrs": {}}, "epoch (loss=0.5 step=3)"),
        ({"loss": 0.5, "at": {"layer": 2.0, "ids": [1.0, "b"]}}, "loss=0.5 at={layer: 2, ids: [1, b]}"),
        ({"message": {"a": 1.0}}, "{a: 1}"),
        ({"message": "x", "logging.googleapis.com/trace": "t", "severity": "INFO", "time": "now"}, "x"),
        ({"message": "ok", "done": True, "left": None}, "ok (done=True left=None)"),
        ({}, ""),
    ],
)
def test_text(payload: str | Mapping[str, Any], text: str) -> None:
    """The message comes first, then the payload's other fields, without what describes the line itself."""
    assert readable(payload) == text


def test_overlong_text_is_cut() -> None:
    """A line of a megabyte does not fill the task's log, and says what is missing."""
    text = readable("x" * 1_000_000)
    assert len(text) < 20_000
    assert text.endswith("(984000 more characters)")


def test_traceback_is_an_error() -> None:
    """All lines of a traceback on stderr are ERROR, what comes before and after is not."""
    speaker = Speaker()
    lines = [
        "epoch 1",
        "Traceback (most recent call last):",
        '  File "train.py", line 1, in <module>',
        "    fit()",
        "",
        "KeyError: 'x'",
        "During handling of the above exception, another exception occurred:",
        "Traceback (most recent call last):",
        '  File "train.py", line 3, in <module>',
        "torch.OutOfMemoryError: CUDA out of memory.",
        "bye",
    ]
    levels = [speaker.line(each).level for each in to_stderr(*lines)]
    assert levels == [logging.INFO, *[logging.ERROR] * 9, logging.INFO]
    assert speaker.replicas["workerpool0-0"].tracebacks.exception == (
        "torch.OutOfMemoryError: CUDA out of memory."
    )


def test_stdout_between_the_lines_of_a_traceback_is_no_part_of_it() -> None:
    """A replica may print while it writes a traceback: that is neither an error nor the exception."""
    speaker = Speaker()
    begin, end = to_stderr("Traceback (most recent call last):", "ValueError: MY TRAINING BLEW UP")
    levels = [speaker.line(each).level for each in (begin, entry(printed("Done")), end)]
    assert levels == [logging.ERROR, logging.INFO, logging.ERROR]
    assert speaker.replicas["workerpool0-0"].tracebacks.exception == "ValueError: MY TRAINING BLEW UP"


@pytest.mark.parametrize(
    ("lines", "exception"),
    [
        (["Traceback (most recent call last):", "  File x", "ValueError: no"], "ValueError: no"),
        (["Traceback (most recent call last):", "  File x", "KeyboardInterrupt"], "KeyboardInterrupt"),
        (
            ["[rank0]: Traceback (most recent call last):", "[rank0]:   File x", "[rank0]: OSError: no"],
            "OSError: no",
        ),
        (
            ["Traceback (most recent call last):", "  File x", "A: 1", "Traceback (most recent call last):"],
            "A: 1",
        ),
        (["ValueError: printed, not raised"], ""),
        ([], ""),
    ],
)
def test_exception_is_the_last_line_of_the_last_traceback(lines: list[str], exception: str) -> None:
    """The exception is what ends a traceback, whatever a launcher puts before its lines."""
    assert exception_in(lines) == exception


def test_replica_is_named_where_there_are_several() -> None:
    """One replica needs no name; with more, each line has its own; Vertex's lines always say so."""
    speaker = Speaker()
    assert speaker.line(entry("a")).text == "a"
    assert speaker.line(entry("Job is running.", replica="service")).text == "Vertex AI: Job is running."
    assert speaker.line(entry("b", replica="workerpool1-0")).text == "[workerpool1-0] b"
    assert speaker.line(entry("c")).text == "[workerpool0-0] c"


def test_late_line_shows_its_time() -> None:
    """A line that comes after later ones says when it was printed."""
    speaker = Speaker()
    speaker.line(entry("second", at=3725.5))
    assert speaker.line(entry("first", at=3723.0)).text == "01:02:03 (late) first"
