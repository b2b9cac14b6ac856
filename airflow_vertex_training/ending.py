"""What is asked before a job is ended, and how it is ended. Whether it is, ``ownership`` decides.

Every question here blocks. A trigger asks in a thread that asgiref's ``sync_to_async`` made.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf

from airflow_vertex_training import metrics
from airflow_vertex_training.links import XCOM_JOB_NAME
from airflow_vertex_training.ownership import NO_ANSWER, NO_TASK_INSTANCE, Fate
from airflow_vertex_training.vertex.exceptions import VertexTrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from airflow_vertex_training.hooks import VertexTrainingHook
    from airflow_vertex_training.ownership import Verdict

    class TaskInstanceIds(Protocol):
        """What names a task instance, in a task, a trigger, or a job's environment."""

        @property
        def dag_id(self) -> str: ...
        @property
        def run_id(self) -> str: ...
        @property
        def task_id(self) -> str: ...
        @property
        def map_index(self) -> int | None: ...


__all__ = [
    "Ending",
    "api_server_is_down",
    "job_in_xcom",
    "log_error",
    "log_failed_cancel",
    "state_in",
    "task_state",
    "task_state_in_time",
]


@dataclass(frozen=True)
class Ending:
    """Carries verdicts out. A cancel that fails is logged: why the task ends must not be lost over it.

    Args:
        hook: makes the hook by which jobs are cancelled; called only where one is.
        log: the task's logger.
        ti: the task instance, for metrics; default none that is known.
    """

    hook: Callable[[], VertexTrainingHook]
    log: Any
    ti: TaskInstanceIds | None = None

    def carry_out(self, verdict: Verdict, job_name: str) -> None:
        """Cancel, keep or leave a job, and say so."""
        if verdict.fate is Fate.KEEP:
            self.log.info("The job is kept: %s. %s", verdict.why, job_name)
        elif verdict.fate is Fate.LEAVE:
            self.log.warning("The job may run on: %s. %s", verdict.why, job_name)
        else:
            self._cancel(job_name, verdict.why)

    def _cancel(self, job_name: str, why: str) -> None:
        try:
            sent = self.hook().cancel_job(job_name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the task ends for its own reason
            log_failed_cancel(self.log, job_name, error)
            return
        if sent:
            metrics.CANCELLED.tell(1, metrics.job_tags(job_name, self.ti))
        done = "Cancelled" if sent else "The job had ended already, or is gone"
        self.log.info("%s: %s. %s", done, why, job_name)


def log_failed_cancel(log: Any, job_name: str, error: Exception) -> None:
    """Say that a job could not be cancelled."""
    log_error(log, f"Could not cancel the job. It may still run and cost money: {job_name}", error)


def log_error(log: Any, what: str, error: Exception) -> None:
    """Log an error that ends nothing: ours in its own words, which say it all, others with their traceback.

    Args:
        log: the task's logger.
        what: what could not be done.
        error: why.
    """
    log.error("%s\n%s", what, error, exc_info=None if isinstance(error, VertexTrainingError) else error)


def task_state(ti: TaskInstanceIds) -> str:
    """Ask Airflow for a task instance's state.

    Args:
        ti: the task instance.

    Returns:
        The state, ``none`` where it has none, ``NO_TASK_INSTANCE`` where there is no such task instance.
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    mapped = ti.map_index is not None and ti.map_index >= 0
    answer = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id,
        task_ids=[ti.task_id],
        run_ids=[ti.run_id],
        map_index=ti.map_index if mapped else None,
    )
    return state_in(answer, ti)


def state_in(answer: Mapping[str, Mapping[str, Any]], ti: TaskInstanceIds) -> str:
    """Return a task instance's state of Airflow's answer for many, as ``task_state`` does for one."""
    # Airflow names a mapped task's instances TASKID_MAPINDEX here.
    mapped = ti.map_index is not None and ti.map_index >= 0
    key = f"{ti.task_id}_{ti.map_index}" if mapped else ti.task_id
    state = answer.get(ti.run_id, {}).get(key, NO_TASK_INSTANCE)
    return "none" if state is None else str(getattr(state, "value", state))


def task_state_in_time(ti: TaskInstanceIds, timeout: float) -> str:
    """Ask as ``task_state`` does, though the question of another thread may be in the way.

    Args:
        ti: the task instance.
        timeout: seconds to wait for the answer.

    Returns:
        The state, or ``NO_ANSWER`` where there was none in that time.
    """
    answer: Future[str] = Future()

    def ask() -> None:
        try:
            answer.set_result(task_state(ti))
        except Exception as error:  # noqa: BLE001 - seen where the answer is waited for
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answer.result(timeout)
    except Exception:  # noqa: BLE001 - whatever is wrong, there is no answer
        return NO_ANSWER


def job_in_xcom(ti: TaskInstanceIds) -> str | None:
    """Return the name of the job that the newest try waits for, ``None`` where it has none."""
    from airflow.providers.common.compat.sdk import XCom

    name = XCom.get_one(
        key=XCOM_JOB_NAME,
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
    )
    return str(name) if name else None


def api_server_is_down() -> bool:
    """Whether Airflow's API server can't be reached from a worker. One that is slow is not down."""
    import httpx

    base = str(conf.get("api", "base_url", fallback=""))
    if not base or base.startswith("/"):
        base = f"http://localhost:8080{base}"
    url = str(conf.get("core", "execution_api_server_url", fallback=f"{base.rstrip('/')}/execution/"))
    try:
        # Whoever has a certificate is there, whoever signed it; nothing is told to the server.
        answer = httpx.get(url, timeout=1.0, verify=False)  # noqa: S501
    except (httpx.ConnectError, httpx.ConnectTimeout):
        return True
    except httpx.HTTPError:
        return False
    # What a gateway answers that has no server behind it.
    return answer.status_code in {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}
