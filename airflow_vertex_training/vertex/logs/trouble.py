"""What is said about logs that can't be read: once to each task, whatever happens until they can be."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.api.advice import describe, lacks_role
from airflow_vertex_training.vertex.logs.lines import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = "roles/logging.viewer"


class Troubles:
    """The trouble with reading logs that there is now.

    Args:
        project: the jobs' project.
    """

    def __init__(self, project: str) -> None:
        self.is_refused = False
        self._project = project
        self._since: float | None = None
        self._said: Line | None = None

    def known(self) -> Iterator[Line]:
        """Return what a task that begins now has to be told."""
        if self._said:
            yield self._said

    def met(self, error: Exception, now: float, *, is_refusal: bool, after: float) -> Line | None:
        """Take in an error, and return what is to be said of it, if anything.

        Args:
            error: what reading met.
            now: seconds of the reader's clock.
            is_refusal: whether asking again is of little use.
            after: seconds after which other trouble is told.
        """
        if self._since is None:
            self._since = now
        worth_telling = is_refusal or now - self._since >= after
        if not worth_telling or (self._said and self.is_refused == is_refusal):
            return None
        self.is_refused = is_refusal
        self._said = self._refusal(error) if is_refusal else self._outage(error)
        return self._said

    def over(self, now: float) -> Line | None:
        """Take in that reading works, and return what is to be said of that, if anything."""
        since, said = self._since, self._said
        self._since = self._said = None
        self.is_refused = False
        if since is None or said is None:
            return None
        return Line(logging.INFO, f"The job's log can be read again, after {now - since:.0f} s")

    def _refusal(self, error: Exception) -> Line:
        if not lacks_role(error):
            return Line(
                logging.WARNING,
                f"The job's log can't be shown here. The job itself is not touched. {describe(error)}",
            )
        text = getattr(error, "message", None) or str(error)
        return Line(
            logging.WARNING,
            f"The job's log can't be shown here: the connection's account may not read logs of project "
            f"{self._project}. The job itself is not touched. Grant the account {ROLE}. Google says: {text}",
        )

    def _outage(self, error: Exception) -> Line:
        return Line(
            logging.WARNING,
            "Reading the job's log does not work now, trying on. The job itself is not touched. "
            f"{describe(error)}",
        )
