"""What the package stands on and no page says for certain: asked of an emulator, or of a real project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.api_core import exceptions

from tests.acceptance.story import Seen, Story, lateness

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["QUESTIONS", "QUOTA", "Question"]

_MAX_REQUESTS = 1300


@dataclass(frozen=True)
class Question:
    """A question.

    Args:
        text: The question.
        expected: What the emulator answers, and the package expects.
        ask: Finds the answer: a `Seen`, or its value.
    """

    text: str
    expected: Any
    ask: Callable[[Story], Any]

    def answer(self, story: Story) -> Seen:
        """Ask; an error that nobody expected is an answer, too."""
        try:
            found = self.ask(story)
        except exceptions.GoogleAPICallError as error:
            found = f"{type(error).__name__}: {error.message}"
        return found if isinstance(found, Seen) else Seen(found)


def _kinds(story: Story, text: str) -> list[str]:
    return sorted(job.labels["kind"] for job in story.target.listed(text))


def _mask(story: Story, *paths: str) -> Any:
    (job,) = story.target.listed('labels.kind="quick"', read_mask={"paths": paths})
    return type(job).pb(job)


def _set_fields(message: Any) -> list[str]:
    return sorted(descriptor.name for descriptor, _ in message.ListFields())


def _times(story: Story) -> list[Any]:
    job = story.last["quick"]
    return [job.create_time, job.start_time, job.end_time]


def _order(story: Story) -> str:
    times: list[Any] = [job.create_time for job in story.target.listed()]
    return {True: "newest first", False: "not newest first"}[times == sorted(times, reverse=True)]


def _pages(story: Story) -> list[int]:
    text = f'labels.run="{story.target.run}"'
    request = {"parent": story.target.parent, "filter": text, "page_size": 2}
    pages = story.target.jobs.list_custom_jobs(request, timeout=60).pages
    return [len(page.custom_jobs) for page in pages]


def _messages(story: Story) -> list[tuple[str, str]]:
    found = [(str(entry.json_payload["message"]), entry.severity) for entry in story.lines]
    names = {200: "INFO", 400: "WARNING", 500: "ERROR"}
    return sorted(
        (text, names.get(severity, str(severity))) for text, severity in found if "model" not in text
    )


def _matching(story: Story, query: str) -> list[str]:
    found = story.target.entries(story.quick.name, query)
    return sorted(str(entry.json_payload["message"]) for entry in found if entry.json_payload)


def _create(**changes: Any) -> Callable[[Story], str]:
    return lambda story: story.refusal(lambda: story.target.create("refused", "true", **changes))


def _end(story: Story, kind: str) -> tuple[str, int, str]:
    job = story.last[kind]
    return job.state.name, job.error.code, job.error.message


def _missing(story: Story) -> str:
    return f"{story.target.parent}/customJobs/1"


def _quota(story: Story) -> Seen:
    parent = story.target.parent.replace(story.target.region, story.target.other_region)
    number = 0
    try:
        for number in range(_MAX_REQUESTS):  # noqa: B007 - how many passed is part of the answer
            story.target.jobs.list_custom_jobs({"parent": parent, "page_size": 1}, timeout=60)
    except exceptions.TooManyRequests as error:
        text = error.message.partition("'")[0].strip()
        return Seen(f"{error.reason}: {text}", f"after {number} requests")
    return Seen("never refused", f"{_MAX_REQUESTS} requests")


REFUSED = "INVALID_ARGUMENT: "
FOUND = f"{REFUSED}List of found errors:\t1.Field: "
PAIR = {"accelerator_type": "NVIDIA_TESLA_T4"}
K80 = {"machine_type": "n1-standard-4", "accelerator_type": "NVIDIA_TESLA_K80", "accelerator_count": 1}
ACTIVE = " AND ".join(f'state!="JOB_STATE_{state}"' for state in ("SUCCEEDED", "FAILED", "CANCELLED"))
ALL = ["failing", "pending", "quick", "slow"]

QUESTIONS = [
    Question("Does create answer with the labels?", "quick", lambda s: s.quick.labels["kind"]),
    Question("Does a get right after it show them?", "slow",
             lambda s: s.target.get(s.made["slow"].name).labels["kind"]),
    Question("How late is a list?", "at once", lambda s: lateness(s.listed_after)),
    Question("Which state is a new job in?", "JOB_STATE_QUEUED", lambda s: s.quick.state.name),
    Question("Does a filter on a label find all jobs?", ALL, lambda s: _kinds(s, "")),
    Question("Labels joined by AND?", ["quick"], lambda s: _kinds(s, 'labels.kind="quick"')),
    Question("A label that is there, with an empty value?", ALL, lambda s: _kinds(s, "labels.empty:*")),
    Question("labels:key?", ALL, lambda s: _kinds(s, "labels:empty")),
    Question("NOT on a label that is there?", [], lambda s: _kinds(s, "NOT labels.empty:*")),
    Question("Does != find jobs without the label?", ALL, lambda s: _kinds(s, 'labels.team!="a"')),
    Question("A wildcard in display_name with `:`?", ["quick"],
             lambda s: _kinds(s, 'display_name:"*-quick"')),
    Question("And with `=`?", [], lambda s: _kinds(s, 'display_name="*-quick"')),
    Question("A filter on end_time?", "INVALID_ARGUMENT",
             lambda s: s.outcome(lambda: s.target.listed('end_time>"2026-01-01T00:00:00Z"'))),
    Question("In which order is a list?", "newest first", _order),
    Question("Are pages as large as asked?", [2, 2], _pages),
    Question("What does a mask of name, state, labels show?", ["labels", "name", "state"],
             lambda s: _set_fields(_mask(s, "name", "state", "labels"))),
    Question("What does one of job_spec.base_output_directory show?", ["base_output_directory"],
             lambda s: _set_fields(_mask(s, "job_spec.base_output_directory").job_spec)),
    Question("What does a job say that succeeded?", ("JOB_STATE_SUCCEEDED", 0),
             lambda s: (s.last["quick"].state.name, s.last["quick"].error.code)),
    Question("Do its times follow each other?", True,
             lambda s: _times(s) == sorted(_times(s))),
    Question("Is a failed job's error there with its state?", False,
             lambda s: Seen(s.error_came_with_end, f"{s.later('failing', 'error'):.0f} s later")),
    Question("Its code?", 3, lambda s: s.last["failing"].error.code),
    Question("Its text, up to the first sentence's end?",
             "The replica workerpool0-0 exited with a non-zero status of 3.",
             lambda s: s.last["failing"].error.message.partition(". ")[0] + "."),
    Question("Does a job that is queued take a cancel?", "OK", lambda s: s.cancels["queued"]),
    Question("And ends how?", ("JOB_STATE_CANCELLED", 1, "CANCELED"),
             lambda s: _end(s, "queued")),
    Question("Does a job that is pending take a cancel?", "OK",
             lambda s: Seen(s.cancels.get("pending"), s.state_at_cancel)),
    Question("And how does that end?", ("JOB_STATE_CANCELLED", 1, "CANCELED"), lambda s: _end(s, "pending")),
    Question("Which state after the cancel of a running job?", "JOB_STATE_CANCELLING",
             lambda s: s.after_cancel),
    Question("A second cancel?", "OK", lambda s: s.cancels.get("slow")),
    Question("How does it end?", ("JOB_STATE_CANCELLED", 1, "CANCELED"),
             lambda s: _end(s, "slow")),
    Question("A cancel of a job that has ended?", "FAILED_PRECONDITION",
             lambda s: s.outcome(lambda: s.cancel("quick"))),
    Question("A cancel of no job?", "NOT_FOUND",
             lambda s: s.outcome(lambda: s.target.jobs.cancel_custom_job(name=_missing(s), timeout=60))),
    Question("Which jobs does the filter for active ones find now?", [], lambda s: _kinds(s, ACTIVE)),
    Question("A get of a job that was deleted?", "NOT_FOUND", lambda s: s.after_delete),
    Question("Are a job's lines there at its end?", "at once", lambda s: lateness(s.later("quick", "lines"))),
    Question("Which lines, and their severities?",
             [("a line of JSON", "WARNING"), ("a line on stderr", "ERROR"), ("a line on stdout", "INFO")],
             _messages),
    Question("The log's name?", True,
             lambda s: s.lines[0].log_name == f"projects/{s.target.project}/logs/workerpool0-0"),
    Question("Labels of the resource?", ["job_id", "project_id", "task_name"],
             lambda s: sorted(s.lines[0].resource.labels)),
    Question("Does Vertex write lines of its own?", True,
             lambda s: bool(s.target.entries(s.quick.name, 'resource.labels.task_name="service"'))),
    Question("AIP_MODEL_DIR?", True, lambda s: any("/model/" in line for line in _matching(s, "model"))),
    Question("severity>=warning?", ["a line of JSON", "a line on stderr"],
             lambda s: _matching(s, "severity>=warning")),
    Question("A field of the payload?", ["a line of JSON"], lambda s: _matching(s, "jsonPayload.loss<1")),
    Question("!= on a field that no line has?", [], lambda s: _matching(s, 'jsonPayload.nobody!="x"')),
    Question("An accelerator without a count?",
             f"{FOUND}job_spec.worker_pool_specs[0].machine_spec.accelerator_type;"
             " Message: Both `accelerator_type` and `accelerator_count` should be specified or none.\t",
             _create(machine_spec=PAIR)),
    Question("An accelerator that is no more?",
             f'{REFUSED}Accelerator "NVIDIA_TESLA_K80" is not supported for machine type "n1-standard-4".',
             _create(machine_spec=K80)),
    Question("A machine type that is not there?",
             f'{REFUSED}Machine type "n1-standard-5" is not supported.',
             _create(machine_spec={"machine_type": "n1-standard-5"})),
    Question("No display name?",
             f"{FOUND}display_name; Message: Required field is not set.\t",
             _create(display_name="")),
    Question("A label in capitals?", "INVALID_ARGUMENT",
             lambda s: s.outcome(lambda: s.target.create("refused", "true", labels={"Team": "a"}))),
]  # fmt: skip


QUOTA = Question(
    "What is answered over the quota?", "RATE_LIMIT_EXCEEDED: Quota exceeded for quota metric", _quota
)
"""Uses up the project's requests of a minute in one region: asked of a real project only on request."""
