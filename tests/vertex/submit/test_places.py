"""Jobs are found wherever the task's tries have asked for them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import AnonymousCredentials

from airflow_vertex_training.vertex.api import endpoint
from airflow_vertex_training.vertex.api.calls import Jobs
from airflow_vertex_training.vertex.exceptions import VertexApiError
from airflow_vertex_training.vertex.naming import identity
from airflow_vertex_training.vertex.submit import places
from airflow_vertex_training.vertex.submit.create import Outcome
from airflow_vertex_training.vertex.submit.places import Place, Places
from tests.vertex.conftest import REGION, a_job, a_try, submitter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_vertex_training.emulator.control.process import EmulatorProcess

ELSEWHERE = "europe-west4"


class Memory(dict[str, Any]):
    """What survives the tries of a task."""

    def set(self, key: str, value: Any) -> None:
        """Store a value."""
        self[key] = value


@pytest.fixture
def open_jobs(emulator: EmulatorProcess, sleeps: list[float]) -> Iterator[Callable[[Place], Jobs]]:
    """Open the jobs of a place of the emulator, whose channels are closed at the end."""
    with contextlib.ExitStack() as stack:

        def opened(place: Place) -> Jobs:
            where = endpoint.Endpoint(emulator.address, is_emulator=True)
            client = stack.enter_context(endpoint.open_client(where, AnonymousCredentials()))
            return Jobs(client, place.project, place.region, sleeps.append)

        yield opened


@pytest.fixture
def elsewhere(open_jobs: Callable[[Place], Jobs], jobs: Jobs) -> Jobs:
    """The jobs of another region."""
    return open_jobs(Place(jobs.project, ELSEWHERE, jobs.address))


def test_a_job_in_another_region_is_adopted(
    emulator: EmulatorProcess, project: str, jobs: Jobs, elsewhere: Jobs, open_jobs: Any
) -> None:
    """A retry that asks in another region waits for the job that the first try made where it asked."""
    store, first, retry = Memory(), a_try(), a_try(try_number=2)
    made = submitter(Places(elsewhere, store, open_jobs)).submit(a_job(first), first)
    again = submitter(Places(jobs, store, open_jobs)).submit(a_job(retry), retry)
    assert (again.outcome, again.job.name) == (Outcome.ADOPTED, made.job.name)
    assert f"/{ELSEWHERE}/" in again.job.name
    assert len(emulator.control.jobs(project)) == 1


def test_a_job_in_another_region_is_cancelled(
    emulator: EmulatorProcess, project: str, jobs: Jobs, elsewhere: Jobs, open_jobs: Any
) -> None:
    """What nobody waits for is cancelled where it is, also by a try that has asked in two regions itself."""
    store, first, retry = Memory(), a_try(), a_try(try_number=2)
    made = submitter(Places(elsewhere, store, open_jobs)).submit(a_job(first), first)
    new = submitter(Places(jobs, store, open_jobs), reattach=False).submit(a_job(retry), retry)
    emulator.control.wait_job(made.job.name, ["JOB_STATE_CANCELLED"])
    assert new.outcome is Outcome.CREATED
    assert [place["region"] for place in store[places.KEY]] == [ELSEWHERE, REGION]


def test_a_job_is_cancelled_by_the_endpoint_that_showed_it(
    jobs: Jobs, elsewhere: Jobs, open_jobs: Callable[[Place], Jobs]
) -> None:
    """A region's endpoint knows that region's jobs only: the place that listed a job is asked to end it."""
    store, first, asked = Memory(), a_try(), list[Place]()

    def opened(place: Place) -> Jobs:
        asked.append(place)
        return open_jobs(place)

    Places(elsewhere, store).remember()
    there, here = elsewhere.create(a_job(first)), jobs.create(a_job(first))
    known = Places(jobs, store, opened)
    known.find(identity.TASK_INSTANCE, first.task_instance)
    asked.clear()
    known.cancel(here.name)
    assert asked == []
    known.cancel(there.name)
    assert asked == [Place(jobs.project, ELSEWHERE, jobs.address)]


def test_without_a_store_only_one_place_is_known(
    emulator: EmulatorProcess, project: str, jobs: Jobs, elsewhere: Jobs, open_jobs: Any
) -> None:
    """The limit before Airflow 3.3: a job in another region is not found."""
    first, retry = a_try(), a_try(try_number=2)
    submitter(Places(elsewhere, None, open_jobs)).submit(a_job(first), first)
    again = submitter(Places(jobs, None, open_jobs)).submit(a_job(retry), retry)
    assert again.outcome is Outcome.CREATED
    assert len(emulator.control.jobs(project)) == 2


def test_a_place_is_written_down_before_a_job_is_made_there(
    emulator: EmulatorProcess, project: str, jobs: Jobs
) -> None:
    """A try that may not write, because Airflow has given it up, creates nothing."""

    class GivenUp(Memory):
        def set(self, key: str, value: Any) -> None:
            raise LookupError("404")

    this = a_try()
    with pytest.raises(LookupError):
        submitter(Places(jobs, GivenUp())).submit(a_job(this), this)
    assert emulator.control.jobs(project) == []


def test_a_place_is_written_down_once(jobs: Jobs) -> None:
    """Tries that ask at the same place again add nothing."""
    store = Memory()
    for _ in range(3):
        Places(jobs, store).remember()
    assert len(store[places.KEY]) == 1


@pytest.mark.parametrize(
    "stored",
    ["text", 7, [], [None, "text", {"region": ELSEWHERE}], {"project": "p"}],
    ids=["text", "number", "empty", "odd entries", "no list"],
)
def test_what_another_version_has_stored_is_read_leniently(jobs: Jobs, stored: Any) -> None:
    """What can't be read is no place, and no reason to fail."""
    this = a_try(try_number=2)
    submitted = submitter(Places(jobs, Memory({places.KEY: stored}))).submit(a_job(this), this)
    assert submitted.outcome is Outcome.CREATED


@pytest.mark.parametrize(
    "odd",
    [
        {"project": "p", "region": REGION, "address": "https://us-central1-aiplatform.googleapis.com"},
        {"project": "p", "region": "a b", "address": "localhost:1"},
        {"project": None, "region": REGION, "address": ["x"]},
        {"project": "", "region": "", "address": ""},
    ],
    ids=["no address", "no region", "wrong types", "empty"],
)
def test_a_place_that_is_none_is_passed_over(jobs: Jobs, open_jobs: Any, odd: dict[str, Any]) -> None:
    """A place that no release of this package can open ends no task, least of all for good."""

    def opened(place: Place) -> Jobs:
        endpoint.endpoint(place.region, place.address, {})
        opened_jobs: Jobs = open_jobs(place)
        return opened_jobs

    this = a_try(try_number=2)
    known = Places(jobs, Memory({places.KEY: [odd]}), opened)
    assert submitter(known).submit(a_job(this), this).outcome is Outcome.CREATED


def test_a_place_that_refuses_is_said(
    emulator: EmulatorProcess,
    project: str,
    jobs: Jobs,
    elsewhere: Jobs,
    open_jobs: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A place of which no list can be had ends no task; the log names it."""
    store = Memory()
    Places(elsewhere, store).remember()
    settings = {"method": "ListCustomJobs", "region": ELSEWHERE, "code": "PERMISSION_DENIED", "times": None}
    emulator.control.add_fault(project, "error", **settings)
    this = a_try(try_number=2)
    assert submitter(Places(jobs, store, open_jobs)).submit(a_job(this), this).outcome is Outcome.CREATED
    assert f"An earlier try of this task asked for its job in {ELSEWHERE} of project {project}" in caplog.text


def test_a_place_that_does_not_answer_now_is_waited_for(
    emulator: EmulatorProcess, project: str, jobs: Jobs, elsewhere: Jobs, open_jobs: Any
) -> None:
    """While a place may yet answer, nothing is created: a job may run there."""
    store = Memory()
    Places(elsewhere, store).remember()
    emulator.control.add_fault(project, "error", method="ListCustomJobs", region=ELSEWHERE, times=None)
    this = a_try(try_number=2)
    with pytest.raises(VertexApiError, match=f"Listing jobs in {ELSEWHERE}"):
        submitter(Places(jobs, store, open_jobs)).submit(a_job(this), this)
    assert emulator.control.jobs(project) == []


def test_a_place_out_of_reach_is_passed_over(jobs: Jobs, elsewhere: Jobs) -> None:
    """A place that can't be reached by its nature, such as an emulator that is gone, holds nothing up."""
    store = Memory()
    Places(elsewhere, store).remember()
    this = a_try(try_number=2)
    assert submitter(Places(jobs, store)).submit(a_job(this), this).outcome is Outcome.CREATED
