"""Watching many jobs: nothing is missed, nothing fails by an outage, and it costs few requests."""

from __future__ import annotations

import asyncio
import itertools
import traceback
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import Unauthenticated
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import RefreshError

from airflow_vertex_training.emulator.control.process import launch
from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.api import endpoint
from airflow_vertex_training.vertex.exceptions import JobLostError, VertexApiError
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.watch.budget import RequestBudget
from airflow_vertex_training.vertex.watch.loop import Clock, JobWatcher
from airflow_vertex_training.vertex.watch.messages import ActiveJobs, Recovered, Trouble, Update
from tests.vertex.conftest import REGION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient

    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from airflow_vertex_training.vertex.api.calls import Jobs

INTERVAL = 10.0
LABELS = {"airflow_deployment": "airflow"}


class FastClock:
    """A clock that jumps over each wait, and lets the emulator work in the meantime."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Take a hundredth of a second instead of ``seconds``."""
        self.now += seconds
        await asyncio.sleep(0.01)


class Watching:
    """A watcher of one project, by a clock that makes waits short."""

    def __init__(self, emulator: EmulatorProcess, project: str) -> None:
        self.emulator = emulator
        self.project = project
        self.clock = FastClock()
        self.clients: list[JobServiceAsyncClient] = []
        self.connect: Callable[[], Any] = self.open_client

    async def open_client(self) -> JobServiceAsyncClient:
        """Open a client of the emulator."""
        where = endpoint.Endpoint(self.emulator.address, is_emulator=True)
        self.clients.append(endpoint.open_async_client(where, AnonymousCredentials()))
        return self.clients[-1]

    def watcher(self, **options: Any) -> JobWatcher:
        """Return a new watcher."""

        async def connect() -> JobServiceAsyncClient:
            client: JobServiceAsyncClient = await self.connect()
            return client

        budget = RequestBudget(options.pop("requests_per_minute", 300))
        return JobWatcher(
            connect,
            f"projects/{self.project}/locations/{REGION}",
            deployment_id="airflow",
            budget=budget,
            clock=Clock(self.clock, self.clock.sleep),
            **{"call_timeout": 5.0, **options},
        )

    def simulate(self, count: int = 1, **settings: Any) -> list[str]:
        """Make jobs that run by the clock only."""
        options = {"labels": LABELS, "run_seconds": 0.2, **settings}
        return self.emulator.control.create_simulated(self.project, REGION, count, **options)

    def fault(self, kind: str, **settings: Any) -> None:
        """Put a fault in force."""
        self.emulator.control.add_fault(self.project, kind, **settings)

    def requests(self) -> dict[str, int]:
        """Return how many requests the server got, by method."""
        counts = self.emulator.control.requests(self.project)
        return {method: sum(outcomes.values()) for method, outcomes in counts.items()}


async def updates_of(watcher: JobWatcher, job_name: str, interval: float = INTERVAL) -> list[Update]:
    """Watch a job to its end and return all that was told."""
    async with aclosing(watcher.watch(job_name, interval)) as updates:
        return [update async for update in updates]


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; pytest's timeout is the deadline."""
    while not condition():  # noqa: ASYNC110 - what the server has seen is no event here
        await asyncio.sleep(0.01)


async def ends_of(watcher: JobWatcher, names: list[str]) -> list[str]:
    """Watch jobs to their ends and return their final states."""
    told = await asyncio.gather(*(updates_of(watcher, name) for name in names))
    return [each[-1].state for each in told if isinstance(each[-1], JobSnapshot)]


def troubles(updates: list[Update]) -> list[type]:
    """Return the kinds of trouble that were told, in order."""
    return [type(update) for update in updates if isinstance(update, (Trouble, Recovered))]


@pytest.fixture
def watching(emulator: EmulatorProcess, project: str) -> Watching:
    """Jobs of a project of its own, watched by a fast clock."""
    return Watching(emulator, project)


@pytest.fixture(scope="session")
def slow_to_explain() -> Iterator[EmulatorProcess]:
    """An emulator that sets a job's error some time after its end, as Vertex does."""
    with launch("--queue-seconds", "0", "--provision-seconds", "0", "--error-delay", "0.05") as running:
        yield running


@pytest.mark.parametrize("count", [1, 30])
async def test_each_state_is_told_once(watching: Watching, count: int) -> None:
    """Got or listed, a job's states are told in their order, none twice, and the last one is final."""
    told = await asyncio.gather(
        *(updates_of(watcher, name) for watcher in [watching.watcher()] for name in watching.simulate(count))
    )
    for updates in told:
        seen = [update.state for update in updates if isinstance(update, JobSnapshot)]
        order = ["QUEUED", "PENDING", "RUNNING", "SUCCEEDED"]
        assert [order.index(state.removeprefix("JOB_STATE_")) for state in seen] == sorted(
            {order.index(state.removeprefix("JOB_STATE_")) for state in seen}
        )
        assert seen[-1] == "JOB_STATE_SUCCEEDED"


async def test_a_thousand_jobs_cost_a_few_lists(watching: Watching) -> None:
    """A thousand jobs that end one after the other cost a few list pages a tick, over one connection."""
    names = watching.simulate(1000, run_seconds=0.5, spread_seconds=1.0)
    assert await ends_of(watching.watcher(), names) == ["JOB_STATE_SUCCEEDED"] * 1000
    # Where all have ended before the first tick, that one reads both lists whole: twenty pages at most.
    ticks = max(2.0, watching.clock.now / INTERVAL)
    assert sum(watching.requests().values()) / ticks < 100 / 6
    assert watching.emulator.control.connections(watching.project) == 1


async def test_failures_tell_their_reason(watching: Watching) -> None:
    """A failed job that a list shows is told with its error's code and message."""
    names = watching.simulate(20, exit_status=1)
    watcher = watching.watcher()
    for updates in await asyncio.gather(*(updates_of(watcher, name) for name in names)):
        end = updates[-1]
        assert isinstance(end, JobSnapshot)
        assert end.state in states.FAILED
        assert "non-zero status of 1" in end.error_message


@pytest.mark.parametrize("count", [1, 1000])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error", "code": "UNAVAILABLE", "times": 50},
        {"kind": "error", "code": "RESOURCE_EXHAUSTED", "message": "Quota exceeded", "times": 50},
        {"kind": "error", "code": "INTERNAL", "times": 50},
        {"kind": "error", "code": "DEADLINE_EXCEEDED", "times": 50},
        {"kind": "hang", "times": 3},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('code', '')}",
)
async def test_an_outage_delays_and_changes_nothing(
    watching: Watching, fault: dict[str, Any], count: int
) -> None:
    """However long calls fail or hang, each job's end is told; the trouble is told once, and its end once."""
    names = watching.simulate(count)
    watching.fault(**fault)
    watcher = watching.watcher(call_timeout=0.3)
    told = await asyncio.gather(*(updates_of(watcher, name) for name in names))
    for updates in told:
        assert isinstance(updates[-1], JobSnapshot)
        assert updates[-1].state == "JOB_STATE_SUCCEEDED"
        # Who is told the end in the tick that met the trouble need not hear of it.
        assert troubles(updates) in ([], [Trouble, Recovered])
    assert count > 1 or troubles(told[0])


async def test_an_hour_of_outage_is_no_flood_of_calls(watching: Watching) -> None:
    """While nothing answers, the waits between calls grow: an hour takes few of them."""
    (name,) = watching.simulate(1)
    watching.fault("error", code="UNAVAILABLE", times=120)
    await updates_of(watching.watcher(), name)
    assert watching.clock.now > 3600 / 2
    assert watching.requests()["GetCustomJob"] < 130


async def test_dropped_connections_are_made_anew(watching: Watching) -> None:
    """A channel that breaks under the watcher is made anew, and no job is lost."""
    names = watching.simulate(1000, run_seconds=2.0)
    watcher = watching.watcher()
    ends = asyncio.create_task(ends_of(watcher, names))
    await until(watching.requests)
    await asyncio.to_thread(watching.emulator.control.drop_connections)
    assert await ends == ["JOB_STATE_SUCCEEDED"] * 1000


@pytest.mark.parametrize(("code", "count"), [("UNAVAILABLE", 1000), ("PERMISSION_DENIED", 100)])
async def test_a_list_that_fails_is_replaced_by_gets(watching: Watching, code: str, count: int) -> None:
    """While lists fail and gets work, all jobs' ends are told, by gets within the budget."""
    names = watching.simulate(count)
    watching.fault("error", method="ListCustomJobs", code=code, times=None)
    assert await ends_of(watching.watcher(), names) == ["JOB_STATE_SUCCEEDED"] * count


@pytest.mark.parametrize(("kind", "count"), [("stale", 1000), ("late", 100)])
async def test_a_list_that_is_behind_hides_no_end(watching: Watching, kind: str, count: int) -> None:
    """A list that shows an old world, or misses young jobs for ever, keeps no job's end back."""
    names = watching.simulate(count)
    watching.fault(kind, method="ListCustomJobs", seconds=3600.0, times=None)
    assert await ends_of(watching.watcher(), names) == ["JOB_STATE_SUCCEEDED"] * count


async def test_jobs_of_somebody_else_are_watched_by_get(watching: Watching) -> None:
    """Jobs without our label are in no list of ours, and their ends are told all the same."""
    names = watching.simulate(30, labels={"team": "vision"})
    assert await ends_of(watching.watcher(), names) == ["JOB_STATE_SUCCEEDED"] * 30


async def test_names_by_project_number(watching: Watching) -> None:
    """A job whose name has the project's id is known again where answers have its number."""
    names = watching.simulate(200)
    watching.emulator.control.set_project_number(watching.project, "123456789")
    assert await ends_of(watching.watcher(), names) == ["JOB_STATE_SUCCEEDED"] * 200


@pytest.mark.parametrize("count", [0, 30])
async def test_a_job_that_was_deleted(watching: Watching, count: int) -> None:
    """A job that does not exist any more ends its wait, after a second look, with words that help."""
    if count:
        watching.simulate(count, run_seconds=30.0)
    watcher = watching.watcher()
    others = [
        asyncio.create_task(updates_of(watcher, job["name"]))
        for job in watching.emulator.control.jobs(watching.project)
    ]
    with pytest.raises(JobLostError, match="not there any more: somebody deleted it"):
        await updates_of(watcher, f"projects/{watching.project}/locations/{REGION}/customJobs/17")
    assert watching.requests()["GetCustomJob"] >= 2
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def test_a_permanent_error_ends_the_wait_after_a_while(watching: Watching) -> None:
    """A refusal is put up with for a quarter of an hour, then ends the wait with what to do."""
    (name,) = watching.simulate(1)
    watching.fault("error", code="PERMISSION_DENIED", message="Permission denied", times=None)
    with pytest.raises(VertexApiError, match=r"(?s)Vertex AI User.*Permission denied"):
        await updates_of(watching.watcher(), name)
    assert watching.clock.now >= 900


async def test_credentials_that_are_mended_in_time(watching: Watching) -> None:
    """Credentials that are refused for ten minutes end nothing; the connection is opened anew meanwhile."""
    (name,) = watching.simulate(1)
    watching.fault("error", code="UNAUTHENTICATED", times=20)
    assert (await updates_of(watching.watcher(), name))[-1].state == "JOB_STATE_SUCCEEDED"  # type: ignore[union-attr]
    assert len(watching.clients) > 1


@pytest.mark.parametrize(
    "error", [RefreshError("token expired"), Unauthenticated("no token"), OSError("no route")]
)
async def test_a_connection_that_can_not_be_opened_for_a_while(watching: Watching, error: Exception) -> None:
    """A token that can't be had now, or a connection that can't be looked up, is tried again."""
    (name,) = watching.simulate(1)
    attempts = itertools.count()

    async def connect() -> JobServiceAsyncClient:
        if next(attempts) < 5:
            raise error
        return await watching.open_client()

    watching.connect = connect
    updates = await updates_of(watching.watcher(), name)
    assert troubles(updates)[0] is Trouble
    assert isinstance(updates[-1], JobSnapshot)


async def test_the_last_one_closes_the_channel(watching: Watching) -> None:
    """When the last subscriber leaves, cancelled or not, loop and channel end."""
    names = watching.simulate(2, run_seconds=60.0)
    watcher = watching.watcher()
    tasks = [asyncio.create_task(updates_of(watcher, name)) for name in names]
    await until(lambda: watching.clients)
    closed = []
    for task in tasks:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        closed.append(watcher.closed)
    assert closed == [False, True]
    await until(lambda: not any(task.get_name().startswith("watch ") for task in asyncio.all_tasks()))
    with pytest.raises(Exception, match="closed"):
        await watching.clients[0].list_custom_jobs(parent=f"projects/{watching.project}/locations/{REGION}")


async def test_the_budget_holds(watching: Watching) -> None:
    """Jobs that have to be got one by one are got no faster than the budget allows."""
    names = watching.simulate(40, labels={})
    await ends_of(watching.watcher(requests_per_minute=60), names)
    requests = sum(watching.requests().values())
    assert requests <= 60 * watching.clock.now / 60 + 6 + 1


async def test_a_region_that_is_down_does_not_slow_another(
    watching: Watching, emulator: EmulatorProcess, jobs: Jobs
) -> None:
    """Two watchers in one loop: one whose calls hang, and one that works as if alone."""
    broken = Watching(emulator, f"{watching.project}-broken")
    (hanging,) = broken.simulate(1)
    broken.fault("hang", times=None)
    stuck = asyncio.create_task(updates_of(broken.watcher(call_timeout=30.0), hanging))
    assert await ends_of(watching.watcher(), watching.simulate(10)) == ["JOB_STATE_SUCCEEDED"] * 10
    assert not stuck.done()
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)


async def test_jobs_that_come_one_by_one_cost_no_tick_each(watching: Watching) -> None:
    """A new subscriber wakes the loop up only if it wants to know sooner than all others."""
    names = watching.simulate(40, run_seconds=600.0)
    naps: list[float] = []

    async def sleep_for_ever(seconds: float) -> None:
        naps.append(seconds)
        await asyncio.Event().wait()

    watching.clock.sleep = sleep_for_ever  # type: ignore[method-assign]
    watcher = watching.watcher()
    waiting = []

    async def arrive(name: str, interval: float) -> None:
        waiting.append(asyncio.create_task(updates_of(watcher, name, interval)))
        await asyncio.sleep(0)

    await arrive(names[0], INTERVAL)
    await until(lambda: len(naps) == 1)
    for name in names[1:-1]:
        await arrive(name, INTERVAL)
    await asyncio.sleep(0)
    assert watching.requests() == {"GetCustomJob": 1}
    await arrive(names[-1], INTERVAL / 2)
    await until(lambda: len(naps) == 2)
    assert naps[-1] == INTERVAL / 2
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_two_who_wait_for_one_job(watching: Watching) -> None:
    """Who comes later is told the state that is known already, and both are told the end."""
    (name,) = watching.simulate(1)
    watcher = watching.watcher()
    async with aclosing(watcher.watch(name, INTERVAL)) as first:
        known = await anext(first)
        later, rest = await asyncio.gather(updates_of(watcher, name), rest_of(first))
    assert isinstance(known, JobSnapshot)
    assert later[0] == known
    assert later[-1] == [known, *rest][-1]


async def rest_of(updates: AsyncGenerator[Update, None]) -> list[Update]:
    """Return all updates that are still to come."""
    return [update async for update in updates]


async def test_gets_that_fail_hide_no_end_that_a_list_shows(watching: Watching) -> None:
    """While gets fail and lists work, ends are told as soon as ever: that is no outage to wait out."""
    names = watching.simulate(200)
    watching.fault("error", method="GetCustomJob", code="UNAVAILABLE", times=None)
    assert await ends_of(watching.watcher(), names) == ["JOB_STATE_SUCCEEDED"] * 200


@pytest.mark.parametrize("count", [1, 12])
async def test_jobs_that_can_not_be_got_hold_up_no_other(
    watching: Watching, emulator: EmulatorProcess, count: int
) -> None:
    """Jobs whose gets are refused end their own waits after a while; the others' ends are told before."""
    names = watching.simulate(3)
    elsewhere = f"{watching.project}-refused"
    refused = emulator.control.create_simulated(elsewhere, REGION, count, run_seconds=600.0)
    denied = {"code": "PERMISSION_DENIED", "message": "Permission denied"}
    emulator.control.add_fault(elsewhere, "error", **denied, times=None)
    watcher = watching.watcher()
    bad = [asyncio.create_task(updates_of(watcher, name)) for name in refused]
    await asyncio.sleep(0)
    assert await ends_of(watcher, names) == ["JOB_STATE_SUCCEEDED"] * 3
    assert not any(task.done() for task in bad)
    for error in await asyncio.gather(*bad, return_exceptions=True):
        assert isinstance(error, VertexApiError)
        assert "Permission denied" in str(error)


async def test_a_fault_of_our_own_is_told_to_all(watching: Watching) -> None:
    """An error that nobody expected ends all waits loudly, and the watcher takes nobody in any more."""
    names = watching.simulate(3, run_seconds=600.0)
    watcher = watching.watcher()
    broken = ZeroDivisionError("ours")

    def fail(*_: object, **__: object) -> None:
        raise broken

    watcher._rules.decide = fail  # type: ignore[method-assign, assignment]
    told = await asyncio.gather(*(updates_of(watcher, name) for name in names), return_exceptions=True)
    assert told == [broken] * 3
    with pytest.raises(RuntimeError, match="this watcher is closed"):
        await updates_of(watcher, names[0])


async def test_a_fault_of_our_own_is_told_without_the_others_ways_to_it(watching: Watching) -> None:
    """A thousand tasks that raise the same fault don't write each other's tracebacks into their logs."""
    names = watching.simulate(50, run_seconds=600.0)
    watcher = watching.watcher()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    watcher._rules.decide = fail  # type: ignore[method-assign, assignment]

    async def frames(name: str) -> int:
        try:
            await updates_of(watcher, name)
        except ZeroDivisionError as error:
            return len(traceback.extract_tb(error.__traceback__))
        return 0

    assert len(set(await asyncio.gather(*map(frames, names)))) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"code": "UNAUTHENTICATED"},
        {"code": "PERMISSION_DENIED", "message": "no"},
        {"code": "UNAVAILABLE", "message": "Getting metadata from plugin failed with error: invalid_grant"},
        {"code": "UNAVAILABLE", "message": "failed to connect to all addresses"},
    ],
    ids=lambda fault: fault.get("message", fault["code"]),
)
@pytest.mark.parametrize("count", [1, 12])
async def test_a_connection_that_is_edited_while_jobs_are_watched(
    watching: Watching, emulator: EmulatorProcess, fault: dict[str, Any], count: int
) -> None:
    """A key that was revoked, an endpoint that moved: what the connection says by now is used before long."""
    names = watching.simulate(count)
    watching.fault("error", **fault, times=None)
    watcher = watching.watcher()
    waiting = [asyncio.create_task(updates_of(watcher, name)) for name in names]
    await until(lambda: watching.clock.now > 60.0)
    assert len(watching.clients) > 2
    assert all(is_closed(client) for client in watching.clients[:-2])

    emulator.control.clear_faults(watching.project)
    for told in await asyncio.gather(*waiting):
        assert isinstance(told[-1], JobSnapshot)


async def test_an_endpoint_that_moved_is_found(watching: Watching) -> None:
    """Where nothing answers any more, the connection is looked up anew, and the end is told from there."""
    (name,) = watching.simulate()

    async def connect() -> JobServiceAsyncClient:
        if watching.clients:
            return await watching.open_client()
        watching.clients.append(
            endpoint.open_async_client(
                endpoint.Endpoint("127.0.0.1:1", is_emulator=True), AnonymousCredentials()
            )
        )
        return watching.clients[0]

    watching.connect = connect
    assert troubles(await updates_of(watching.watcher(), name)) == [Trouble, Recovered]


async def test_a_connection_that_is_gone_serves_on(
    watching: Watching, emulator: EmulatorProcess, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing can be opened anew, the channel that is open is used: what ailed it may pass."""
    (name,) = watching.simulate()
    watching.fault("error", code="UNAVAILABLE", message="failed to connect to all addresses", times=5)

    async def connect() -> JobServiceAsyncClient:
        if watching.clients:
            raise LookupError("the connection is gone")
        return await watching.open_client()

    watching.connect = connect
    told = await updates_of(watching.watcher(), name)
    assert isinstance(told[-1], JobSnapshot)
    assert len(watching.clients) == 1
    assert "could not be looked up anew, so it is used as it was" in caplog.text


@pytest.mark.parametrize("count", [1, 20])
async def test_a_reason_that_comes_late_is_told_with_the_end(
    slow_to_explain: EmulatorProcess, project: str, count: int
) -> None:
    """A job that has failed without an error yet is looked at again until it has one."""
    watching = Watching(slow_to_explain, project)
    names = watching.simulate(count, exit_status=1)
    watcher = watching.watcher()
    for updates in await asyncio.gather(*(updates_of(watcher, name) for name in names)):
        end = updates[-1]
        assert isinstance(end, JobSnapshot)
        assert "non-zero status of 1" in end.error_message


@pytest.mark.parametrize("count", [1, 30])
async def test_all_active_jobs_are_handed_over(watching: Watching, count: int) -> None:
    """With the first look and about once a minute all active jobs are handed over, also those of others."""
    names = watching.simulate(count, run_seconds=0.5)
    others = watching.simulate(2, run_seconds=600.0)
    lists: list[ActiveJobs] = []

    async def keep(jobs: ActiveJobs) -> None:
        lists.append(jobs)

    await ends_of(watching.watcher(on_active_jobs=keep), names)
    assert 1 <= len(lists) <= 1 + watching.clock.now / 60.0
    for jobs in lists:
        assert {job.name for job in jobs.unwatched} == set(others)
        assert all(job.labels == LABELS and job.create_time for job in jobs.jobs)


async def test_what_is_done_about_active_jobs_disturbs_no_watching(
    watching: Watching, caplog: pytest.LogCaptureFixture
) -> None:
    """Handing over is not waited for, is not begun again before it is done, and may fail."""
    (name,) = watching.simulate(1, run_seconds=0.5)
    running, calls = asyncio.Event(), itertools.count(1)

    async def hang_and_fail(_: ActiveJobs) -> None:
        next(calls)
        await running.wait()
        raise OSError("no database")

    watcher = watching.watcher(on_active_jobs=hang_and_fail)
    assert await ends_of(watcher, [name]) == ["JOB_STATE_SUCCEEDED"]
    assert watching.clock.now > 120.0
    assert next(calls) == 2
    running.set()
    await until(lambda: "no database" in caplog.text)


async def test_a_channel_that_opens_too_late_is_closed(watching: Watching) -> None:
    """A cancel while the connection is being looked up does not cut that off, and leaks no channel."""
    (name,) = watching.simulate(1)
    opening, go_on = asyncio.Event(), asyncio.Event()

    async def connect() -> JobServiceAsyncClient:
        opening.set()
        await go_on.wait()
        return await watching.open_client()

    watching.connect = connect
    task = asyncio.create_task(updates_of(watching.watcher(), name))
    await opening.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    go_on.set()
    await until(lambda: watching.clients and is_closed(watching.clients[0]))


def is_closed(client: JobServiceAsyncClient) -> bool:
    """Whether a client's channel is closed."""
    transport: Any = client.transport
    return bool(transport.grpc_channel._channel.closed())
