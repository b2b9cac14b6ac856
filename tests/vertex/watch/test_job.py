"""What is known of one watched job, and whose turn it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex.watch.job import WatchedJob, longest_unseen, overdue

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
