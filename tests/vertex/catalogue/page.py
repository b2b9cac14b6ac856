"""`docs/errors.md`, made of the error catalogue."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.catalogue.calls import CALLS
from airflow_vertex_training.vertex.catalogue.jobs import JOBS
from airflow_vertex_training.vertex.exceptions import Retry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_vertex_training.vertex.catalogue.entries import Entry

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"

_HEAD = """\
# Errors

<!-- Made by `python -m tests.vertex.catalogue`; a test keeps it so. -->

An error in a task's log begins with what happened. Then it says what that means, what to do, and what Google
said. This page has all errors that are recognised. Others are shown as Google tells them.

To find yours, search this page for its first line, for its class, or for the status that the program exited
with. Words in capitals, such as PROJECT, stand for what the error itself names.

Each error has a class of its own in `airflow_vertex_training.vertex.exceptions`. A second one, named as
*later*, is that of a job that exists already. Where another try *does not
help*, the task fails at once, whatever its `retries` say, unless an earlier try has left a job that the next
one can go on with. From Airflow 3.3 on, a retry policy can decide more finely:

```python
from airflow_vertex_training.operators import VertexCustomTrainingOperator
from airflow_vertex_training.retries import vertex_retry_policy

train = VertexCustomTrainingOperator(
    task_id="train",
    image="us-docker.pkg.dev/acme/trainers/digits:1.4",
    retries=6,
    retry_policy=vertex_retry_policy(),
)
```

This one waits for ten minutes where another try *helps after a while*, and fails at once where it *seldom
helps*. With a retry policy, no error fails the task at once unless the policy says so. Rules of your own go
in front:

```python
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow_vertex_training.retries import vertex_retry_policy
from airflow_vertex_training.vertex.exceptions import OutOfMemoryError

again = RetryRule(exception=OutOfMemoryError, action=RetryAction.RETRY)
policy = ExceptionRetryPolicy(rules=[again, *vertex_retry_policy().rules])
```
"""


# What stands for what only a failure itself can say.
_GENERAL = {
    "account": "SERVICE_ACCOUNT",
    "agent": "service-PROJECT_NUMBER@gcp-sa-aiplatform-cc.iam.gserviceaccount.com",
    "api": "Vertex AI API",
    "constraint": "CONSTRAINT",
    "fields": "credentials",
    "machine": "MACHINE_TYPE",
    "metrics": "METRICS",
    "permission": "PERMISSION",
    "project": "PROJECT",
    "region": "REGION",
    "replica": "A replica",
    "service": "aiplatform.googleapis.com",
}
_STATUS = re.compile(r"non-zero status of (\d+)")


def page() -> str:
    """Return the page's text."""
    shared = [entry for entry in JOBS if entry in CALLS]
    sections = {
        "When a job is asked for": [entry for entry in CALLS if entry not in shared],
        "When a job is asked for, or later": shared,
        "When a job has failed": [entry for entry in JOBS if entry not in shared],
    }
    parts = [_HEAD]
    for heading, entries in sections.items():
        parts.append(f"## {heading}\n")
        parts += [_section(entry) for entry in entries if entry.title]
    parts.append("## All classes\n\n" + _classes((*CALLS, *JOBS)))
    return "\n".join(parts)


def _section(entry: Entry) -> str:
    lines = [f"### {_title(entry)}\n", f"{_general(entry.explanation)}\n"]
    lines.append(f"**What to do:** {_general(entry.remedy)}\n")
    lines.append(f"**Error:** {_kinds(entry)}.\n")
    seen = list(_samples(entry))
    if seen:
        lines += ["**In Google's words:**\n", "```text", *seen, "```\n"]
    lines.append(f"[Source]({entry.source})\n")
    return "\n".join(lines)


def _title(entry: Entry) -> str:
    """Return what a section is called. Exit statuses are named: people look for theirs."""
    statuses = [found[1] for _, text in entry.samples if (found := _STATUS.search(text))]
    which = f"status {' or '.join(statuses)}" if statuses else "another status"
    return _general(entry.title.replace("status {status}", which))


def _general(text: str) -> str:
    return text.format_map(_GENERAL)


def _kinds(entry: Entry) -> str:
    """Return an entry's classes, and whether another try helps: once where all say the same."""
    kinds = entry.classes
    if len({kind.retry for kind in kinds}) == 1:
        return (
            f"{', later '.join(f'`{kind.__name__}`' for kind in kinds)}. Another try {kinds[0].retry.value}"
        )
    return ", later ".join(f"`{kind.__name__}` (another try {kind.retry.value})" for kind in kinds)


def _samples(entry: Entry) -> Iterator[str]:
    for code, text in entry.samples:
        yield f"{code}: {text}"


def _classes(entries: Sequence[Entry]) -> str:
    kinds = sorted({kind for entry in entries for kind in entry.classes}, key=lambda kind: kind.__name__)
    by_retry = {retry: [f"`{kind.__name__}`" for kind in kinds if kind.retry is retry] for retry in Retry}
    rows = [f"| {retry.value} | {', '.join(names)} |" for retry, names in by_retry.items()]
    return "\n".join(["| another try | classes |", "| --- | --- |", *rows, ""])
