"""Now and then all active jobs of the deployment are listed, also those that nobody here waits for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.states import JobSnapshot
    from airflow_vertex_training.vertex.watch.messages import Page

# From the beginning of one complete list to the next, in seconds.
EVERY = 60.0


@dataclass
class Survey:
    """A complete list of the active jobs, as far as it was read.

    Args:
        page_token: of the page to be read next.
        read: whether the last page was read.
        found: the jobs by their ids.
        watched: ids of the jobs that somebody waited for when it began.
    """

    watched: frozenset[str]
    page_token: str = ""
    read: bool = False
    found: dict[str, JobSnapshot] = field(default_factory=dict)
    _tokens: set[str] = field(default_factory=set)

    def add(self, page: Page) -> None:
        """Add a page's jobs."""
        self.found.update((job.custom_job_id, job) for job in page.jobs)
        self.page_token = page.next_page_token
        # A server that leads in a circle has shown all that it will.
        self.read = not page.next_page_token or page.next_page_token in self._tokens
        self._tokens.add(page.next_page_token)
