"""One reader for many jobs' logs, against a real emulator."""

from __future__ import annotations

import asyncio
import gc
import itertools
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import AnonymousCredentials

from airflow_vertex_training.vertex.api.endpoint import Endpoint
from airflow_vertex_training.vertex.api.log_calls import logging_endpoint, open_async_logging_client
from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.logs.channel import LogChannel
from airflow_vertex_training.vertex.logs.followed import Limits
from airflow_vertex_training.vertex.logs.last_words import LastWords
from airflow_vertex_training.vertex.logs.pace import ReadBudget
from airflow_vertex_training.vertex.logs.sharing import shared_tail
from airflow_vertex_training.vertex.logs.tail import LogTail
from airflow_vertex_training.vertex.logs.telling import Teller
from airflow_vertex_training.vertex.tracebacks import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2AsyncClient

    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from airflow_vertex_training.vertex.logs.subscription import Subscription

SINCE = time.time_ns() - 60_000_000_000


class Log:
    """Stands for a task's logger."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, level: int, message: str, *args: Any) -> None:
        """Take a line."""
        self.lines.append(message % args)

    def warning(self, message: str, *args: Any) -> None:
        """Take a warning."""
        self.lines.append(message % args)


async def nap(seconds: float) -> None:
    """Wait a hundredth of the time."""
    await asyncio.sleep(seconds / 100)


class Clock:
    """A clock that runs a hundred times as fast."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self) -> float:
        """Return its seconds."""
        return (time.monotonic() - self._began) * 100


@pytest.fixture
def connect(emulator: EmulatorProcess) -> Callable[[], Any]:
    """Open a client of the emulator."""

    async def open_client() -> LoggingServiceV2AsyncClient:
        where = Endpoint(emulator.address, is_emulator=True)
        return open_async_logging_client(where, AnonymousCredentials())

    return open_client


@pytest.fixture
def tail(connect: Callable[[], Any], project: str) -> Callable[..., LogTail]:
    """Make a tail for which time runs a hundred times as fast."""

    def make(reads_per_minute: int = 6000) -> LogTail:
        return LogTail(connect, project, budget=ReadBudget(reads_per_minute), clock=Clock(), sleep=nap)

    return make


def write(emulator: EmulatorProcess, project: str, job_id: str, *texts: str, severity: str = "INFO") -> None:
    """Write lines into a job's log."""
    emulator.control.write_log(project, [(job_id, "workerpool0-0", text, severity, 0.0) for text in texts])


async def read_on(subscription: Subscription, *, until: str | None = None) -> list[str]:
    """Return what is told until a line that contains a text, or until the end."""
    texts: list[str] = []
    async for batch in subscription:
        texts += [line.text for line in batch.lines]
        if until is not None and any(until in text for text in texts):
            break
    return texts


async def test_each_subscriber_gets_the_lines_of_its_job(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str
) -> None:
    """Lines that are there, and those that come, are told to whose job they are, until the job has ended."""
    logs = tail()
    write(emulator, project, "1", "one", "two")
    write(emulator, project, "2", "other")
    with logs.follow("1", since=SINCE) as first, logs.follow("2", since=SINCE) as second:
        assert await read_on(first, until="two") == ["one", "two"]
        assert await read_on(second, until="other") == ["other"]
        write(emulator, project, "1", "three")
        first.end()
        assert await read_on(first) == ["three"]
    assert logs.closed


async def test_many_jobs_are_read_together(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str
) -> None:
    """The logs of forty jobs are read over one connection, and by as many reads as that of one."""
    logs = tail()
    ids = [str(number) for number in range(40)]
    emulator.control.write_log(project, [(job_id, "workerpool0-0", "here", "INFO", 0.0) for job_id in ids])
    subscriptions = [logs.follow(job_id, since=SINCE) for job_id in ids]
    told = await asyncio.gather(*(read_on(each, until="here") for each in subscriptions))
    for each in subscriptions:
        each.__exit__()
    assert told == [["here"]] * 40
    assert emulator.control.connections(project) == 1
    assert sum(emulator.control.requests(project)["ListLogEntries"].values()) < 10


async def test_the_next_reader_goes_on_where_the_last_one_was(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str
) -> None:
    """Lines that a reader has told are not told by the next one; those that it may have told are marked."""
    kept: list[Mapping[str, Any]] = []

    async def keep(position: Mapping[str, Any]) -> None:
        kept.append(position)

    write(emulator, project, "1", "one", "two")
    with tail().follow("1", since=SINCE) as first:
        await Teller(Log(), keep).take(await anext(first))
    before, after = kept
    write(emulator, project, "1", "three")
    with tail().follow("1", since=SINCE, position=after) as second:
        assert await read_on(second, until="three") == ["three"]
    with tail().follow("1", since=SINCE, position=before) as third:
        texts = await read_on(third, until="three")
    assert texts == ["(perhaps told before) one", "(perhaps told before) two", "three"]


async def test_position_is_kept_before_and_after_lines_are_told(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str
) -> None:
    """A process that is killed at any moment leaves a position by which each line is told, or marked."""
    log, kept = Log(), []

    async def keep(position: Mapping[str, Any]) -> None:
        kept.append((len(log.lines), position))

    write(emulator, project, "1", "one", "two")
    with tail().follow("1", since=SINCE) as subscription:
        subscription.end()
        await Teller(log, keep).tell(subscription)
    assert log.lines == ["one", "two"]
    assert [(told, position["lines"]) for told, position in kept] == [(0, 0), (2, 2)]
    assert SINCE < kept[0][1]["perhaps"] < time.time_ns()
    assert kept[1][1]["perhaps"] == 0


async def test_what_may_still_get_lost_is_not_kept_as_told(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str
) -> None:
    """A position counts lines as told once they have left the channel: a kill loses what is in there."""
    ours, theirs = socket.socketpair()
    kept: list[int] = []

    class IntoSocket(Log):
        def log(self, level: int, message: str, *args: Any) -> None:
            ours.send(b"a line\n")

    async def keep(position: Mapping[str, Any]) -> None:
        kept.append(position["lines"])

    write(emulator, project, "1", "one", "two")
    with ours, theirs, tail().follow("1", since=SINCE) as subscription:
        subscription.end()
        telling = asyncio.create_task(
            Teller(IntoSocket(), keep, LogChannel(ours.fileno())).tell(subscription)
        )
        await asyncio.wait({telling}, timeout=1)
        assert kept == [0]
        assert theirs.recv(100) == b"a line\na line\n"
        await telling
    assert kept == [0, 2]


async def test_jobs_are_told_in_turns(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str
) -> None:
    """Whenever the process is killed, at most one job has lines that were told and not kept."""
    logs, events = tail(), []

    async def tell(job_id: str) -> None:
        log = Log()
        log.log = lambda *_: events.append(job_id)  # type: ignore[method-assign]

        async def keep(_: Mapping[str, Any]) -> None:
            events.append(job_id)
            await asyncio.sleep(0.01)
            events.append(job_id)

        with logs.follow(job_id, since=SINCE) as subscription:
            subscription.end()
            await Teller(log, keep).tell(subscription)

    ids = ["1", "2", "3"]
    emulator.control.write_log(project, [(job_id, "workerpool0-0", "here", "INFO", 0.0) for job_id in ids])
    await asyncio.gather(*map(tell, ids))
    assert [job_id for job_id, _ in itertools.groupby(events)] == list(dict.fromkeys(events))


async def test_positions_of_many_jobs_are_kept_less_often(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a thousand jobs, a position is kept once in a while, at the end, and each says so long ahead."""
    monkeypatch.setattr(Teller, "_telling", 1000)
    log = Log()
    kept: list[Mapping[str, Any]] = []

    async def keep(position: Mapping[str, Any]) -> None:
        kept.append(position)

    with tail().follow("1", since=SINCE) as subscription:
        telling = asyncio.create_task(Teller(log, keep).tell(subscription))
        for number in range(5):
            write(emulator, project, "1", f"line {number}")
            while f"line {number}" not in log.lines:  # noqa: ASYNC110 - nothing tells when a line is logged
                await asyncio.sleep(0.01)
        subscription.end()
        await telling
    assert [position["lines"] for position in kept] == [0, 5]
    assert kept[0]["perhaps"] > time.time_ns() + 50_000_000_000


async def test_lines_are_told_where_positions_can_not_be_kept(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str
) -> None:
    """An Airflow that does not take the position costs one warning, and no line."""
    log = Log()

    async def fail(position: Mapping[str, Any]) -> None:
        raise OSError

    write(emulator, project, "1", "one")
    with tail().follow("1", since=SINCE) as subscription:
        subscription.end()
        await Teller(log, fail).tell(subscription)
    assert [line[:5] for line in log.lines] == ["Where", "one"]


async def test_no_permission_is_said_once_and_ends_nothing(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str
) -> None:
    """Who may not read logs is told once which role that takes; the job's end is not waited for."""
    emulator.control.add_fault(
        project, "error", method="ListLogEntries", code="PERMISSION_DENIED", message="no", times=None
    )
    logs = tail()
    with logs.follow("1", since=SINCE) as subscription:
        (text,) = await read_on(subscription, until="roles/logging.viewer")
        assert "The job itself is not touched" in text
        with logs.follow("2", since=SINCE) as later:
            assert await read_on(later, until="roles/logging.viewer") == [text]
        assert (await logs.last_words("1", "workerpool0-0", since=SINCE)).lines == []
        subscription.end()
        assert await read_on(subscription) == []


async def test_permission_that_is_granted_later_shows_the_log(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str
) -> None:
    """A role that is granted while the job runs brings the lines, from the first on."""
    emulator.control.add_fault(project, "error", method="ListLogEntries", code="PERMISSION_DENIED", times=2)
    write(emulator, project, "1", "one")
    with tail().follow("1", since=SINCE) as subscription:
        texts = await read_on(subscription, until="one")
    assert "roles/logging.viewer" in texts[0]
    assert "can be read again" in texts[1]
    assert texts[2:] == ["one"]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Permission denied for all log views", "Grant the account roles/logging.viewer"),
        ("Permission 'logging.logEntries.list' denied on resource", "Grant the account roles/logging.viewer"),
        (
            (
                "Cloud Logging API has not been used in project 123 before or it is disabled. Enable it by "
                "https://console.developers.google.com/apis/api/logging.googleapis.com/overview?project=123"
            ),
            "gcloud services enable logging.googleapis.com --project 123",
        ),
        (
            "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: x",
            "perimeter",
        ),
    ],
    ids=["views", "permission", "API", "perimeter"],
)
async def test_a_refusal_says_what_it_takes(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str, message: str, told: str
) -> None:
    """The role is named where it is what lacks, and only there."""
    fault = {"method": "ListLogEntries", "code": "PERMISSION_DENIED", "message": message, "times": None}
    emulator.control.add_fault(project, "error", **fault)
    with tail().follow("1", since=SINCE) as subscription:
        (text,) = await read_on(subscription, until="The job itself is not touched")
    assert told in text
    assert message in text
    assert ("roles/logging.viewer" in text) == ("roles/logging.viewer" in told)


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "UNAUTHENTICATED", "NOT_FOUND", "PERMISSION_DENIED"])
@pytest.mark.parametrize("pages", [0, 1])
async def test_a_single_refusal_is_asked_again(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str, code: str, pages: int
) -> None:
    """A page that is gone, or a token that has just expired, keeps no line away for minutes."""
    emulator.control.add_fault(project, "error", method="ListLogEntries", code=code, skip=pages)
    write(emulator, project, "1", *[f"line {number}" for number in range(1200)])
    logs = tail()
    with logs.follow("1", since=SINCE, limits=Limits(lines_per_minute=5000)) as subscription:
        began = logs._clock()
        texts = await read_on(subscription, until="line 1199")
        assert logs._clock() - began < 100
    assert texts == [f"line {number}" for number in range(1200)]


@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL"])
async def test_errors_that_pass_lose_nothing(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str, code: str
) -> None:
    """A quota that is used up, or a server that is away, delays lines; each is told once."""
    fault = emulator.control.add_fault(project, "error", method="ListLogEntries", code=code, times=3)
    write(emulator, project, "1", "one")
    with tail().follow("1", since=SINCE) as subscription:
        await asyncio.to_thread(emulator.control.wait_fault, fault, 3)
        write(emulator, project, "1", "two")
        texts = await read_on(subscription, until="two")
        assert [text for text in texts if len(text) < 5] == ["one", "two"]


async def test_outage_is_told_once_and_an_end_does_not_wait_for_it_for_ever(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str
) -> None:
    """While nothing answers for long, that is said once; a job that ends meanwhile is let go."""
    emulator.control.add_fault(project, "error", method="ListLogEntries", code="UNAVAILABLE", times=None)
    with tail().follow("1", since=SINCE) as subscription:
        assert len(await read_on(subscription, until="does not work now")) == 1
        subscription.end()
        (text,) = await read_on(subscription)
        assert "could not be shown in time" in text


async def test_reads_stay_in_the_budget(
    connect: Callable[[], Any], emulator: EmulatorProcess, project: str
) -> None:
    """A worker with four reads a minute makes no more, whatever there is to read."""
    clock = Clock()
    logs = LogTail(connect, project, budget=ReadBudget(4), clock=clock, sleep=nap)
    began = clock()
    # A delay of nothing tells of each read.
    read = emulator.control.add_fault(project, "delay", method="ListLogEntries", seconds=0.0, times=None)
    write(emulator, project, "1", *[f"line {number}" for number in range(8)])
    with logs.follow("1", since=SINCE):
        await asyncio.to_thread(emulator.control.wait_fault, read, 12)
    minutes = (clock() - began) / 60
    assert sum(emulator.control.requests(project)["ListLogEntries"].values()) <= 4 * (minutes + 1)


async def test_last_words_of_a_replica(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str
) -> None:
    """A failing replica's last lines and its exception take one read, without a subscription."""
    lines = ["Traceback (most recent call last):", '  File "x"', "ValueError: MY TRAINING BLEW UP"]
    write(emulator, project, "1", *[f"epoch {number}" for number in range(40)])
    write(emulator, project, "1", *lines, severity="ERROR")
    emulator.control.write_log(project, [("1", "workerpool1-0", "innocent", "INFO", 0.0)])
    emulator.control.write_log(project, [("1", "service", "Job failed.", "ERROR", 0.0)])
    logs = tail()
    found = await logs.last_words("1", "workerpool0-0", since=SINCE)
    assert found.said.exception == "ValueError: MY TRAINING BLEW UP"
    assert found.lines == [*[f"epoch {number}" for number in range(23, 40)], *lines]
    assert emulator.control.requests(project) == {"ListLogEntries": {"OK": 1}}
    assert logs.closed
    other = await tail().last_words("1", "", since=SINCE)
    assert other.lines[-1] == "innocent"


async def test_last_words_that_come_late_or_by_the_second_answer(
    connect: Callable[[], Any], emulator: EmulatorProcess, project: str
) -> None:
    """A server that is away for a moment, and a line that comes after the end, hide no reason."""
    emulator.control.add_fault(project, "error", method="ListLogEntries", code="UNAVAILABLE", times=2)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        if not slept:
            await asyncio.to_thread(write, emulator, project, "1", "no data", severity="ERROR")
        slept.append(seconds)

    logs = LogTail(connect, project, budget=ReadBudget(20), drain=5.0, sleep=sleep)
    found = await logs.last_words("1", "workerpool0-0", since=SINCE)
    assert found == LastWords(["no data"], Said("", "no data"))
    assert slept == [5.0, 2.0, 2.0]
    again = LogTail(connect, project, budget=ReadBudget(20), drain=5.0, sleep=sleep)
    assert await again.last_words("1", "workerpool0-0", since=SINCE, is_drained=True) == found
    assert len(slept) == 3


async def test_a_page_does_not_block_the_event_loop(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str
) -> None:
    """Many lines are put into words in slices, so that others get their turn."""
    write(emulator, project, "1", *['{"message": "x", "a": {"b": [1, 2, 3]}}'] * 900)
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - before)

    ticking = asyncio.create_task(tick())
    logs = tail()
    with logs.follow("1", since=SINCE) as subscription:
        longest = 0.0
        assert sum(len(batch.lines) for batch in [await anext(subscription)]) == 900
    ticking.cancel()
    # Debug mode of the tests makes everything slower.
    assert longest < 0.3


def test_endpoint_of_logs() -> None:
    """The emulator answers for both services; else there is Google's own address, or a private one."""
    vertex = Endpoint("us-central1-aiplatform.googleapis.com")
    assert logging_endpoint(vertex, None).address == "logging.googleapis.com"
    assert logging_endpoint(vertex, "logs.p.googleapis.com:443").address == "logs.p.googleapis.com:443"
    emulator = Endpoint("localhost:1", is_emulator=True)
    assert logging_endpoint(emulator, "logs.p.googleapis.com") == emulator
    with pytest.raises(InvalidJobError, match="logging_endpoint"):
        logging_endpoint(vertex, "https://logs")


async def test_one_tail_for_each_connection_and_project(connect: Callable[[], Any]) -> None:
    """The same connection and project share a tail; any other has its own, in the project's one budget."""

    def get(connection: str = "a", project: str = "acme") -> LogTail:
        return shared_tail(connection, connect, project=project, reads_per_minute=20)

    first, other = get(), get("b")
    assert get() is first
    assert other is not first
    assert get(project="emca") is not first
    assert first._budget is other._budget
    with first.follow("1", since=SINCE):
        pass
    assert get() is not first


async def test_what_a_client_library_brought_is_not_gone_over_again(
    tail: Callable[..., LogTail], emulator: EmulatorProcess, project: str
) -> None:
    """The garbage collector's full passes, in which the event loop stands still, leave it out."""
    write(emulator, project, "1", "one")
    with tail().follow("1", since=SINCE) as subscription:
        assert await read_on(subscription, until="one") == ["one"]
    assert gc.get_freeze_count() > 50_000
