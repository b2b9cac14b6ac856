"""What is asked next about watched jobs: pure rules, whatever was seen before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex.watch import lists, rules
from airflow_vertex_training.vertex.watch.job import WatchedJob


@given(st.floats(0.1, 600.0), st.integers(1, 2000))
def test_an_allowance_is_within_the_budget(seconds: float, budget: int) -> None:
    """A tick may make what the budget gives it, and always enough for a few jobs."""
    allowed = rules.allowance(seconds, budget)
    assert allowed == lists.FEW or allowed <= seconds * budget / 60.0
    assert allowed >= lists.FEW


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

    chosen = rules.longest_unseen(jobs, most)
    assert len(chosen) == min(len(jobs), max(0, most))
    left_out = [job for job in jobs if job not in chosen]
    assert not left_out or not chosen or max(map(heard, chosen)) <= min(map(heard, left_out))


@given(sightings, st.floats(0.1, 600.0))
def test_a_job_that_no_list_shows_is_asked_for_itself(jobs: list[WatchedJob], every: float) -> None:
    """Only after two intervals without a sight is a job asked for, but then it is."""
    now = max((job.seen for job in jobs), default=0.0)
    overdue = rules.overdue(jobs, now, every)
    assert [job for job in jobs if now - job.seen > 2 * every] == overdue
