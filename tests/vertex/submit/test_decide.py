"""What becomes of the jobs that a task's tries have made, for all jobs there can be."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.naming import identity
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.submit.decide import (
    Claim,
    Decision,
    claim,
    decide,
    left_over,
    retry_keeps,
)
from tests.vertex.conftest import RUN_START, a_try

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.naming.identity import TaskTry

RUN_STARTS = (RUN_START, RUN_START + timedelta(microseconds=1), None)
STATES = sorted(states.ACTIVE | states.FINAL)


@st.composite
def tries(draw: st.DrawFn, try_id: str) -> TaskTry:
    """Any try of one task: first or later, of a cleared run or not."""
    return a_try(
        try_number=draw(st.integers(1, 4)),
        try_id=try_id,
        max_tries=draw(st.integers(1, 2)),
        clear_number=draw(st.integers(0, 1)),
        run_start=draw(st.sampled_from(RUN_STARTS)),
        cancel_on_kill=draw(st.booleans()),
    )


# Labels can't be changed, but a job can be made by hand with any, and an older release may have had others.
damage: st.SearchStrategy[dict[str, str]] = st.just({}) | st.dictionaries(
    st.sampled_from(identity.OWN_LABELS), st.sampled_from(["", "x", "-1", "1", "999", "\u0663"]), max_size=3
)


@st.composite
def jobs_of(draw: st.DrawFn, this: TaskTry) -> list[JobSnapshot]:
    """Jobs of a task instance: this try's and others', in any state and order."""
    jobs = []
    for index in range(draw(st.integers(0, 6))):
        asked_by = draw(st.just(this) | tries(f"another-{index}"))
        minute = draw(st.none() | st.integers(0, 5))
        created = None if minute is None else RUN_START + timedelta(minutes=minute)
        state = draw(st.sampled_from(STATES))
        labels = {**asked_by.labels(), **draw(damage)}
        jobs.append(JobSnapshot(f"job-{index}", state=state, create_time=created, labels=labels))
    return draw(st.permutations(jobs))


@dataclasses.dataclass
class Case:
    """A try and the jobs that it finds."""

    this: TaskTry
    found: list[JobSnapshot]

    def claimed(self, *claims: Claim) -> list[JobSnapshot]:
        """Return the jobs that are one of these to the try."""
        return [job for job in self.found if claim(job, self.this) in claims]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any try with any jobs."""
    this = draw(tries("this"))
    return Case(this, draw(jobs_of(this)))


def names(*judged: object) -> list[str]:
    """Return the names of jobs, in order."""
    return sorted(job.name if isinstance(job, JobSnapshot) else job.job.name for job in judged)  # type: ignore[attr-defined]


def tried(job: JobSnapshot) -> int:
    """Return which try made a job, a high number where its labels don't say."""
    number = job.labels.get(identity.TRY_NUMBER, "")
    return int(number) if number.isdecimal() else 10**6


OURS = (Claim.THIS_TRY, Claim.SAME_SERIES, Claim.PERHAPS_CLEARED, Claim.CLEARED)


@given(case=cases(), reattach=st.booleans(), own=st.booleans())
def test_no_two_active_jobs_of_a_task_instance_remain(case: Case, *, reattach: bool, own: bool) -> None:
    """Each active job is kept, cancelled or named as left; of those beyond doubt ours at most one runs on."""
    decision = decide(case.found, case.this, reattach=reattach, own_deployment=own)
    if decision.superseded_by:
        return
    kept = [decision.keep] if decision.keep and decision.keep.can_be_waited_for else []
    active = [job for job in case.found if job.can_be_waited_for]
    assert names(*active) == names(*kept, *decision.cancel, *decision.leave, *decision.foreign)
    ends = names(*decision.cancel)
    remaining = [
        job
        for job in case.claimed(*OURS)
        if job.can_be_waited_for and job.name not in ends and identity.CANCEL_ON_KILL not in job.labels
    ]
    assert len(remaining) <= 1
    assert not decision.keep or remaining in ([], kept)


@given(case=cases(), reattach=st.booleans(), own=st.booleans())
def test_a_later_try_loses_no_job(case: Case, *, reattach: bool, own: bool) -> None:
    """A later try's job is neither kept nor cancelled, nor is what that try may have adopted."""
    decision = decide(case.found, case.this, reattach=reattach, own_deployment=own)
    later = case.claimed(Claim.LATER_TRY)
    assert bool(decision.superseded_by) == bool(later)
    assert all(
        claim(each.job, case.this) is Claim.THIS_TRY or tried(each.job) <= case.this.try_number
        for each in decision.cancel
    )
    if later:
        assert decision.keep is None
        oldest = min(later, key=states.age)
        for each in decision.cancel:
            assert claim(each.job, case.this) is Claim.THIS_TRY
            assert states.age(oldest) < states.age(each.job)


@given(case=cases(), reattach=st.booleans())
def test_nothing_of_another_installation_is_touched(case: Case, *, reattach: bool) -> None:
    """Without a deployment id of its own, a try touches only its own and its run's jobs."""
    decision = decide(case.found, case.this, reattach=reattach, own_deployment=False)
    foreign = names(*case.claimed(Claim.FOREIGN, Claim.UNKNOWN))
    touched = names(*decision.cancel, *([decision.keep] if decision.keep else []))
    assert not set(foreign) & set(touched)
    if decision.superseded_by is None:
        assert names(*decision.foreign) == names(
            *(job for job in case.claimed(Claim.FOREIGN, Claim.UNKNOWN) if job.can_be_waited_for)
        )


@given(case=cases(), own=st.booleans())
def test_only_a_sound_job_is_kept(case: Case, *, own: bool) -> None:
    """What is kept is active or succeeded; where its series is doubtful it is active, and that is said."""
    decision = decide(case.found, case.this, reattach=True, own_deployment=own)
    if decision.superseded_by:
        return
    sure = case.claimed(Claim.THIS_TRY, Claim.SAME_SERIES)
    sound = [job for job in sure if job.can_be_waited_for or job.state in states.SUCCEEDED]
    doubtful = [job for job in case.claimed(Claim.PERHAPS_CLEARED) if job.can_be_waited_for]
    assert (decision.keep is None) == (not sound and not doubtful)
    if decision.keep is not None:
        assert decision.keep in (*sound, *doubtful)
        assert bool(decision.doubt) == (decision.keep in doubtful)
    if any(claim(job, case.this) is Claim.SAME_SERIES for job in sound):
        assert decision.keep in sound


@given(case=cases(), own=st.booleans())
def test_without_reattach_no_earlier_job_is_kept(case: Case, *, own: bool) -> None:
    """reattach=False keeps no job but one that this very try has made."""
    kept = decide(case.found, case.this, reattach=False, own_deployment=own).keep
    assert kept is None or kept.labels[identity.TRY] == case.this.try_id


@given(case=cases(), reattach=st.booleans(), own=st.booleans())
def test_a_list_that_shows_jobs_twice_changes_nothing(case: Case, *, reattach: bool, own: bool) -> None:
    """A page that shifts while a list is read can show a job again: no job is its own twin."""
    twice = [*case.found, *(dataclasses.replace(job) for job in case.found)]
    once = decide(case.found, case.this, reattach=reattach, own_deployment=own)
    assert decide(twice, case.this, reattach=reattach, own_deployment=own) == once
    assert left_over(twice, case.this) == left_over(case.found, case.this)


@given(case=cases(), reattach=st.booleans(), own=st.booleans(), seed=st.randoms(use_true_random=False))
def test_the_order_of_a_list_does_not_matter(case: Case, *, reattach: bool, own: bool, seed: object) -> None:
    """The same jobs in another order lead to the same decision."""

    def decided(found: list[JobSnapshot]) -> Decision:
        return decide(found, case.this, reattach=reattach, own_deployment=own)

    shuffled = list(case.found)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    assert decided(case.found) == decided(shuffled)
    assert left_over(case.found, case.this) == left_over(shuffled, case.this)


@given(case=cases())
def test_a_last_try_that_fails_leaves_nothing_of_ours(case: Case) -> None:
    """All active jobs of this try and earlier ones are left over, but for those that were to run on."""
    ours = [
        job
        for job in case.claimed(*OURS)
        if job.can_be_waited_for
        and (identity.CANCEL_ON_KILL not in job.labels or claim(job, case.this) is not Claim.CLEARED)
    ]
    assert names(*left_over(case.found, case.this)) == names(*ours)


# One row for each case that the design names; minutes say when a job was created.

THIS = a_try(try_number=3, try_id="this", max_tries=2, clear_number=0)


def job(name: str, state: str, minute: int, **changes: object) -> JobSnapshot:
    """Return a job of an earlier try, of the same series unless changed."""
    asked_by = dataclasses.replace(THIS, **{"try_number": 1, "try_id": f"of-{name}", **changes})  # type: ignore[arg-type]
    created = RUN_START + timedelta(minutes=minute)
    return JobSnapshot(name, state=f"JOB_STATE_{state}", create_time=created, labels=asked_by.labels())


def unlabelled(name: str, state: str) -> JobSnapshot:
    """Return a job of this run without the number of its try."""
    labels = {**job(name, state, 1).labels}
    del labels[identity.TRY_NUMBER]
    return dataclasses.replace(job(name, state, 1), labels=labels)


OTHER_CLEAR = {"clear_number": 1}
CLEARED = {"clear_number": 1, "max_tries": 1}
OTHER_LIFE = {"run_start": RUN_START - timedelta(days=1)}
TRY_3 = {"try_number": 3, "try_id": "this"}


@pytest.mark.parametrize(
    ("found", "keep", "cancel"),
    [
        ([job("a", "RUNNING", 1), job("b", "RUNNING", 2)], "a", ["b"]),
        ([job("a", "SUCCEEDED", 1), job("b", "SUCCEEDED", 2, try_number=2)], "b", []),
        ([job("a", "SUCCEEDED", 1), job("b", "SUCCEEDED", 2)], "a", []),
        ([job("a", "FAILED", 1), job("b", "RUNNING", 2)], "b", []),
        ([job("a", "RUNNING", 1), job("b", "SUCCEEDED", 2)], "b", ["a"]),
        ([job("a", "CANCELLING", 1)], None, []),
        ([job("a", "RUNNING", 1), job("b", "RUNNING", 2, **TRY_3)], "a", ["b"]),
        ([job("a", "RUNNING", 1, max_tries=7)], "a", []),
        ([job("a", "RUNNING", 1, **CLEARED)], None, ["a"]),
        ([job("a", "SUCCEEDED", 1, **CLEARED)], None, []),
        ([job("a", "RUNNING", 1, **OTHER_CLEAR)], "a", []),
        ([job("a", "SUCCEEDED", 1, **OTHER_CLEAR)], None, []),
        ([job("a", "RUNNING", 1, **OTHER_CLEAR), job("b", "RUNNING", 2)], "b", ["a"]),
        ([job("a", "RUNNING", 1, **OTHER_CLEAR), job("b", "RUNNING", 2, **TRY_3)], "a", ["b"]),
        ([job("a", "RUNNING", 1, cancel_on_kill=False, **CLEARED)], None, []),
        ([job("a", "RUNNING", 1, **OTHER_LIFE)], None, []),
        ([job("a", "RUNNING", 1), job("b", "RUNNING", 2, try_number=4)], None, []),
        ([job("a", "FAILED", 1, try_number=4)], None, []),
        ([job("a", "RUNNING", 1, try_number=4), job("b", "RUNNING", 2, **TRY_3)], None, ["b"]),
        ([job("b", "RUNNING", 1, **TRY_3), job("a", "CANCELLED", 2, try_number=4)], None, []),
        ([unlabelled("a", "FAILED"), job("b", "RUNNING", 2)], "b", []),
        ([unlabelled("a", "RUNNING")], None, []),
    ],
    ids=[
        "the oldest active job is adopted",
        "the latest success is taken",
        "of two successes of one try the oldest is taken",
        "a twin that failed gives way to one that runs",
        "a success is worth more than a running job",
        "a job that is being cancelled is not adopted",
        "a list was late: the earlier job is there after the create",
        "retries edited between tries",
        "the task was cleared, its job runs",
        "the task was cleared after its job succeeded",
        "some task of the run was cleared, the job runs",
        "some task of the run was cleared after the job succeeded",
        "a certain job is worth more than a doubtful one",
        "a list was late: a doubtful job is there after the create",
        "the task was cleared and cancel_on_kill is off",
        "an earlier life of the run, or another installation",
        "a try that Airflow has given up",
        "a later try's job has failed",
        "a try that Airflow has given up created a job",
        "a later try has adopted the job of the given up try",
        "an ended job that does not say which try made it",
        "a running job that does not say which try made it",
    ],
)
def test_each_case_of_the_design(found: list[JobSnapshot], keep: str | None, cancel: list[str]) -> None:
    """Each case has the end that the design gives it."""
    decision = decide(found, THIS, reattach=True, own_deployment=False)
    assert (decision.keep.name if decision.keep else None) == keep
    assert names(*decision.cancel) == cancel
    assert bool(decision.superseded_by) == any(THIS.try_number < tried(each) < 10**6 for each in found)


@pytest.mark.parametrize(
    ("found", "reattach", "kept"),
    [
        ([], True, None),
        ([job("a", "RUNNING", 1)], True, "a"),
        ([job("a", "RUNNING", 1)], False, None),
        ([job("a", "SUCCEEDED", 1)], True, "a"),
        ([job("a", "FAILED", 1)], True, None),
        ([job("a", "CANCELLING", 1)], True, None),
        ([job("a", "RUNNING", 1, **TRY_3)], True, "a"),
        ([job("a", "RUNNING", 1, **TRY_3)], False, None),
        ([job("a", "RUNNING", 1, **CLEARED)], True, None),
        ([job("a", "RUNNING", 1, **OTHER_CLEAR)], True, "a"),
        ([job("a", "SUCCEEDED", 1, **OTHER_CLEAR)], True, None),
        ([job("a", "RUNNING", 1, **OTHER_LIFE)], True, None),
    ],
    ids=[
        "there is none",
        "an earlier try's runs",
        "the same, but reattach is off",
        "an earlier try's succeeded",
        "it failed",
        "it is being cancelled",
        "the failing try made it",
        "the same, but reattach is off, which goes for the retry",
        "the task was cleared",
        "some task of the run was cleared",
        "some task of the run was cleared after the job succeeded",
        "an earlier life of the run, or another installation",
    ],
)
def test_what_a_retry_would_keep(found: list[JobSnapshot], *, reattach: bool, kept: str | None) -> None:
    """A try that fails can tell whether the next one finds a job to go on with."""
    job = retry_keeps(found, THIS, reattach=reattach)
    assert (job.name if job else None) == kept


@given(case=cases(), reattach=st.booleans())
def test_a_retry_keeps_what_it_was_said_to_keep(case: Case, *, reattach: bool) -> None:
    """The next try, asked about the same jobs, decides as was foretold."""
    retry = dataclasses.replace(case.this, try_number=case.this.try_number + 1, try_id="retry")
    kept = decide(case.found, retry, reattach=reattach, own_deployment=True).keep
    assert retry_keeps(case.found, case.this, reattach=reattach) == kept


def test_an_own_deployment_ends_earlier_lives_of_the_run() -> None:
    """With a deployment_id a job with another run start is cancelled, unless a later try made it."""
    earlier, later = job("a", "RUNNING", 1, **OTHER_LIFE), job("b", "RUNNING", 2, try_number=4, **OTHER_LIFE)
    decision = decide([earlier, later], THIS, reattach=True, own_deployment=True)
    assert (names(*decision.cancel), names(*decision.foreign)) == (["a"], ["b"])


def test_a_decision_says_why() -> None:
    """The log learns why each job is treated as it is."""
    found = [job("a", "RUNNING", 1, **CLEARED), job("b", "RUNNING", 2), job("c", "RUNNING", 3)]
    decision = decide(found, THIS, reattach=True, own_deployment=False)
    assert {each.job.name: each.why for each in decision.cancel} == {
        "a": "the task or its DAG run was cleared since it was made, so nobody waits for it",
        "c": "this task has b, and one job is enough",
    }
    (doubtful,) = [job("a", "RUNNING", 1, **OTHER_CLEAR)]
    assert (
        "some task of the DAG run was cleared, perhaps this one"
        in decide([doubtful], THIS, reattach=True, own_deployment=False).doubt
    )
