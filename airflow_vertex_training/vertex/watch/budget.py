"""How many requests a minute may see."""

from __future__ import annotations


class RequestBudget:
    """Spaces requests so that no minute sees more of them than the budget.

    Args:
        requests_per_minute: the budget; a tenth of it may be used at once.
    """

    def __init__(self, requests_per_minute: int) -> None:
        self.requests_per_minute = requests_per_minute
        self._burst = max(1.0, requests_per_minute / 10.0)
        self._left = self._burst
        self._at = 0.0

    def take(self, now: float) -> float:
        """Take one request and return the seconds to wait before making it."""
        per_second = self.requests_per_minute / 60.0
        self._left = min(self._burst, self._left + (now - self._at) * per_second)
        self._at = now
        self._left -= 1.0
        return max(0.0, -self._left / per_second)


def allowance(seconds: float, requests_per_minute: int, *, least: int) -> int:
    """Return how many requests may be made in so many seconds, and never less than ``least``."""
    return max(least, int(seconds * requests_per_minute / 60.0))
