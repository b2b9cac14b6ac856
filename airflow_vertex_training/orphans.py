"""Jobs that nobody waits for any more, though no hook of Airflow told: found, looked up, and ended.

A job that is watched nowhere in this process may be watched in another one, so Airflow is asked about its
task. The rule is ``ownership``'s. A job of another installation, or of a task that Airflow does not know, is
never touched.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

from airflow_vertex_training import ending, metrics, ownership, settings
from airflow_vertex_training.ownership import NO_ANSWER, Asker, Fate, Question
from airflow_vertex_training.vertex.api import advice
from airflow_vertex_training.vertex.exceptions import VertexApiError
from airflow_vertex_training.vertex.naming import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from airflow_vertex_training.hooks import VertexTrainingHook
    from airflow_vertex_training.vertex.api.calls import Jobs
    from airflow_vertex_training.vertex.states import JobSnapshot
    from airflow_vertex_training.vertex.watch.messages import ActiveJobs

__all__ = ["Orphans", "TaskIds"]

logger = logging.getLogger(__name__)

_CANCELLED = (
    "Cancelled an orphan: %s. %s. To have such jobs reported only, set [vertex_training] orphans = report"
)
# Each takes a get, once in a process: the ids stand in the job's environment. A triggerer does so many in one
# look.
_IDENTIFIED_AT_ONCE = 60
# After so many of them that failed, one after the other, no more are tried in one look.
_FAILURES = 3
# How long a task that sweeps repeats such a get, in seconds. A triggerer looks again in a minute.
_PATIENCE = 30.0
# They are words of one address.
_RUNS_AT_ONCE = 20


@dataclass(frozen=True)
class TaskIds:
    """What names a task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


@dataclass
class Orphans:
    """Looks for orphans in one project and region, again and again.

    Args:
        hook: makes the hook by which jobs are read and cancelled.
        region: such as ``us-central1``.
        project_id: default the connection's.
        policy: ``cancel``, ``report`` or ``ignore``; default the option ``[vertex_training] orphans``.
        grace: how old a job has to be; default the option ``[vertex_training] orphan_grace_period``.
        now: the time, default the system's.
        deployment_id: whose jobs are looked into, default this installation's. Others may be watched, too.
    """

    hook: Callable[[], VertexTrainingHook]
    region: str
    project_id: str | None = None
    policy: str = field(default_factory=settings.orphans)
    grace: timedelta = field(default_factory=lambda: timedelta(seconds=settings.orphan_grace_period()))
    now: Callable[[], datetime] = lambda: datetime.now(tz=timezone.utc)
    deployment_id: str = field(default_factory=settings.deployment_id)
    # Of each job: what its environment says of its task, or None where that is not to be believed.
    _ids: dict[str, TaskIds | None] = field(default_factory=dict, init=False)
    # Which jobs Airflow's XCom named when it was last asked, and when.
    _named: dict[str, datetime] = field(default_factory=dict, init=False)
    # Jobs whose environment could not be read when that was tried last.
    _unread: set[str] = field(default_factory=set, init=False)
    # Of each job that was left: why, as it was told.
    _told: dict[str, str] = field(default_factory=dict, init=False)

    async def look(self, active: ActiveJobs) -> None:
        """Look into a list of active jobs, on a triggerer's event loop: each question in its own thread."""
        lonely = self._lonely(active.jobs, active.watched)
        if not lonely:
            return
        hook = await sync_to_async(self.hook)()
        await asyncio.to_thread(self._identify, hook, lonely, most=_IDENTIFIED_AT_ONCE)
        # What waits for its turn to be identified, a later look sees to.
        for group in self._groups(job for job in lonely if job.name in self._ids):
            states = await sync_to_async(self._states)(group)
            for job in group:
                question = await sync_to_async(self._question)(job, states)
                await asyncio.to_thread(self._answer, hook, job, question)

    def sweep(self, active: Collection[JobSnapshot]) -> Mapping[Fate, list[str]]:
        """Look into a list of active jobs, in a task that Airflow runs.

        Returns:
            The names of the jobs that were found to be kept, cancelled, and left.
        """
        hook = self.hook()
        lonely = self._lonely(active, ())
        self._identify(hook, lonely, patience=_PATIENCE)
        fates: dict[Fate, list[str]] = {fate: [] for fate in Fate}
        for group in self._groups(lonely):
            states = self._states(group)
            for job in group:
                fate = self._answer(hook, job, self._question(job, states))
                if fate is not None:
                    fates[fate].append(job.name)
        return fates

    def _lonely(self, active: Iterable[JobSnapshot], watched: Collection[str]) -> list[JobSnapshot]:
        """Return the jobs that may be orphans: not watched here, not being cancelled, and not young."""
        born_before = self.now() - self.grace
        # A list whose pages shift while it is read shows some jobs twice.
        jobs = {job.name: job for job in active}
        for memory in (self._ids, self._named, self._told):
            for name in memory.keys() - jobs.keys():
                del memory[name]
        self._unread &= jobs.keys()
        return [
            job
            for job in jobs.values()
            if job.can_be_waited_for
            and job.labels.get(identity.DEPLOYMENT) == self.deployment_id
            and job.custom_job_id not in watched
            and job.create_time is not None
            and job.create_time <= born_before
        ]

    def _identify(
        self,
        hook: VertexTrainingHook,
        jobs: Iterable[JobSnapshot],
        most: int | None = None,
        patience: float = 0.0,
    ) -> None:
        """Read the jobs' environments for the ids of their tasks.

        Args:
            hook: by which they are read.
            jobs: those that were read before are not read again.
            most: how many are read at most, default all.
            patience: seconds for which an error that may pass is repeated, default none.
        """
        unknown = [job for job in jobs if job.name not in self._ids]
        if not unknown:
            return
        failures = 0
        with hook.jobs(self.region, self.project_id) as calls:
            # One that can't be read keeps none of the others from its turn.
            for job in sorted(unknown, key=lambda job: job.name in self._unread)[:most]:
                failures = 0 if self._read(calls, job, patience) else failures + 1
                if failures == _FAILURES:
                    # The others would only meet it, too, and each could take its time.
                    return

    def _read(self, calls: Jobs, job: JobSnapshot, patience: float) -> bool:
        """Read a job's environment; say so and return ``False`` where that fails."""
        try:
            self._ids[job.name] = _ids(job, calls.airflow_context(job.name, patience=patience))
        except VertexApiError as error:
            self._unread.add(job.name)
            logger.warning("Whose job this is could not be read: %s. %s", job.name, advice.describe(error))
            return False
        return True

    def _groups(self, jobs: Iterable[JobSnapshot]) -> list[list[JobSnapshot]]:
        """Return the jobs by what one question to Airflow can be about.

        Each group is seen to before the next one is asked about: an answer is not acted upon when it is old.
        """
        by_task: dict[tuple[str, str] | None, list[JobSnapshot]] = defaultdict(list)
        for job in jobs:
            ids = self._ids.get(job.name)
            by_task[(ids.dag_id, ids.task_id) if ids else None].append(job)
        return [
            some[first : first + _RUNS_AT_ONCE]
            for some in by_task.values()
            for first in range(0, len(some), _RUNS_AT_ONCE)
        ]

    def _states(self, group: Iterable[JobSnapshot]) -> Mapping[TaskIds, str]:
        """Ask Airflow for the states of a group's tasks."""
        tasks = {ids for job in group if (ids := self._ids.get(job.name))}
        return _ask_for_states(tasks) if tasks else {}

    def _question(self, job: JobSnapshot, states: Mapping[TaskIds, str]) -> Question | None:
        """Return what ``ownership`` is asked about a job; ``None`` where its task is not known."""
        ids = self._ids.get(job.name)
        if ids is None:
            return None
        question = Question(
            Asker.SWEEP,
            states.get(ids, NO_ANSWER),
            cancel_on_kill=identity.CANCEL_ON_KILL not in job.labels,
        )
        if question.depends_on_job_name:
            return replace(question, names_job=self._is_named(job, ids))
        return question

    def _answer(self, hook: VertexTrainingHook, job: JobSnapshot, question: Question | None) -> Fate | None:
        """Cancel an orphan, or report what is left; a job that is kept is nobody's business.

        Returns:
            What became of it, ``None`` where it had ended meanwhile.
        """
        if question is None:
            if job.name in self._ids:
                self._tell(job, "its environment does not say whose it is")
            return Fate.LEAVE
        verdict = ownership.decide(question)
        if verdict.fate is Fate.LEAVE:
            self._tell(job, verdict.why)
        elif verdict.fate is Fate.CANCEL and self.policy == "report":
            self._tell(job, f"{verdict.why}; with [vertex_training] orphans = cancel it would be cancelled")
        elif verdict.fate is Fate.CANCEL:
            return self._cancel(hook, job, verdict.why)
        return verdict.fate

    def _cancel(self, hook: VertexTrainingHook, job: JobSnapshot, why: str) -> Fate | None:
        """Cancel an orphan. Where that fails, the other orphans are still to be seen to."""
        try:
            sent = hook.cancel_job(job.name)
        except VertexApiError as error:
            self._tell(job, f"{why}, but it can't be cancelled. {advice.describe(error)}")
            return Fate.LEAVE
        if not sent:
            return None
        self._count(job, Fate.CANCEL)
        logger.warning(_CANCELLED, why, job.name)
        return Fate.CANCEL

    def _tell(self, job: JobSnapshot, why: str) -> None:
        """Report a job, once for each reason."""
        if self._told.get(job.name) != why:
            self._told[job.name] = why
            self._count(job, Fate.LEAVE)
            logger.warning("Nobody here watches a job, and it is left alone: %s. %s", why, job.name)

    def _count(self, job: JobSnapshot, fate: Fate) -> None:
        metrics.ORPHANS.tell(1, {**metrics.job_tags(job.name), "fate": fate.name.lower()})

    def _is_named(self, job: JobSnapshot, ids: TaskIds) -> bool | None:
        """Whether the task's XCom names the job. What it named is not asked again until the grace is over."""
        asked = self._named.get(job.name)
        # A clock that was put back is no reason to ask less often.
        if asked and timedelta(0) <= self.now() - asked < self.grace:
            return True
        try:
            named = ending.job_in_xcom(ids)
        except Exception as error:  # noqa: BLE001 - without an answer the job is kept
            logger.info("Airflow did not say which job %s has: %r", ids, error)
            return None
        if named == job.name:
            self._named[job.name] = self.now()
        return None if named is None else named == job.name


def _ask_for_states(tasks: Collection[TaskIds]) -> dict[TaskIds, str]:
    """Ask Airflow for the states of instances of one task, in one question; blocks.

    Returns:
        A state for each, ``NO_TASK_INSTANCE`` where there is none. Empty where Airflow does not answer.
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    first = next(iter(tasks))
    try:
        answer = RuntimeTaskInstance.get_task_states(
            dag_id=first.dag_id, task_ids=[first.task_id], run_ids=sorted({each.run_id for each in tasks})
        )
    except Exception as error:  # noqa: BLE001 - they are asked for again in a minute
        logger.info("Airflow did not say what became of %s: %r", first.task_id, error)
        return {}
    return {each: ending.state_in(answer, each) for each in tasks}


def _ids(job: JobSnapshot, context: Mapping[str, str]) -> TaskIds | None:
    """Return whose the job is, where environment and labels agree: a user may set such variables, too."""
    map_index = job.labels.get(identity.MAP_INDEX, "")
    try:
        ids = TaskIds(
            context["AIRFLOW_CTX_DAG_ID"],
            context["AIRFLOW_CTX_DAG_RUN_ID"],
            context["AIRFLOW_CTX_TASK_ID"],
            int(map_index),
        )
    except (KeyError, ValueError):
        return None
    deployment_id = job.labels.get(identity.DEPLOYMENT, "")
    hashed = identity.task_instance_hash(deployment_id, ids.dag_id, ids.run_id, ids.task_id, ids.map_index)
    return ids if hashed == job.labels.get(identity.TASK_INSTANCE) else None
