"""A job's way to its end, in words for the task log."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.watch import progress
from airflow_vertex_training.vertex.watch.messages import Recovered, Trouble
from tests.vertex.conftest import RUN_START

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from airflow_vertex_training.vertex.watch.messages import Update


def after(seconds: float, state: str) -> JobSnapshot:
    """Return a job that came into a state so long after it was created."""
    then = RUN_START + timedelta(seconds=seconds)
    return JobSnapshot(
        "job", state=f"JOB_STATE_{state}", create_time=RUN_START, start_time=then, update_time=then
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
        after(4.0, "PENDING"),
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
    assert progress.summary(JobSnapshot("job", state="JOB_STATE_SUCCEEDED")) == "Succeeded: no times known."
