"""What is asked next about watched jobs: pure rules, whatever was seen before."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.watch import rules
from airflow_vertex_training.vertex.watch.budget import RequestBudget
from airflow_vertex_training.vertex.watch.rules import ListCost, Sighting
from tests.vertex.conftest import RUN_START


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 400)), max_size=80))
def test_a_list_is_read_only_where_getting_each_is_dearer(ticks: list[tuple[int, int]]) -> None:
    """A list that took as many pages as there are jobs is not read again, but for a look now and then."""
    cost, last_pages, since = ListCost(), 1, 0
    for jobs, pages in ticks:
        since += 1
        if cost.worth(jobs):
            assert jobs > rules.FEW
            assert last_pages < jobs or since > rules.RETHINK_TICKS
            cost.set(pages)
            last_pages, since = pages, 0


@given(st.integers(rules.FEW + 1, 10**5))
def test_a_list_costs_a_fifth_of_getting_each_at_most(jobs: int) -> None:
    """However many pages a list has, no more are read than a fifth of the gets that it may save."""
    assert rules.most_pages(jobs) <= jobs / 5


@given(
    asked_for=st.lists(st.floats(0.1, 600.0), max_size=20),
    requests=st.integers(0, 5000),
    budget=st.integers(1, 2000),
)
def test_ticks_follow_the_shortest_interval_and_the_budget(
    asked_for: list[float], requests: int, budget: int
) -> None:
    """Ticks are no further apart than asked for, unless the last one's requests have to be paid off."""
    every = rules.interval(asked_for, requests, budget)
    assert every >= min(asked_for, default=0.0)
    assert requests / every * 60.0 <= budget * 1.001
    assert every == min(asked_for, default=1.0) or every == pytest.approx(requests * 60.0 / budget)


@given(st.floats(0.1, 600.0), st.integers(1, 2000))
def test_an_allowance_is_within_the_budget(seconds: float, budget: int) -> None:
    """A tick may make what the budget gives it, and always enough for a few jobs."""
    allowed = rules.allowance(seconds, budget)
    assert allowed == rules.FEW or allowed <= seconds * budget / 60.0
    assert allowed >= rules.FEW


@given(
    budget=st.integers(1, 600),
    pauses=st.lists(st.floats(0.0, 90.0) | st.just(0.0), min_size=1, max_size=400),
)
def test_no_minute_sees_more_requests_than_the_budget_and_its_burst(budget: int, pauses: list[float]) -> None:
    """Whoever waits as told makes at most the budget's requests in any minute, and a tenth of it at once."""
    requests, now, made = RequestBudget(budget), 0.0, []
    for pause in pauses:
        now += pause
        now += requests.take(now)
        made.append(now)
    burst = max(1.0, budget / 10.0)
    first = 0
    for last, at in enumerate(made):
        while made[first] <= at - 60.0:
            first += 1
        assert last - first + 1 <= budget + burst + 1


@given(st.integers(1, 600))
def test_an_unused_budget_does_not_pile_up(budget: int) -> None:
    """After an hour without requests no more of them are free than a tenth of a minute's."""
    requests = RequestBudget(budget)
    requests.take(0.0)
    free = 0
    while requests.take(3600.0) == 0.0:
        free += 1
    assert free <= max(1, budget // 10)


times = st.floats(0.0, 1e6)
sightings = st.lists(st.tuples(times, times), max_size=60).map(
    lambda jobs: [Sighting(str(number), seen=seen, asked=asked) for number, (seen, asked) in enumerate(jobs)]
)


@given(sightings, st.integers(-5, 80))
def test_who_was_unseen_for_longest_comes_first(jobs: list[Sighting], most: int) -> None:
    """As many as may be asked for are, and none that was seen or asked for after one that was left out."""

    def heard(job: Sighting) -> float:
        return max(job.seen, job.asked)

    chosen = rules.longest_unseen(jobs, most)
    assert len(chosen) == min(len(jobs), max(0, most))
    left_out = [job for job in jobs if job not in chosen]
    assert not left_out or not chosen or max(map(heard, chosen)) <= min(map(heard, left_out))


@given(sightings, st.floats(0.1, 600.0))
def test_a_job_that_no_list_shows_is_asked_for_itself(jobs: list[Sighting], every: float) -> None:
    """Only after two intervals without a sight is a job asked for, but then it is."""
    now = max((job.seen for job in jobs), default=0.0)
    overdue = rules.overdue(jobs, now, every)
    assert [job for job in jobs if now - job.seen > 2 * every] == overdue


def test_the_filter_of_active_jobs() -> None:
    """The deployment's jobs are listed that are in none of the final states."""
    filter_ = rules.active_filter("staging")
    assert filter_.startswith('labels.airflow_deployment="staging" AND state!="JOB_STATE_')
    assert all(f'AND state!="{state}"' in filter_ for state in states.FINAL)
    assert not any(state in filter_ for state in states.ACTIVE)


def test_the_filter_of_ended_jobs_reaches_over_all_that_are_looked_for() -> None:
    """Ended jobs are listed from the oldest one's create time to the youngest one's, both included."""
    created = [RUN_START, RUN_START + timedelta(hours=1), RUN_START + timedelta(minutes=5)]
    missing = [Sighting(str(number), 0.0, created=when) for number, when in enumerate(created)]
    filter_ = rules.final_filter("airflow", missing)
    assert 'create_time>="2026-11-24T22:25:37.123456+00:00"' in filter_
    # What is cut to microseconds here is exact to the nanosecond there.
    assert 'create_time<="2026-11-24T23:25:37.123457+00:00"' in filter_


def test_a_job_that_was_never_seen_is_looked_for_among_all() -> None:
    """Where a create time is not known, no window leaves the job out."""
    missing = [Sighting("1", 0.0, created=RUN_START), Sighting("2", 0.0)]
    assert "create_time" not in rules.final_filter("airflow", missing)


def test_a_deployment_id_can_not_break_out_of_the_filter() -> None:
    """A deployment id that is no label gets into no filter."""
    with pytest.raises(ValueError, match="is no legal label"):
        rules.active_filter('x" OR labels.a="')
