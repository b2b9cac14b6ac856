"""The tracebacks of Python among lines that a program has written, and the exceptions that end them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BEGIN", "Tracebacks", "exception_in"]

BEGIN = "Traceback (most recent call last):"
"""The first line of a traceback."""

# A longer text fills an error with what nobody reads.
_MOST_EXCEPTION_CHARACTERS = 500
# Some launchers put the rank before each line: ``[rank0]: Traceback (most recent call last):``.
_TRACEBACK = re.compile(rf"(\[[^\]]*\]:?\s?)?\s*{re.escape(BEGIN)}")
# At the line's start, as frames are not: ``ValueError: no data``, ``torch.OutOfMemoryError``.
_EXCEPTION = re.compile(r"(?:\w+\.)*[A-Z]\w*(?::|$)")
_BETWEEN_TRACEBACKS = ("During handling of the above", "The above exception was")


class Tracebacks:
    """Follows the tracebacks of Python in a replica's lines.

    Attributes:
        exception: the last line of the last traceback, such as ``ValueError: no such file``.
    """

    def __init__(self) -> None:
        self.exception = ""
        # What stands before each line of the traceback that is being told; ``None``: there is none.
        self._prefix: str | None = None
        self._severity: int | None = None

    def take(self, text: str, severity: int | None = None) -> bool:
        """Take in the next line, and return whether it belongs to a traceback."""
        begins = _TRACEBACK.match(text)
        if begins:
            self._prefix, self._severity = begins[1] or "", severity
            return True
        if text.startswith(_BETWEEN_TRACEBACKS):
            return True
        # What the replica writes to its other stream meanwhile is no part of it.
        if self._prefix is None or severity != self._severity or not text.startswith(self._prefix):
            return False
        rest = text.removeprefix(self._prefix)
        if not rest.strip() or rest[0].isspace():
            return True
        if not _EXCEPTION.match(rest):
            return False
        self.exception, self._prefix = rest[:_MOST_EXCEPTION_CHARACTERS], None
        return True


def exception_in(lines: Iterable[str]) -> str:
    """Return the exception's own line of the last traceback in some lines, empty where there is none."""
    tracebacks = Tracebacks()
    for text in lines:
        tracebacks.take(text)
    return tracebacks.exception
