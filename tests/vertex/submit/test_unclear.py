"""What a try says and does where it can't learn whether a job was made, or which one is its own."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import Credentials
from google.auth.exceptions import RefreshError, TransportError

from airflow_vertex_training.vertex.api.calls import Jobs
from airflow_vertex_training.vertex.exceptions import TryGivenUpError, UnclearSubmitError, VertexApiError
from airflow_vertex_training.vertex.submit.create import LOOKS, Outcome
from airflow_vertex_training.vertex.submit.made import Made
from airflow_vertex_training.vertex.submit.places import Places
from tests.vertex.conftest import REGION, a_job, a_try, submitter

if TYPE_CHECKING:
    from airflow_vertex_training.emulator.control.process import EmulatorProcess

LOST: dict[str, Any] = {"kind": "error", "method": "CreateCustomJob", "when": "after_commit"}
NO_LIST: dict[str, Any] = {"kind": "late", "method": "ListCustomJobs", "seconds": 3600.0}
DENIED: dict[str, Any] = {"kind": "error", "code": "PERMISSION_DENIED", "message": "no"}


@pytest.mark.parametrize(
    ("faults", "creates"),
    [
        ([{**LOST, "times": None}, {**NO_LIST, "times": None}], range(2, 100)),
        ([LOST, {**DENIED, "method": "ListCustomJobs", "times": None}], [1]),
        ([LOST, {**NO_LIST, "times": 4}, {**DENIED, "method": "CreateCustomJob", "skip": 1}], [2]),
    ],
    ids=["until submit_timeout", "the look-up is refused", "the next create is refused"],
)
def test_an_answer_that_stays_unclear_is_told_as_such(
    emulator: EmulatorProcess, project: str, jobs: Jobs, faults: list[dict[str, Any]], creates: Any
) -> None:
    """Where a job may exist nobody is told that none does, but how to find it; the retries are kept."""
    emulator.control.add_fault(project, "queue", seconds=3600.0, times=None)
    for fault in faults:
        emulator.control.add_fault(project, **fault)
    this = a_try()
    with pytest.raises(UnclearSubmitError) as raised:
        submitter(Places(jobs), timeout=100.0).submit(a_job(this), this)
    assert str(raised.value).startswith("Whether a job was created is not known: ")
    assert "none was created" not in str(raised.value)
    command = f"gcloud ai custom-jobs list --region={REGION} --project={project}"
    assert f'{command} --filter="labels.airflow_try={this.try_id}"' in str(raised.value)
    # What makes an error one without retries: the operator asks for this class.
    assert not isinstance(raised.value, VertexApiError)
    assert sum(emulator.control.requests(project)["CreateCustomJob"].values()) in creates


def test_what_an_unclear_create_left_is_found_late(
    emulator: EmulatorProcess, project: str, jobs: Jobs, sleeps: list[float]
) -> None:
    """Where no try follows, the job is looked for as long as a list may be late."""
    this = a_try()
    name = jobs.create(a_job(this)).name
    emulator.control.add_fault(project, **NO_LIST, times=2)
    found = submitter(Places(jobs), made=Made(unclear=1)).left_running(this)
    assert [job.name for job in found] == [name]
    assert sum(sleeps) == sum(LOOKS[:2])


def test_a_call_that_was_answered_meanwhile_is_not_waited_for(
    emulator: EmulatorProcess, project: str, jobs: Jobs
) -> None:
    """Who looks for what another thread's call may have made stops when that call is answered."""
    made, waits = Made(unclear=1), []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        made.unclear = 0

    jobs.sleep = sleep
    assert list(submitter(Places(jobs), made=made).left_running(a_try())) == []
    assert waits == [0.5]


def test_what_is_found_here_is_told_though_other_places_are_not_known(
    emulator: EmulatorProcess, project: str, jobs: Jobs
) -> None:
    """A store that does not answer keeps no job from its end that is where this try asks."""

    class Silent:
        def get(self, key: str) -> Any:
            raise ConnectionError("no server")

        def set(self, key: str, value: Any) -> None:
            raise AssertionError

    first, last = a_try(), a_try(try_number=2)
    name = jobs.create(a_job(first)).name
    left = submitter(Places(jobs, Silent())).left_running(last)
    assert next(left).name == name
    with pytest.raises(ConnectionError):
        next(left)


def test_a_look_is_waited_for_as_long_as_a_job(
    emulator: EmulatorProcess, project: str, jobs: Jobs, sleeps: list[float]
) -> None:
    """Lists that fail for minutes after an unclear create make no second job, and end in no error."""
    emulator.control.add_fault(project, **LOST)
    emulator.control.add_fault(project, "error", method="ListCustomJobs", times=60)
    this = a_try()
    submitted = submitter(Places(jobs)).submit(a_job(this), this)
    assert [job["name"] for job in emulator.control.jobs(project)] == [submitted.job.name]
    assert sum(sleeps) > 200


def test_after_a_second_create_both_jobs_are_waited_for(
    emulator: EmulatorProcess, project: str, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that shows the second job but not yet the first one does not end the look."""
    find = jobs.find
    shown = itertools.chain([slice(0, 0)] * len(LOOKS), [slice(1, 2)], itertools.repeat(slice(None)))
    monkeypatch.setattr(jobs, "find", lambda *args, **kwargs: find(*args, **kwargs)[next(shown)])
    emulator.control.add_fault(project, **LOST)
    this = a_try()
    submitted = submitter(Places(jobs)).submit(a_job(this), this)
    oldest, twin = emulator.control.jobs(project)
    assert submitted.job.name == oldest["name"]
    emulator.control.wait_job(twin["name"], ["JOB_STATE_CANCELLED"])


def test_a_retry_looks_once_more_after_it_has_created(
    emulator: EmulatorProcess, project: str, jobs: Jobs
) -> None:
    """An earlier try's job that the list showed too late is adopted, and the one just made is cancelled."""
    first = a_try()
    name = jobs.create(a_job(first)).name
    emulator.control.add_fault(project, **NO_LIST)
    retry = a_try(try_number=2)
    submitted = submitter(Places(jobs)).submit(a_job(retry), retry)
    assert (submitted.outcome, submitted.job.name) == (Outcome.ADOPTED, name)
    twin = emulator.control.jobs(project)[1]
    emulator.control.wait_job(twin["name"], ["JOB_STATE_CANCELLED"])


def test_a_refused_second_look_loses_no_job(
    emulator: EmulatorProcess, project: str, jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    """A retry that may not list after it has created keeps what it made, and says what it could not see."""
    emulator.control.add_fault(project, **DENIED, method="ListCustomJobs", skip=1)
    retry = a_try(try_number=2)
    submitted = submitter(Places(jobs)).submit(a_job(retry), retry)
    assert [job["name"] for job in emulator.control.jobs(project)] == [submitted.job.name]
    assert f"Whether this is the task's only job could not be seen: {submitted.job.name}" in caplog.text


def test_a_twin_that_can_not_be_cancelled_loses_nothing(
    emulator: EmulatorProcess, project: str, jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    """The job that is kept is named first, then the twin whose cancel is refused; the try goes on."""
    first = a_try()
    kept, twin = (jobs.create(a_job(first)).name for _ in range(2))
    emulator.control.add_fault(project, **DENIED, method="CancelCustomJob")
    retry = a_try(try_number=2)
    with caplog.at_level(logging.INFO):
        submitted = submitter(Places(jobs)).submit(a_job(retry), retry)
    assert (submitted.outcome, submitted.job.name) == (Outcome.ADOPTED, kept)
    assert caplog.text.index(f"created: {kept}") < caplog.text.index(f"may run on and cost money: {twin}")


def test_a_cleared_job_that_can_not_be_cancelled_has_no_successor(
    emulator: EmulatorProcess, project: str, jobs: Jobs
) -> None:
    """Before a try has a job of its own, a cancel that is refused fails it: else two would run."""
    first = a_try()
    name = jobs.create(a_job(first)).name
    emulator.control.add_fault(project, **DENIED, method="CancelCustomJob")
    cleared = a_try(try_number=2, clear_number=1, max_tries=2)
    with pytest.raises(VertexApiError, match=f"PERMISSION_DENIED: .*\nCancelling {name} failed"):
        submitter(Places(jobs)).submit(a_job(cleared), cleared)
    assert len(emulator.control.jobs(project)) == 1


@pytest.mark.parametrize("reattach", [True, False])
def test_a_try_that_was_given_up_touches_nothing(
    emulator: EmulatorProcess, project: str, jobs: Jobs, *, reattach: bool
) -> None:
    """An old process that wakes up finds a later try's job: it cancels none and creates none."""
    later = a_try(try_number=5)
    name = jobs.create(a_job(later)).name
    old = a_try(try_number=2, max_tries=1)
    with pytest.raises(
        TryGivenUpError, match=f"given up try 2 of this task: a later try has a job.*\nJob: {name}"
    ):
        submitter(Places(jobs), reattach=reattach).submit(a_job(old), old)
    assert len(emulator.control.jobs(project)) == 1
    assert "CancelCustomJob" not in emulator.control.requests(project)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (
            {"image": "us-docker.pkg.dev/acme/trainers/digits:1.5"},
            "worker_pool_specs[0].container_spec.image_uri",
        ),
        (
            {"env": {"SECRET": "new", "ADDED": "x"}},
            ", ".join(
                f"worker_pool_specs[0].container_spec.env.{name}" for name in ("SECRET", "ADDED", "GONE")
            ),
        ),
        ({"machine_type": "n1-standard-8"}, "worker_pool_specs[0].machine_spec.machine_type"),
    ],
    ids=["image", "env", "machine"],
)
def test_a_job_with_other_settings_is_adopted_with_a_warning(
    jobs: Jobs, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], named: str
) -> None:
    """The warning names what differs, and no value, for it may be a secret."""
    first, retry = a_try(), a_try(try_number=2)
    env = {"SECRET": "old", "GONE": "x"}
    name = jobs.create(a_job(first, env=env)).name
    submitted = submitter(Places(jobs)).submit(a_job(retry, **{"env": env, **changes}), retry)
    assert (submitted.outcome, submitted.job.name) == (Outcome.ADOPTED, name)
    assert f"other settings than this try has; they differ in: {named}. To run" in caplog.text
    assert "old" not in caplog.text


def test_the_same_settings_are_adopted_without_a_word(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    """What Airflow tells its tries about themselves is no other setting."""
    first, retry = a_try(), a_try(try_number=2)
    jobs.create(a_job(first, env={"A": "1", "AIRFLOW_CTX_TRY_NUMBER": "1"}))
    again = a_job(retry, env={"A": "1", "AIRFLOW_CTX_TRY_NUMBER": "2"})
    assert submitter(Places(jobs)).submit(again, retry).outcome is Outcome.ADOPTED
    assert "settings" not in caplog.text


class NoToken(Credentials):
    """Credentials that get a token only after so many failures."""

    def __init__(self, error: Exception, failures: int) -> None:
        super().__init__()
        self.error, self.failures = error, failures

    def refresh(self, request: Any) -> None:
        """Get a token, or fail."""
        if self.failures:
            self.failures -= 1
            raise self.error
        self.token = "token"


@pytest.mark.parametrize("try_number", [1, 2])
def test_credentials_that_google_refuses_are_told_at_once(
    emulator: EmulatorProcess, project: str, jobs: Jobs, sleeps: list[float], try_number: int
) -> None:
    """A bad key is no lost answer: nothing was sent, nothing is waited for."""
    bad = Jobs(jobs.client, project, REGION, jobs.sleep, NoToken(RefreshError("invalid_grant"), 10**6))
    this = a_try(try_number=try_number)
    with pytest.raises(VertexApiError, match=r"(?s)check the connection's keyfile.*invalid_grant"):
        submitter(Places(bad)).submit(a_job(this), this)
    assert (sleeps, emulator.control.requests(project)) == ([], {})


@pytest.mark.parametrize(
    "error",
    [RefreshError("busy", retryable=True), TransportError("no route")],
    ids=["told to ask again", "not reached"],
)
def test_a_token_that_may_come_is_waited_for(
    emulator: EmulatorProcess, project: str, jobs: Jobs, error: Exception
) -> None:
    """A token that can't be had for some seconds delays the job, and leaves nothing unclear."""
    late = Jobs(jobs.client, project, REGION, jobs.sleep, NoToken(error, 2))
    this = a_try()
    submitted = submitter(Places(late)).submit(a_job(this), this)
    assert [job["name"] for job in emulator.control.jobs(project)] == [submitted.job.name]
    assert "ListCustomJobs" not in emulator.control.requests(project)
