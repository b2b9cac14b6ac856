"""Lists of jobs, read to their end whatever their pages are like."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from airflow_vertex_training.vertex.api.calls import Jobs
from tests.vertex.conftest import REGION

if TYPE_CHECKING:
    from google.cloud import aiplatform_v1

    from airflow_vertex_training.emulator.control.process import EmulatorProcess


@dataclasses.dataclass
class OddPages:
    """Pages of two jobs each, of which some are shown again, and perhaps tokens that lead in a circle."""

    jobs: Jobs
    circle: bool

    def __call__(self, filter_: str, token: str, patience: float) -> aiplatform_v1.ListCustomJobsResponse:
        """Return the page of a token."""
        page = Jobs._page(self.jobs, filter_, "", patience)
        first = int(token or 0)
        every = list(page.custom_jobs)
        page.custom_jobs = every[max(0, first - 1) : first + 2]
        page.next_page_token = str(first + 2) if first + 2 < len(every) else "2" if self.circle else ""
        return page


@pytest.mark.parametrize("circle", [False, True])
def test_a_list_ends_and_shows_each_job_once(
    emulator: EmulatorProcess, project: str, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, *, circle: bool
) -> None:
    """Pages that shift while they are read show jobs twice; a server that repeats itself is left."""
    names = emulator.control.create_simulated(project, REGION, 7, run_seconds=600.0)
    monkeypatch.setattr(jobs, "_page", OddPages(jobs, circle))
    assert sorted(job.name for job in jobs.list("")) == sorted(names)
