"""The client of an emulator's control service: for tests and benchmarks, synchronous, light to import."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FINAL_STATES", "ControlClient"]

_SERVICE = "airflow_vertex_training.emulator.Control"

FINAL_STATES = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")
"""The states that an emulator's jobs end in."""


class ControlClient:
    """Injects faults into an emulator, and reads what it saw.

    Projects keep tests apart: faults, counters and quotas belong to one. Every method raises `grpc.RpcError`:
    NOT_FOUND for an unknown job, INVALID_ARGUMENT for a wrong value, DEADLINE_EXCEEDED for a wait that took
    too long.

    Args:
        address: `host:port` of the control service.
        timeout: How long a call may take, in seconds.
    """

    def __init__(self, address: str, timeout: float = 30.0) -> None:
        self.address = address
        self._timeout = timeout
        self._channel = grpc.insecure_channel(address)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def add_fault(self, project: str, kind: str, **settings: Any) -> str:
        """Put a fault in force.

        Args:
            project: The project's id.
            kind: See `faults.Fault`, which lists the settings too.
            **settings: Of the fault.

        Returns:
            The fault's id.
        """
        return str(self._call("add_fault", fault={"project": project, "kind": kind, **settings}))

    def clear_faults(self, project: str) -> None:
        """Take all of a project's faults out of force, and release what they hold."""
        self._call("clear_faults", project=project)

    def wait_fault(self, fault_id: str, times: int = 1, timeout: float = 30.0) -> None:
        """Wait until a fault has struck so often; a `hold` that has struck holds its request."""
        self._call("wait_fault", timeout, fault_id=fault_id, times=times)

    def release_fault(self, fault_id: str) -> None:
        """Let go what a `hold` holds, now and later."""
        self._call("release_fault", fault_id=fault_id)

    def requests(self, project: str) -> dict[str, dict[str, int]]:
        """Return how many requests a project made, by method and outcome (`OK`, or the code's name).

        A request without an answer, yet or because its client gave up, counts as `CANCELLED`.
        """
        return dict(self._call("counts", project=project)["requests"])

    def connections(self, project: str) -> int:
        """Return over how many different connections a project's requests have come."""
        return int(self._call("counts", project=project)["connections"])

    def set_quotas(self, project: str, limits: Mapping[str, Any] | None) -> None:
        """Give a project request quotas of its own.

        Args:
            project: The project's id.
            limits: Settings of `config.QuotaLimits`, `{}` for Vertex's defaults; None enforces none.
        """
        self._call("set_quotas", project=project, limits=limits)

    def set_project_number(self, project: str, number: str) -> None:
        """Make answers name a project by its number, as Vertex does; requests may use both."""
        self._call("set_project_number", project=project, number=number)

    def jobs(self, project: str, region: str | None = None) -> list[dict[str, Any]]:
        """Return a project's jobs, oldest first, each with its `history` of states."""
        return list(self._call("jobs", project=project, region=region))

    def wait_job(
        self, name: str, states: Sequence[str] = FINAL_STATES, timeout: float = 30.0
    ) -> dict[str, Any]:
        """Wait until a job is, or has been, in one of these states; return it as `jobs` does."""
        return dict(self._call("wait_job", timeout, name=name, states=list(states)))

    def cancel_jobs(self, project: str) -> None:
        """Start cancelling all of a project's jobs that have not ended."""
        self._call("cancel_jobs", project=project)

    def log_lines(self, name: str, task_name: str | None = None) -> list[dict[str, Any]]:
        """Return a job's log: `task_name`, `severity`, `text` and time of each line.

        Args:
            name: The job's full name.
            task_name: Only this replica's, or `service` for Vertex's own; None is all replicas'.
        """
        return list(self._call("log_lines", name=name, task_name=task_name))

    def wait_line(self, name: str, text: str = "", timeout: float = 30.0) -> str:
        """Wait until a replica of a job has printed a line that contains a text; return the line."""
        return str(self._call("wait_line", timeout, name=name, text=text))

    def write_log(self, project: str, lines: Sequence[tuple[str, str, str, str, float]]) -> None:
        """Write lines into jobs' logs, as if replicas had printed them now. The jobs need not exist.

        Args:
            project: The project's id.
            lines: Of each: the job's id, the replica, the line, the severity, and how many seconds it takes
                to come to the log.
        """
        self._call("write_log", project=project, lines=[list(line) for line in lines])

    def preempt(self, name: str, replica: str = "workerpool0-0") -> bool:
        """Take a running replica away, as a fault of the infrastructure does; it is restarted.

        Returns:
            Whether there was one.
        """
        return bool(self._call("preempt", name=name, replica=replica))

    def create_simulated(
        self,
        project: str,
        region: str,
        count: int,
        *,
        display_name: str = "simulated",
        labels: Mapping[str, str] | None = None,
        run_seconds: float = 10.0,
        spread_seconds: float = 0.0,
        exit_status: int = 0,
    ) -> list[str]:
        """Make many jobs that run no process, only by the clock. No quota is charged.

        Args:
            project: The project's id.
            region: The region.
            count: How many.
            display_name: Start of their display names; a number follows.
            labels: Labels of all.
            run_seconds: How long the first one runs.
            spread_seconds: How much longer the last one runs; the others lie evenly between.
            exit_status: 0 for success.

        Returns:
            Their names.
        """
        return list(
            self._call(
                "create_simulated",
                project=project,
                region=region,
                count=count,
                display_name=display_name,
                labels=dict(labels or {}),
                run_seconds=run_seconds,
                spread_seconds=spread_seconds,
                exit_status=exit_status,
            )
        )

    def pause_serving(self) -> None:
        """Cut all connections to the API and refuses new ones. This strikes every project."""
        self._call("pause_serving")

    def resume_serving(self) -> None:
        """Serve the API again, at the same address."""
        self._call("resume_serving")

    def drop_connections(self) -> None:
        """Cut all connections to the API; clients may connect again at once. This strikes every project."""
        self.pause_serving()
        self.resume_serving()

    def _call(self, method: str, timeout: float | None = None, /, **values: Any) -> Any:
        rpc: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(f"/{_SERVICE}/{method}")
        answer = rpc(json.dumps(values).encode(), timeout=timeout or self._timeout, wait_for_ready=True)
        return json.loads(answer)
