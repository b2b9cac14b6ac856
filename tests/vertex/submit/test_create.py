"""One job for each try, whatever the create call answers; the emulator's table of jobs is the judge."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import GoogleAPICallError, ServiceUnavailable
from google.auth.credentials import AnonymousCredentials

from airflow_vertex_training.vertex.api import endpoint, retries
from airflow_vertex_training.vertex.api.calls import Jobs
from airflow_vertex_training.vertex.exceptions import SubmitTimeoutError, VertexApiError
from airflow_vertex_training.vertex.submit.create import LOOKS, Outcome
from airflow_vertex_training.vertex.submit.places import Places
from tests.vertex.conftest import REGION, RUN_START, a_job, a_try, submitter

if TYPE_CHECKING:
    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from airflow_vertex_training.vertex.naming.identity import TaskTry
    from airflow_vertex_training.vertex.states import JobSnapshot

AMBIGUOUS = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "ABORTED", "CANCELLED"]


def states(emulator: EmulatorProcess, project: str) -> list[str]:
    """Return the states of a project's jobs, the oldest job's first."""
    return [job["state"].removeprefix("JOB_STATE_") for job in emulator.control.jobs(project)]


def wait_until_running(emulator: EmulatorProcess, job_name: str) -> None:
    """Wait until a job runs."""
    emulator.control.wait_job(job_name, ["JOB_STATE_RUNNING"])


@pytest.mark.parametrize("code", AMBIGUOUS)
@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_an_unclear_answer_makes_one_job(
    emulator: EmulatorProcess, project: str, jobs: Jobs, code: str, when: str
) -> None:
    """An answer that leaves it open whether there is a job is looked into: one job, made before or after."""
    emulator.control.add_fault(project, "error", method="CreateCustomJob", code=code, when=when)
    this = a_try()
    submitted = submitter(Places(jobs)).submit(a_job(this), this)
    assert [job["name"] for job in emulator.control.jobs(project)] == [submitted.job.name]


def test_a_list_that_is_late_makes_no_second_job(emulator: EmulatorProcess, project: str, jobs: Jobs) -> None:
    """Of two jobs of one try, made because the list was late, the older stays and the other is cancelled."""
    emulator.control.add_fault(project, "error", method="CreateCustomJob", when="after_commit")
    # The looks after the first create see nothing; those after the second see both.
    emulator.control.add_fault(project, "late", method="ListCustomJobs", seconds=3600.0, times=4)
    this = a_try()
    submitted = submitter(Places(jobs)).submit(a_job(this), this)
    oldest, twin = emulator.control.jobs(project)
    assert submitted.job.name == oldest["name"]
    emulator.control.wait_job(twin["name"], ["JOB_STATE_CANCELLED"])


def test_a_job_that_no_list_shows_yet_is_no_second_one(
    emulator: EmulatorProcess, project: str, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the list shows the older job of a try only, the one just created is ended all the same."""
    find = jobs.find
    # How many of the oldest jobs a look shows: none until the second create, then one.
    shown = itertools.chain([0] * len(LOOKS), itertools.repeat(1))
    monkeypatch.setattr(jobs, "find", lambda *args, **kwargs: find(*args, **kwargs)[: next(shown)])
    emulator.control.add_fault(project, "error", method="CreateCustomJob", when="after_commit")
    this = a_try()
    submitted = submitter(Places(jobs)).submit(a_job(this), this)
    oldest, twin = emulator.control.jobs(project)
    assert submitted.job.name == oldest["name"]
    emulator.control.wait_job(twin["name"], ["JOB_STATE_CANCELLED"])


def test_two_unclear_creates_leave_one_job(
    emulator: EmulatorProcess, project: str, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where two creates made jobs and neither was answered, the second job is waited for and ended."""
    find = jobs.find
    shown = itertools.chain([0] * len(LOOKS), [1, 1], itertools.repeat(2))
    monkeypatch.setattr(jobs, "find", lambda *args, **kwargs: find(*args, **kwargs)[: next(shown)])
    emulator.control.add_fault(project, "error", method="CreateCustomJob", when="after_commit", times=2)
    this = a_try()
    submitted = submitter(Places(jobs)).submit(a_job(this), this)
    oldest, twin = emulator.control.jobs(project)
    assert submitted.job.name == oldest["name"]
    emulator.control.wait_job(twin["name"], ["JOB_STATE_CANCELLED"])


def test_a_connection_that_fails_after_a_long_wait_gets_its_own_patience(
    emulator: EmulatorProcess, project: str, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an hour of waiting for a quota does not make the first failed connection the last straw."""
    create, calls = jobs.create, itertools.count()

    def refused_then_cut_off(*args: Any, **kwargs: Any) -> JobSnapshot:
        if next(calls) == 10:
            raise ServiceUnavailable("failed to connect to all addresses; last error: none")
        return create(*args, **kwargs)

    monkeypatch.setattr(jobs, "create", refused_then_cut_off)
    quota = {"method": "CreateCustomJob", "code": "RESOURCE_EXHAUSTED", "message": "Quota exceeded"}
    emulator.control.add_fault(project, "error", **quota, times=10)
    this = a_try()
    assert submitter(Places(jobs)).submit(a_job(this), this).outcome is Outcome.CREATED
    assert next(calls) > 11


def draw_faults(draw: random.Random, try_id: str) -> list[dict[str, Any]]:
    """Return what goes wrong with a try's create calls."""
    settings = {"method": "CreateCustomJob", "labels": {"airflow_try": try_id}}
    if draw.random() < 0.04:
        return [{"kind": "hang", "when": "after_commit", **settings}]
    return [
        {
            "kind": "error",
            "code": draw.choice(AMBIGUOUS),
            "when": draw.choice(["before_commit", "after_commit"]),
            **settings,
        }
        for _ in range(draw.choice([1, 1, 2]))
    ]


def test_500_unclear_creates_make_500_jobs(
    emulator: EmulatorProcess, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unclear codes, lost answers, killed clients and late lists, 500 in all: one job for each."""
    draw = random.Random(0)
    tries = [a_try(dag_id=f"digits-{number}") for number in range(500)]
    killed = set(draw.sample(tries, 50))
    for fault in (fault for each in tries for fault in draw_faults(draw, each.try_id)):
        emulator.control.add_fault(project, **fault)
    emulator.control.add_fault(project, "queue", seconds=3600.0, times=None)
    # A list is late for ten of the seconds that looks are apart.
    hurry = 500.0
    emulator.control.add_fault(project, "late", method="ListCustomJobs", seconds=10.0 / hurry, times=None)
    monkeypatch.setattr(retries, "CREATE_TIMEOUT", 1.5)
    never = threading.Event()
    client = endpoint.open_client(
        endpoint.Endpoint(emulator.address, is_emulator=True), AnonymousCredentials()
    )

    def submit(this: TaskTry) -> str:
        if this in killed:
            # The worker dies with its call under way; Airflow's retry comes later.
            with suppress(GoogleAPICallError):
                jobs.create(a_job(this))
            never.wait(20.0 / hurry)
            this = dataclasses.replace(this, try_number=2, try_id=f"{this.try_id}-again")
        return submitter(Places(jobs)).submit(a_job(this), this).job.name

    def sleep(seconds: float) -> None:
        never.wait(seconds / hurry)

    with (
        Jobs(client, project, REGION, sleep=sleep) as jobs,
        ThreadPoolExecutor(16) as threads,
    ):
        submitted = list(threads.map(submit, tries))
    alive = [job for job in emulator.control.jobs(project) if job["state"] == "JOB_STATE_QUEUED"]
    wanted = sorted(each.task_instance for each in tries)
    assert sorted(job["labels"]["airflow_task_instance"] for job in alive) == wanted
    assert {job["name"] for job in alive} == set(submitted)


def test_request_quota_is_waited_for(
    emulator: EmulatorProcess, project: str, jobs: Jobs, sleeps: list[float]
) -> None:
    """A request quota's refusals delay the job and make no second one."""
    emulator.control.add_fault(
        project,
        "error",
        method="CreateCustomJob",
        code="RESOURCE_EXHAUSTED",
        message="Quota exceeded",
        times=7,
    )
    this = a_try()
    assert submitter(Places(jobs)).submit(a_job(this), this).outcome is Outcome.CREATED
    assert len(sleeps) == 7
    assert len(emulator.control.jobs(project)) == 1


def test_100_tries_at_once_get_one_job_each_under_the_submission_quota(
    emulator: EmulatorProcess, project: str
) -> None:
    """Vertex allows 60 submissions a minute, here six seconds: the other 40 wait for the next one."""
    hurry = 10.0
    emulator.control.set_quotas(project, {"submissions": 60, "window_seconds": 60.0 / hurry})
    emulator.control.add_fault(project, "queue", seconds=3600.0, times=None)
    never = threading.Event()
    start = threading.Barrier(100)
    client = endpoint.open_client(
        endpoint.Endpoint(emulator.address, is_emulator=True), AnonymousCredentials()
    )

    def submit(this: TaskTry) -> str:
        start.wait()
        return submitter(Places(jobs)).submit(a_job(this), this).job.name

    def sleep(seconds: float) -> None:
        never.wait(seconds / hurry)

    with Jobs(client, project, REGION, sleep=sleep) as jobs, ThreadPoolExecutor(100) as threads:
        submitted = list(threads.map(submit, (a_try(map_index=number) for number in range(100))))
    assert {job["name"] for job in emulator.control.jobs(project)} == set(submitted)
    assert len(set(submitted)) == 100
    assert emulator.control.requests(project)["CreateCustomJob"]["RESOURCE_EXHAUSTED"] >= 40


def test_request_quota_is_waited_for_until_submit_timeout(
    emulator: EmulatorProcess, project: str, jobs: Jobs, sleeps: list[float]
) -> None:
    """A quota that goes on refusing ends in an error that names submit_timeout, and no job."""
    emulator.control.add_fault(
        project,
        "error",
        method="CreateCustomJob",
        code="RESOURCE_EXHAUSTED",
        message="Quota exceeded",
        times=None,
    )
    this = a_try()
    with pytest.raises(
        SubmitTimeoutError, match=r"given up after 600 s \(submit_timeout\); none was created"
    ):
        submitter(Places(jobs), timeout=600.0).submit(a_job(this), this)
    assert 600 <= sum(sleeps) < 700
    assert states(emulator, project) == []


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        ("PERMISSION_DENIED", "Permission denied", "Vertex AI User"),
        ("PERMISSION_DENIED", "Vertex AI API has not been used in project x", "gcloud services enable"),
        ("PERMISSION_DENIED", "You do not have permission to actAs sa", "roles/iam.serviceAccountUser"),
        ("UNAUTHENTICATED", "invalid credentials", "check the connection's keyfile"),
        ("INVALID_ARGUMENT", "machine type x is not supported", "machine type x is not supported"),
        (
            "RESOURCE_EXHAUSTED",
            "The following quota metrics exceed quota limits: custom_model_training_nvidia_l4_gpus",
            "ask for more at",
        ),
        (
            "RESOURCE_EXHAUSTED",
            "The following quotas are exceeded: CustomModelTrainingL4",
            "ask for more at",
        ),
        ("RESOURCE_EXHAUSTED", "Resources are insufficient in region: us-central1.", "try again later"),
    ],
)
def test_a_refusal_fails_at_once_and_helps(
    emulator: EmulatorProcess,
    project: str,
    jobs: Jobs,
    sleeps: list[float],
    *,
    code: str,
    message: str,
    words: str,
) -> None:
    """What waiting does not cure fails without a second call, in Vertex's words and with what to do."""
    emulator.control.add_fault(project, "error", method="CreateCustomJob", code=code, message=message)
    this = a_try()
    with pytest.raises(VertexApiError) as raised:
        submitter(Places(jobs)).submit(a_job(this), this)
    assert message in str(raised.value)
    assert words in str(raised.value)
    assert (sleeps, states(emulator, project)) == ([], [])


def test_the_details_of_a_refusal_come_before_its_words(
    emulator: EmulatorProcess, project: str, jobs: Jobs, sleeps: list[float]
) -> None:
    """A refusal whose words leave it open is understood by the violations that go with it."""
    details = {"project:1": "aiplatform.googleapis.com/custom_model_training_nvidia_l4_gpus"}
    settings = {"method": "CreateCustomJob", "code": "RESOURCE_EXHAUSTED", "details": details}
    emulator.control.add_fault(project, "error", message="Quota exceeded.", **settings)
    this = a_try()
    with pytest.raises(VertexApiError, match="ask for more at"):
        submitter(Places(jobs)).submit(a_job(this), this)
    assert (sleeps, states(emulator, project)) == ([], [])


def test_a_retry_adopts_the_running_job(emulator: EmulatorProcess, project: str, jobs: Jobs) -> None:
    """A retry of the same series waits for the job that is there, and the log names it."""
    first = a_try()
    name = submitter(Places(jobs)).submit(a_job(first), first).job.name
    retry = a_try(try_number=2)
    again = submitter(Places(jobs)).submit(a_job(retry), retry)
    assert (again.outcome, again.job.name) == (Outcome.ADOPTED, name)
    assert len(emulator.control.jobs(project)) == 1


def test_a_retry_takes_the_result(
    emulator: EmulatorProcess, jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    """A retry of a job that has succeeded trains nothing again, and says so."""
    first = a_try()
    name = submitter(Places(jobs)).submit(a_job(first, "python", "-c", "pass"), first).job.name
    emulator.control.wait_job(name)
    retry = a_try(try_number=2)
    with caplog.at_level(logging.INFO):
        again = submitter(Places(jobs)).submit(a_job(retry), retry)
    assert (again.outcome, again.job.name) == (Outcome.RESULT_TAKEN, name)
    assert f"Taking the result of the job that try 1 created: {name}" in caplog.text


@pytest.mark.parametrize(
    ("retry", "reattach"),
    [
        (a_try(try_number=2, clear_number=1, max_tries=2), True),
        (a_try(try_number=2), False),
        (a_try(try_number=2, run_start=None), True),
    ],
    ids=["cleared", "reattach=False", "no run start"],
)
def test_a_job_that_nobody_waits_for_any_more(
    emulator: EmulatorProcess, project: str, jobs: Jobs, retry: TaskTry, *, reattach: bool
) -> None:
    """After a clear, or with reattach=False, the old job is cancelled; where it can't be told, left alone."""
    first = a_try()
    name = submitter(Places(jobs)).submit(a_job(first), first).job.name
    wait_until_running(emulator, name)
    again = submitter(Places(jobs), reattach=reattach).submit(a_job(retry), retry)
    assert again.job.name != name
    if retry.run_start is None:
        assert emulator.control.jobs(project)[0]["state"] == "JOB_STATE_RUNNING"
    else:
        emulator.control.wait_job(name, ["JOB_STATE_CANCELLED"])


@pytest.mark.parametrize("own_deployment", [False, True])
def test_another_installation_with_the_same_ids(
    emulator: EmulatorProcess,
    project: str,
    jobs: Jobs,
    caplog: pytest.LogCaptureFixture,
    *,
    own_deployment: bool,
) -> None:
    """A job of another life of the run is left alone with a warning, unless the deployment is told apart."""
    other = a_try(run_start=RUN_START.replace(microsecond=1))
    name = submitter(Places(jobs)).submit(a_job(other), other).job.name
    wait_until_running(emulator, name)
    this = a_try(try_number=2)
    submitted = submitter(Places(jobs), own_deployment=own_deployment).submit(a_job(this), this)
    assert submitted.outcome is Outcome.CREATED
    if own_deployment:
        emulator.control.wait_job(name, ["JOB_STATE_CANCELLED"])
    else:
        assert emulator.control.jobs(project)[0]["state"] == "JOB_STATE_RUNNING"
        assert "Leaving a job alone (Running)" in caplog.text
        assert f" {name}'." in caplog.text


def test_a_mapped_sibling_is_not_touched(emulator: EmulatorProcess, project: str, jobs: Jobs) -> None:
    """A retry of one mapped task instance leaves the others' jobs alone."""
    sibling = a_try(map_index=0)
    name = submitter(Places(jobs)).submit(a_job(sibling), sibling).job.name
    this = a_try(map_index=1, try_number=2)
    assert submitter(Places(jobs)).submit(a_job(this), this).outcome is Outcome.CREATED
    # A job that is being cancelled is not cancelled yet: what counts is that nobody asked for it.
    assert "CancelCustomJob" not in emulator.control.requests(project)
    assert name in {job["name"] for job in emulator.control.jobs(project)}


def test_an_endpoint_that_nobody_answers_at_is_given_up_soon(sleeps: list[float]) -> None:
    """An address at which nothing listens is tried for half a minute, then the error says what to check."""
    client = endpoint.open_client(endpoint.Endpoint("127.0.0.1:1", is_emulator=True), AnonymousCredentials())
    this = a_try()
    with (
        Jobs(client, "acme", REGION, sleep=sleeps.append) as jobs,
        pytest.raises(VertexApiError, match=r"^Nothing answers at the endpoint\n"),
    ):
        submitter(Places(jobs)).submit(a_job(this), this)
    assert 30 <= sum(sleeps) < 100


def test_cancel_goes_through_transient_errors_and_is_idempotent(
    emulator: EmulatorProcess, project: str, jobs: Jobs
) -> None:
    """Three refusals delay a cancel; a job that has ended already, or is gone, is no error."""
    this = a_try()
    name = submitter(Places(jobs)).submit(a_job(this), this).job.name
    emulator.control.add_fault(project, "error", method="CancelCustomJob", code="UNAVAILABLE", times=3)
    assert jobs.cancel(name)
    emulator.control.wait_job(name, ["JOB_STATE_CANCELLED"])
    assert not jobs.cancel(name)
    assert not jobs.cancel(name.rpartition("/")[0] + "/1")


def test_a_get_that_never_answers_has_a_deadline(
    emulator: EmulatorProcess, project: str, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that hangs is given up at its deadline and made again."""
    this = a_try()
    name = submitter(Places(jobs)).submit(a_job(this), this).job.name
    monkeypatch.setattr(retries, "GET_TIMEOUT", 0.5)
    emulator.control.add_fault(project, "hang", method="GetCustomJob")
    assert jobs.get(name).name == name


def test_a_last_try_ends_what_came_before_it_only(jobs: Jobs) -> None:
    """A last try that fails finds what it and earlier ones left running, not the job of a later one."""
    names = [jobs.create(a_job(a_try(try_number=number))).name for number in (1, 2, 3)]

    found = submitter(Places(jobs)).left_running(a_try(try_number=2))

    assert [job.name for job in found] == names[:2]
