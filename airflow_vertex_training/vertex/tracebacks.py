"""What a program says of its failure: Python's tracebacks among its lines, and what other languages write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BEGIN", "Said", "Tracebacks", "exception_in"]

BEGIN = "Traceback (most recent call last):"
"""The first line of a traceback."""

# A longer text fills an error with what nobody reads.
_MOST_CHARACTERS = 500
# Who has printed so many lines since has got over an exception: it is not why the program failed. Not fewer:
# a launcher may sum up, and Vertex AI may restart the program once more before it ends the job.
_RECENT = 200
# So many lines of an exception's text are looked at for the first one that says something.
_MOST_LINES = 40
# So many tracebacks are followed at once: each process of a replica may write one.
_MOST_OPEN = 64
# So many lines of others may come between those of a traceback: a replica's processes share a stream.
_MOST_STRANGE = 3

# What launchers put before each line: ``[rank0]: ``, ``(trainer pid=42, ip=10.0.0.2) ``.
_PREFIX = re.compile(r"\[[^\]]*\]:?\s?|\([^()]*\bpid=[^()]*\)\s")
# An exception group draws a tree with these.
_MARGIN = r"[\s|+-]*"
_BEGIN = re.compile(
    rf"{_MARGIN}(?:Exception Group |Original |Remote )?{re.escape(BEGIN)}"
    # Rich, and so Typer and Lightning, draw a box.
    r"|[╭+][─-]+ Traceback \(most recent call last\) [─-]+"
)
# An error in the program's own text, which no frame has run: its place is all that comes before it.
_UNREADABLE = re.compile(r"  File \"[^\"]*\", line \d+$")
# Before a traceback that ended nothing: of a destructor, an exit handler, a line that can't be logged.
_IGNORED = (
    "Exception ignored ",
    "Error in atexit._run_exitfuncs:",
    "Error in sys.excepthook:",
    "--- Logging error ---",
)
_INSIDE = re.compile(r"[\s|+│╰─]|$")
_BETWEEN = ("During handling of the above", "The above exception was")
# At the line's start, as frames are not: ``ValueError: no data``, ``torch.OutOfMemoryError``,
# ``f.<locals>.Mine: x``, and ``ray.exceptions.RayTaskError(ValueError): ...``, whose own traceback follows.
_NAME = r"(?:[\w<>]+\.)*[\w<>]+"
_EXCEPTION = re.compile(rf"(?P<kind>{_NAME})(?P<of>\({_NAME}\))?(?::\s|:$)|(?:\w+\.)*[A-Z]\w*$")
_IN_GROUP = re.compile(rf"\s*\|\s(?P<exception>{_NAME}(?::\s.*|:?$))")
_GROUP = re.compile(r"(?:\w+\.)*\w*ExceptionGroup\b|\w+: .* \(\d+ sub-exceptions?\)$")
# They only say that another process has failed, which has said why.
_ABOUT_ANOTHER = ("ChildFailedError", "CalledProcessError", "ProcessExitedException", "SystemExit")
# What says nothing in an exception's text.
_EMPTY = re.compile(r"\s*$|[=─-]{3}|\t|\s{4}|\s+File \"|Detected at node|Node:|<stack traces")
# How other languages begin: Go, Java, R, C++, Rust, Julia, and Python's own end.
_PANIC = re.compile(
    r"panic: .|fatal error: .|Exception in thread \"|Error in [\w.:]+\(.*\) ?: ?"
    r"|terminate called after throwing an instance of|thread '.*' (?:\(\d+\) )?panicked at "
    r"|ERROR: LoadError: |Fatal Python error: "
)


@dataclass(frozen=True)
class Said:
    """What a replica said of its failure.

    Args:
        exception: such as ``ValueError: no such file``, empty where there was none.
        last_words: the last line that it wrote to stderr, where there was no exception.
    """

    exception: str = ""
    last_words: str = ""


@dataclass
class _Open:
    """A traceback that is being told.

    Args:
        group: the first line of its exception group, empty where it is no group.
        strange: how many lines have come in between that are none of it.
        is_ignored: whether Python went on as if there had been no exception.
    """

    group: str = ""
    strange: int = 0
    is_ignored: bool = False


# What stands before a traceback's lines, and the severity of the stream that they come on.
_Key = tuple[str, "int | None"]


class Tracebacks:
    """Follows the tracebacks of Python in a replica's lines, and the like of other languages."""

    def __init__(self) -> None:
        self._exception = ""
        self._age = 0
        self._open: dict[_Key, _Open] = {}
        # Whose next traceback is one of those that ended nothing, and whose last one was.
        self._next_ignored: _Key | None = None
        self._last_ignored: _Key | None = None
        # An exception whose first line says nothing: whose line is waited for, and how many more.
        self._unsaid: _Key | None = None
        self._left = 0

    @property
    def exception(self) -> str:
        """The last exception, such as ``ValueError: no data``; empty where the program has got over it."""
        return self._exception if self._age <= _RECENT else ""

    def take(self, text: str, severity: int | None = None) -> bool:
        """Take in the next text, and return whether any of its lines belongs to a traceback."""
        taken = [self._take(line, severity) for line in text.split("\n")]
        return any(taken)

    def _take(self, line: str, severity: int | None) -> bool:
        self._age += 1
        found = _PREFIX.match(line)
        prefix = found[0] if found else ""
        # What the replica writes to its other stream meanwhile is no part of it.
        key = (prefix, severity)
        if _BEGIN.match(line, len(prefix)):
            self._begin(key, line)
            return True
        rest = line[len(prefix) :]
        if key not in self._open and prefix and ("", severity) in self._open:
            key, rest = ("", severity), line
        if self._unsaid == key and self._says(rest):
            return True
        if self._leads_over(key, rest):
            return True
        return self._go_on(key, rest) if key in self._open else self._begin_otherwise(key, rest)

    def _leads_over(self, key: _Key, rest: str) -> bool:
        """Take in a line that says what kind of traceback follows, and return whether it is one."""
        if rest.startswith(_IGNORED):
            self._next_ignored = key
            return True
        if rest.startswith(_BETWEEN):
            self._next_ignored = self._last_ignored
            return True
        return False

    def _begin(self, key: _Key, line: str) -> None:
        self._unsaid = None
        if "|" in line and key in self._open:
            return  # within a group
        if len(self._open) >= _MOST_OPEN:
            self._open.clear()
        self._open[key] = _Open(is_ignored=key == self._next_ignored)
        self._next_ignored = self._last_ignored = None

    def _begin_otherwise(self, key: _Key, rest: str) -> bool:
        """Take in what ends a program without a traceback of Python, and return whether it is that."""
        if _UNREADABLE.match(rest):
            self._begin(key, rest)
            return True
        if _PANIC.match(rest):
            self._found(key, rest)
            return True
        return False

    def _go_on(self, key: _Key, rest: str) -> bool:
        told = self._open[key]
        if _INSIDE.match(rest):
            if not told.is_ignored and (grouped := _IN_GROUP.match(rest)):
                self._found_in_group(told, grouped["exception"])
            return True
        found = _EXCEPTION.match(rest)
        if found is None:
            told.strange += 1
            if told.group or told.strange > _MOST_STRANGE:
                del self._open[key]
            return False
        if not found["of"]:
            del self._open[key]
        if told.is_ignored:
            self._last_ignored = key
        else:
            self._found(key, rest)
        return True

    def _found(self, key: _Key, text: str) -> None:
        name = text.partition(":")[0].rpartition(".")[2]
        if name in _ABOUT_ANOTHER and self.exception:
            return
        self._exception, self._age = text.rstrip()[:_MOST_CHARACTERS], 0
        # The text of ``ValueError: `` begins with a new line; ``Graph execution error:`` is followed by more.
        if text.rstrip().endswith(":") or text.startswith("terminate called"):
            self._unsaid, self._left = key, _MOST_LINES

    def _found_in_group(self, told: _Open, text: str) -> None:
        """Keep a group with the first exception in it that is no group itself."""
        if not told.group:
            told.group = self._exception = text[:_MOST_CHARACTERS]
            self._age = 0
        elif self._exception == told.group and not _GROUP.match(text):
            self._exception = f"{told.group}: {text}"[:_MOST_CHARACTERS]

    def _says(self, rest: str) -> bool:
        """Take in what follows an exception whose first line says nothing."""
        self._left -= 1
        if _EMPTY.match(rest):
            if not self._left:
                self._unsaid = None
            return bool(rest.strip())
        self._unsaid = None
        self._exception = f"{self._exception} {rest.strip()}"[:_MOST_CHARACTERS]
        return True


def exception_in(lines: Iterable[str]) -> str:
    """Return the last exception in some lines, empty where there is none."""
    tracebacks = Tracebacks()
    for text in lines:
        tracebacks.take(text)
    return tracebacks.exception
