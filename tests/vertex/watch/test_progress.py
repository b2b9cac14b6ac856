"""A job's way to its end, in words for the task log."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.watch import progress
from airflow_vertex_training.vertex.watch.messages import Recovered, Trouble
from tests.vertex.conftest import RUN_START

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from datetime import datetime

    from airflow_vertex_training.vertex.watch.messages import Update


def after(seconds: float, state: str, *, started: bool = True) -> JobSnapshot:
    """Return a job that came into a state so long after it was created."""
    then = RUN_START + timedelta(seconds=seconds)
    return JobSnapshot(
        "job",
        state=f"JOB_STATE_{state}",
        create_time=RUN_START,
        start_time=then if started and state != "QUEUED" else None,
        update_time=then,
    )


async def told(*updates: Update) -> AsyncGenerator[Update, None]:
    """Yield updates."""
    for update in updates:
        yield update


async def test_a_job_is_followed_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    """Each state is a line with the job's age, trouble is a warning, and the end is returned, not logged."""
    end = after(200.0, "SUCCEEDED")
    updates = told(
        after(0.0, "QUEUED"),
        after(4.0, "PENDING", started=False),
        Trouble("UNAVAILABLE"),
        Recovered(70.0),
        after(130.0, "RUNNING"),
        end,
    )
    with caplog.at_level(logging.INFO):
        assert await progress.follow(updates, logging.getLogger("task")) is end
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", "Queued"),
        ("INFO", "Pending (after 4 s)"),
        (
            "WARNING",
            "Watching the job does not work now, trying on; the job is not touched. UNAVAILABLE",
        ),
        ("INFO", "Watching the job works again, after 1 min 10 s"),
        ("INFO", "Running (after 2 min 10 s)"),
    ]


@pytest.mark.parametrize(
    ("updates", "lines"),
    [
        ([after(200.0, "RUNNING")], ["Queued", "Running (after 3 min 20 s)"]),
        ([after(0.0, "QUEUED"), after(9.0, "SUCCEEDED")], ["Queued", "Running (after 9 s)"]),
        ([], ["Queued", "Running (after 9 s)"]),
        (
            [after(3.0, "PENDING", started=False), after(9.0, "CANCELLING")],
            ["Queued", "Pending (after 3 s)", "Running (after 9 s)", "Cancelling (after 9 s)"],
        ),
        (
            [after(9.0, "RUNNING"), after(60.0, "PENDING"), after(60.0, "RUNNING")],
            ["Queued", "Running (after 9 s)", "Pending (after 1 min)", "Running (after 1 min)"],
        ),
    ],
    ids=["first look late", "short run", "one look", "cancelled", "restarted"],
)
async def test_states_between_two_looks_are_said(
    updates: list[JobSnapshot], lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """What the job's times tell is said as if it had been seen, in its order and once."""
    with caplog.at_level(logging.INFO):
        await progress.follow(told(*updates, after(9.0, "SUCCEEDED")), logging.getLogger("task"))
    assert [record.message for record in caplog.records] == lines


async def test_a_job_that_never_started_is_not_said_to_have_run(caplog: pytest.LogCaptureFixture) -> None:
    """A job that failed in the queue was queued and nothing else."""
    with caplog.at_level(logging.INFO):
        await progress.follow(told(after(9.0, "FAILED", started=False)), logging.getLogger("task"))
    assert [record.message for record in caplog.records] == ["Queued"]


async def test_an_update_of_the_same_state_says_no_state(caplog: pytest.LogCaptureFixture) -> None:
    """What is new of a job that still runs, such as its shells, is no new state."""
    shells = replace(after(2.0, "RUNNING"), web_access_uris=(("workerpool0-0", "https://a"),))
    updates = told(after(2.0, "RUNNING"), shells, after(9.0, "SUCCEEDED"))
    with caplog.at_level(logging.INFO):
        await progress.follow(updates, logging.getLogger("task"))
    assert [record.message.split(" (")[0] for record in caplog.records] == ["Queued", "Running"]


class Timers:
    """A clock that only timers move on, and the loop's `call_later` for it."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.waiting: list[tuple[datetime, Callable[[], None], asyncio.TimerHandle]] = []

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Keep a callback until `pass_time`."""
        handle = asyncio.TimerHandle(0.0, callback, (), asyncio.get_running_loop())
        self.waiting.append((self.now + timedelta(seconds=seconds), callback, handle))
        return handle

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and the timers run."""
        until = self.now + timedelta(seconds=seconds)
        while due := [timer for timer in self.waiting if timer[0] <= until and not timer[2].cancelled()]:
            timer = min(due, key=lambda timer: timer[0])
            self.waiting.remove(timer)
            self.now = timer[0]
            timer[1]()
        self.now = until


async def test_a_job_that_runs_for_long_is_said_to(caplog: pytest.LogCaptureFixture) -> None:
    """After 10 and 30 minutes and then each hour, counted from the start, and not while it can't be seen."""
    timers = Timers(RUN_START + timedelta(seconds=130 + 700))

    async def updates() -> AsyncGenerator[Update, None]:
        yield after(0.0, "QUEUED")
        yield after(130.0, "RUNNING")
        timers.pass_time(3 * 3600)
        yield Trouble("UNAVAILABLE")
        timers.pass_time(3600)
        yield Recovered(3600.0)
        timers.pass_time(3600)
        yield after(40000.0, "CANCELLING")
        timers.pass_time(7200)
        yield after(40000.0, "CANCELLED")

    with caplog.at_level(logging.INFO):
        await progress.follow(
            updates(), logging.getLogger("task"), now=lambda: timers.now, call_later=timers.call_later
        )
    said = [record.message for record in caplog.records if "till" in record.message]
    assert said == [
        "Still running, 30 min",
        "Still running, 1 h",
        "Still running, 2 h",
        "Still running, 3 h",
        "Still running, 5 h",
    ]


async def test_a_clock_that_is_put_back_says_nothing_odd(caplog: pytest.LogCaptureFixture) -> None:
    """No job has run for less than no time, whatever this machine's clock says."""
    timers, put_back = Timers(RUN_START + timedelta(seconds=60)), timedelta(0)

    async def updates() -> AsyncGenerator[Update, None]:
        nonlocal put_back
        yield after(0.0, "RUNNING")
        put_back = timedelta(hours=1)
        timers.pass_time(2.2 * 3600)
        yield after(9000.0, "SUCCEEDED")

    with caplog.at_level(logging.INFO):
        await progress.follow(
            updates(),
            logging.getLogger("task"),
            now=lambda: timers.now - put_back,
            call_later=timers.call_later,
        )
    said = [record.message for record in caplog.records if "till" in record.message]
    assert said == ["Still running, 10 min", "Still running, 30 min", "Still running, 1 h"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"),
        (4, "4 s"),
        (59.6, "1 min"),
        (130, "2 min 10 s"),
        (4320, "1 h 12 min"),
        (90061, "25 h 1 min"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    """A duration is said by its two largest units."""
    assert progress.in_words(seconds) == words


def test_a_summary_says_where_time_went_and_the_output_is() -> None:
    """The last line tells queueing, running and the output folder, as far as they are known."""
    job = JobSnapshot(
        "job",
        state="JOB_STATE_SUCCEEDED",
        create_time=RUN_START,
        start_time=RUN_START + timedelta(seconds=130),
        end_time=RUN_START + timedelta(seconds=130 + 4320),
        base_output_directory="gs://acme/digits",
    )
    assert progress.summary(job) == "Succeeded: queued 2 min 10 s, ran 1 h 12 min. Output: gs://acme/digits"
    assert progress.summary(job, "2 x g2-standard-8 with 1 x NVIDIA_L4", accelerators=2) == (
        "Succeeded: queued 2 min 10 s, ran 1 h 12 min on 2 x g2-standard-8 with 1 x NVIDIA_L4, "
        "2.40 accelerator hours. Output: gs://acme/digits"
    )
    assert progress.summary(JobSnapshot("job", state="JOB_STATE_SUCCEEDED")) == "Succeeded: no times known."


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "EXPIRED"])
def test_a_summary_of_a_job_that_never_ran(state: str) -> None:
    """A job that got no machines tells how long it waited for them."""
    end = RUN_START + timedelta(minutes=3)
    job = JobSnapshot("job", state=f"JOB_STATE_{state}", create_time=RUN_START, end_time=end)
    told = progress.summary(job, "1 x g2-standard-8 with 1 x NVIDIA_L4", accelerators=1)
    assert told == f"{state.capitalize()}: queued 3 min, never ran."


def test_a_summary_of_times_in_the_wrong_order() -> None:
    """Times that can't be are no time at all."""
    earlier = RUN_START - timedelta(seconds=5)
    job = JobSnapshot(
        "job", state="JOB_STATE_SUCCEEDED", create_time=RUN_START, start_time=earlier, end_time=earlier
    )
    assert progress.summary(job, accelerators=2) == "Succeeded: queued 0 s, ran 0 s, 0.00 accelerator hours."
