"""What all triggers of an event loop share: who polls for many jobs, and the budget of requests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Poller", "SharedInLoop"]


class Poller(Protocol):
    """Polls for many jobs, until its last user leaves."""

    @property
    def closed(self) -> bool:
        """Whether that was so: a new one has to be made."""


_Poller = TypeVar("_Poller", bound=Poller)
_Budget = TypeVar("_Budget")


@dataclass(frozen=True)
class _OfLoop(Generic[_Poller, _Budget]):
    # Who uses a poller holds on to it, and its own task does.
    pollers: WeakValueDictionary[Hashable, _Poller] = field(default_factory=WeakValueDictionary)
    budgets: dict[str, _Budget] = field(default_factory=dict)


class SharedInLoop(Generic[_Poller, _Budget]):
    """Pollers and budgets of each event loop. Nothing in it keeps a loop alive that has ended."""

    def __init__(self) -> None:
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _OfLoop[_Poller, _Budget]] = (
            WeakKeyDictionary()
        )

    def poller(self, key: Hashable, make: Callable[[], _Poller]) -> _Poller:
        """Return the running event loop's poller for a key, made now if there is none, or a closed one."""
        pollers = self._of_loop.pollers
        poller = pollers.get(key)
        if poller is None or poller.closed:
            poller = pollers[key] = make()
        return poller

    def budget(self, quota: str, make: Callable[[], _Budget]) -> _Budget:
        """Return the running event loop's budget of a quota, made now if there is none."""
        budgets = self._of_loop.budgets
        if quota not in budgets:
            budgets[quota] = make()
        return budgets[quota]

    @property
    def _of_loop(self) -> _OfLoop[_Poller, _Budget]:
        return self._loops.setdefault(asyncio.get_running_loop(), _OfLoop())
