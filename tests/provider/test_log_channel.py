"""What a trigger has told is waited for until its supervisor must have read it."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.log_channel import LogChannel, Socket

PIECE = 4096


class Supervisor:
    """Reads a piece of what is in the socket in each pass, as Airflow's does, and answers one question."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.read = self.asked = 0

    async def ask(self) -> None:
        """Answer in the next pass."""
        self.asked += 1
        await asyncio.sleep(0)
        self.read += PIECE


@given(st.lists(st.lists(st.text(max_size=3000), max_size=40), min_size=1, max_size=5))
def test_all_that_was_told_is_read(triggers: list[list[str]]) -> None:
    """However many triggers tell at once, each waits for its lines to be read, and little is unread."""
    socket = Socket()
    supervisor = Supervisor(socket)

    async def tell(texts: list[str]) -> None:
        channel = LogChannel(supervisor.ask, socket)
        for text in texts:
            await channel.told(text)
            assert socket.told - supervisor.read < 64 * 1024 + len(json.dumps(text))
        told = socket.told
        await channel.end()
        assert supervisor.read >= told

    async def tell_all() -> None:
        await asyncio.gather(*map(tell, triggers))

    asyncio.run(tell_all())
    # Nobody waits for more than is there, nor asks each for himself.
    assert supervisor.asked <= socket.told // PIECE + 1 + len(triggers)


def test_a_supervisor_that_does_not_answer_is_waited_for_once() -> None:
    """An event comes, whatever became of the supervisor."""
    asked = []

    async def fail() -> None:
        asked.append(1)
        raise OSError

    async def tell() -> None:
        channel = LogChannel(fail, Socket())
        for _ in range(1000):
            await channel.told("x" * 1000)
        await channel.end()

    asyncio.run(tell())
    assert len(asked) == 1
