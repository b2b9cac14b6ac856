"""The emulator as one test sees it: a project of its own, its jobs, and faults on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_vertex_training.emulator.control.client import FINAL_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_vertex_training.emulator.control.client import ControlClient
    from airflow_vertex_training.emulator.control.process import EmulatorProcess

__all__ = ["VertexEmulator"]


class VertexEmulator:
    """What the pytest fixture `vertex_emulator` gives to a test.

    Args:
        process: The emulator that runs.
        project: The id of a project that is the test's alone.

    Attributes:
        project: That id.
    """

    def __init__(self, process: EmulatorProcess, project: str) -> None:
        self._process = process
        self.project = project

    @property
    def address(self) -> str:
        """`host:port` of the gRPC API: the value of `VERTEX_AI_EMULATOR_HOST`."""
        return self._process.address

    @property
    def http_address(self) -> str:
        """URL of the JSON API, and of a page that shows the jobs."""
        return self._process.http_address

    @property
    def storage(self) -> Path:
        """The folder where `gs://BUCKET` lies, as `storage/BUCKET`."""
        return self._process.storage

    @property
    def control(self) -> ControlClient:
        """Everything else that can be done to the emulator."""
        return self._process.control

    def sdk_settings(self) -> dict[str, Any]:
        """Return the arguments of `google.cloud.aiplatform.init` with which the SDK works here.

        The location is left to the test.
        """
        from google.auth.credentials import AnonymousCredentials

        return {
            "project": self.project,
            "api_endpoint": self.http_address,
            "api_transport": "rest",
            "credentials": AnonymousCredentials(),
            "staging_bucket": f"gs://{self.project}",
        }

    def jobs(self) -> list[dict[str, Any]]:
        """Return the project's jobs, oldest first.

        Returns:
            Of each its `name`, `display_name`, `labels`, `state`, `error_message`, `history` and so on.
        """
        return self.control.jobs(self.project)

    def wait(
        self, job_name: str, states: Sequence[str] = FINAL_STATES, timeout: float = 30.0
    ) -> dict[str, Any]:
        """Wait until a job is, or has been, in one of these states.

        Args:
            job_name: The job's full resource name.
            states: Names such as `JOB_STATE_RUNNING`; the default are those in which jobs end.
            timeout: How long that may take, in seconds.

        Returns:
            The job, as `jobs` has it.

        Raises:
            grpc.RpcError: DEADLINE_EXCEEDED: it took longer. NOT_FOUND: there is no such job.
        """
        return self.control.wait_job(job_name, states, timeout)

    def log(self, job_name: str) -> list[str]:
        """Return the lines that a job's replicas have printed."""
        return [line["text"] for line in self.control.log_lines(job_name)]

    def fail_next(
        self,
        method: str = "*",
        code: str = "UNAVAILABLE",
        message: str = "",
        *,
        times: int = 1,
        after_commit: bool = False,
    ) -> str:
        """Answer the next request with an error.

        Args:
            method: Which kind of request, such as `CreateCustomJob`; `*` is any.
            code: Name of a gRPC status code.
            message: The error's text.
            times: How many requests.
            after_commit: Do what was asked first, so that only the answer is lost.

        Returns:
            The fault's id, for `control.wait_fault`.
        """
        when = "after_commit" if after_commit else "before_commit"
        return self.fault("error", method=method, code=code, message=message, times=times, when=when)

    def fault(self, kind: str, **settings: Any) -> str:
        """Put any fault in force for this project: a delay, a late list, a stockout, a preemption and so on.

        Args:
            kind: See `airflow_vertex_training.emulator.control.faults.Fault`, which lists the settings too.
            **settings: Of the fault.

        Returns:
            The fault's id, for `control.wait_fault`.
        """
        return self.control.add_fault(self.project, kind, **settings)

    def requests(self) -> dict[str, dict[str, int]]:
        """Return how many requests the project got, by method and outcome: `OK`, or the code's name."""
        return self.control.requests(self.project)

    def clear(self) -> None:
        """Take all faults out of force, and cancel the jobs that still run."""
        self.control.clear_faults(self.project)
        self.control.cancel_jobs(self.project)
