"""What becomes of a task's job where a process of the task comes to its end first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_vertex_training import compat
from airflow_vertex_training.ending import Ending, api_server_is_down, log_error, task_state_in_time
from airflow_vertex_training.ownership import NO_ANSWER, Asker, Fate, Question, decide
from airflow_vertex_training.vertex.exceptions import Retry, VertexTrainingError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from airflow_vertex_training.operators.execution import VertexJobOperator
    from airflow_vertex_training.operators.task_submission import TaskSubmission
    from airflow_vertex_training.ownership import Verdict

# Airflow leaves a killed task 5 seconds in all, in which the job has to be cancelled as well.
_ANSWER_SECONDS = 2.0
# Of airflow dags test: it runs a task before and after its deferral by two copies of the operator.
_interrupted_tries: set[str] = set()


@dataclass(frozen=True)
class TaskEnding:
    """Asks Airflow whose a task's job is now, and keeps or ends it.

    Args:
        operator: the task.
        context: of its running process.
    """

    operator: VertexJobOperator
    context: Context

    def see_to_job(self, asker: Asker, job_name: str, error: BaseException) -> None:
        """Keep or end a job whose task is about to raise ``error``."""
        self._ending.carry_out(self._verdict(asker, try_follows=self._try_follows(error)), job_name)

    def see_to_all(self, submission: TaskSubmission, error: BaseException) -> None:
        """Keep or end what a try that is about to raise ``error`` has made, and what earlier ones left."""
        verdict = self._verdict(Asker.OPERATOR_FAILING, try_follows=self._try_follows(error))
        self._carry_out_on_all(verdict, submission)

    def end_killed(self, job_name: str | None, submission: TaskSubmission | None) -> None:
        """See to what this try has submitted, where it was killed or interrupted."""
        if compat.is_dag_test():
            _interrupted_tries.add(str(self.context["ti"].id))
            self.end_job(Asker.DAG_TEST_INTERRUPTED, job_name, submission)
        else:
            self.end_job(Asker.OPERATOR_KILLED, job_name, submission)

    def end_job(self, asker: Asker, job_name: str | None, submission: TaskSubmission | None) -> None:
        """See to the job that this try waits for, or to whatever there is of this try and those before.

        Args:
            asker: who ends it, and why.
            job_name: the job, ``None`` where it was still being submitted.
            submission: how that goes, ``None`` where it has not begun.
        """
        verdict = self._verdict(asker, try_follows=self._tries_left)
        if job_name:
            self._ending.carry_out(verdict, job_name)
        elif submission is not None:
            self._carry_out_on_all(verdict, submission)

    @property
    def _tries_left(self) -> bool:
        # max_tries counts retries: the last try is number max_tries + 1.
        ti = self.context["ti"]
        return bool(ti.try_number <= ti.max_tries)

    def _try_follows(self, error: BaseException) -> bool:
        """Whether Airflow tries once more after ``error`` has left the task."""
        if isinstance(error, compat.AirflowFailException):
            return False
        return self._tries_left and compat.policy_retries(self.operator, self.context, error)

    def _verdict(self, asker: Asker, *, try_follows: bool) -> Verdict:
        state = task_state_in_time(self.context["ti"], _ANSWER_SECONDS)
        question = Question(
            asker,
            state,
            try_follows=try_follows,
            server_is_down=state == NO_ANSWER and api_server_is_down(),
            cancel_on_kill=self.operator.cancel_on_kill,
        )
        return decide(question)

    def _carry_out_on_all(self, verdict: Verdict, submission: TaskSubmission) -> None:
        """Carry a verdict out on what a try has made, and on what earlier tries left.

        A create call may be under way. What it has made is looked for meanwhile; once it is answered,
        ``execute`` sees to that.
        """
        made = list(submission.made.names)
        for job_name in made:
            self._ending.carry_out(verdict, job_name)
        if verdict.fate is Fate.KEEP:
            return
        try:
            with self.operator.jobs() as jobs:
                for job in submission.left_running(jobs):
                    if job.name not in made:
                        self._ending.carry_out(verdict, job.name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the task ends for its own reason
            what = "Could not look for jobs of this task. One may run on and cost money"
            log_error(self.operator.log, what, error)

    @property
    def _ending(self) -> Ending:
        return Ending(lambda: self.operator.hook, self.operator.log, self.context["ti"])


def retry_is_in_vain(operator: BaseOperator, error: BaseException) -> bool:
    """Whether Airflow should not retry after ``error``, where no retry policy of the task says it."""
    never = isinstance(error, VertexTrainingError) and error.retry is Retry.NEVER
    return never and getattr(operator, "retry_policy", None) is None


def stop_dag_test(context: Context, error: BaseException) -> None:
    """Keep ``airflow dags test``, once interrupted, from waiting for the task's next try.

    Raises:
        AirflowFailException: this try was interrupted.
    """
    if str(context["ti"].id) in _interrupted_tries:
        raise compat.AirflowFailException(Asker.DAG_TEST_INTERRUPTED.value) from error
