"""How many requests a minute sees."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex.watch.budget import RequestBudget, allowance


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


@given(st.floats(0.1, 600.0), st.integers(1, 2000), st.integers(1, 20))
def test_an_allowance_is_within_the_budget(seconds: float, budget: int, least: int) -> None:
    """A tick may make what the budget gives it, and always enough for a few jobs."""
    allowed = allowance(seconds, budget, least=least)
    assert allowed == least or allowed <= seconds * budget / 60.0
    assert allowed >= least
