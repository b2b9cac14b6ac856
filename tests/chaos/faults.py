"""The operator with points at which a test can stop its process."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_vertex_training.operators import VertexCustomTrainingOperator
from tests.airflow_processes.fault_points import around, reach


class Training(VertexCustomTrainingOperator):
    """The operator itself; a test may stop it around the create call, before the deferral, and after it."""

    def execute(self, context: Any) -> dict[str, Any]:
        """Do as the operator does."""
        from google.cloud.aiplatform_v1.services.job_service import JobServiceClient

        with around(JobServiceClient, "create_custom_job", "create"):
            return super().execute(context)

    def defer(self, **arguments: Any) -> Any:
        """Defer, which a test may hold up."""
        reach("before deferral")
        return super().defer(**arguments)

    def resume_execution(self, *arguments: Any, **named: Any) -> Any:
        """Go on after the deferral, which a test may hold up."""
        reach("resumption")
        return super().resume_execution(*arguments, **named)


def arguments(given: dict[str, Any]) -> dict[str, Any]:
    """Return operator arguments of what can be written into a DAG file as a literal."""
    durations = ("execution_timeout", "retry_delay")
    return {name: timedelta(seconds=value) if name in durations else value for name, value in given.items()}
