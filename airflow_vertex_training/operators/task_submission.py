"""How a task gets its job, and what becomes of the jobs and the retries where it gets none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_vertex_training import compat, settings
from airflow_vertex_training.ending import task_state
from airflow_vertex_training.operators.task_ending import TaskEnding, retry_is_in_vain
from airflow_vertex_training.operators.task_report import TaskReport
from airflow_vertex_training.vertex.exceptions import TryGivenUpError, VertexTrainingError
from airflow_vertex_training.vertex.submit.made import Made

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from airflow.sdk import Context

    from airflow_vertex_training.operators.execution import VertexJobOperator
    from airflow_vertex_training.vertex.api.calls import Jobs
    from airflow_vertex_training.vertex.naming.identity import TaskTry
    from airflow_vertex_training.vertex.spec.job import TrainingJob
    from airflow_vertex_training.vertex.states import JobSnapshot
    from airflow_vertex_training.vertex.submit.create import Submission, Submitter


@dataclass(frozen=True)
class TaskSubmission:
    """Gets the job of one try of a task.

    Args:
        operator: the task.
        context: of its running process.
        this: the try.
        killed: set when the task is killed.
        made: what the try has made so far, for whoever has to end that.
    """

    operator: VertexJobOperator
    context: Context
    this: TaskTry
    killed: threading.Event
    made: Made = field(default_factory=Made)

    def submit(self) -> tuple[Submission, TrainingJob]:
        """Keep an earlier try's job, or create one; return it, and what this try asks for."""
        operator, this = self.operator, self.this
        job = operator.training_job(self.context, this)
        with operator.jobs() as jobs:
            jobs.sleep = self._sleep
            TaskReport(operator, self.context).submitting(jobs, job)
            return self._submitter(jobs).submit(job, this), job

    def see_to_jobs(self, error: Exception) -> Exception:
        """Keep or end what tries may have left, where this one got no job.

        Returns:
            The error that the task is to end by: Airflow does not retry after it where that can't help.
        """
        hopeless = retry_is_in_vain(self.operator, error) and not self._retry_may_keep_a_job()
        raised = compat.not_retried(error) if hopeless else error
        # A later try sees to what there is, and may have adopted it.
        is_given_up = isinstance(error, TryGivenUpError)
        if not is_given_up and (self.this.try_number > 1 or self.made.most):
            TaskEnding(self.operator, self.context).see_to_all(self, raised)
        return raised

    def left_running(self, jobs: Jobs) -> Iterator[JobSnapshot]:
        """Yield each job that this try and earlier ones left running, as soon as it is found."""
        return self._submitter(jobs).left_running(self.this)

    def stop_if_ended_meanwhile(self) -> None:
        """Stop where somebody ended the task while its job was being submitted: Airflow won't defer it."""
        self._stop_if_killed()
        if task_state(self.context["ti"]) != "running":
            msg = "the task was ended while its job was being submitted"
            raise VertexTrainingError(msg)

    def _submitter(self, jobs: Jobs) -> Submitter:
        from airflow_vertex_training.vertex.submit.create import Submitter
        from airflow_vertex_training.vertex.submit.places import Places

        operator = self.operator
        own_deployment = settings.deployment_is_configured()
        return Submitter(
            Places(jobs, compat.task_state_store(self.context), operator.hook.jobs_at),
            timeout=operator.submit_timeout,
            reattach=operator.reattach,
            own_deployment=own_deployment,
            on_cancel=TaskReport(operator, self.context).cancelled,
            before_create=self._stop_if_killed,
            made=self.made,
        )

    def _retry_may_keep_a_job(self) -> bool:
        """Whether an earlier try may have left a job that the next try can go on with."""
        this = self.this
        if this.try_number == 1:
            return False
        try:
            with self.operator.jobs() as jobs:
                return self._submitter(jobs).retry_keeps(this) is not None
        except Exception:  # noqa: BLE001 - why this try got no job often keeps it from looking, too
            # Airflow's own formula for a task's first try, also after a clear: that one has no job to go on
            # with. It is wrong where ``retries`` was edited since.
            retries: int = self.context["ti"].task.retries or 0
            return this.try_number != this.max_tries - retries + 1

    def _sleep(self, seconds: float) -> None:
        self.killed.wait(seconds)
        self._stop_if_killed()

    def _stop_if_killed(self) -> None:
        if self.killed.is_set():
            msg = "the task was killed while its job was being submitted"
            raise VertexTrainingError(msg)
