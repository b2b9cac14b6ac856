"""What is told and asked about watched jobs: pure rules, tried with every order of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_vertex_training.vertex.exceptions import JobLostError
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.watch.job import REASON_PATIENCE
from airflow_vertex_training.vertex.watch.messages import (
    Failed,
    Get,
    GivenUp,
    Got,
    Meaning,
    Open,
    Page,
    ReadPage,
    Recovered,
    Rest,
    Trouble,
)
from airflow_vertex_training.vertex.watch.rules import PATIENCE
from tests.vertex.watch.world import PARENT, Life, Outcome, World, running

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MANY = 12
OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(
    ["well", "well", "stale", "lossy", "passes", "too many", "refused", "gone"]
)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Return any life of a job, which comes to an end or is deleted within half an hour."""
    times = sorted(draw(st.lists(st.integers(0, 1800), min_size=4, max_size=4, unique=True)))
    end = draw(st.sampled_from(["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"]))
    states = tuple(zip(map(float, times), ("QUEUED", "PENDING", "RUNNING", end), strict=True))
    delay = draw(st.sampled_from([0.0, 20.0, 80.0, 500.0, None])) if end != "SUCCEEDED" else None
    return Life(
        # It exists when somebody begins to watch it.
        states=((0.0, "QUEUED"), *states[1:]),
        reason_at=None if delay is None else times[-1] + delay,
        deleted_at=draw(st.none() | st.none() | st.floats(150.0, 3000.0)),
        labelled=draw(st.booleans()),
    )


worlds = st.builds(
    lambda every, page_size: World(
        {str(number): life for number, life in enumerate(every, 1)}, surveys=True, page_size=page_size
    ),
    st.lists(lives(), min_size=1, max_size=MANY),
    st.sampled_from([3, 100]),
)


@settings(max_examples=300)
@given(worlds, st.data())
def test_any_order_of_answers_comes_to_the_same_end(world: World, data: st.DataObject) -> None:
    """However answers fail, are late or incomplete, each job's true end is told, once, and nothing after it.

    No state is told after a later one. A job counts as lost only after two gets in a row that did not find
    it, and is given up only after refusals for a quarter of an hour in which nothing showed it.
    """
    world.watch()
    for _ in range(data.draw(st.integers(0, 120))):
        world.step(lambda _: data.draw(OUTCOMES))
    world.run(seconds=7200.0)
    assert not world.rules.jobs.ids
    for custom_job_id, life in world.lives.items():
        *before, end = world.told[custom_job_id]
        states = [update for update in before if isinstance(update, JobSnapshot)]
        assert not any(job.is_final for job in states)
        times = [job.update_time for job in states]
        assert times == sorted(set(times), key=str)
        check_end(world, custom_job_id, life, end)
        check_trouble(before, end)


def check_end(world: World, custom_job_id: str, life: Life, end: object) -> None:
    """Check that a wait ended as the job did, or for a good reason."""
    name = f"{PARENT}/customJobs/{custom_job_id}"
    ended_at = world.told_at[custom_job_id][-1]
    if isinstance(end, GivenUp):
        since = ended_at - PATIENCE
        shown = [seen for at, seen in world.answers if since < at < ended_at and shows(seen, custom_job_id)]
        assert not shown
    elif isinstance(end, JobLostError):
        assert was_not_found_twice(world, name, ended_at)
    else:
        assert isinstance(end, JobSnapshot)
        assert end.state == f"JOB_STATE_{life.states[-1][1]}"
        first = next(at for at, seen in world.answers if shows_end(seen, custom_job_id))
        bad = end.state != "JOB_STATE_SUCCEEDED"
        # Of a job that is gone no reason will come.
        gone = was_not_found_twice(world, name, ended_at)
        assert not bad or end.error_message or gone or ended_at >= first + REASON_PATIENCE


def check_trouble(before: Sequence[object], end: object) -> None:
    """Check that trouble was told once until its end was, and its end once."""
    told = [update for update in before if isinstance(update, Trouble | Recovered)]
    assert [type(update) for update in told] == ([Trouble, Recovered] * len(told))[: len(told)]
    if isinstance(end, JobSnapshot) and told:
        assert isinstance(told[-1], Recovered)


def was_not_found_twice(world: World, name: str, ended_at: float) -> bool:
    """Whether the last two gets of a job that were answered did not find it."""
    gets = [seen for at, seen in world.answers if at <= ended_at and is_get_of(seen, name)]
    answered = [seen for seen in gets if not isinstance(seen, Failed) or is_not_found(seen)]
    return len(answered) > 1 and all(map(is_not_found, answered[-2:]))


def shows(seen: object, custom_job_id: str) -> bool:
    """Whether an answer shows a job."""
    jobs = seen.jobs if isinstance(seen, Page) else (seen.job,) if isinstance(seen, Got) else ()
    return any(job.custom_job_id == custom_job_id for job in jobs)


def shows_end(seen: object, custom_job_id: str) -> bool:
    """Whether an answer shows a job's end."""
    jobs = seen.jobs if isinstance(seen, Page) else (seen.job,) if isinstance(seen, Got) else ()
    return any(job.custom_job_id == custom_job_id and job.is_final for job in jobs)


def is_get_of(seen: object, name: str) -> bool:
    """Whether an answer is that to a get of a job."""
    return (isinstance(seen, Got) and seen.job.name == name) or (
        isinstance(seen, Failed) and seen.job_name == name
    )


def is_not_found(seen: object) -> bool:
    """Whether an answer says that a job does not exist."""
    return isinstance(seen, Failed) and seen.meaning is Meaning.NOT_FOUND


@settings(max_examples=100)
@given(
    st.integers(1, 80), st.integers(1, 600), st.floats(0.5, 120.0), st.booleans(), st.booleans(), st.data()
)
def test_no_tick_asks_more_than_the_budget_pays(
    count: int, budget: int, interval: float, labelled: bool, surveys: bool, data: st.DataObject
) -> None:
    """Unless nothing answers, the next tick is not before this one's requests are paid off."""
    jobs = {str(number): running(labelled=labelled) for number in range(count)}
    world = World(jobs, surveys=surveys, interval=interval, requests_per_minute=budget)
    world.watch()
    began, requests, answered = world.now, 0, True
    for _ in range(data.draw(st.integers(20, 200))):
        ask = world.ask
        if isinstance(ask, Rest) and answered:
            assert world.now + ask.seconds >= began + requests * 60.0 / budget - 1e-6
        if isinstance(ask, Open):
            began, requests, answered = world.now, 0, False
        requests += len(ask.job_names) if isinstance(ask, Get) else isinstance(ask, ReadPage)
        seen_before = len(world.answers)
        world.step(lambda _: data.draw(OUTCOMES))
        answered = answered or any(isinstance(seen, Page | Got) for _, seen in world.answers[seen_before:])


def refuse(method: type) -> Callable[[object], Outcome]:
    """Return an outcome for each request: refused for one method, well for the others."""
    return lambda ask: "refused" if isinstance(ask, method) else "well"


@pytest.mark.parametrize("count", [1, MANY])
@pytest.mark.parametrize("method", [Get, Open, object])
def test_what_shows_a_job_ends_its_refusals(count: int, method: type) -> None:
    """Two outages of permission of ten minutes each, with some health between, end no wait.

    A get shows a single job; of many, it is a list that shows most.
    """
    world = World({str(number): running() for number in range(count)})
    world.watch()
    for _ in range(2):
        world.run(600.0, refuse(method))
        world.run(30.0)
    for _ in range(20):
        world.run(120.0, refuse(method))
        world.run(120.0)
    assert len(world.rules.jobs.ids) == count


def test_refusals_that_last_end_the_wait() -> None:
    """A job that is refused for a quarter of an hour is given up, and why is told."""
    world = World({"1": running()})
    world.watch()
    world.run(2 * PATIENCE, refuse(Get))
    assert isinstance(world.told["1"][-1], GivenUp)
    assert PATIENCE <= world.told_at["1"][-1] - 100.0 <= PATIENCE + 61.0


def test_a_list_that_stays_stale_hides_no_end() -> None:
    """Where a list shows for ever what was, each job is got in turn, and its end told."""
    world = World({str(number): running(until=200.0) for number in range(MANY)})
    world.watch()
    world.run(40.0)
    world.frozen_at = world.now
    world.run(60.0 + world.interval * MANY)
    assert not world.rules.jobs.ids


def test_a_state_is_not_taken_back() -> None:
    """A list that is behind a get does not make a state be told again."""
    life = Life(((0.0, "QUEUED"), (1.0, "PENDING"), (190.0, "RUNNING"), (900.0, "SUCCEEDED")))
    world = World({str(number): life for number in range(MANY)})
    world.watch()
    world.run(95.0)
    world.run(25.0, lambda ask: "stale" if isinstance(ask, ReadPage) else "well")
    for told in world.told.values():
        assert [update.state for update in told if isinstance(update, JobSnapshot)] == [
            "JOB_STATE_PENDING",
            "JOB_STATE_RUNNING",
        ]


def test_only_whose_job_it_concerns_hears_of_trouble() -> None:
    """A get that fails is told to who waits for that job; where a list showed the job, to nobody."""
    world = World({str(number): running() for number in range(MANY)})
    world.watch()
    world.run(600.0, lambda ask: "passes" if isinstance(ask, Get) and world.now > 150.0 else "well")
    assert not any(isinstance(update, Trouble) for told in world.told.values() for update in told)

    world = World({"refused": running(), "well": running()})
    world.watch()
    world.run(
        30.0, lambda ask: "refused" if isinstance(ask, Get) and "refused" in ask.job_names[0] else "well"
    )
    assert isinstance(world.told["refused"][0], Trouble)
    assert not any(isinstance(update, Trouble) for update in world.told["well"])


@pytest.mark.parametrize("outcome", ["passes", "refused", "too many"])
def test_a_list_that_fails_for_long_is_told_once(outcome: Outcome) -> None:
    """While a list fails, a job that is got now and then is still in trouble: nobody is told of its end."""
    count = 80
    world = World({str(number): running() for number in range(count)}, requests_per_minute=60)
    world.watch()
    world.run(60.0)
    world.run(1800.0, lambda ask: outcome if isinstance(ask, ReadPage) else "well")
    for told in world.told.values():
        assert [type(update) for update in told if not isinstance(update, JobSnapshot)] in ([], [Trouble])
    world.run(300.0)
    for told in world.told.values():
        kinds = [type(update) for update in told if not isinstance(update, JobSnapshot)]
        assert kinds in ([], [Trouble, Recovered])


@pytest.mark.parametrize("count", [1, MANY])
@pytest.mark.parametrize(("delay", "waits"), [(0.0, 0.0), (60.0, 60.0), (None, REASON_PATIENCE)])
def test_a_failure_is_told_with_its_reason(count: int, delay: float | None, waits: float) -> None:
    """Vertex sets the error up to a minute after the end: the end is told then, and without it after 90 s."""
    at = 200.0
    life = running(at, "FAILED", reason_at=None if delay is None else at + delay)
    world = World({str(number): life for number in range(count)}, interval=30.0)
    world.watch()
    world.run()
    for custom_job_id in world.lives:
        end = world.told[custom_job_id][-1]
        assert isinstance(end, JobSnapshot)
        assert bool(end.error_message) == (delay is not None)
        assert at + waits <= world.told_at[custom_job_id][-1] <= at + waits + 40.0


def test_looking_for_a_reason_does_not_hurry_the_others() -> None:
    """While the reason of one failure is looked for, the other jobs are asked for no more often."""
    world = World({"1": running(200.0, "FAILED"), "2": running()}, interval=60.0)
    world.watch()
    world.run(400.0)
    gets = [name for ask in world.asked if isinstance(ask, Get) for name in ask.job_names]
    assert sum(name.endswith("/2") for name in gets) <= 400.0 / 60.0 + 1


@pytest.mark.parametrize("watched", [1, MANY, 60])
def test_all_active_jobs_are_listed_once_a_minute(watched: int) -> None:
    """A complete list of the deployment's active jobs comes once a minute, with who is watched here."""
    jobs = {str(number): running() for number in range(100)}
    world = World({**jobs, "other": running(labelled=False), "ended": running(50.0)}, surveys=True)
    world.watch(*map(str, range(watched)))
    world.run(600.0)
    assert 9 <= len(world.surveyed) <= 11
    for survey in world.surveyed:
        assert {job.custom_job_id for job in survey.jobs} == set(jobs)
        assert survey.watched == set(map(str, range(watched)))
        assert {job.custom_job_id for job in survey.unwatched} == set(map(str, range(watched, 100)))


def test_a_complete_list_costs_nothing_where_it_is_read_anyway() -> None:
    """With many jobs the list of the tick is the complete list: not one request more."""
    requests = []
    for surveys in (False, True):
        world = World({str(number): running() for number in range(60)}, surveys=surveys)
        world.watch()
        world.run(600.0)
        requests.append(sum(isinstance(ask, ReadPage) for ask in world.asked))
    assert requests[0] == requests[1]


def test_a_complete_list_that_fails_is_nobodys_trouble() -> None:
    """Few jobs are got, and whether lists work is nothing to who waits for them."""
    world = World({"1": running()}, surveys=True)
    world.watch()
    world.run(600.0, refuse(ReadPage))
    assert not world.surveyed
    assert [type(update) for update in world.told["1"]] == [JobSnapshot]
    assert len([ask for ask in world.asked if isinstance(ask, ReadPage)]) <= 11
    world.run(61.0)
    assert world.surveyed


def test_a_complete_list_holds_up_no_look() -> None:
    """A page of the complete list may take until the next look, and no longer."""
    world = World({"1": running()}, surveys=True)
    world.watch()
    world.run(600.0)
    assert {
        ask.within is not None and ask.within <= 10.0 for ask in world.asked if isinstance(ask, ReadPage)
    } == {True}


def test_a_deleted_job_that_a_list_goes_on_showing_is_looked_at_again_at_once() -> None:
    """Once a get did not find a job, the next tick asks for it by itself, whatever lists show."""
    lives = {str(number): running() for number in range(MANY)}
    lives["3"] = running(deleted_at=200.0)
    world = World(lives)
    world.watch()
    world.run(60.0)
    world.frozen_at = world.now
    world.run(600.0)
    first, second = [
        at for at, seen in world.answers if is_not_found(seen) and is_get_of(seen, f"{PARENT}/customJobs/3")
    ]
    assert second - first < 2 * world.interval
    assert isinstance(world.told["3"][-1], JobLostError)


class Circle(World):
    """A server whose pages lead back to the second one for ever."""

    def _page(self, ask: ReadPage, outcome: Outcome) -> Page:
        page = super()._page(ask, outcome)
        return Page(page.jobs, page.next_page_token or str(self.page_size))


@pytest.mark.parametrize("count", [3, 60])
def test_pages_that_lead_in_a_circle_end(count: int) -> None:
    """A complete list ends where the server repeats itself, and jobs' ends are told all the same."""
    jobs = {str(number): running(400.0) for number in range(count)}
    others = {f"other-{number}": running() for number in range(50)}
    world = Circle({**jobs, **others}, surveys=True, page_size=20)
    world.watch(*jobs)
    world.run(290.0)
    assert len(world.surveyed) >= 4
    assert {job.custom_job_id for job in world.surveyed[-1].unwatched} == set(others)
    world.run(400.0)
    assert not world.rules.jobs.ids
