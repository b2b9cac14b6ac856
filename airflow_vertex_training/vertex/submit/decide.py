"""What becomes of the jobs that earlier tries left: decided here, done in ``create``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.naming import identity
from airflow_vertex_training.vertex.states import age

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_vertex_training.vertex.naming.identity import TaskTry
    from airflow_vertex_training.vertex.states import JobSnapshot


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
    series = [job for job in ours if job.labels.get(identity.FIRST_TRY) == str(this.first_try)]
    keep = _to_keep(series) if reattach else None
    running = [job for job in found if job.can_be_waited_for and job is not keep]
    doomed = tuple(job for job in running if own_deployment or job in ours)
    return Decision(keep, doomed, tuple(job for job in running if job not in doomed))


def _is_ours(job: JobSnapshot, this: TaskTry) -> bool:
    # Neither a try's UUID nor the start of a run, to the microsecond, is ever the same in two installations.
    if job.labels.get(identity.TRY) == this.try_id:
        return True
    return this.run_start_label is not None and job.labels.get(identity.RUN_START) == this.run_start_label


def _to_keep(series: Sequence[JobSnapshot]) -> JobSnapshot | None:
    by_age = sorted(series, key=age)
    succeeded = [job for job in by_age if job.state in states.SUCCEEDED]
    if succeeded:
        return succeeded[-1]
    return next((job for job in by_age if job.can_be_waited_for), None)
