"""When a list is read, and what it is asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.watch import lists
from airflow_vertex_training.vertex.watch.lists import ListCost
from tests.vertex.conftest import RUN_START


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 400)), max_size=80))
def test_a_list_is_read_only_where_getting_each_is_dearer(ticks: list[tuple[int, int]]) -> None:
    """A list that took as many pages as there are jobs is not read again, but for a look now and then."""
    cost, last_pages, since = ListCost(), 1, 0
    for jobs, pages in ticks:
        since += 1
        if cost.worth(jobs):
            assert jobs > lists.FEW
            assert last_pages < jobs or since > lists.RETHINK_TICKS
            cost.set(pages)
            last_pages, since = pages, 0


@given(st.integers(lists.FEW + 1, 10**5))
def test_a_list_costs_a_fifth_of_getting_each_at_most(jobs: int) -> None:
    """However many pages a list has, no more are read than a fifth of the gets that it may save."""
    assert lists.most_pages(jobs) <= jobs / 5


def test_the_filter_of_active_jobs() -> None:
    """The deployment's jobs are listed that are in none of the final states."""
    filter_ = lists.active_filter("staging")
    assert filter_.startswith('labels.airflow_deployment="staging" AND state!="JOB_STATE_')
    assert all(f'AND state!="{state}"' in filter_ for state in states.FINAL)
    assert not any(state in filter_ for state in states.ACTIVE)


def test_the_filter_of_ended_jobs_reaches_over_all_that_are_looked_for() -> None:
    """Ended jobs are listed from the oldest one's create time to the youngest one's, both included."""
    created = [RUN_START, RUN_START + timedelta(hours=1), RUN_START + timedelta(minutes=5)]
    filter_ = lists.final_filter("airflow", created)
    assert 'create_time>="2026-11-24T22:25:37.123456+00:00"' in filter_
    assert 'create_time<="2026-11-24T23:25:37.123457+00:00"' in filter_


def test_a_job_that_was_never_seen_is_looked_for_among_all() -> None:
    """Where a create time is not known, no window leaves the job out."""
    assert "create_time" not in lists.final_filter("airflow", [RUN_START, None])


def test_a_deployment_id_can_not_break_out_of_the_filter() -> None:
    """A deployment id that is no label gets into no filter."""
    with pytest.raises(ValueError, match="is no legal label"):
        lists.active_filter('x" OR labels.a="')
