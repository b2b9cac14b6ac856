"""The browser that is installed, without a window, for one page."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

NAMES = ("chromium", "chromium-browser", "google-chrome")

# It talks to nobody but the pages that it is sent to.
_FLAGS = (
    "--no-sandbox",  # a container has none to give
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def installed() -> str | None:
    """Return the path of a Chromium that is there, `None` where none is."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def open_page(executable: str, *, width: int = 1280, height: int = 900) -> Iterator[Page]:
    """Start the browser and end it after the block.

    Args:
        executable: As `installed` returns it.
        width: Of the page, in pixels.
        height: The same.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=[*_FLAGS])
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            # A machine with much to do shows a page late.
            page.set_default_timeout(60_000)
            yield page
        finally:
            browser.close()
