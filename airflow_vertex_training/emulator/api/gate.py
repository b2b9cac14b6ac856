"""What every request passes: it is counted, permitted, charged to a quota, struck by faults, and answered."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.rpc import error_details_pb2

from airflow_vertex_training.emulator.api.errors import ApiError
from airflow_vertex_training.emulator.api.names import Location

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_vertex_training.emulator.api.messages import Message
    from airflow_vertex_training.emulator.api.names import Projects
    from airflow_vertex_training.emulator.api.quotas import Quota, Quotas
    from airflow_vertex_training.emulator.control.faults import Fault, FaultBook, Target

__all__ = ["Call", "Gate", "Method"]

_UNANSWERED = "CANCELLED"
"""What a request counts as that has no answer, yet or because its client gave up."""


@dataclass(frozen=True)
class Call:
    """A request that has arrived.

    Args:
        permission: What it takes, such as `aiplatform.customJobs.get`.
        quota: What it is charged to; None is charged to none.
        resolve: Says what the request is about; raises ApiError for a malformed name.
        work: Does what is asked: the commit. It waits for nothing.
    """

    permission: str
    quota: Quota | None
    resolve: Callable[[], Target]
    work: Callable[[Target], Message]


@dataclass(frozen=True)
class Method:
    """A method of the API: gRPC and HTTP both call it.

    Args:
        request: The class of its requests.
        answer: Takes a request and the connection that it came over, and returns the answer or raises
            ApiError.
    """

    request: Message
    answer: Callable[[Message, str], Awaitable[Message]]


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
        """Return how many requests a project made: outcome (name of the status code) and number, by method.

        A request that is not answered yet, or whose client gave up, counts as `CANCELLED`.
        """
        found: dict[str, dict[str, int]] = {}
        for (method, outcome), number in self._counts[project].items():
            if number:
                found.setdefault(method, {})[outcome] = number
        return found

    def connections(self, project: str) -> int:
        """Return over how many different connections a project's requests have come."""
        return len(self._peers[project])

    async def serve(self, call: Call, peer: str) -> Message:
        """Serve a request, whichever way it came.

        Args:
            call: The request.
            peer: The connection that it came over.

        Returns:
            The answer.

        Raises:
            ApiError: Any other answer.
        """
        target = call.resolve()
        counts, outcome = self._counts[target.project], _UNANSWERED
        self._peers[target.project].add(peer)
        counts[target.method, _UNANSWERED] += 1
        try:
            await self._strike("before_commit", target)
            self._projects.check(Location(target.project, target.region), call.permission)
            if call.quota is not None:
                consumer = self._projects.number(target.project)
                self._quotas.charge(call.quota, target.project, target.region, consumer)
            answer = call.work(target)
            await self._strike("after_commit", target)
            outcome = "OK"
        except ApiError as error:
            outcome = error.code.name
            raise
        finally:
            counts[target.method, _UNANSWERED] -= 1
            counts[target.method, outcome] += 1
        return answer

    async def _strike(self, phase: str, target: Target) -> None:
        active = self._faults.take(phase, target)
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
    return ApiError(fault.status, fault.message or "Injected by a fault.", details)
