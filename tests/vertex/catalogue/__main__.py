"""Write `docs/errors.md` anew: `python -m tests.vertex.catalogue`."""

from __future__ import annotations

from tests.vertex.catalogue.page import PAGE, page

PAGE.write_text(page(), encoding="utf-8")
