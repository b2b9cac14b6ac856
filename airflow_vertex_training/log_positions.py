"""Where a reader of a job's log has stopped: kept in Airflow, for the next one of the same job.

A trigger keeps it in an XCom, which the next triggerer finds. Airflow deletes a task's XComs when a try
starts: what a later try is to find lies in the ``task_state_store``, which tasks have from Airflow 3.3, and
triggers have not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.logs.followed import FollowedJob, Limits
from airflow_vertex_training.vertex.logs.telling import going_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_vertex_training.ending import TaskInstanceIds

KEY = "log_position"
"""The key of the XCom."""

STORE_KEY = "vertex_training_log_position"
"""The key in the ``task_state_store``."""


@dataclass(frozen=True)
class XComPositions:
    """Positions in an XCom of the task instance. Both methods block.

    Args:
        ti: the task instance.
        job_name: whose log is read; positions of other jobs are left alone.
    """

    ti: TaskInstanceIds
    job_name: str

    def last(self) -> dict[str, Any] | None:
        """Return where the last reader has stopped, ``None`` where there was none."""
        from airflow.providers.common.compat.sdk import XCom

        return of_job(XCom.get_one(key=KEY, **self._ids), self.job_name)

    def keep(self, position: Mapping[str, Any]) -> None:
        """Keep a position."""
        from airflow.providers.common.compat.sdk import XCom

        XCom.set(key=KEY, value={**position, "job": self.job_name}, **self._ids)

    @property
    def _ids(self) -> dict[str, Any]:
        return {
            "dag_id": self.ti.dag_id,
            "task_id": self.ti.task_id,
            "run_id": self.ti.run_id,
            "map_index": -1 if self.ti.map_index is None else self.ti.map_index,
        }


@dataclass(frozen=True)
class StorePositions:
    """Positions in what survives the task's tries. Both methods block.

    Args:
        store: Airflow's ``task_state_store``, ``None`` where it has none: nothing is kept then.
        job_name: whose log is read; positions of other jobs are left alone.
    """

    store: Any
    job_name: str

    def last(self) -> dict[str, Any] | None:
        """Return where the last reader has stopped, ``None`` where there was none."""
        return None if self.store is None else of_job(self.store.get(STORE_KEY), self.job_name)

    def last_of_adopted(self, log: Any) -> dict[str, Any] | None:
        """Return where the try before has stopped, and say so where that is not known."""
        try:
            position = self.last()
        except Exception:  # noqa: BLE001 - the job must be waited for in any case
            position = None
        if position is None:
            log.info("The job's log follows from its beginning: where the try before stopped is not known")
        return position

    def keep(self, position: Mapping[str, Any]) -> None:
        """Keep a position."""
        if self.store is not None:
            self.store.set(STORE_KEY, {**position, "job": self.job_name})


def hand_on(trigger: XComPositions, next_try: StorePositions, log: Any) -> None:
    """Keep where a trigger has stopped where the next try of the task finds it."""
    try:
        position = trigger.last()
        if position is not None:
            next_try.keep(position)
    except Exception as error:  # noqa: BLE001 - the task's own error must not be lost over it
        log.info("The next try does not know where the job's log was read to: %r", error)


def of_job(stored: Any, job_name: str) -> dict[str, Any] | None:
    """Return a position; ``None`` where it is another job's, or of a version that this one can't read."""
    if not isinstance(stored, dict) or stored.get("job") != job_name or stored.get("version") != 1:
        return None
    try:
        going_on(stored)
        FollowedJob("", "", 0, Limits(), stored)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the log can be read from its beginning
        return None
    return stored
