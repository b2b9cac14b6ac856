"""How an entry reads in a task's log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_vertex_training.vertex.logs.entries import SECOND, Entry, entry_key
from airflow_vertex_training.vertex.logs.lines import Speaker
from airflow_vertex_training.vertex.tracebacks import Said

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
        (printed("2026-11-26 15:57:18,691 WARNING trainer: slow", "stderr"), ERROR, logging.WARNING),
        (printed("2026-11-26 15:57:18,691 - a.b - ERROR - no disk", "stderr"), ERROR, logging.ERROR),
        (printed("2026-11-26 15:57:18,691,691 [WARNING] a: slow", "stderr"), ERROR, logging.WARNING),
        (printed("2026-11-26 12:00:00.123 | ERROR    | __main__:f:3 - no", "stderr"), ERROR, logging.ERROR),
        (printed("26/11/26 12:00:00 WARN NativeCodeLoader: slow", "stderr"), ERROR, logging.WARNING),
        (printed("2026-11-26 12:39:35.1: W tensorflow/a/gpu.cc:10] slow", "stderr"), ERROR, logging.WARNING),
        (printed("[rank0]:[W1126 12:39:35.1 ProcessGroup.cpp:1250] slow", "stderr"), ERROR, logging.WARNING),
        (printed("2026-11-26 12:00:00 the model has an ERROR rate", "stderr"), ERROR, logging.INFO),
        (printed("\x1b[31mERROR\x1b[0m: no disk", "stderr"), ERROR, logging.ERROR),
        (printed("2026-11-26 12:00:00,123 [42] [WARNING] root: slow", "stderr"), ERROR, logging.WARNING),
        (printed("2026-11-26 12:00:00,123 - root:3 - ERROR - no disk", "stderr"), ERROR, logging.ERROR),
        (printed("12:00:00.123 [main] ERROR com.acme - no disk", "stderr"), ERROR, logging.ERROR),
        (printed("2026-11-26 12:00:00 vm-0 root[42] WARNING slow", "stderr"), ERROR, logging.WARNING),
        (printed("                    WARNING  slow", "stderr"), ERROR, logging.WARNING),
        (printed("2026-11-26 12:00:00 [error    ] no disk   step=3"), INFO, logging.ERROR),
        (printed("[2026-11-26 12:00:00.123] [warning] slow"), INFO, logging.WARNING),
        (printed("[LightGBM] [Warning] slow"), INFO, logging.WARNING),
        (printed("12:00:00 the error rate is 3 [error]", "stderr"), ERROR, logging.INFO),
        (printed("WARNING:root:to stdout"), INFO, logging.WARNING),
        ({"message": "x", "levelname": "WARNING", "name": "trainer"}, INFO, logging.WARNING),
        ({"message": "x", "levelname": "INFO", "name": "trainer"}, ERROR, logging.INFO),
        ({"message": "x", "level": ["a"]}, INFO, logging.INFO),
        (
            {"message": "Traceback (most recent call last):\n  x", "severity": "WARNING"},
            INFO,
            logging.WARNING,
        ),
        ({"message": "Traceback (most recent call last):\n  x"}, INFO, logging.ERROR),
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
    ("lines", "words"),
    [
        (["could not find gs://x/y"], "could not find gs://x/y"),
        (
            ["usage: train.py [-h]", "train.py: error: unrecognized arguments: --foo"],
            "train.py: error: unrec",
        ),
        (["cp: cannot stat 'x': No such file", "   ", "  indented"], "cp: cannot stat 'x'"),
        (
            ["ERROR:root:no disk", "100%|####| 4/4", "x.py:3: UserWarning: slow", "INFO:root:bye"],
            "ERROR:root",
        ),
        (["Error: object 'y' not found", "Execution halted"], "Error: object 'y'"),
        (["Error: boom", "    at Object.<anonymous> (/app/x.js:1:7)", "", "Node.js v18.0.0"], "Error: boom"),
        (["no data", "make[1]: *** [Makefile:2: train] Error 1", "make: *** [all] Error 2"], "no data"),
        (["ERROR: No matching distribution", "", "[notice] A new release of pip"], "ERROR: No matching"),
        (["no data", "Exception ignored in: <generator object steps at 0x7f>"], "no data"),
        (["100%|####| 4/4"], ""),
        (["no disk", *[f"INFO:root:step {number}" for number in range(30)]], ""),
    ],
    ids=lambda value: str(value)[:20],
)
def test_last_words(lines: list[str], words: str) -> None:
    """Who fails without an exception has often said why: in its last line on stderr that is no progress."""
    speaker = Speaker()
    for each in to_stderr(*lines):
        speaker.line(each)
    speaker.line(entry(printed("bye")))
    said = speaker.said("workerpool0-0")
    assert said.exception == ""
    assert bool(said.last_words) == bool(words)
    assert said.last_words.startswith(words)


def test_last_words_are_no_line_of_json_that_says_that_all_is_well() -> None:
    """A logger's own level counts, whatever stream it writes to."""
    speaker = Speaker()
    speaker.line(*to_stderr("no disk"))
    speaker.line(entry({"message": "saved", "levelname": "INFO", "name": "trainer"}, ERROR))
    assert speaker.said("") == Said("", "no disk")
    speaker.line(entry({"message": "no data", "level": "error"}, ERROR))
    assert speaker.said("") == Said("", "no data")


def test_an_exception_says_more_than_last_words() -> None:
    """Of several replicas the one with an exception is heard; nobody who is not there is."""
    speaker = Speaker()
    speaker.line(entry(printed("bye bye", "stderr"), ERROR, replica="workerpool0-0"))
    for text in ("Traceback (most recent call last):", "ValueError: no data"):
        speaker.line(entry(printed(text, "stderr"), ERROR, replica="workerpool1-0"))
    assert speaker.said("") == Said("ValueError: no data")
    assert speaker.said("workerpool0-0") == Said("", "bye bye")
    assert speaker.said("workerpool3-0") == Said()


def test_replica_is_named_where_there_are_several() -> None:
    """One replica needs no name; with more, each line has its own; Vertex's lines always say so."""
    speaker = Speaker()
    assert speaker.line(entry("a")).text == "a"
    assert speaker.line(entry("Job is running.", replica="service")).text == "Vertex AI: Job is running."
    assert speaker.line(entry("b", replica="workerpool1-0")).text == "[workerpool1-0] b"
    assert speaker.line(entry("c")).text == "[workerpool0-0] c"


def test_who_has_no_name_is_the_primary_replica() -> None:
    """Who speaks before the others are known is not taken for somebody else."""
    speaker = Speaker()
    assert speaker.line(entry("a", replica="workerpool2-7")).text == "[workerpool2-7] a"


def test_late_line_shows_its_time() -> None:
    """A line that comes after later ones says when it was printed."""
    speaker = Speaker()
    speaker.line(entry("second", at=3725.5))
    assert speaker.line(entry("first", at=3723.0)).text == "01:02:03 (late) first"
