"""Task instances, run by Airflow's own task runner without the processes around it."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import structlog

GONE = "no task instance"
RUN_START = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=timezone.utc)


@dataclass
class Supervisor:
    """Answers a task's messages as the process does that Airflow puts beside each: in Airflow's own types."""

    state: str | Exception | None = "running"
    answers: threading.Event = field(default_factory=threading.Event)
    xcoms: dict[str, Any] = field(default_factory=dict)
    # The keys that were looked up and were not there.
    missed_xcoms: list[str] = field(default_factory=list)
    # What the task's tries have stored, and whether Airflow still takes more from them.
    stored: dict[str, Any] = field(default_factory=dict)
    refuses_to_store: Exception | None = None

    def __post_init__(self) -> None:
        """Answer, unless a test says otherwise."""
        self.answers.set()

    def send(self, msg: Any) -> Any:
        """Answer a message."""
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time import comms

        if type(msg).__name__ in {"GetTaskStateStore", "SetTaskStateStore"}:
            return self._answer_about_store(msg)
        match msg:
            case comms.GetConnection():
                return comms.ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND)
            case comms.SetXCom():
                self.xcoms[msg.key] = msg.value
            case comms.GetXCom():
                if msg.key not in self.xcoms:
                    self.missed_xcoms.append(msg.key)
                return comms.XComResult(key=msg.key, value=self.xcoms.get(msg.key))
            case comms.GetTaskStates():
                return self._answer_about_states(msg)
            case comms.ValidateInletsAndOutlets():
                return comms.InactiveAssetsResult(inactive_assets=[])
        return comms.OKResponse(ok=True)

    def _answer_about_states(self, msg: Any) -> Any:
        from airflow.sdk.execution_time import comms

        self.answers.wait()
        if isinstance(self.state, Exception):
            raise self.state
        if self.state == GONE:
            return comms.TaskStatesResult(task_states={})
        assert msg.run_ids
        assert msg.task_ids
        mapped = msg.map_index is not None
        key = f"{msg.task_ids[0]}_{msg.map_index}" if mapped else msg.task_ids[0]
        return comms.TaskStatesResult(task_states={run_id: {key: self.state} for run_id in msg.run_ids})

    def _answer_about_store(self, msg: Any) -> Any:
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time import comms

        if type(msg).__name__ == "SetTaskStateStore":
            if self.refuses_to_store:
                raise self.refuses_to_store
            self.stored[msg.key] = msg.value
            return comms.OKResponse(ok=True)
        if msg.key in self.stored:
            return comms.TaskStateStoreResult(value=self.stored[msg.key])
        return comms.ErrorResponse(error=ErrorType.TASK_STORE_NOT_FOUND)

    async def asend(self, msg: Any) -> Any:
        """Answer a message of an event loop's."""
        return self.send(msg)


@dataclass
class Outcome:
    """How a task's run ended."""

    state: str
    message: Any
    error: BaseException | None
    result: Any


def task_instance(operator: Any, **changes: Any) -> Any:
    """Return a task instance as Airflow's task runner has it, of a run that began at `RUN_START`."""
    from airflow.sdk.api.datamodels._generated import DagRun, DagRunState, DagRunType, TIRunContext
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    run_id = changes.pop("run_id", "manual__2026-03-01T12:30:00+00:00")
    run = DagRun(
        dag_id=operator.dag_id,
        run_id=run_id,
        logical_date=RUN_START,
        data_interval_start=None,
        data_interval_end=None,
        run_after=RUN_START,
        start_date=RUN_START,
        end_date=None,
        run_type=DagRunType.MANUAL,
        state=DagRunState.RUNNING,
        conf=changes.pop("conf", None),
        clear_number=changes.pop("clear_number", 0),
        consumed_asset_events=[],
        # Airflow 3.1 does not know it, 3.3 does not do without.
        **({"partition_key": None} if "partition_key" in DagRun.model_fields else {}),
    )
    max_tries = changes.pop("max_tries", operator.retries or 0)
    try_number = changes.pop("try_number", 1)
    from_server = TIRunContext(dag_run=run, max_tries=max_tries, should_retry=try_number <= max_tries)
    values = {
        "id": uuid.uuid4(),
        "task_id": operator.task_id,
        "dag_id": operator.dag_id,
        "run_id": run_id,
        "try_number": try_number,
        "map_index": -1,
        "start_date": datetime.now(tz=timezone.utc),
        **changes,
    }
    return RuntimeTaskInstance.model_construct(
        dag_version_id=uuid.uuid4(),
        task=operator,
        bundle_instance=None,
        max_tries=max_tries,
        _ti_context_from_server=from_server,
        **values,
    )


def run_task(operator: Any, ti: Any = None, **changes: Any) -> Outcome:
    """Run a task by Airflow's own task runner: rendering, signals, timeouts and outcome are Airflow's."""
    from airflow.sdk.execution_time import task_runner

    ti = ti or task_instance(operator, **changes)
    supervisor: Any = task_runner.SUPERVISOR_COMMS
    supervisor.xcoms.pop("return_value", None)
    state, message, error = task_runner.run(ti, ti.get_template_context(), structlog.get_logger("task"))
    return Outcome(state.value, message, error, supervisor.xcoms.get("return_value"))
