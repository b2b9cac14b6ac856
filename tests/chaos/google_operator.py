"""Google's own `CreateCustomJobOperator` as the DAG files of `peer_cases.py` import it.

It is changed in nothing but where its calls go, and has points at which a case can stop its process.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from airflow.providers.google.cloud.hooks.vertex_ai.custom_job import CustomJobHook
from airflow.providers.google.cloud.operators.vertex_ai.custom_job import CreateCustomJobOperator
from airflow.providers.google.cloud.triggers.vertex_ai import CustomJobTrigger
from google.cloud.aiplatform_v1.services.job_service import JobServiceClient

from tests.airflow_processes.fault_points import around, reach, reach_async
from tests.chaos.peer_bench import ENDPOINT_VARIABLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow.triggers.base import TriggerEvent


def _endpoint(*_: object, **__: object) -> str:
    return os.environ[ENDPOINT_VARIABLE]


# The provider has no setting for an endpoint. Each process loads this module at its start, the triggerer too.
setattr(CustomJobHook, "_get_api_endpoint", _endpoint)  # noqa: B010  mypy takes no assignment to a method


class CrashingTrigger(CustomJobTrigger):
    """Raises when a case lets it go on."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return this class's path and the trigger's arguments."""
        return "tests.chaos.google_operator.CrashingTrigger", super().serialize()[1]

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Crash."""
        assert self.task_instance is not None
        await reach_async(f"in the trigger {self.task_instance.dag_id}")
        if self.custom_job_id:
            msg = "the trigger crashed"
            raise RuntimeError(msg)
        yield  # type: ignore[misc]  # makes it the asynchronous generator that Airflow wants


class UnloadableTrigger(CustomJobTrigger):
    """Has a path that leads nowhere on the triggerer, as after a careless upgrade."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return a class path that can't be imported."""
        return "tests.chaos.google_operator.NoSuchTrigger", super().serialize()[1]


TRIGGERS = {"crashing": CrashingTrigger, "unloadable": UnloadableTrigger}


class GoogleTraining(CreateCustomJobOperator):
    """The operator itself; a case may stop it around the create call, and before the deferral.

    The points carry the DAG's id: cases run side by side.

    Args:
        first_trigger: `crashing` or `unloadable`: the first try waits with such a trigger.
        **kwargs: Of the operator.
    """

    def __init__(self, *, first_trigger: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first_trigger = first_trigger
        self._is_first = True

    def execute(self, context: Any) -> Any:
        """Do as the operator does."""
        self._is_first = context["ti"].try_number == 1
        with around(JobServiceClient, "create_custom_job", f"create {self.dag_id}"):
            return super().execute(context)

    def defer(self, *, trigger: Any, **arguments: Any) -> Any:
        """Defer, where a case asks for it to a broken trigger."""
        reach(f"before deferral {self.dag_id}")
        if self.first_trigger and self._is_first:
            trigger = TRIGGERS[self.first_trigger](**trigger.serialize()[1])
        return super().defer(trigger=trigger, **arguments)
