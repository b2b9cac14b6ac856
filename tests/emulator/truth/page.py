"""Makes docs/emulator.md of the rows and of the calls."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_vertex_training.emulator.__main__ import _parser
from tests.emulator.calls.suite import CALLS, counts
from tests.emulator.calls.world import Refused
from tests.emulator.truth.rows import BEHAVIOUR, FIELDS, METHODS, REQUESTS, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["PAGE", "checked_fields", "make_page"]

PAGE = Path(__file__).parents[3] / "docs" / "emulator.md"

_START = """\
# How near the emulator is to Vertex AI

This page is made from data that the tests walk: `python -m tests.emulator.truth` writes it, and a test fails
where it is not up to date, or where a field of the API has no row.

How to read the tables:

- **as documented**: the emulator does what the source says.
- **kept without effect**: the field is kept and shown, and nothing else happens. Where that may surprise,
  the job's log says so once.
- **refused**: the emulator answers with an error that says so.
- **unknown**: what Vertex AI does is not documented. The note says what the emulator does.
- **checked**: there is a call in the suite below whose wrong value of this field is refused.
- **compared**: when this was last compared with a real project. Nothing has been yet. Whoever has a project
  can do it with one command, `python -m tests.acceptance`, and the environment variables
  `VERTEX_ACCEPTANCE_PROJECT`, `_REGION`, `_BUCKET` and `_IMAGE` (any image that has `sh`): it says before
  what it will create, deletes that after, and prints each difference.
"""

_COMMAND = """\
## The command line

`python -m airflow_vertex_training.emulator` takes these. README shows the common ones.
"""

_CALLS = """\
## The suite of calls

`python -m tests.emulator.calls` makes them all and prints each with its source. There are {counts}
"Undocumented" is what neither a proto's comment nor a page answers; the emulator's answer is a decision then.
"""


def checked_fields() -> set[str]:
    """Return the fields, without indices, of which the suite has a wrong value that is refused."""
    refused = [call.expected.text for call in CALLS if isinstance(call.expected, Refused)]
    named = [found[1] for text in refused if (found := re.match(r"Field: ([^;]+);", text))]
    return {re.sub(r"\[\d+\]", "", name) for name in named}


def make_page() -> str:
    """Return the page's text."""
    return (
        "\n".join(
            [
                _START,
                *_section("Methods", METHODS, "Method"),
                *_section("Fields of requests", REQUESTS, "Field"),
                *_section("Fields of CustomJob", FIELDS, "Field", checked_fields()),
                *_section("What is no field", BEHAVIOUR, "Matter"),
                _COMMAND,
                *_arguments(),
                _CALLS.format(counts=counts(CALLS)),
            ]
        ).rstrip()
        + "\n"
    )


def _arguments() -> Iterator[str]:
    yield _line(["argument", "what"])
    yield _line(["---", "---"])
    for action in _parser()._actions:
        *_, option = [each for each in action.option_strings if not each.startswith("--no-")]
        choices = f"{{{','.join(map(str, action.choices))}}}" if action.choices else ""
        value = "" if action.nargs == 0 else choices or str(action.metavar or action.dest.upper())
        text = str(action.help).replace("%(default)s", str(action.default))
        yield _line([f"`{f'{option} {value}'.rstrip()}`", text])
    yield ""


def _section(title: str, rows: Sequence[Row], first: str, checked: set[str] | None = None) -> Iterator[str]:
    yield f"## {title}\n"
    columns = [first, "Standing", "Note", *(["Checked"] if checked is not None else []), "Source", "Compared"]
    yield _line(columns)
    yield _line(["---"] * len(columns))
    for row in rows:
        name = row.name if " " in row.name or first == "Matter" else f"`{row.name}`"
        cells = [name, row.standing, row.note]
        if checked is not None:
            cells.append("yes" if row.name in checked else "")
        yield _line([*cells, _linked(row.source), row.compared or "never"])
    yield ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _linked(text: str) -> str:
    return re.sub(r"https://[^\s,]+", lambda found: f"<{found[0]}>", text)
