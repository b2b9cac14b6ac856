"""What becomes of the jobs that a task's tries have made: decided here, done in ``create``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.naming import identity
from airflow_vertex_training.vertex.states import age

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_vertex_training.vertex.naming.identity import TaskTry
    from airflow_vertex_training.vertex.states import JobSnapshot


class Claim(Enum):
    """What a job is to a try."""

    THIS_TRY = "this try made it"
    SAME_SERIES = "an earlier try of the same series made it"
    PERHAPS_CLEARED = "since it was made some task of the DAG run was cleared, perhaps this one"
    CLEARED = "the task was cleared since it was made"
    LATER_TRY = "a later try made it"
    FOREIGN = (
        "it carries this task's labels but may belong to another Airflow installation "
        "or to an earlier life of this DAG run"
    )
    UNKNOWN = "its labels do not say which try made it"


@dataclass(frozen=True)
class Judged:
    """A job, and why it is treated as it is, in words for the log."""

    job: JobSnapshot
    why: str


@dataclass(frozen=True)
class Decision:
    """What to do about the jobs that were found.

    Args:
        keep: the job to wait for (active) or whose result to take (succeeded); ``None``: create one.
        doubt: why it is not certain that ``keep`` is still wanted; empty where it is.
        cancel: active jobs that nobody waits for.
        leave: active jobs of earlier tries that run on.
        foreign: active jobs that may be another Airflow installation's, or whose labels are damaged.
        ended: jobs of earlier tries that have ended and whose result is not taken.
        superseded_by: a later try's job. Airflow has given this try up then, so it must not create any.
    """

    keep: JobSnapshot | None = None
    doubt: str = ""
    cancel: tuple[Judged, ...] = ()
    leave: tuple[Judged, ...] = ()
    foreign: tuple[JobSnapshot, ...] = ()
    ended: tuple[Judged, ...] = ()
    superseded_by: JobSnapshot | None = None


def decide(found: Iterable[JobSnapshot], this: TaskTry, *, reattach: bool, own_deployment: bool) -> Decision:
    """Decide what becomes of the jobs that carry the label of this try's task instance.

    Args:
        found: those jobs, of any state and in any order; this try's own, too, where it has made any.
        this: the try that asks.
        reattach: whether a job of an earlier try may be kept.
        own_deployment: whether ``deployment_id`` was configured, so that no other Airflow's jobs are found.
    """
    # A list whose pages shift while it is read shows some jobs twice.
    jobs = sorted({job.name: job for job in found}.values(), key=age)
    claims = {job.name: claim(job, this) for job in jobs}
    later = [job for job in jobs if claims[job.name] is Claim.LATER_TRY]
    if later:
        return _give_way(jobs, claims, later)
    keep = _to_keep(jobs, claims, reattach=reattach)
    cancel, leave, foreign, ended = [], [], [], []
    for job in jobs:
        whose = claims[job.name]
        if job is keep or job.state == states.CANCELLING:
            continue
        if job.is_final:
            if whose not in _NOT_OURS:
                ended.append(Judged(job, whose.value))
        elif whose is Claim.UNKNOWN or (
            whose is Claim.FOREIGN and (not own_deployment or _is_later(job, this))
        ):
            foreign.append(job)
        elif whose in _ENDED_BY_AIRFLOW and identity.CANCEL_ON_KILL in job.labels:
            leave.append(Judged(job, f"{whose.value}, but its cancel_on_kill is off"))
        else:
            cancel.append(Judged(job, _why_not_kept(whose, keep)))
    doubt = "" if keep is None or claims[keep.name] is not Claim.PERHAPS_CLEARED else claims[keep.name].value
    return Decision(keep, doubt, tuple(cancel), tuple(leave), tuple(foreign), tuple(ended))


def left_over(found: Iterable[JobSnapshot], this: TaskTry) -> list[JobSnapshot]:
    """Return the active jobs of this try and earlier ones, for a last try that fails: it waits for none.

    Args:
        found: jobs that carry the label of this try's task instance.
        this: the try that fails.
    """
    jobs = {job.name: job for job in found}.values()
    return sorted((job for job in jobs if job.can_be_waited_for and _ends_with(job, this)), key=age)


def _ends_with(job: JobSnapshot, this: TaskTry) -> bool:
    """Whether a job is of this try or one before, and was not to outlive its task."""
    whose = claim(job, this)
    if whose is Claim.CLEARED:
        return identity.CANCEL_ON_KILL not in job.labels
    return whose in {Claim.THIS_TRY, Claim.SAME_SERIES, Claim.PERHAPS_CLEARED}


def retry_keeps(found: Iterable[JobSnapshot], this: TaskTry, *, reattach: bool) -> JobSnapshot | None:
    """Return the job that a retry of this try would keep, were it asked now.

    Args:
        found: jobs that carry the label of this try's task instance.
        this: the try that fails.
        reattach: whether a job of an earlier try may be kept.
    """
    retry = replace(this, try_number=this.try_number + 1, try_id="the next one's")
    return decide(found, retry, reattach=reattach, own_deployment=False).keep


def claim(job: JobSnapshot, this: TaskTry) -> Claim:
    """Say what a job with the label of this try's task instance is to this try."""
    labels = job.labels
    if labels.get(identity.TRY) == this.try_id:
        return Claim.THIS_TRY
    # The start of a run, to the microsecond, is never the same in two installations.
    if this.run_start_label is None or labels.get(identity.RUN_START) != this.run_start_label:
        return Claim.FOREIGN
    if _is_later(job, this):
        return Claim.UNKNOWN if _try_number(job) is None else Claim.LATER_TRY
    if labels.get(identity.CLEAR_NUMBER) == str(this.clear_number):
        return Claim.SAME_SERIES
    # A clear of another task of the run leaves max_tries as it was, and so do some clears of this one.
    if labels.get(identity.MAX_TRIES) == str(this.max_tries):
        return Claim.PERHAPS_CLEARED
    return Claim.CLEARED


# Whose task Airflow has ended, which is what cancel_on_kill is about.
_ENDED_BY_AIRFLOW = frozenset({Claim.CLEARED, Claim.FOREIGN})
_NOT_OURS = frozenset({Claim.FOREIGN, Claim.UNKNOWN})


def _is_later(job: JobSnapshot, this: TaskTry) -> bool:
    number = _try_number(job)
    # What can't be told is taken for later: such a job is left alone.
    return number is None or number > this.try_number


def _try_number(job: JobSnapshot) -> int | None:
    """Return which try made a job, ``None`` where its labels don't say."""
    number = job.labels.get(identity.TRY_NUMBER, "")
    return int(number) if number.isdecimal() else None


def _to_keep(jobs: Sequence[JobSnapshot], claims: dict[str, Claim], *, reattach: bool) -> JobSnapshot | None:
    """Return the latest try's success, else the oldest active job; jobs come with the oldest first."""
    certain = {Claim.THIS_TRY, Claim.SAME_SERIES} if reattach else {Claim.THIS_TRY}
    succeeded = [job for job in jobs if claims[job.name] in certain and job.state in states.SUCCEEDED]
    if succeeded:
        # Of twins, jobs of one try, max takes the first, which is the oldest.
        return max(succeeded, key=lambda job: _try_number(job) or 0)
    active = [job for job in jobs if job.can_be_waited_for]
    if reattach and not any(claims[job.name] is Claim.SAME_SERIES for job in active):
        certain.add(Claim.PERHAPS_CLEARED)
    # The oldest one, also where this try has just made one: another try may wait for the older by now.
    return next((job for job in active if claims[job.name] in certain), None)


def _give_way(
    jobs: Sequence[JobSnapshot], claims: dict[str, Claim], later: Sequence[JobSnapshot]
) -> Decision:
    """Decide for a try that Airflow has given up, as a later one's job shows.

    The later try deals with all that was there before it created its job. It may even have adopted such a
    job. Only what this try has made after that is nobody's.
    """
    healthy = [job for job in later if job.can_be_waited_for or job.state in states.SUCCEEDED]
    cancel = [
        Judged(job, f"try {healthy[0].labels[identity.TRY_NUMBER]} has {healthy[0].name}")
        for job in jobs
        if claims[job.name] is Claim.THIS_TRY
        and job.can_be_waited_for
        and healthy
        and age(healthy[0]) < age(job)
    ]
    return Decision(cancel=tuple(cancel), superseded_by=later[-1])


def _why_not_kept(whose: Claim, keep: JobSnapshot | None) -> str:
    if whose is Claim.CLEARED or whose is Claim.FOREIGN:
        return "the task or its DAG run was cleared since it was made, so nobody waits for it"
    if keep is None:
        return "reattach is off"
    return f"this task has {keep.name}, and one job is enough"
