"""The operator with a first trigger that breaks on the triggerer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_vertex_training.operators import VertexCustomTrainingOperator
from airflow_vertex_training.triggers import VertexJobTrigger
from tests.airflow_processes.fault_points import reach_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow.triggers.base import TriggerEvent


class CrashingTrigger(VertexJobTrigger):
    """Raises when a test lets it go on."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return this class's path and the trigger's arguments."""
        return "tests.chaos.broken_triggers.CrashingTrigger", super().serialize()[1]

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Crash."""
        await reach_async("in the trigger")
        if self.job_name:
            msg = "the trigger crashed"
            raise RuntimeError(msg)
        yield  # type: ignore[misc]  # makes it the asynchronous generator that Airflow wants


class UnloadableTrigger(VertexJobTrigger):
    """Has a path that leads nowhere on the triggerer, as after a careless upgrade."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return a class path that can't be imported."""
        return "tests.chaos.broken_triggers.NoSuchTrigger", super().serialize()[1]


BROKEN = {"crashing": CrashingTrigger, "unloadable": UnloadableTrigger}


class FirstTriggerBroken(VertexCustomTrainingOperator):
    """The operator itself, but its first try waits with a broken trigger.

    Args:
        first_trigger: `crashing` or `unloadable`.
        **kwargs: Of the operator.
    """

    def __init__(self, *, first_trigger: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first_trigger = first_trigger
        self._is_first = True

    def execute(self, context: Any) -> dict[str, Any]:
        """Do as the operator does."""
        self._is_first = context["ti"].try_number == 1
        return super().execute(context)

    def defer(self, *, trigger: Any, **arguments: Any) -> Any:
        """Defer, in the first try to the broken trigger."""
        if self._is_first:
            trigger = BROKEN[self.first_trigger](**trigger.serialize()[1])
        return super().defer(trigger=trigger, **arguments)
