"""Who asks for a job: which try of which task, and the labels by which its job is found again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.exceptions import InvalidJobError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

from airflow_vertex_training.vertex.naming.labels import MAX_LABELS, _hash, legal

DEPLOYMENT = "airflow_deployment"

TRY = "airflow_try"

TASK_INSTANCE = "airflow_task_instance"

RUN_START = "airflow_run_start"

FIRST_TRY = "airflow_first_try"

TRY_NUMBER = "airflow_try_number"

DEFAULT_DEPLOYMENT_ID = "airflow"


@dataclass(frozen=True)
class TaskTry:
    """One try of one task instance: who asks for a job.

    Args:
        try_id: ``ti.id``, the UUID that Airflow gives each try.
        first_try: number of the try that this series of retries began with.
        run_start: start of the DAG run, or ``None`` where Airflow has none (``dag.test()``).
        deployment_id: which Airflow this is, from ``[vertex_training] deployment_id``.
    """

    deployment_id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    try_id: str
    first_try: int
    run_start: datetime | None

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
        parts = (self.deployment_id, self.dag_id, self.run_id, self.task_id, str(self.map_index))
        return _hash("\n".join(parts))[:40]

    @property
    def run_start_label(self) -> str | None:
        """The run's start in microseconds, or ``None`` where there is none to be sure by."""
        if self.run_start is None:
            return None
        # Not timestamp() * 1e6: a float is too coarse for the microseconds of today.
        return f"{int(self.run_start.timestamp())}{self.run_start.microsecond:06d}"

    def labels(self) -> dict[str, str]:
        """Return the labels that the job carries from its first moment, so that it can be found again."""
        labels = {
            DEPLOYMENT: self.deployment_id,
            TRY: self.try_id,
            TASK_INSTANCE: self.task_instance,
            FIRST_TRY: str(self.first_try),
            "airflow_dag_id": legal(self.dag_id),
            "airflow_task_id": legal(self.task_id),
            "airflow_run_id": legal(self.run_id),
            "airflow_map_index": str(self.map_index),
            TRY_NUMBER: str(self.try_number),
        }
        if self.run_start_label is not None:
            labels[RUN_START] = self.run_start_label
        return labels


def all_labels(task_try: TaskTry, labels: Mapping[str, str]) -> dict[str, str]:
    """Return Airflow's own labels and the user's (legal ones) on top.

    Raises:
        InvalidJobError: together they are more than Google Cloud takes.
    """
    own = task_try.labels()
    if len(own) + len(labels) > MAX_LABELS:
        room = MAX_LABELS - len(own)
        raise InvalidJobError(
            "labels", f"Vertex AI takes {MAX_LABELS}, Airflow needs {len(own)}: {room} at most"
        )
    return {**own, **labels}
