"""What an entry of the error catalogue is, and how it is found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_vertex_training.vertex.exceptions import JobEndedError, VertexApiError, VertexTrainingError

__all__ = ["CODES", "Entry", "Explained", "Told", "explain"]

# google.rpc.Code: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)


# What stands for a group of a pattern that is not in the text.
_UNSAID = {
    "account": "SERVICE_ACCOUNT",
    "agent": "service-PROJECT_NUMBER@gcp-sa-aiplatform-cc.iam.gserviceaccount.com",
    "api": "Vertex AI API",
    "constraint": "see Google's words",
    "fields": "credentials",
    "machine": "MACHINE_TYPE",
    "metrics": "see its details",
    "permission": "that is needed for this",
    "project": "PROJECT",
    "region": "the region",
    "replica": "A replica",
    "service": "aiplatform.googleapis.com",
    "status": "another status than 0",
}


@dataclass(frozen=True)
class Told:
    """What was told of a failure.

    Args:
        code: name of the answer's status code; of an error that is none of the API's, its class's name.
        text: its words.
        reason: of the answer's ``ErrorInfo``: https://google.aip.dev/193, such as ``SERVICE_DISABLED``.
        details: what else is known, as text: the answer's details, or the failing replica's exception.
        of_job: whether it is a job's own error, and not the answer to a call.
    """

    code: str
    text: str
    reason: str = ""
    details: str = ""
    of_job: bool = False


@dataclass(frozen=True)
class Entry:
    """One kind of failure.

    Args:
        title: what happened, in a few words: the first line of the error. ``{...}`` stands for a group of
            ``pattern``. Empty where Google's own words say it best.
        explanation: what it means, in a sentence or two; ``{...}`` as above.
        remedy: what to do; ``{...}`` as above.
        call: the class of the error where a call was refused, ``None`` where that does not happen.
        job: the class of the error where a job failed, ``None`` where that does not happen.
        codes: the status codes that it comes with, none are all.
        pattern: a regular expression that is found in ``CODE: text`` whatever the case, empty is any. Groups
            ``name`` and ``name_`` are the same, in two alternatives. A repetition before a word to be found
            has a largest length: else a long text blocks the event loop that reads it.
        said: a regular expression that is found, besides, in what the failing replica said: its exception,
            or its last words; empty is any.
        reasons: reasons of an ``ErrorInfo`` that tell it as well.
        samples: code and text, as they were seen.
        source: where they were seen, as a URL.
    """

    title: str
    explanation: str
    remedy: str
    call: type[VertexApiError] | None = None
    job: type[JobEndedError] | None = None
    codes: tuple[str, ...] = ()
    pattern: str = ""
    said: str = ""
    reasons: tuple[str, ...] = ()
    samples: tuple[tuple[str, str], ...] = ()
    source: str = ""

    def match(self, told: Told) -> Explained | None:
        """Return this entry in the words of what was told, ``None`` where that is another failure."""
        kind = self.job if told.of_job else self.call
        if kind is None or (self.codes and told.code not in self.codes):
            return None
        if self.said and not re.search(self.said, told.details, re.IGNORECASE | re.DOTALL):
            return None
        whole = f"{told.code}: {told.text}\n{told.details}".strip()
        found = re.search(self.pattern, whole, re.IGNORECASE | re.DOTALL)
        if found is None and told.reason not in self.reasons:
            return None
        groups = {**_UNSAID, **({} if found is None else _said(found))}
        return Explained(
            kind, *(text.format_map(groups) for text in (self.title, self.explanation, self.remedy))
        )

    @property
    def classes(self) -> tuple[type[VertexTrainingError], ...]:
        """The classes of error that it is raised as."""
        return tuple(kind for kind in (self.call, self.job) if kind)


@dataclass(frozen=True)
class Explained:
    """A failure that was recognised.

    Args:
        kind: the class of its error.
        title: what happened, empty where Google's own words say it best.
        explanation: what it means.
        remedy: what to do.
    """

    kind: type[VertexTrainingError]
    title: str
    explanation: str
    remedy: str

    @property
    def advice(self) -> str:
        """What it means and what to do, a line each; empty where that is not known."""
        remedy = f"What to do: {self.remedy}" if self.remedy else ""
        return "\n".join(line for line in (self.explanation, remedy) if line)


def explain(told: Told, entries: Iterable[Entry]) -> Explained | None:
    """Return the first entry that knows a failure, in the failure's own words."""
    return next((found for entry in entries if (found := entry.match(told))), None)


def _said(found: re.Match[str]) -> dict[str, str]:
    return {name.rstrip("_"): text.rstrip(".,") for name, text in found.groupdict().items() if text}
