"""What becomes of a job whose task ends first: it is cancelled, or left to another try that waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_vertex_training import compat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_vertex_training.operators.base import VertexJobOperator
    from airflow_vertex_training.vertex.api.calls import Jobs
    from airflow_vertex_training.vertex.states import JobSnapshot

# While a process of the task still runs here, these say that Airflow has given it up and goes on without it.
_GOES_ON_WITHOUT_US = frozenset({"up_for_retry", "scheduled", "queued", "deferred"})
# Airflow leaves a task that it kills 5 seconds, in which the job has to be cancelled as well.
_ANSWER_SECONDS = 2.0
NO_TRY_LEFT = "the task failed and there is no try left to wait for it"


def has_next_try(ti: Any) -> bool:
    """Whether Airflow would try once more if the task failed now."""
    # max_tries counts retries: the last try is number max_tries + 1.
    return bool(ti.try_number <= ti.max_tries)


def another_try_waits(ti: Any, state: str | None) -> bool:
    """Whether a job whose process comes to its end here will be waited for all the same.

    Args:
        ti: the task instance of that process.
        state: the task instance's, as Airflow has it now; ``None`` where there is none.
    """
    if state == "running":
        # Nobody has ended the task. Either another try runs already, or one follows where one is left.
        return has_next_try(ti)
    return state in _GOES_ON_WITHOUT_US


@dataclass(frozen=True)
class Ending:
    """Ends the jobs of a task. A cancel that fails is logged: why the task ends must not be lost over it.

    Args:
        operator: whose jobs they are.
        ti: its task instance.
    """

    operator: VertexJobOperator
    ti: Any

    def is_given_up(self) -> bool:
        """Whether Airflow goes on with another try of the task; not where it does not say so in time."""
        log = self.operator.log
        try:
            state = compat.task_state_in_time(self.ti, _ANSWER_SECONDS)
        except Exception:
            # A worker whose heartbeats fail kills its task as well. Who ends a task needs a server for it.
            if has_next_try(self.ti) and compat.api_server_is_down():
                log.warning("Airflow's API server can't be reached: the job is left to the task's next try")
                return True
            log.exception("Could not ask Airflow whether another try waits for the job")
            return False
        if not another_try_waits(self.ti, state):
            return False
        log.info("Airflow goes on with another try (the task is %s now): the job is left to that", state)
        return True

    def cancel_unless_awaited(self, job_name: str | None) -> None:
        """Cancel a job that no other try waits for or will wait for."""
        log = self.operator.log
        try:
            state = compat.task_state(self.ti)
        except Exception:
            log.exception("Could not ask Airflow whether somebody has ended the task")
            state = "running"
        if another_try_waits(self.ti, state):
            log.info("%s is left to the task's next try", job_name)
        elif state == "running":
            self.cancel(job_name, NO_TRY_LEFT)
        else:
            self.cancel(job_name, "the task was ended or cleared")

    def cancel_found(self, find: Callable[[Jobs], Sequence[JobSnapshot]], why: str) -> None:
        """Cancel jobs whose names this process does not know."""
        try:
            with self.operator.jobs() as jobs:
                found = find(jobs)
        except Exception:
            self.operator.log.exception("Could not look for jobs of this task. One may run on and cost money")
            return
        for job in found:
            if not job.is_final:
                self.cancel(job.name, why)

    def cancel(self, job_name: str | None, why: str) -> None:
        """Cancel a job, unless the user wants it to run on."""
        log = self.operator.log
        if not job_name:
            return
        if not self.operator.cancel_on_kill:
            log.warning("%s runs on, though %s: cancel_on_kill is off", job_name, why)
            return
        try:
            sent = self.operator.hook.cancel_job(job_name)
        except Exception:
            log.exception("Could not cancel %s. It may still run and cost money", job_name)
            return
        log.info("Cancelled %s: %s" if sent else "%s had ended already when %s", job_name, why)
