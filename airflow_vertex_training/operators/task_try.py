"""What Airflow says of a running task: which try of which task it is, and by what names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_vertex_training import compat, settings
from airflow_vertex_training.vertex.naming.identity import TaskTry

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context


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


def airflow_variables(context: Context) -> dict[str, str]:
    """Return what Airflow tells a task's processes about itself: ``AIRFLOW_CTX_DAG_ID`` and so on."""
    from airflow.sdk.execution_time.context import context_to_airflow_vars

    return context_to_airflow_vars(context, in_env_var_format=True)


def map_name(operator: BaseOperator, context: Context) -> str | None:
    """Return the name of a mapped task's instance, ``None`` where it has none that is known by now.

    Airflow renders it itself before a task runs, but only from 3.2 on.

    Args:
        operator: the task.
        context: of its running process.
    """
    if not operator.map_index_template:
        return None
    try:
        return str(operator.render_template(operator.map_index_template, context))
    except Exception:  # noqa: BLE001 - it may use what only the task's run brings
        return None
