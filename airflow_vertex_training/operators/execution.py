"""The life of a job as an Airflow task: submitted once, waited for, ended with its task."""

from __future__ import annotations

import threading
from abc import abstractmethod
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_vertex_training import compat, settings
from airflow_vertex_training.ending import job_in_xcom
from airflow_vertex_training.links import ALL_LINKS, shells_keeper
from airflow_vertex_training.log_positions import StorePositions, XComPositions, hand_on
from airflow_vertex_training.operators.task_ending import TaskEnding, retry_is_in_vain, stop_dag_test
from airflow_vertex_training.operators.task_report import TaskReport
from airflow_vertex_training.operators.task_submission import TaskSubmission
from airflow_vertex_training.operators.task_try import task_try
from airflow_vertex_training.ownership import Asker
from airflow_vertex_training.triggers import VertexJobTrigger
from airflow_vertex_training.vertex import wire
from airflow_vertex_training.vertex.api.emulator import emulator_address
from airflow_vertex_training.vertex.exceptions import VertexTrainingError
from airflow_vertex_training.vertex.logs.followed import Limits
from airflow_vertex_training.vertex.naming.job_name import JobName
from airflow_vertex_training.vertex.states import ended_badly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_vertex_training.hooks import VertexTrainingHook
    from airflow_vertex_training.vertex.api.calls import Jobs
    from airflow_vertex_training.vertex.naming.identity import TaskTry
    from airflow_vertex_training.vertex.spec.job import TrainingJob
    from airflow_vertex_training.vertex.states import JobSnapshot
    from airflow_vertex_training.vertex.submit.create import Submission
    from airflow_vertex_training.vertex.tracebacks import Said


class VertexJobOperator(BaseOperator):
    """Run one CustomJob to its end. What the job is, a subclass says: see ``training_job``.

    The subclass also takes the arguments that are named here, and documents them. This class has no
    constructor of its own: each costs every DAG file that makes operators some time.
    """

    operator_extra_links = ALL_LINKS
    ui_color = "#e8f0fe"

    region: str | None
    project_id: str | None
    gcp_conn_id: str
    impersonation_chain: str | Sequence[str] | None
    poll_interval: float
    deferrable: bool
    cancel_on_kill: bool
    reattach: bool
    submit_timeout: float
    stream_logs: bool

    _killed: threading.Event
    _killed_early: bool = False
    _is_seen_to: bool = False
    _context: Context | None = None
    _submission: TaskSubmission | None = None
    _ending_thread: threading.Thread | None = None
    _job_name: str | None = None

    @abstractmethod
    def training_job(self, context: Context, this: TaskTry) -> TrainingJob:
        """Return what to run.

        Args:
            context: of the running task.
            this: the try that asks, whose labels the job has to carry: ``this.labels()``.

        Raises:
            InvalidJobError: an argument is wrong.
        """

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit the job and wait for its end, here or on the triggerer."""
        # Not in __init__: Airflow copies operators, and an event can't be copied.
        self._killed = threading.Event()
        self._job_name, self._submission, self._is_seen_to = None, None, False
        self._context = context
        # From here on on_kill finds what is to be ended. Airflow goes on after one that came before.
        if self._killed_early:
            self._killed_early = False
            self._killed.set()
        try:
            return self._run(context)
        except compat.AirflowTaskTimeout:
            TaskEnding(self, context).end_job(Asker.OPERATOR_TIMED_OUT, self._job_name, self._submission)
            # Airflow calls on_kill next, which would ask whether the job is to be left to a retry.
            self._is_seen_to = True
            raise
        except (KeyboardInterrupt, SystemExit) as error:
            TaskEnding(self, context).end_killed(self._job_name, self._submission)
            stop_dag_test(context, error)
            raise
        except VertexTrainingError as error:
            stop_dag_test(context, error)
            raise _alone(error) from None
        except Exception as error:
            stop_dag_test(context, error)
            raise
        finally:
            if self._ending_thread is not None:
                self._ending_thread.join()

    def _run(self, context: Context) -> dict[str, Any]:
        settings.check()
        submission = self._submission = TaskSubmission(self, context, task_try(context), self._killed)
        try:
            submitted, wanted = submission.submit()
        except Exception as error:
            raised = submission.see_to_jobs(error)
            if raised is error:
                raise
            raise raised from None
        ended: JobSnapshot = submitted.job
        said: Said | None = None
        self._job_name = ended.name
        try:
            TaskReport(self, context).announce(submitted, wanted)
            submission.stop_if_ended_meanwhile()
            if not ended.is_final:
                position = self._log_position(context, submitted)
                if self.deferrable:
                    self._defer(context, ended.name, position)
                ended, said = self._wait_here(context, ended.name, position)
        except Exception as error:
            TaskEnding(self, context).see_to_job(Asker.OPERATOR_FAILING, submitted.job.name, error)
            raise
        return self._result(context, ended, said)

    def execute_complete(self, context: Context, event: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Return the result of the job that the trigger waited for, or raise what went wrong.

        What another version of this package has left beside the event is ignored.
        """
        job, error = wire.read_event(event)
        if not JobName.is_one(job.name):
            # A task that waits has said which job it waits for.
            job = replace(job, name=job_in_xcom(context["ti"]) or job.name)
        if error is None and not job.is_final:
            job, error = self._as_it_ended(job)
        if error is None:
            return self._result(context, job)
        if not job.is_final:
            TaskEnding(self, context).see_to_job(Asker.WAIT_GIVEN_UP, job.name, error)
            raise _alone(error)
        TaskReport(self, context).ended(job)
        raise _alone(self._as_failed(error))

    def _as_it_ended(self, job: JobSnapshot) -> tuple[JobSnapshot, VertexTrainingError | None]:
        """Look at a job of which the trigger has told that, but not how it ended: Vertex AI knows."""
        try:
            seen = self.hook.get_job(job.name)
        except VertexTrainingError as error:
            return job, error
        if seen.is_final:
            return seen, ended_badly(seen)
        return job, VertexTrainingError(
            f"The trigger has told that the job ended, but it is {seen.state}.\nJob: {job.name}"
        )

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the deferral; where it timed out or its trigger crashed, see to the job first.

        A task that is cleared while it goes on is tried anew. Airflow hands the new try what the old one was
        to go on with, and its start: ``clear_task_instances`` in
        https://github.com/apache/airflow/blob/3.3.2/airflow-core/src/airflow/models/taskinstance.py.
        """
        ti, kwargs = context["ti"], dict(next_kwargs or {})
        if kwargs.pop(_TRY_ID, str(ti.id)) != str(ti.id):
            self.log.info("The task was cleared after its job had ended: this try begins anew")
            ti.start_date = datetime.now(tz=timezone.utc)
            return self.execute(context)
        try:
            return super().resume_execution(next_method, kwargs, context)
        except compat.TaskDeferralTimeout as error:
            self._end_deferred(context, Asker.DEFERRAL_TIMED_OUT, error)
            raise
        except compat.TaskDeferralError as error:
            self._end_deferred(context, Asker.TRIGGER_CRASHED, error)
            raise
        except Exception as error:
            stop_dag_test(context, error)
            raise

    def _end_deferred(self, context: Context, asker: Asker, error: Exception) -> None:
        """See to the job of this try in a process that did not submit it."""
        job_name = job_in_xcom(context["ti"])
        if job_name:
            hand_on(XComPositions(context["ti"], job_name), self._positions(context, job_name), self.log)
            TaskEnding(self, context).see_to_job(asker, job_name, error)

    def on_kill(self) -> None:
        """Cancel the job of a task that is being killed while it runs, unless another try waits for it.

        Airflow also kills the process of a try that it has given up, say because the machine stood still. By
        then the next try may have adopted the job.
        """
        if self._is_seen_to:
            return
        if self._context is None:
            self._killed_early = True
            return
        if self._ending_thread is not None and self._ending_thread.is_alive():
            self._ending_thread.join(timeout=_HANDLER_SECONDS)
            return
        # In a thread: what the signal came into may hold a lock that this needs, say the log's, and must be
        # able to go on. execute waits for the thread before it ends.
        self._ending_thread = threading.Thread(target=self._end_killed, args=[self._context], daemon=True)
        self._ending_thread.start()
        self._ending_thread.join(timeout=_HANDLER_SECONDS)

    def _end_killed(self, context: Context) -> None:
        self._killed.set()
        TaskEnding(self, context).end_killed(self._job_name, self._submission)

    def _as_failed(self, error: Exception) -> Exception:
        """Return the error that the task ends by; Airflow does not retry after it where that can't help."""
        return compat.not_retried(error) if retry_is_in_vain(self, error) else error

    @cached_property
    def hook(self) -> VertexTrainingHook:
        """The hook of this task's connection."""
        from airflow_vertex_training.hooks import VertexTrainingHook

        return VertexTrainingHook(self.gcp_conn_id, self.impersonation_chain)

    def jobs(self) -> Jobs:
        """Return the jobs of the region that the task submits to, for a ``with`` block."""
        return self.hook.jobs(self.hook.resolve_region(self.region), self.project_id)

    def _log_position(self, context: Context, submitted: Submission) -> dict[str, Any] | None:
        """Return where the log of an earlier try's job was read to, as far as that is known."""
        from airflow_vertex_training.vertex.submit.create import Outcome

        if not self.stream_logs or submitted.outcome is Outcome.CREATED:
            return None
        return self._positions(context, submitted.job.name).last_of_adopted(self.log)

    def _positions(self, context: Context, job_name: str) -> StorePositions:
        return StorePositions(compat.task_state_store(context), job_name)

    def _defer(self, context: Context, job_name: str, log_position: dict[str, Any] | None) -> None:
        trigger = VertexJobTrigger(
            job_name=job_name,
            gcp_conn_id=self.gcp_conn_id,
            impersonation_chain=self.impersonation_chain,
            poll_interval=self.poll_interval,
            cancel_on_kill=self.cancel_on_kill,
            deployment_id=settings.deployment_id(),
            on_emulator=emulator_address() is not None,
            stream_logs=self.stream_logs,
            log_position=log_position,
        )
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs={_TRY_ID: str(context["ti"].id)},
            timeout=self._time_left(context),
        )

    def _time_left(self, context: Context) -> timedelta | None:
        """Return what is left of ``execution_timeout``, which Airflow does not enforce on a deferred task."""
        started = context["ti"].start_date
        if self.execution_timeout is None or started is None:
            return None
        left = started + self.execution_timeout - datetime.now(tz=timezone.utc)
        return max(left, _SHORTEST_DEFERRAL)

    def _wait_here(
        self, context: Context, job_name: str, log_position: dict[str, Any] | None
    ) -> tuple[JobSnapshot, Said]:
        import asyncio

        from airflow_vertex_training.following import Following

        positions = self._positions(context, job_name)
        keep_shells = shells_keeper(context["ti"], job_name)
        wait = Following(
            job_name,
            gcp_conn_id=self.gcp_conn_id,
            impersonation_chain=self.impersonation_chain,
            poll_interval=self.poll_interval,
            deployment_id=settings.deployment_id(),
            stream_logs=self.stream_logs,
            # Nobody else reads logs on behalf of airflow dags test.
            log_reads_per_minute=settings.log_reads_per_minute(in_triggerer=compat.is_dag_test()),
            log_limits=Limits(settings.log_lines_per_minute(), settings.log_lines_in_all()),
            log=self.log,
            position=log_position,
            keep_position=lambda position: asyncio.to_thread(positions.keep, position),
            keep_shells=lambda uris: asyncio.to_thread(keep_shells, uris),
        )
        return asyncio.run(wait.to_its_end())

    def _result(self, context: Context, job: JobSnapshot, said: Said | None = None) -> dict[str, Any]:
        report = TaskReport(self, context)
        report.ended(job)
        error = ended_badly(job, said)
        if error is not None:
            raise self._as_failed(error)
        return report.result(job)


# Which try deferred, in what Airflow keeps for the task to go on with.
_TRY_ID = "try_id"
# Airflow's scheduler fails a task that resumes within about five seconds of its deferral, before the task
# could cancel its job.
_SHORTEST_DEFERRAL = timedelta(seconds=10)
# Airflow leaves a killed task 5 seconds in all: for the answer, and for the cancel.
_HANDLER_SECONDS = 2.0


def _alone(error: Exception) -> Exception:
    """Return an error without its traceback: its message says all that the client library's frames could."""
    return error.with_traceback(None)
