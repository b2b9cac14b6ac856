"""What is known of one watched job, and whose turn it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.watch.job import WatchedJob, longest_unseen, overdue
from tests.vertex.conftest import RUN_START


def test_new_shells_of_a_running_job_are_news() -> None:
    """They are told when they come, once, though the job's state stays the same."""
    watched = WatchedJob("job", "job", seen=0.0)
    running = JobSnapshot("job", state="JOB_STATE_RUNNING")
    shells = replace(running, web_access_uris=(("workerpool0-0", "https://a"),))
    assert [watched.saw(job, 1.0) for job in (running, running, shells, shells)] == [
        running,
        None,
        shells,
        None,
    ]


def test_a_final_state_is_believed_whatever_its_time() -> None:
    """A state that was left is no news; one that no job leaves is, though its update time is older."""
    watched = WatchedJob("job", "job", seen=0.0)
    at = [RUN_START + timedelta(seconds=second) for second in range(3)]
    running = JobSnapshot("job", state="JOB_STATE_RUNNING", update_time=at[2])
    late = replace(running, state="JOB_STATE_PENDING", update_time=at[0])
    ended = replace(running, state="JOB_STATE_SUCCEEDED", update_time=at[1])
    assert [watched.saw(job, 1.0) for job in (running, late, ended)] == [running, None, ended]


def test_a_state_that_is_not_known_is_an_end_once_the_job_has_an_end_time() -> None:
    """A state of a newer API is waited for until Vertex AI says when the job ended, and then for a reason."""
    watched = WatchedJob("job", "job", seen=0.0)
    unknown = JobSnapshot("job", state="JOB_STATE_UNSPECIFIED")
    ended = replace(unknown, end_time=RUN_START)
    assert [watched.saw(job, 1.0) for job in (unknown, unknown, ended)] == [unknown, None, None]
    assert watched.end_without_reason(91.0) == ended
    explained = replace(ended, error_message="moved to Mars")
    assert watched.saw(explained, 2.0) == explained


times = st.floats(0.0, 1e6)
sightings = st.lists(st.tuples(times, times), max_size=60).map(
    lambda jobs: [
        WatchedJob(str(number), str(number), seen=seen, asked=asked)
        for number, (seen, asked) in enumerate(jobs)
    ]
)


@given(sightings, st.integers(-5, 80))
def test_who_was_unseen_for_longest_comes_first(jobs: list[WatchedJob], most: int) -> None:
    """As many as may be asked for are, and none that was seen or asked for after one that was left out."""

    def heard(job: WatchedJob) -> float:
        return max(job.seen, job.asked)

    chosen = longest_unseen(jobs, most)
    assert len(chosen) == min(len(jobs), max(0, most))
    left_out = [job for job in jobs if job not in chosen]
    assert not left_out or not chosen or max(map(heard, chosen)) <= min(map(heard, left_out))


@given(sightings, st.floats(0.1, 600.0))
def test_a_job_that_no_list_shows_is_asked_for_itself(jobs: list[WatchedJob], every: float) -> None:
    """Only after two intervals without a sight is a job asked for, but then it is."""
    now = max((job.seen for job in jobs), default=0.0)
    assert overdue(jobs, now, every) == [job for job in jobs if now - job.seen > 2 * every]
