"""A slow reader of a triggerer's log lines blocks nobody, and a job's last lines are waited for."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from airflow_vertex_training.vertex.logs.channel import LogChannel, log_channel

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 4096


@dataclass
class Reader:
    """Reads as Airflow's supervisor does: a piece, then it is busy with something else."""

    sock: socket.socket
    begin: threading.Event = field(default_factory=threading.Event)
    read: bytearray = field(default_factory=bytearray)

    def run(self) -> None:
        """Read until the other side is closed."""
        self.begin.wait()
        while piece := self.sock.recv(PIECE):
            self.read += piece
            time.sleep(0.002)  # noqa: TID251 - the supervisor's look into the database


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Reader]]:
    """A socket that a write raises BlockingIOError from instead of blocking, and who reads it."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    reader = Reader(theirs)
    reading = threading.Thread(target=reader.run)
    reading.start()
    with ours, theirs:
        yield ours, reader
        reader.begin.set()
        ours.shutdown(socket.SHUT_RDWR)
        reading.join()


@pytest.mark.parametrize("size", [1, 200, 1300, PIECE, 17_000, 80_000])
async def test_who_waits_for_room_blocks_nobody(pair: tuple[socket.socket, Reader], size: int) -> None:
    """Lines of any length, of several jobs at once, are written in pieces that the socket has room for."""
    ours, reader = pair
    channel, lines = LogChannel(ours.fileno()), max(10, 300_000 // size // 20)

    async def tell() -> None:
        for _ in range(lines):
            await channel.room()
            assert ours.send(b"x" * size) == size

    telling = [asyncio.create_task(tell()) for _ in range(5)]
    await asyncio.sleep(0.1)
    reader.begin.set()
    await asyncio.gather(*telling)
    await channel.emptied()
    assert len(reader.read) >= 5 * lines * size - PIECE


async def test_an_end_waits_for_what_was_told_before(pair: tuple[socket.socket, Reader]) -> None:
    """Lines that were told are read before the end is; a job that prints on and on puts no end off."""
    ours, reader = pair
    channel = LogChannel(ours.fileno())

    async def tell_on() -> None:
        while True:
            await channel.room()
            ours.send(b"x" * 300)

    async def end(number: int) -> None:
        await asyncio.sleep(0.02 * number)
        await channel.room()
        ours.send(b"last line %d\n" % number)
        await channel.emptied()
        # The reader's own thread puts there what it has read.
        await asyncio.sleep(0.01)
        assert b"last line %d\n" % number in reader.read

    telling = [asyncio.create_task(tell_on()) for _ in range(3)]
    ends = [asyncio.create_task(end(number)) for number in range(20)]
    await asyncio.sleep(0.1)
    assert not any(each.done() for each in ends)
    reader.begin.set()
    await asyncio.wait_for(asyncio.gather(*ends), 20)
    for each in telling:
        each.cancel()


async def test_a_reader_that_stands_still_is_not_waited_for_without_end(
    pair: tuple[socket.socket, Reader],
) -> None:
    """After half a minute an end is told, whatever was not read."""
    ours, _ = pair
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    ours.send(b"a line")
    channel = LogChannel(ours.fileno(), sleep, lambda: now)
    await channel.emptied()
    assert now == pytest.approx(30.0, abs=0.1)
    # Nobody else is kept waiting by it.
    await channel.room()


async def test_who_is_cancelled_keeps_nobody_waiting(pair: tuple[socket.socket, Reader]) -> None:
    """A triggerer that stops cancels an end that waits; the other jobs' lines go on."""
    ours, _ = pair
    channel = LogChannel(ours.fileno())
    ours.send(b"a line")
    ending = asyncio.create_task(channel.emptied())
    await asyncio.sleep(0.05)
    ending.cancel()
    await asyncio.wait({ending})
    await asyncio.wait_for(channel.room(), 1)


@pytest.mark.parametrize("kind", ["none", "closed", "reader gone"])
async def test_where_nothing_can_be_waited_for_nobody_waits(
    kind: str, pair: tuple[socket.socket, Reader]
) -> None:
    """A task in its worker, and a triggerer whose supervisor is gone, end as they did."""
    ours, reader = pair
    if kind == "none":
        channel = log_channel(None)
    elif kind == "closed":
        other = socket.socket()
        channel = LogChannel(other.fileno())
        other.close()
    else:
        ours.send(b"a line")
        channel = LogChannel(ours.fileno())
        reader.sock.shutdown(socket.SHUT_RDWR)
        reader.sock.recv(PIECE)
    await asyncio.wait_for(channel.room(), 1)
    await asyncio.wait_for(channel.emptied(), 1)


def test_a_socket_has_one_channel_and_stays_open(pair: tuple[socket.socket, Reader]) -> None:
    """All triggers of a process wait for each other; the socket is Airflow's."""
    ours, _ = pair
    assert log_channel(ours.fileno()) is log_channel(ours.fileno())
    os.fstat(ours.fileno())
