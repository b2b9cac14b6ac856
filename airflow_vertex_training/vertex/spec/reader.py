"""Reads what was said about a job, and keeps all that is wrong with it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_vertex_training.vertex.exceptions import Finding, InvalidJobError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_vertex_training.vertex.spec.rows import Row


KEY_IS_OPEN = "Airflow renders the values of a dict, not its keys"
"""What is wrong with a template as the key of a dict."""


class Open:
    """A value that is not known yet: a template, another task's result, or what could not be read.

    Args:
        value: as it was written.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any = None) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Open):
            return NotImplemented
        same_text = type(self.value) is type(other.value) is str and self.value == other.value
        return same_text or self.value is other.value

    def __hash__(self) -> int:
        return hash(self.value) if type(self.value) is str else id(self.value)

    def __repr__(self) -> str:
        return repr(self.value)


def is_settled(value: Any) -> bool:
    """Whether all of a value is known, of a list or an object each item."""
    if isinstance(value, tuple):
        return all(map(is_settled, value))
    if dataclasses.is_dataclass(value):
        return all(map(is_settled, vars(value).values()))
    return not isinstance(value, Open)


class OpenPart(Open):
    """A template that stands for a part of the API's message, in the API's words: arguments can't say it."""

    __slots__ = ()


class Said(NamedTuple):
    """A value, made plain, and where it was said.

    Args:
        value: ``None`` where it was said that there is none; ``Open`` where it is not known yet.
        where: its name in error messages, such as ``worker_pools[1].machine.machine_type``.
    """

    value: Any
    where: str


def _in_one_line(text: str) -> str:
    """Return text without line breaks: each finding is told in a line, also one about a table."""
    # One at the end breaks the line, too, once more follows.
    return text if text.splitlines() in ([], [text]) else " ".join(text.split())


class Reader:
    """Reads values by their rows. What is wrong is kept, so that all of it can be told at once.

    Args:
        is_open: whether a value is known only when the task runs; default: none is.
    """

    def __init__(self, is_open: Callable[[Any], bool] | None = None) -> None:
        self.is_open = is_open or (lambda _: False)
        self.findings: list[Finding] = []
        self.warnings: list[Finding] = []

    def wrong(self, where: str, problem: str) -> Open:
        """Keep a finding; return what stands for a value that can't be used."""
        finding = Finding(_in_one_line(where), _in_one_line(problem))
        # What is said once for all pools is wrong once, however many there are.
        if finding not in self.findings:
            self.findings.append(finding)
        return Open()

    def warn(self, where: str, problem: str) -> None:
        """Keep what may be wrong."""
        finding = Finding(_in_one_line(where), _in_one_line(problem))
        if finding not in self.warnings:
            self.warnings.append(finding)

    def said(self, row: Row, value: Any, where: str) -> Said:
        """Return a value as its row's check makes it."""
        if self.is_open(value):
            return Said(Open(value), where)
        assert row.check is not None  # noqa: S101 - groups are not read as a whole
        return Said(row.check(value, where, self), where)

    def raise_findings(self, task_id: str = "") -> None:
        """Raise what is wrong, all of it.

        Raises:
            InvalidJobError: something is.
        """
        if self.findings:
            first, *others = self.findings
            raise InvalidJobError(first.field, first.problem, others, task_id)
