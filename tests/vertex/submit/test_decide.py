"""What becomes of jobs that earlier tries left, for all jobs there can be."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.naming import identity
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.submit.decide import Decision, decide
from tests.vertex.conftest import RUN_START, a_try

THIS_TRY = "this-try"
RUN_STARTS = (RUN_START, RUN_START + timedelta(microseconds=1), None)


@st.composite
def found_jobs(draw: st.DrawFn) -> list[JobSnapshot]:
    """Jobs of one task instance: any states, series, run starts and order."""
    jobs = []
    for index in range(draw(st.integers(0, 6))):
        asked_by = a_try(
            try_number=draw(st.integers(1, 4)),
            first_try=draw(st.integers(1, 4)),
            run_start=draw(st.sampled_from(RUN_STARTS)),
            try_id=draw(st.sampled_from((THIS_TRY, "another-try"))),
        )
        created = draw(
            st.none() | st.integers(0, 5).map(lambda minute: RUN_START + timedelta(minutes=minute))
        )
        state = draw(st.sampled_from(sorted(states.ACTIVE | states.FINAL)))
        jobs.append(JobSnapshot(f"job-{index}", state=state, create_time=created, labels=asked_by.labels()))
    return draw(st.permutations(jobs))


tries = st.builds(
    lambda number, first, start: a_try(try_number=number, first_try=first, run_start=start, try_id=THIS_TRY),
    number=st.integers(1, 5),
    first=st.integers(1, 4),
    start=st.sampled_from(RUN_STARTS),
)


def is_ours(job: JobSnapshot, this: identity.TaskTry) -> bool:
    """Whether a job is this try's, or its run's, beyond doubt."""
    of_this_run = job.labels.get(identity.RUN_START) == this.run_start_label is not None
    return of_this_run or job.labels[identity.TRY] == THIS_TRY


def is_running(job: JobSnapshot) -> bool:
    """Whether a job costs money and nobody has ended it yet."""
    return not job.is_final and job.state != states.CANCELLING


@given(found=found_jobs(), this=tries, reattach=st.booleans(), own=st.booleans())
def test_no_two_active_jobs_of_a_task_instance_remain(
    found: list[JobSnapshot], this: identity.TaskTry, *, reattach: bool, own: bool
) -> None:
    """Each running job is kept, cancelled, or left alone as another installation's; at most one is kept."""
    decision = decide(found, this, reattach=reattach, own_deployment=own)
    dealt_with = [*decision.cancel, *decision.leave, *([decision.keep] if decision.keep else [])]
    assert len(dealt_with) == len({job.name for job in dealt_with})
    assert {job.name for job in found if is_running(job)} <= {job.name for job in dealt_with}
    if own:
        assert not decision.leave


@given(found=found_jobs(), this=tries, reattach=st.booleans())
def test_nothing_of_another_installation_is_touched(
    found: list[JobSnapshot], this: identity.TaskTry, *, reattach: bool
) -> None:
    """Without a deployment id of its own, a try touches only its own and its run's jobs."""
    decision = decide(found, this, reattach=reattach, own_deployment=False)
    touched = [*decision.cancel, *([decision.keep] if decision.keep else [])]
    assert all(is_ours(job, this) for job in touched)


@given(found=found_jobs(), this=tries, own=st.booleans())
def test_only_a_sound_job_of_the_same_series_is_kept(
    found: list[JobSnapshot], this: identity.TaskTry, *, own: bool
) -> None:
    """What is kept is of this run and series, and active or succeeded; a success is preferred."""
    kept = decide(found, this, reattach=True, own_deployment=own).keep
    sound = [
        job
        for job in found
        if (is_running(job) or job.state in states.SUCCEEDED)
        and is_ours(job, this)
        and job.labels[identity.FIRST_TRY] == str(this.first_try)
    ]
    assert (kept is None) == (not sound)
    assert kept is None or kept in sound
    if any(job.state in states.SUCCEEDED for job in sound):
        assert kept is not None
        assert kept.state in states.SUCCEEDED


@given(found=found_jobs(), this=tries, own=st.booleans())
def test_without_reattach_nothing_is_kept(
    found: list[JobSnapshot], this: identity.TaskTry, *, own: bool
) -> None:
    """reattach=False keeps no job."""
    assert decide(found, this, reattach=False, own_deployment=own).keep is None


@given(found=found_jobs(), this=tries, own=st.booleans(), seed=st.randoms(use_true_random=False))
def test_the_order_of_a_list_does_not_matter(
    found: list[JobSnapshot], this: identity.TaskTry, *, own: bool, seed: object
) -> None:
    """The same jobs in another order lead to the same decision."""

    def named(decision: Decision) -> dict[str, object]:
        return {
            field.name: sorted(job.name for job in value)
            if isinstance(value := getattr(decision, field.name), tuple)
            else value
            for field in dataclasses.fields(decision)
        }

    shuffled = list(found)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    assert named(decide(found, this, reattach=True, own_deployment=own)) == named(
        decide(shuffled, this, reattach=True, own_deployment=own)
    )
