"""Ends the process groups that an emulator leaves behind when it is killed.

A process that gets SIGKILL can clean up nothing, and its jobs would train on for ever. So the emulator starts
this module as a process of its own and tells it, line by line on its standard input, which process groups run
(`+PGID`) and which have ended (`-PGID`). The end of the input means that the emulator is gone: what still
runs gets SIGKILL. The kernel closes a dead process's pipes, so this works on every POSIX system, and it ends
whole groups, which Linux's parent-death signal doesn't. What it can't cover is the moment between a group's
start and its line here. On Linux it also ends what has left its group.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["kill_strays", "watch"]

_PROCESSES = Path("/proc")


def kill_strays(folder: str) -> None:
    """Kill the replicas' processes that have left their group, as torchrun's workers do. Needs Linux.

    A container's processes all end with its first one. These are known by HOME, which the emulator sets to a
    folder of the replica's own, unless the job sets another.

    Args:
        folder: Of one replica, or the one that all replicas' folders are in.
    """
    mark = b"\0HOME=" + os.fsencode(folder) + b"/"
    for process in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if mark in b"\0" + (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


def watch(lines: Iterable[str], folder: str) -> None:
    """Read lines until the input ends, then kill the groups that are left, and remove their folders.

    Args:
        lines: `+PGID` and `-PGID`.
        folder: Where the replicas' folders are.
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
    kill_strays(folder)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    watch(sys.stdin, sys.argv[1])
