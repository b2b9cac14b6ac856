"""Which entries of a job were told: bounded, and small enough to be handed to the next reader."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.logs.entries import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY_BYTES = 8
# So many of the newest entries the next reader knows by name: 5 kB in Airflow's database.
_MOST_KEYS = 500


class Seen:
    """The entries of one job that are known, by the second of their time.

    Args:
        since: entries before this time, in nanoseconds since 1970, count as known.
    """

    def __init__(self, since: int) -> None:
        self.since = since
        self._seconds: dict[int, set[bytes]] = {}
        self._restored: frozenset[bytes] = frozenset()
        self._restored_until = 0

    def __len__(self) -> int:
        """Return how many entries are remembered."""
        return sum(map(len, self._seconds.values())) + len(self._restored)

    def knows(self, time: int, key: bytes) -> bool:
        """Whether an entry was told, or lies before what is told."""
        return time < self.since or key in self._restored or key in self._seconds.get(time // SECOND, ())

    def add(self, time: int, key: bytes) -> None:
        """Remember an entry."""
        self._seconds.setdefault(time // SECOND, set()).add(key)

    def forget(self, before: int) -> None:
        """Forget the entries before a time. None of them may be read again: they count as known."""
        if before <= self.since:
            return
        self.since = before
        for second in [second for second in self._seconds if (second + 1) * SECOND <= before]:
            del self._seconds[second]
        if before > self._restored_until:
            self._restored = frozenset()

    def to_data(self) -> dict[str, Any]:
        """Return what the next reader has to know, as JSON data.

        Where that is too much, it begins later: entries that are before it and come late are not told then.
        """
        keys: list[bytes] = []
        since = self.since
        for second in sorted(self._seconds, reverse=True):
            keys += self._seconds[second]
            if len(keys) > _MOST_KEYS:
                since = max(since, second * SECOND)
                break
        if since < self._restored_until:
            keys += self._restored
        newest = (max(self._seconds) + 1) * SECOND if self._seconds else 0
        return {
            "since": since,
            "until": max(newest, self._restored_until),
            "told": base64.b64encode(b"".join(keys)).decode(),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Seen:
        """Return what ``to_data`` made the data of."""
        seen = cls(int(data["since"]))
        told = base64.b64decode(data["told"])
        seen._restored = frozenset(told[at : at + _KEY_BYTES] for at in range(0, len(told), _KEY_BYTES))
        seen._restored_until = int(data["until"])
        return seen
