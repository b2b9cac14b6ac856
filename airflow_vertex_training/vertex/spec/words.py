"""How messages tell values and offer others."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 80


def shown(value: Any) -> str:
    """Return a value as a message shows it, cut where it is long."""
    try:
        text = str(value) if isinstance(value, timedelta) else repr(value)
    except Exception:  # noqa: BLE001 - any object may be given, also one that can't say what it is
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def kind(value: Any) -> str:
    """Return a value with its type's name."""
    return f"{type(value).__name__} {shown(value)}"


def choices(numbers: Iterable[Any]) -> str:
    """Return ``1, 2 or 4``."""
    *most, last = [str(each) for each in numbers]
    return f"{', '.join(most)} or {last}" if most else last


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like a mistaken one, or ``None``."""
    import difflib

    plain = {each.lower().replace("_", ""): each for each in known}
    found = difflib.get_close_matches(name.lower().replace("_", "").replace("-", ""), plain, n=1)
    return plain[found[0]] if found else None
