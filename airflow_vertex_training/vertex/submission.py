"""Create a job exactly once.

``CreateCustomJob`` takes no request id, so an answer that is lost leaves open whether the job exists.
The truth is on the server, in labels that a job has from its first moment: what is unclear is looked up
by them. What to do about jobs that are found is decided by ``decide``, which asks and changes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex import errors, labels, states
from airflow_vertex_training.vertex.exceptions import SubmitTimeoutError, VertexTrainingError
from airflow_vertex_training.vertex.jobs import age

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_vertex_training.vertex.jobs import Jobs
    from airflow_vertex_training.vertex.labels import TaskTry
    from airflow_vertex_training.vertex.spec import TrainingJob
    from airflow_vertex_training.vertex.states import JobSnapshot

logger = logging.getLogger(__name__)

# Seconds to wait before each look for a job whose create call got no clear answer. How late a list may
# be is documented nowhere.
LOOKS = (0.5, 2.0, 5.0, 10.0)
# How long an endpoint that can't be reached at all is tried again, in seconds.
CONNECT_SECONDS = 30.0


class Outcome(Enum):
    """How a try came by its job."""

    CREATED = "created"
    ADOPTED = "adopted"
    RESULT_TAKEN = "took the result of"


@dataclass(frozen=True)
class Submission:
    """The one job of a try, and how it came by it."""

    job: JobSnapshot
    outcome: Outcome


@dataclass(frozen=True)
class Decision:
    """What to do about the jobs that earlier tries left.

    Args:
        keep: the job to adopt (active) or whose result to take (succeeded); ``None``: create one.
        cancel: active jobs that nobody waits for any more.
        leave: active jobs that may be another Airflow installation's.
    """

    keep: JobSnapshot | None = None
    cancel: tuple[JobSnapshot, ...] = ()
    leave: tuple[JobSnapshot, ...] = ()


def decide(found: Sequence[JobSnapshot], this: TaskTry, *, reattach: bool, own_deployment: bool) -> Decision:
    """Decide what becomes of the jobs that carry the label of this try's task instance.

    Args:
        found: those jobs, of any state and in any order.
        this: the try that asks.
        reattach: whether a job of an earlier try may be kept.
        own_deployment: whether ``deployment_id`` was configured, so that no other Airflow's jobs are found.
    """
    ours = [job for job in found if _is_ours(job, this)]
    series = [job for job in ours if job.labels.get(labels.FIRST_TRY) == str(this.first_try)]
    keep = _to_keep(series) if reattach else None
    running = [job for job in found if job.can_be_waited_for and job is not keep]
    doomed = tuple(job for job in running if own_deployment or job in ours)
    return Decision(keep, doomed, tuple(job for job in running if job not in doomed))


def _is_ours(job: JobSnapshot, this: TaskTry) -> bool:
    # Neither a try's UUID nor the start of a run, to the microsecond, is ever the same in two installations.
    if job.labels.get(labels.TRY) == this.try_id:
        return True
    return this.run_start_label is not None and job.labels.get(labels.RUN_START) == this.run_start_label


def _to_keep(series: Sequence[JobSnapshot]) -> JobSnapshot | None:
    by_age = sorted(series, key=age)
    succeeded = [job for job in by_age if job.state in states.SUCCEEDED]
    if succeeded:
        return succeeded[-1]
    return next((job for job in by_age if job.can_be_waited_for), None)


@dataclass
class Submitter:
    """Gets one try its one job.

    Args:
        jobs: the jobs of the project and region.
        reattach: whether an earlier try's job may be kept, default yes.
        own_deployment: whether ``deployment_id`` was configured, default no.
        timeout: seconds for which a request quota may refuse the job, default 30 minutes.
        before_create: called before each create call, and raises where none may be made; default: never.
    """

    jobs: Jobs
    reattach: bool = True
    own_deployment: bool = False
    timeout: float = 1800.0
    before_create: Callable[[], None] = lambda: None
    # How many create calls got no answer that says whether a job was made.
    _unclear: int = field(default=0, init=False)

    def submit(self, job: TrainingJob, this: TaskTry) -> Submission:
        """Keep an earlier try's job, or create one.

        Raises:
            SubmitTimeoutError: the quota refused the job for all of ``timeout``.
            VertexApiError: Vertex refused the job for another reason, or can't be reached.
        """
        if this.try_number > 1 and (kept := self._keep_earlier(this)):
            return kept
        return Submission(self._create(job, this), Outcome.CREATED)

    def left_running(self, this: TaskTry) -> Sequence[JobSnapshot]:
        """Return the jobs that this try and earlier ones left running, for a last try that waits for none.

        Raises:
            VertexApiError: they can't be listed.
        """
        _, decision = self._look_at_task_instance(this, reattach=False)
        # A later one may be there where Airflow has given this try up without its knowing.
        return [job for job in decision.cancel if int(job.labels[labels.TRY_NUMBER]) <= this.try_number]

    def _keep_earlier(self, this: TaskTry) -> Submission | None:
        found, decision = self._look_at_task_instance(this, reattach=self.reattach)
        for job in decision.cancel:
            logger.info("Cancelling %s of an earlier try (%s): nobody waits for it", job.name, _seen(job))
            self.jobs.cancel(job.name)
        kept = decision.keep
        if kept is None:
            ended = [job for job in found if job.is_final]
            if ended:
                logger.info(
                    "Creating a new job: %s, of an earlier try, is %s", ended[-1].name, _seen(ended[-1])
                )
            return None
        try_number = kept.labels.get(labels.TRY_NUMBER)
        if kept.is_final:
            logger.info(
                "Taking the result of %s, which try %s created: %s", kept.name, try_number, _seen(kept)
            )
            return Submission(kept, Outcome.RESULT_TAKEN)
        logger.info("Adopting %s, which try %s created: %s", kept.name, try_number, _seen(kept))
        return Submission(kept, Outcome.ADOPTED)

    def _look_at_task_instance(
        self, this: TaskTry, *, reattach: bool
    ) -> tuple[Sequence[JobSnapshot], Decision]:
        found = self.jobs.find(labels.TASK_INSTANCE, this.task_instance)
        decision = decide(found, this, reattach=reattach, own_deployment=self.own_deployment)
        for job in decision.leave:
            logger.warning(_LEFT_ALONE, job.name, _seen(job), self.jobs.region, self.jobs.project, job.name)
        return found, decision

    def _create(self, job: TrainingJob, this: TaskTry) -> JobSnapshot:
        retrying = errors.retrying(self.jobs.sleep, self.timeout, errors.may_create_again, max_wait=60.0)
        doing = f"Creating a job in {self.jobs.region} of project {self.jobs.project}"
        try:
            return retrying(self._create_once, job, this)
        except VertexTrainingError:
            raise
        except Exception as error:
            if not errors.may_create_again(error):
                raise errors.api_error(doing, error) from error
            raise SubmitTimeoutError(
                f"{doing} was given up after {self.timeout:.0f} s (submit_timeout); none was created. "
                f"{errors.describe(error)}"
            ) from error

    def _create_once(self, job: TrainingJob, this: TaskTry) -> JobSnapshot:
        """Create a job, or find the one that an unclear answer left; raise what makes another call safe."""
        self.before_create()
        connecting = errors.retrying(self.jobs.sleep, CONNECT_SECONDS, errors.never_connected)
        try:
            created = connecting(self.jobs.create, job)
        except Exception as error:
            if not errors.is_ambiguous(error):
                raise
            self._unclear += 1
            logger.warning("Whether a job was created is unclear, looking for it. %s", errors.describe(error))
            if found := self._look(this, self._unclear):
                return self._keep_oldest(found)
            raise
        if not self._unclear:
            return created
        # After an unclear answer an earlier job may be there after all, only listed late.
        found = self._look(this, self._unclear + 1)
        return self._keep_oldest([created, *(job for job in found if job.name != created.name)])

    def _look(self, this: TaskTry, made: int) -> list[JobSnapshot]:
        """Return this try's jobs, having waited for as many as may have been made, though not for ever."""
        found: list[JobSnapshot] = []
        for seconds in LOOKS:
            self.jobs.sleep(seconds)
            # Without an answer to this nothing may be created, so it is waited for as long as for a job.
            found = self.jobs.find(labels.TRY, this.try_id, patience=self.timeout)
            if len(found) >= made:
                break
        return found

    def _keep_oldest(self, found: Sequence[JobSnapshot]) -> JobSnapshot:
        kept, *twins = sorted(found, key=age)
        logger.info("The job of this try is %s", kept.name)
        for twin in twins:
            if not twin.is_final:
                logger.warning("Cancelling %s, a second job of this try", twin.name)
                self.jobs.cancel(twin.name)
        return kept


_LEFT_ALONE = (
    "Leaving %s (%s) alone: it carries this task's labels but may belong to another Airflow installation or "
    "to an earlier life of this DAG run. If nobody waits for it: 'gcloud ai custom-jobs cancel --region %s "
    "--project %s %s'. To have them ended, give each installation its own [vertex_training] deployment_id"
)


def _seen(job: JobSnapshot) -> str:
    return states.state_in_words(job.state)
