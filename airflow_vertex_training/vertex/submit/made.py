"""What the create calls of one try have come to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Made:
    """What a try has made so far: for whoever has to end that, whatever cut the submitting off.

    Args:
        names: of the jobs that create calls were answered with.
        unclear: how many create calls are under way, or got no answer that says whether a job was made.
    """

    names: list[str] = field(default_factory=list)
    unclear: int = 0

    @property
    def most(self) -> int:
        """How many jobs there may be."""
        return len(self.names) + self.unclear
