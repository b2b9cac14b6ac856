"""Faults on request: scripted by method, matched to requests or jobs, used up in order.

A fault is data (`Fault`), so that it can come from another process. `FaultBook` keeps those that are in
force, says which one a request or a job meets, and lets a test wait until one was met. A request meets at
most one fault before its commit, one after it, and one stale view; a job at most one when it is provisioned
and one when it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import grpc

from airflow_vertex_training.emulator.jobs.changes import Changes

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ActiveFault", "Fault", "FaultBook", "Target"]

_PHASES = {
    # Kinds that meet a request, in the phase that `when` names.
    "error": ("before_commit", "after_commit"),
    "delay": ("before_commit", "after_commit"),
    "hang": ("before_commit", "after_commit"),
    "hold": ("before_commit", "after_commit"),
    # What a list, of jobs or log entries, doesn't know yet.
    "stale": ("view",),
    "late": ("view",),
    # Kinds that meet a job.
    "queue": ("queue",),
    "job_error": ("provision",),
    "preempt": ("run",),
    "out_of_memory": ("run",),
    "late_error": ("error",),
}

STOCKOUT = (
    "Resources are insufficient in region: {region}. Try a different region or use a different accelerator."
)
"""The text of a job's error when Vertex is out of machines; the code is 8."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong, for whom, and how often.

    Args:
        kind: `error` answers with `code`. `delay` waits `seconds` and goes on. `hang` never answers. `hold`
            waits until it is released. `stale`: a list shows the world as it was `seconds` ago. `late`: a
            list misses what is younger than `seconds`. `queue`: the job stays QUEUED for `seconds` more, or
            until it is released. `job_error`: the job fails when it should start, with `code` and `message`
            (default: a stockout). `preempt`: a replica is lost `seconds` after the job began to run.
            `out_of_memory`: a replica is killed `seconds` after that, as where memory ran out.
            `late_error`: the job's error is set `seconds` after its final state, or when it is released.
        project: The project's id.
        method: The RPC, such as `CreateCustomJob`; `*` is any. Faults of jobs have no method.
        region: Only this region; None is any.
        when: `before_commit` or `after_commit`, for the first four kinds. An answer that is lost after the
            job was made is an `error` or a `hang` with `after_commit`.
        code: Name of a gRPC status code; None is RESOURCE_EXHAUSTED for a `job_error`, else UNAVAILABLE.
        message: The status message.
        seconds: A duration.
        replica: Which replica is preempted or killed.
        details: For `error`: error details that go with it, as `QuotaFailure` violations, subject to
            description.
        display_name: Only jobs whose display name contains this.
        labels: Only jobs that carry these labels.
        skip: How many matches are let through first.
        times: How often it happens; None is until it is cleared.
    """

    kind: str
    project: str
    method: str = "*"
    region: str | None = None
    when: str = "before_commit"
    code: str | None = None
    message: str = ""
    seconds: float = 0.0
    replica: str = "workerpool0-0"
    details: Mapping[str, str] = field(default_factory=dict)
    display_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    skip: int = 0
    times: int | None = 1

    def __post_init__(self) -> None:
        if self.kind not in _PHASES:
            raise ValueError(f"kind: must be one of {', '.join(_PHASES)}, got {self.kind!r}")
        if self.when not in ("before_commit", "after_commit"):
            raise ValueError(f"when: must be before_commit or after_commit, got {self.when!r}")
        if self.code is not None and (self.code not in grpc.StatusCode.__members__ or self.code == "OK"):
            raise ValueError(f"code: must name a gRPC status code other than OK, got {self.code!r}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Fault:
        """Make a fault of named values.

        Raises:
            ValueError: An unknown name, or a value that can't be.
        """
        unknown = set(values) - {known.name for known in fields(cls)}
        if unknown:
            raise ValueError(f"fault: unknown settings {', '.join(sorted(unknown))}")
        return cls(**values)

    @property
    def status(self) -> grpc.StatusCode:
        """The code that it answers with, or that the job's error has."""
        default = "RESOURCE_EXHAUSTED" if self.kind == "job_error" else "UNAVAILABLE"
        return grpc.StatusCode[self.code or default]

    @property
    def phase(self) -> str:
        """When it strikes."""
        phases = _PHASES[self.kind]
        return self.when if len(phases) > 1 else phases[0]


@dataclass(frozen=True)
class Target:
    """What a fault can strike: a request, or a job (then `method` is empty)."""

    project: str
    region: str
    method: str = ""
    display_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def matches(self, fault: Fault) -> bool:
        """Say whether a fault is meant for this."""
        return (
            fault.project == self.project
            and fault.region in (None, self.region)
            and (not self.method or fault.method in ("*", self.method))
            and (fault.display_name is None or fault.display_name in self.display_name)
            and fault.labels.items() <= self.labels.items()
        )


@dataclass(eq=False)
class ActiveFault:
    """A fault in force, and how often it has struck.

    Args:
        fault_id: Names it to clients.
        fault: What it does.
    """

    fault_id: str
    fault: Fault
    seen: int = 0
    struck: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    _progress: Changes = field(default_factory=Changes)

    @property
    def used_up(self) -> bool:
        """Whether it will strike no more."""
        return self.fault.times is not None and self.struck >= self.fault.times

    def strike(self) -> bool:
        """Count a match; return whether the fault strikes."""
        self.seen += 1
        if self.seen <= self.fault.skip or self.used_up:
            return False
        self.struck += 1
        self._progress.notify()
        return True

    async def wait_over(self) -> None:
        """Wait until its seconds have passed, or it is released."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.released.wait(), self.fault.seconds)

    async def wait_reached(self, times: int) -> None:
        """Wait until it has struck so often."""
        while self.struck < times:
            await self._progress.wait()


class FaultBook:
    """The faults of all projects."""

    def __init__(self) -> None:
        self._faults: dict[str, ActiveFault] = {}
        self._ids = itertools.count(1)

    def add(self, fault: Fault) -> str:
        """Put a fault in force.

        Returns:
            Its id.
        """
        fault_id = f"fault-{next(self._ids)}"
        self._faults[fault_id] = ActiveFault(fault_id, fault)
        return fault_id

    def clear(self, project: str) -> None:
        """Take all faults of a project out of force, and release what they hold."""
        for fault_id, active in list(self._faults.items()):
            if active.fault.project == project:
                active.released.set()
                del self._faults[fault_id]

    def find(self, fault_id: str) -> ActiveFault:
        """Return a fault by its id; used up ones too, until they are cleared.

        Raises:
            KeyError: There is none.
        """
        return self._faults[fault_id]

    def take(self, phase: str, target: Target) -> ActiveFault | None:
        """Find the fault that strikes a target, and use it up by one.

        Args:
            phase: `before_commit`, `after_commit`, `view`, `queue`, `provision`, `run` or `error`.
            target: The request or the job.

        Returns:
            The first fault that matches; None if nothing goes wrong.
        """
        for active in self._faults.values():
            if active.fault.phase == phase and target.matches(active.fault) and active.strike():
                return active
        return None
