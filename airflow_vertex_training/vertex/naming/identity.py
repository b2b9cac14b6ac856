"""Who asks for a job: which try of which task, and the labels by which its job is found again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.exceptions import InvalidJobError

if TYPE_CHECKING:
    from datetime import datetime

from airflow_vertex_training.vertex.naming.labels import _hash, legal

DEPLOYMENT = "airflow_deployment"

TRY = "airflow_try"

TASK_INSTANCE = "airflow_task_instance"

RUN_START = "airflow_run_start"

MAX_TRIES = "airflow_max_tries"

CLEAR_NUMBER = "airflow_clear_number"

SPEC = "airflow_spec"

CANCEL_ON_KILL = "airflow_cancel_on_kill"

DAG_ID = "airflow_dag_id"

TASK_ID = "airflow_task_id"

RUN_ID = "airflow_run_id"

MAP_INDEX = "airflow_map_index"

TRY_NUMBER = "airflow_try_number"

OWN_LABELS = (
    DEPLOYMENT,
    TRY,
    TASK_INSTANCE,
    RUN_START,
    MAX_TRIES,
    CLEAR_NUMBER,
    SPEC,
    CANCEL_ON_KILL,
    DAG_ID,
    TASK_ID,
    RUN_ID,
    MAP_INDEX,
    TRY_NUMBER,
)
"""The labels that a job may carry for Airflow. Room is kept for all, though not every job has all."""

DEFAULT_DEPLOYMENT_ID = "airflow"


@dataclass(frozen=True)
class TaskTry:
    """One try of one task instance: who asks for a job.

    Args:
        deployment_id: which Airflow this is, from ``[vertex_training] deployment_id``.
        dag_id: id of the DAG.
        run_id: id of the DAG run.
        task_id: id of the task.
        map_index: which instance of a mapped task, -1 where it is not mapped.
        try_number: 1 for the first try; it only grows.
        try_id: ``ti.id``, the UUID that Airflow gives each try.
        max_tries: ``ti.max_tries``: constant while the task is retried, changed by most clears of the task.
        clear_number: ``dag_run.clear_number``: how often tasks of the run were cleared. See
            ``compat.clear_number``.
        run_start: start of the DAG run, or ``None`` where Airflow has none (``dag.test()``).
        cancel_on_kill: whether the job ends with its task, default yes.

    Raises:
        InvalidJobError: ``deployment_id`` is no legal label.
    """

    deployment_id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    try_id: str
    max_tries: int
    clear_number: int
    run_start: datetime | None
    cancel_on_kill: bool = True

    def __post_init__(self) -> None:
        """Check the one value that an administrator writes."""
        if self.deployment_id != legal(self.deployment_id) or not self.deployment_id:
            raise InvalidJobError(
                "[vertex_training] deployment_id",
                f"{self.deployment_id!r} is no legal label; write {legal(self.deployment_id) or 'airflow'!r}",
            )

    @property
    def task_instance(self) -> str:
        """Hash of what names the task instance, whatever its try."""
        return task_instance_hash(self.deployment_id, self.dag_id, self.run_id, self.task_id, self.map_index)

    @property
    def run_start_label(self) -> str | None:
        """The run's start in microseconds, or ``None`` where there is none to be sure by."""
        if self.run_start is None:
            return None
        # Not timestamp() * 1e6: a float is too coarse for the microseconds of today.
        return f"{int(self.run_start.timestamp())}{self.run_start.microsecond:06d}"

    def labels(self) -> dict[str, str]:
        """Return the labels that the job carries from its first moment, so that it can be found again.

        ``SPEC`` is missing: it is made of the message that is sent.
        """
        labels = {
            DEPLOYMENT: self.deployment_id,
            TRY: self.try_id,
            TASK_INSTANCE: self.task_instance,
            MAX_TRIES: str(self.max_tries),
            CLEAR_NUMBER: str(self.clear_number),
            DAG_ID: legal(self.dag_id),
            TASK_ID: legal(self.task_id),
            RUN_ID: legal(self.run_id),
            MAP_INDEX: str(self.map_index),
            TRY_NUMBER: str(self.try_number),
        }
        if self.run_start_label is not None:
            labels[RUN_START] = self.run_start_label
        if not self.cancel_on_kill:
            labels[CANCEL_ON_KILL] = "off"
        return labels


def task_instance_hash(deployment_id: str, dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """Return the value of the label ``airflow_task_instance``."""
    return _hash("\n".join((deployment_id, dag_id, run_id, task_id, str(map_index))))[:40]
