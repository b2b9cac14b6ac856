"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Seen = TypeVar("Seen")


class NotReachableError(Exception):
    """What is looked at doesn't answer just now: while waiting, the same as "not yet"."""


def wait_for(
    what: str,
    look: Callable[[], Seen],
    until: Callable[[Seen], object] = bool,
    *,
    timeout: float = 30.0,
    details: Callable[[], str] = lambda: "",
) -> Seen:
    """Look again and again until what is seen is as it should be.

    Args:
        what: Names the condition; an error repeats it.
        look: Returns what is to be judged. `NotReachableError` counts as "not yet".
        until: Tells whether that is it; by default anything that is true.
        timeout: Seconds after which the wait has failed.
        details: Asked for more words when the wait has failed, such as the ends of log files.

    Returns:
        What was seen last, which is the first that `until` accepted.

    Raises:
        AssertionError: `until` accepted nothing in time; says what was seen last.
    """
    end = time.monotonic() + timeout
    while True:
        in_time = time.monotonic() < end  # before looking: a slow look is never the only one
        last: object
        try:
            seen = look()
            if until(seen):
                return seen
            last = seen
        except NotReachableError as error:
            last = error
        if not in_time:
            raise AssertionError(f"Waited {timeout:g} s for {what}; last seen: {last!r}\n{details()}")
        time.sleep(0.1)  # noqa: TID251  the pause between two looks
