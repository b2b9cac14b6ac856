"""What every request passes: it is counted, permitted, charged to a quota, struck by faults, and answered."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from google.rpc import error_details_pb2

from airflow_vertex_training.emulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_vertex_training.emulator.faults import ActiveFault, Fault, FaultBook, Target
    from airflow_vertex_training.emulator.messages import Message
    from airflow_vertex_training.emulator.names import Location, Projects
    from airflow_vertex_training.emulator.quotas import Quota, Quotas

__all__ = ["Call", "Gate"]


@dataclass(frozen=True)
class Call:
    """A request that has arrived.

    Args:
        target: What faults look at; it names project, region and method.
        permission: What it takes, such as `aiplatform.customJobs.get`.
        quota: What it is charged to.
    """

    target: Target
    permission: str
    quota: Quota


class Gate:
    """Lets requests through, or not.

    Args:
        projects: Which projects the caller may use.
        quotas: The request quotas.
        faults: The faults in force.
    """

    def __init__(self, projects: Projects, quotas: Quotas, faults: FaultBook) -> None:
        self._projects = projects
        self._quotas = quotas
        self._faults = faults
        self._counts: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        self._peers: defaultdict[str, set[str]] = defaultdict(set)

    def counts(self, project: str) -> dict[str, dict[str, int]]:
        """Returns how many requests a project made: outcome (name of the status code) and number, by method.

        A request that is not answered yet, or whose client gave up, counts as `CANCELLED`.
        """
        found: dict[str, dict[str, int]] = {}
        for (method, outcome), number in self._counts[project].items():
            if number:
                found.setdefault(method, {})[outcome] = number
        return found

    def connections(self, project: str) -> int:
        """Returns over how many different connections a project's requests have come."""
        return len(self._peers[project])

    async def serve(
        self,
        call: Call,
        location: Location,
        work: Callable[[], Message],
        context: grpc.aio.ServicerContext[Message, Message],
    ) -> Message:
        """Serves a request.

        Args:
            call: The request.
            location: What it is about, with the project's id; for a denial's text.
            work: Does what is asked: the commit. It doesn't wait for anything.
            context: gRPC's.

        Returns:
            The answer. Errors abort the RPC.
        """
        target = call.target
        counts, outcome = self._counts[target.project], "CANCELLED"
        self._peers[target.project].add(context.peer())
        counts[target.method, outcome] += 1
        try:
            await self._strike(self._faults.take("before_commit", target))
            self._projects.check(location, call.permission)
            self._quotas.charge(
                call.quota, target.project, target.region, self._projects.number(target.project)
            )
            answer = work()
            await self._strike(self._faults.take("after_commit", target))
            outcome = "OK"
        except ApiError as error:
            outcome = error.code.name
            await context.abort(error.code, error.message, error.trailing_metadata())
        finally:
            counts[target.method, "CANCELLED"] -= 1
            counts[target.method, outcome] += 1
        return answer

    async def _strike(self, active: ActiveFault | None) -> None:
        if active is None:
            return
        fault = active.fault
        if fault.kind == "error":
            raise _error_of(fault)
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "hold":
            await active.released.wait()
        else:
            await asyncio.Event().wait()  # a hang ends when the client gives up


def _error_of(fault: Fault) -> ApiError:
    details = []
    if fault.details:
        violations = [
            error_details_pb2.QuotaFailure.Violation(subject=subject, description=description)
            for subject, description in fault.details.items()
        ]
        details.append(error_details_pb2.QuotaFailure(violations=violations))
    return ApiError(grpc.StatusCode[fault.code], fault.message or "Injected by a fault.", details)
