"""Whatever create calls, lists, tokens and cancels answer, in any order: one job, or a true error."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from google.api_core import exceptions as api
from google.auth.exceptions import RefreshError, TransportError
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_vertex_training.vertex.api import advice
from airflow_vertex_training.vertex.exceptions import UnclearSubmitError, VertexTrainingError
from airflow_vertex_training.vertex.naming import identity
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.submit.create import Submitter
from airflow_vertex_training.vertex.submit.made import Made
from airflow_vertex_training.vertex.submit.places import Places
from tests.vertex.conftest import RUN_START, a_job, a_try

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.job import TrainingJob

# What comes of a create call: whether it makes a job, and how it is answered.
CREATES: dict[str, tuple[bool, BaseException | None]] = {
    "made": (True, None),
    "made, the answer is lost": (True, api.ServiceUnavailable("lost")),
    "made, no answer in time": (True, api.DeadlineExceeded("late")),
    "made, the process is cut off": (True, KeyboardInterrupt()),
    "not made, unclear": (False, api.InternalServerError("broken")),
    "not made, the process is cut off": (False, KeyboardInterrupt()),
    "too many requests": (False, api.ResourceExhausted("Quota exceeded")),
    "no connection": (False, api.ServiceUnavailable("failed to connect to all addresses")),
    "no token now": (False, TransportError("no route")),
    "no token ever": (False, RefreshError("invalid_grant")),
    "refused": (False, api.PermissionDenied("no")),
}
LISTS = ["well", "well", "late", "passes", "refused", "no token ever", "cut off"]
CANCELS = ["well", "well", "refused", "cut off"]


@dataclass
class FakeJobs:
    """The jobs of a server that is a list. How it answers, a test draws."""

    draw: Any
    jobs: list[JobSnapshot] = field(default_factory=list)
    project: str = "acme"
    region: str = "us-central1"
    address: str = "vertex"
    lucky: bool = False
    answered: list[str] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Take no time."""

    def create(self, job: TrainingJob) -> JobSnapshot:
        """Make a job, or not, and answer, or not."""
        makes, answer = CREATES[self.draw(st.sampled_from(sorted(CREATES)))]
        if makes:
            number = len(self.jobs)
            created = RUN_START + timedelta(seconds=number)
            labels = dict(job.labels or {})
            self.jobs.append(
                JobSnapshot(f"job-{number}", state="JOB_STATE_QUEUED", create_time=created, labels=labels)
            )
        if answer is not None:
            raise answer
        self.answered.append(self.jobs[-1].name)
        return self.jobs[-1]

    def find(self, label: str, value: str, *, patience: float = 0.0) -> list[JobSnapshot]:
        """Return jobs by label: all of them, or all but the newest ones."""
        outcome = "well" if self.lucky else self.draw(st.sampled_from(LISTS))
        if outcome == "cut off":
            raise KeyboardInterrupt
        errors = {"passes": api.ServiceUnavailable("busy"), "refused": api.PermissionDenied("no")}
        if error := errors.get(outcome, RefreshError("no") if outcome == "no token ever" else None):
            raise advice.api_error("Listing jobs", error) from error
        shown = self.jobs[: self.draw(st.integers(0, len(self.jobs)))] if outcome == "late" else self.jobs
        return [job for job in shown if job.labels.get(label) == value]

    def cancel(self, job_name: str) -> bool:
        """Cancel a job, or not."""
        outcome = "well" if self.lucky else self.draw(st.sampled_from(CANCELS))
        if outcome == "cut off":
            raise KeyboardInterrupt
        if outcome == "refused":
            error = api.PermissionDenied("no")
            raise advice.api_error("Cancelling", error) from error
        ended = "JOB_STATE_CANCELLED"
        self.jobs = [replace(job, state=ended) if job.name == job_name else job for job in self.jobs]
        return True

    def differences(self, job_name: str, wanted: TrainingJob) -> list[str]:
        """Return no difference."""
        return []

    def active(self, label: str, value: str) -> set[str]:
        """Return the names of the jobs that carry a label and that nobody has cancelled."""
        return {job.name for job in self.jobs if job.labels.get(label) == value and not job.is_final}


@settings(max_examples=400)
@given(
    data=st.data(),
    earlier=st.integers(0, 2),
    reattach=st.booleans(),
    timeout=st.sampled_from([0.0, 3.0, 60.0]),
)
def test_one_job_or_an_error_that_is_true(
    data: st.DataObject, earlier: int, reattach: bool, timeout: float
) -> None:
    """A try that got its job has it running; one that got none says so truly, and all can be ended."""
    jobs: Any = FakeJobs(data.draw)
    first, this = a_try(), a_try(try_number=1 + min(1, earlier))
    jobs.jobs += [
        JobSnapshot(
            f"job-{number}",
            state="JOB_STATE_RUNNING",
            create_time=RUN_START + timedelta(seconds=number),
            labels=first.labels(),
        )
        for number in range(earlier)
    ]
    made = Made()
    submitter = Submitter(Places(jobs), timeout, reattach=reattach, made=made)
    own = (identity.TRY, this.try_id)
    raised: BaseException | None = None
    try:
        kept = submitter.submit(a_job(this), this).job
    except (KeyboardInterrupt, VertexTrainingError) as error:
        raised = error
    if raised is None:
        assert kept.name in jobs.active(identity.TASK_INSTANCE, this.task_instance)
        return
    if isinstance(raised, VertexTrainingError):
        # Nobody is told that there is no job where there is one.
        unknown = jobs.active(*own) - set(made.names)
        assert not unknown or isinstance(raised, UnclearSubmitError)
        assert not jobs.active(*own) or "none was created" not in str(raised)
    assert made.names == jobs.answered
    # Whoever ends what a try has made finds all of it: by its names, and in lists as soon as these show it.
    jobs.lucky = True
    found = {job.name for job in Submitter(Places(jobs), timeout, made=made).left_running(this)}
    active = jobs.active(identity.TASK_INSTANCE, this.task_instance)
    assert active <= found | set(made.names)
    assert found <= active


@settings(max_examples=200)
@given(data=st.data(), reattach=st.booleans(), cleared=st.booleans())
def test_a_try_that_sees_all_leaves_one_job(data: st.DataObject, reattach: bool, cleared: bool) -> None:
    """After any tries that were unlucky, one whose calls are answered has the only job that runs."""
    jobs: Any = FakeJobs(data.draw)
    tries = [a_try()]
    for _ in range(data.draw(st.integers(1, 3))):
        this = tries[-1]
        with contextlib.suppress(VertexTrainingError, KeyboardInterrupt):
            Submitter(Places(jobs), 3.0, reattach=reattach).submit(a_job(this), this)
        change = {"clear_number": this.clear_number + 1, "max_tries": this.max_tries + 1} if cleared else {}
        tries.append(a_try(try_number=this.try_number + 1, **{"max_tries": this.max_tries, **change}))
    last = tries[-1]
    jobs.lucky, jobs.draw = True, lambda _: "made"
    kept = Submitter(Places(jobs), 3.0, reattach=reattach).submit(a_job(last), last).job
    assert jobs.active(identity.TASK_INSTANCE, last.task_instance) == {kept.name}
