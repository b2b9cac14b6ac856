"""Full resource names of jobs, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.naming.job_name import JobName

NO_NAMES = (
    "4711",
    "",
    None,
    4711,
    "projects/p/locations/us-central1",
    "projects/p/locations/us-central1/customJobs/",
    "projects//locations/us-central1/customJobs/4711",
    "projects/p/locations/us-central1/customJobs/4711/",
    "/projects/p/locations/us-central1/customJobs/4711",
    "projects/p/locations/us-central1/trainingPipelines/4711",
    "//aiplatform.googleapis.com/projects/p/locations/us-central1/customJobs/4711",
)


def test_the_parts_of_a_name() -> None:
    """A project's id and its number both serve."""
    for project in ("acme", "1234567890"):
        name = JobName.parse(f"projects/{project}/locations/us-central1/customJobs/4711")
        assert name == JobName(project, "us-central1", "4711")
        assert name.parent == f"projects/{project}/locations/us-central1"


@pytest.mark.parametrize("given", NO_NAMES, ids=repr)
def test_what_is_no_full_name_is_refused(given: Any) -> None:
    """The error names the argument, shows what was given, and says what would be right."""
    with pytest.raises(InvalidJobError) as caught:
        JobName.parse(given)
    assert str(caught.value) == (
        f"job_name: {given!r} is no full resource name; write projects/PROJECT/locations/REGION/customJobs/ID"
    )
