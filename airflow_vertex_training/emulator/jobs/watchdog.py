"""Ends the process groups that an emulator leaves behind when it is killed.

A process that gets SIGKILL can clean up nothing, and its jobs would train on for ever. So the emulator starts
this module as a process of its own and tells it, line by line on its standard input, which process groups run
(`+PGID`) and which have ended (`-PGID`). The end of the input means that the emulator is gone: what still
runs gets SIGKILL. The kernel closes a dead process's pipes, so this works on every POSIX system, and it ends
whole groups, which Linux's parent-death signal doesn't. What it can't cover is the moment between a group's
start and its line here.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["watch"]


def watch(lines: Iterable[str]) -> None:
    """Read lines until the input ends, then kill the groups that are left.

    Args:
        lines: `+PGID` and `-PGID`.
    """
    running: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            running.add(group)
        else:
            running.discard(group)
    for group in running:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    watch(sys.stdin)
