"""What is counted while jobs are watched and their logs are read."""

from __future__ import annotations


class Meter:
    """Hears what happens in one project and region, and forgets it; a subclass keeps it."""

    def polled(self) -> None:
        """A request for jobs is about to be sent."""

    def poll_failed(self, code: str) -> None:
        """A request for jobs was not answered.

        Args:
            code: name of gRPC's status code, such as ``UNAVAILABLE``.
        """

    def watches(self, jobs: int) -> None:
        """So many jobs are watched from now on."""

    def read_logs(self) -> None:
        """A request for log lines is about to be sent."""

    def reading_failed(self, code: str) -> None:
        """A request for log lines was not answered.

        Args:
            code: name of gRPC's status code, such as ``RESOURCE_EXHAUSTED``.
        """

    def got_lines(self, count: int) -> None:
        """So many lines of jobs' logs were handed on."""
