"""Which try of which task a running task is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_vertex_training import compat, settings
from airflow_vertex_training.vertex.naming.identity import TaskTry

if TYPE_CHECKING:
    from airflow.sdk import Context


def task_try(context: Context) -> TaskTry:
    """Return which try of which task instance a running task is."""
    ti, run = context["ti"], context["dag_run"]
    operator: Any = ti.task
    return TaskTry(
        deployment_id=settings.deployment_id(),
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        try_number=ti.try_number,
        try_id=str(ti.id),
        max_tries=ti.max_tries,
        clear_number=compat.clear_number(run, ti.max_tries),
        run_start=run.start_date,
        cancel_on_kill=operator.cancel_on_kill,
    )
