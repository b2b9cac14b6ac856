"""Any sequence of tries, clears, lost answers, late lists and processes that wake up: one job in the end."""

from __future__ import annotations

import dataclasses
import itertools
import uuid
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import ServiceUnavailable
from google.auth.credentials import AnonymousCredentials
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from airflow_vertex_training.vertex.api import endpoint
from airflow_vertex_training.vertex.api.calls import Jobs
from airflow_vertex_training.vertex.exceptions import VertexTrainingError
from airflow_vertex_training.vertex.submit.create import LOOKS
from airflow_vertex_training.vertex.submit.places import Places
from tests.vertex.conftest import REGION, a_job, a_try, submitter

if TYPE_CHECKING:
    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from airflow_vertex_training.vertex.naming.identity import TaskTry
    from airflow_vertex_training.vertex.spec.job import TrainingJob
    from airflow_vertex_training.vertex.states import JobSnapshot

_ids = itertools.count(1)


class UnluckyJobs(Jobs):
    """Jobs whose next create calls lose their answers, and whose next lists show nothing yet."""

    lost = late = 0

    def create(self, job: TrainingJob) -> JobSnapshot:
        """Create a job."""
        created = super().create(job)
        if self.lost:
            self.lost -= 1
            raise ServiceUnavailable("the answer is lost")
        return created

    def find(self, label: str, value: str, *, patience: float = 0.0) -> list[JobSnapshot]:
        """Return jobs by label."""
        if self.late:
            self.late -= 1
            return []
        return super().find(label, value, patience=patience)


class Tries(RuleBasedStateMachine):
    """One task instance's tries, each of which may submit when it likes, against the emulator."""

    emulator: EmulatorProcess
    reattach: bool

    @initialize()
    def start(self) -> None:
        """Begin with the first try of a task, and jobs that stay queued."""
        self.project = f"project-{uuid.uuid4().hex[:12]}"
        self.control = self.emulator.control
        self.control.add_fault(self.project, "queue", seconds=3600.0, times=None)
        client = endpoint.open_client(
            endpoint.Endpoint(self.emulator.address, is_emulator=True), AnonymousCredentials()
        )
        self.jobs = UnluckyJobs(client, self.project, REGION, sleep=lambda _: None)
        self.tries = [a_try(try_id=f"machine-{next(_ids)}")]
        # What the newest try has submitted, so that somebody waits for it.
        self.awaited: str | None = None

    def teardown(self) -> None:
        """End the example's jobs."""
        if hasattr(self, "jobs"):
            self.control.clear_faults(self.project)
            for job in self.control.jobs(self.project):
                self.jobs.cancel(job["name"])
            self.jobs.client.transport.close()

    def follow(self, **changes: int) -> None:
        """Let Airflow go on with a next try."""
        last = self.tries[-1]
        changed = {"try_number": last.try_number + 1, "try_id": f"machine-{next(_ids)}", **changes}
        self.tries.append(dataclasses.replace(last, **changed))  # type: ignore[arg-type]
        self.awaited = None

    @rule()
    def retry(self) -> None:
        """The newest try's process dies."""
        self.follow()

    @rule()
    def clear(self) -> None:
        """The task is cleared."""
        last = self.tries[-1]
        self.follow(clear_number=last.clear_number + 1, max_tries=last.max_tries + 1)

    @rule()
    def clear_another(self) -> None:
        """Another task of the run is cleared, and this one's process dies."""
        self.follow(clear_number=self.tries[-1].clear_number + 1)

    def submit(self, this: TaskTry, lost: int, late: int) -> str | None:
        """Let a try submit; return the job that it waits for then."""
        self.jobs.lost, self.jobs.late = lost, late
        try:
            return submitter(Places(self.jobs), reattach=self.reattach).submit(a_job(this), this).job.name
        except VertexTrainingError:
            return None

    @rule(lost=st.integers(0, 2), late=st.integers(0, 2 * len(LOOKS)))
    def newest_submits(self, lost: int, late: int) -> None:
        """The newest try submits; a process does so once, so one that comes again is the next try's."""
        if self.awaited:
            self.follow()
        self.awaited = self.submit(self.tries[-1], lost, late)

    @rule(which=st.integers(0, 10), late=st.integers(0, 1))
    def older_submits(self, which: int, late: int) -> None:
        """A process of an older try wakes up and submits."""
        if len(self.tries) > 1:
            self.submit(self.tries[which % (len(self.tries) - 1)], 0, late)

    @invariant()
    def nobody_loses_the_job_that_he_waits_for(self) -> None:
        """The job that the newest try waits for is not cancelled."""
        if getattr(self, "awaited", None):
            assert self.awaited in self.active()

    @rule()
    def lists_are_up_to_date(self) -> None:
        """A next try that sees all there is leaves one job: its own."""
        self.follow()
        self.awaited = self.submit(self.tries[-1], 0, 0)
        assert self.active() == [self.awaited]

    def active(self) -> list[str]:
        """Return the names of the jobs that nobody has cancelled."""
        return [job["name"] for job in self.control.jobs(self.project) if job["state"] == "JOB_STATE_QUEUED"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("reattach", [True, False])
def test_any_sequence_of_tries_ends_with_one_job(emulator: EmulatorProcess, *, reattach: bool) -> None:
    """Whatever went wrong, no awaited job is cancelled, and a try that sees all there is leaves one."""

    class OnThisEmulator(Tries):
        pass

    OnThisEmulator.emulator, OnThisEmulator.reattach = emulator, reattach
    run_state_machine_as_test(
        OnThisEmulator,
        settings=settings(
            max_examples=20,
            stateful_step_count=10,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
