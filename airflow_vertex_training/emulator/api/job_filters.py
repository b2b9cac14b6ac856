"""What a filter of `ListCustomJobs` may ask: the "Supported fields" of `ListCustomJobsRequest.filter`.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.customJobs/list#query-parameters
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_vertex_training.emulator.api.filter_grammar import (
    Call,
    FilterError,
    Path,
    Restriction,
    Value,
    Word,
)
from airflow_vertex_training.emulator.api.filters import Field, Test, field_test, nanoseconds
from airflow_vertex_training.emulator.api.messages import JobState

if TYPE_CHECKING:
    from airflow_vertex_training.emulator.api.messages import Message

__all__ = ["job_test"]

_LABELS = "labels"


def job_test(node: Restriction | Word | Call) -> Test:
    """Bind a comparison to jobs: what `Filter.compile` wants as `leaf`.

    Raises:
        FilterError: An unknown field, an operator that it doesn't support, or a value of the wrong form.
    """
    if isinstance(node, Restriction) and node.path == (_LABELS,):
        node = _label_key(node)
    return field_test(_job_field, node)


def _label_key(node: Restriction) -> Restriction:
    """`labels:key` is true if there is such a label, whatever its value is."""
    if node.operator != ":":
        raise FilterError(f"labels: supports :, got {node.operator!r}")
    return Restriction((_LABELS, node.value.text), ":", Value("*"))


def _state(text: str) -> int:
    try:
        return int(JobState[text])
    except KeyError:
        raise ValueError(f"must be a JobState such as JOB_STATE_RUNNING, got {text!r}") from None


def _create_time(job: Message) -> int:
    return int(job.create_time.ToNanoseconds())


_JOB_FIELDS: dict[Path, Field] = {
    ("display_name",): Field(lambda job: job.display_name),
    ("state",): Field(lambda job: job.state, _state, "= !="),
    ("create_time",): Field(_create_time, nanoseconds, "= != < <= > >="),
}


def _job_field(path: Path) -> Field:
    if path[0] == _LABELS:
        key = ".".join(path[1:])
        return Field(lambda job: job.labels.get(key), in_map=True)
    return _JOB_FIELDS[path]
