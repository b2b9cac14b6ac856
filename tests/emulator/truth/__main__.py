"""Writes docs/emulator.md: `python -m tests.emulator.truth`."""

from __future__ import annotations

from tests.emulator.truth.page import PAGE, make_page

if __name__ == "__main__":
    PAGE.write_text(make_page())
