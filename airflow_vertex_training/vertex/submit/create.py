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

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.api import advice, retries, status
from airflow_vertex_training.vertex.exceptions import (
    SubmitTimeoutError,
    TryGivenUpError,
    VertexTrainingError,
)
from airflow_vertex_training.vertex.naming import identity
from airflow_vertex_training.vertex.states import age

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_vertex_training.vertex.api.calls import Jobs
    from airflow_vertex_training.vertex.naming.identity import TaskTry
    from airflow_vertex_training.vertex.spec.job import TrainingJob
    from airflow_vertex_training.vertex.states import JobSnapshot

from airflow_vertex_training.vertex.submit.decide import Decision, decide, left_over

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
        return left_over(self.jobs.find(identity.TASK_INSTANCE, this.task_instance), this)

    def _keep_earlier(self, this: TaskTry) -> Submission | None:
        found = self.jobs.find(identity.TASK_INSTANCE, this.task_instance)
        decision = decide(found, this, reattach=self.reattach, own_deployment=self.own_deployment)
        self._say(decision)
        kept = decision.keep
        for each in decision.cancel:
            self.jobs.cancel(each.job.name)
        if decision.superseded_by is not None:
            raise TryGivenUpError(this.try_number, decision.superseded_by.name)
        if kept is None:
            return None
        try_number = kept.labels.get(identity.TRY_NUMBER)
        if kept.is_final:
            logger.info(
                "Taking the result of %s, which try %s created: %s", kept.name, try_number, _seen(kept)
            )
            return Submission(kept, Outcome.RESULT_TAKEN)
        logger.info("Adopting %s, which try %s created: %s", kept.name, try_number, _seen(kept))
        if decision.doubt:
            logger.warning(_DOUBT, kept.name, decision.doubt)
        return Submission(kept, Outcome.ADOPTED)

    def _say(self, decision: Decision) -> None:
        for job in decision.foreign:
            logger.warning(_LEFT_ALONE, job.name, _seen(job), self.jobs.region, self.jobs.project, job.name)
        for each in decision.leave:
            logger.warning("Leaving %s (%s) running: %s", each.job.name, _seen(each.job), each.why)
        for each in decision.cancel:
            logger.info("Cancelling %s (%s): %s", each.job.name, _seen(each.job), each.why)
        if decision.keep is None and decision.ended:
            last = decision.ended[-1]
            logger.info("Creating a new job: %s is %s (%s)", last.job.name, _seen(last.job), last.why)

    def _create(self, job: TrainingJob, this: TaskTry) -> JobSnapshot:
        retrying = retries.retrying(self.jobs.sleep, self.timeout, status.may_create_again, max_wait=60.0)
        doing = f"Creating a job in {self.jobs.region} of project {self.jobs.project}"
        try:
            return retrying(self._create_once, job, this)
        except VertexTrainingError:
            raise
        except Exception as error:
            if not status.may_create_again(error):
                raise advice.api_error(doing, error) from error
            raise SubmitTimeoutError(
                f"{doing} was given up after {self.timeout:.0f} s (submit_timeout); none was created. "
                f"{advice.describe(error)}"
            ) from error

    def _create_once(self, job: TrainingJob, this: TaskTry) -> JobSnapshot:
        """Create a job, or find the one that an unclear answer left; raise what makes another call safe."""
        self.before_create()
        connecting = retries.retrying(self.jobs.sleep, CONNECT_SECONDS, status.never_connected)
        try:
            created = connecting(self.jobs.create, job)
        except Exception as error:
            if not status.is_ambiguous(error):
                raise
            self._unclear += 1
            logger.warning("Whether a job was created is unclear, looking for it. %s", advice.describe(error))
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
            found = self.jobs.find(identity.TRY, this.try_id, patience=self.timeout)
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


_DOUBT = (
    "%s is adopted, though %s. If this task was cleared to train anew, cancel that job and clear it again"
)
_LEFT_ALONE = (
    "Leaving %s (%s) alone: it carries this task's labels but may belong to another Airflow installation or "
    "to an earlier life of this DAG run. If nobody waits for it: 'gcloud ai custom-jobs cancel --region %s "
    "--project %s %s'. To have them ended, give each installation its own [vertex_training] deployment_id"
)


def _seen(job: JobSnapshot) -> str:
    return states.state_in_words(job.state)
