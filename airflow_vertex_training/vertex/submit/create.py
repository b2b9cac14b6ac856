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
from airflow_vertex_training.vertex.api import advice, protos, retries, status
from airflow_vertex_training.vertex.exceptions import (
    SubmitTimeoutError,
    TryGivenUpError,
    UnclearSubmitError,
    VertexApiError,
    VertexTrainingError,
)
from airflow_vertex_training.vertex.naming import identity
from airflow_vertex_training.vertex.states import age
from airflow_vertex_training.vertex.submit.decide import Decision, Judged, decide, left_over, retry_keeps
from airflow_vertex_training.vertex.submit.made import Made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_vertex_training.vertex.api.calls import Jobs
    from airflow_vertex_training.vertex.naming.identity import TaskTry
    from airflow_vertex_training.vertex.spec.job import TrainingJob
    from airflow_vertex_training.vertex.states import JobSnapshot
    from airflow_vertex_training.vertex.submit.places import Places

logger = logging.getLogger(__name__)

# Seconds to wait before each look for a job whose create call got no clear answer. How late a list may
# be is documented nowhere.
LOOKS = (0.5, 2.0, 5.0, 10.0)

# So soon a wait is cut short, in seconds.
_STEP = 0.5

# How long an endpoint that can't be reached at all, or a token that can't be had, is tried again, in seconds.
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
        places: where the task's jobs may be, and where this one is asked for.
        timeout: seconds for which a request quota may refuse the job or answers stay unclear.
        reattach: whether an earlier try's job may be kept, default yes.
        own_deployment: whether ``deployment_id`` was configured, default no.
        on_cancel: called with the name of each job of which Vertex took the cancel, default: nobody is told.
        before_create: called before each create call, and raises where none may be made; default: never.
        made: what the try has made so far, for whoever ends that; default a record of its own.
    """

    places: Places
    timeout: float
    reattach: bool = True
    own_deployment: bool = False
    on_cancel: Callable[[str], None] = lambda _: None
    before_create: Callable[[], None] = lambda: None
    made: Made = field(default_factory=Made)

    def submit(self, job: TrainingJob, this: TaskTry) -> Submission:
        """Keep an earlier try's job, or create one.

        Raises:
            SubmitTimeoutError: the quota refused the job for all of ``timeout``; none was made.
            UnclearSubmitError: a create call got no clear answer, and no look has found its job so far.
            TryGivenUpError: a later try of the task has a job.
            VertexApiError: Vertex refused the job for another reason, or can't be reached; none was made.
        """
        try:
            if this.try_number > 1:
                found = self.places.find(identity.TASK_INSTANCE, this.task_instance)
                if kept := self._settle(found, job, this):
                    return kept
            self.places.remember()
            return self._create(job, this)
        except TryGivenUpError:
            raise
        except Exception as error:
            if not self.made.unclear:
                raise
            jobs = self._jobs
            raise UnclearSubmitError(
                f"Whether a job was created is not known: {error}\n"
                f"If it was, it runs and costs money. The task's next try looks for it. To look now: "
                f"gcloud ai custom-jobs list --region={jobs.region} --project={jobs.project} "
                f'--filter="labels.{identity.TRY}={this.try_id}"',
                calls=self.made.unclear,
            ) from error

    def left_running(self, this: TaskTry) -> Iterator[JobSnapshot]:
        """Yield each job that this try and earlier ones left running, as soon as it is found.

        A job that a create call without an answer may have made is waited for, as long as a list may be late.

        Args:
            this: the try, which waits for none of them any more.

        Raises:
            VertexApiError: they can't be listed.
        """
        told: set[str] = set()
        finds = [self.places.find_here]
        if this.try_number > 1:
            finds.append(self.places.find_elsewhere)
        for seconds in (0.0, *LOOKS):
            self._pause(seconds)
            own = 0
            for find in finds:
                found = find(*_label(this))
                own += len(_made_by(this, found))
                new = [job for job in left_over(found, this) if job.name not in told]
                told.update(job.name for job in new)
                yield from new
            if not self.made.unclear or own >= self.made.most:
                return

    def _pause(self, seconds: float) -> None:
        """Wait, but no longer than a create call, perhaps another thread's, leaves open what it has made."""
        while seconds > 0.0 and self.made.unclear:
            self._jobs.sleep(min(seconds, _STEP))
            seconds -= _STEP

    def retry_keeps(self, this: TaskTry) -> JobSnapshot | None:
        """Return the job that a retry of this try would find and keep, as far as lists show by now.

        Raises:
            VertexApiError: the jobs can't be listed.
        """
        found = self.places.find(identity.TASK_INSTANCE, this.task_instance)
        return retry_keeps(found, this, reattach=self.reattach)

    @property
    def _jobs(self) -> Jobs:
        return self.places.here

    def _create(self, job: TrainingJob, this: TaskTry) -> Submission:
        retrying = retries.retrying(self._jobs.sleep, self.timeout, status.may_create_again, max_wait=60.0)
        doing = f"Creating a job in {self._jobs.region} of project {self._jobs.project}"
        try:
            return retrying(self._create_once, job, this)
        except VertexTrainingError:
            raise
        except Exception as error:
            if not status.may_create_again(error):
                raise advice.api_error(doing, error) from error
            made = "no answer said whether it was created" if self.made.unclear else "none was created"
            raise SubmitTimeoutError(
                f"{advice.api_error(doing, error)}\n"
                f"It was given up after {self.timeout:.0f} s (submit_timeout); {made}."
            ) from error

    def _create_once(self, job: TrainingJob, this: TaskTry) -> Submission:
        """Create a job, or find the one that an unclear answer left.

        Raise only errors after which calling again can't create a second job.
        """
        self.before_create()
        connecting = retries.retrying(self._jobs.sleep, CONNECT_SECONDS, _may_be_sent_soon)
        # Whatever cuts the call off, it may have made a job.
        self.made.unclear += 1
        try:
            created = connecting(self._jobs.create, job)
        except Exception as error:
            if not status.is_ambiguous(error):
                self.made.unclear -= 1
                raise
            logger.warning("Whether a job was created is unclear, looking for it. %s", advice.describe(error))
            found = self._look_for(this)
            if not _made_by(this, found):
                raise
        else:
            self.made.names.append(created.name)
            self.made.unclear -= 1
            if not self.made.unclear and this.try_number == 1:
                return Submission(created, Outcome.CREATED)
            found = self._look_again(created, this)
        submission = self._settle(found, job, this)
        if submission is not None:
            return submission
        # It has ended already, or somebody has cancelled it, and no other job stands in for it.
        return Submission(_made_by(this, found)[0], Outcome.CREATED)

    def _look_again(self, created: JobSnapshot, this: TaskTry) -> list[JobSnapshot]:
        """Return the job just created, and others that no list has shown before it was."""
        found = {created.name: created}
        try:
            found.update((job.name, job) for job in self._look_for(this))
        except VertexApiError as error:
            logger.warning(_PERHAPS_NOT_ALONE, created.name, advice.describe(error))
        return list(found.values())

    def _look_for(self, this: TaskTry) -> list[JobSnapshot]:
        """Return the jobs of a try and of those before, having waited for all that it may have made.

        It waits as long as a list may be late. One that shows this try's newest job shows all that are older,
        too.
        """
        found: list[JobSnapshot] = []
        for seconds in LOOKS:
            self._jobs.sleep(seconds)
            # Without an answer to this nothing may be created, so it is waited for as long as for a job.
            found = self.places.find(*_label(this), patience=self.timeout)
            if len(_made_by(this, found)) >= self.made.most:
                break
        return found

    def _settle(self, found: Sequence[JobSnapshot], job: TrainingJob, this: TaskTry) -> Submission | None:
        """Decide about the jobs that were found, do it, and return the one that is kept."""
        decision = decide(found, this, reattach=self.reattach, own_deployment=self.own_deployment)
        # The name of the job that is kept is in the log before anything is done to its twins.
        submission = None if decision.keep is None else self._kept(decision.keep, decision.doubt, job, this)
        self._say(decision)
        for doomed in decision.cancel:
            self._cancel(doomed, must=submission is None and decision.superseded_by is None)
        if decision.superseded_by is not None:
            raise TryGivenUpError(this.try_number, decision.superseded_by.name)
        return submission

    def _kept(self, kept: JobSnapshot, doubt: str, job: TrainingJob, this: TaskTry) -> Submission:
        if kept.labels.get(identity.TRY) == this.try_id:
            logger.info("This try has its job: %s (%s)", kept.name, _seen(kept))
            return Submission(kept, Outcome.CREATED)
        outcome = Outcome.RESULT_TAKEN if kept.is_final else Outcome.ADOPTED
        doing = "Taking the result of the job" if kept.is_final else "Adopting the job"
        try_number = kept.labels.get(identity.TRY_NUMBER)
        logger.info("%s that try %s created: %s (%s)", doing, try_number, kept.name, _seen(kept))
        if doubt:
            logger.warning(_DOUBT, doubt, kept.name)
        if kept.labels.get(identity.SPEC) != protos.fingerprint(protos.to_custom_job(job)):
            logger.warning(_OTHER_SETTINGS, self._differences(kept.name, job), kept.name)
        return Submission(kept, outcome)

    def _differences(self, job_name: str, job: TrainingJob) -> str:
        try:
            return ", ".join(self.places.differences(job_name, job)) or "some that this try does not set"
        except VertexApiError as error:
            return f"which ones could not be seen. {advice.describe(error)}"

    def _cancel(self, doomed: Judged, *, must: bool) -> None:
        """Cancel a job; where the try has its own, a refusal is no reason to lose that."""
        name = doomed.job.name
        logger.info("Cancelling: %s. %s (%s)", doomed.why, name, _seen(doomed.job))
        try:
            if self.places.cancel(name):
                self.on_cancel(name)
        except VertexApiError as error:
            if must:
                raise
            logger.error("A job may run on and cost money: %s. %s", name, advice.describe(error))  # noqa: TRY400 - the message says it all

    def _say(self, decision: Decision) -> None:
        for job in decision.foreign:
            logger.warning(_LEFT_ALONE, _seen(job), self._jobs.region, self._jobs.project, job.name)
        for left in decision.leave:
            logger.warning("Leaving a job running: %s. %s (%s)", left.why, left.job.name, _seen(left.job))
        if decision.keep is None and decision.ended:
            last = decision.ended[-1]
            logger.info(
                "Not waiting for an earlier job: %s. %s (%s)", last.why, last.job.name, _seen(last.job)
            )


_DOUBT = (
    "The adopted job may be an old one: %s. If this task was cleared to train anew, cancel that job and "
    "clear the task again. %s"
)
_OTHER_SETTINGS = (
    "The job was asked for with other settings than this try has; they differ in: %s. "
    "To run a job with the new ones, clear the task. %s"
)
_PERHAPS_NOT_ALONE = "Whether this is the task's only job could not be seen: %s. %s"
_LEFT_ALONE = (
    "Leaving a job alone (%s): it carries this task's labels but may belong to another Airflow installation "
    "or to an earlier life of this DAG run. If nobody waits for it: 'gcloud ai custom-jobs cancel --region "
    "%s --project %s %s'. To have them ended, give each installation its own [vertex_training] deployment_id"
)


def _seen(job: JobSnapshot) -> str:
    return states.state_in_words(job.state)


def _label(this: TaskTry) -> tuple[str, str]:
    """Return the label by which a try finds its jobs, and those of the tries before it."""
    if this.try_number == 1:
        return identity.TRY, this.try_id
    return identity.TASK_INSTANCE, this.task_instance


def _made_by(this: TaskTry, found: Sequence[JobSnapshot]) -> list[JobSnapshot]:
    """Return a try's own jobs, the oldest first."""
    return sorted((job for job in found if job.labels.get(identity.TRY) == this.try_id), key=age)


def _may_be_sent_soon(error: BaseException) -> bool:
    return status.was_never_sent(error) and status.passes_soon(error)
