"""What Airflow's metrics are told."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Stats

from airflow_vertex_training import metrics
from airflow_vertex_training.hooks import VertexTrainingHook
from airflow_vertex_training.orphans import Orphans
from tests.provider.task_runs import run_task
from tests.provider.test_triggers import first_event, trigger_for
from tests.provider.training_tasks import FOREVER, REGION, make, only_job, submitted

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


class Told:
    """A backend of Airflow's metrics that keeps what it is told."""

    def __init__(self) -> None:
        self.values: list[tuple[str, Any, dict[str, str]]] = []

    def incr(self, stat: str, count: int = 1, rate: float = 1, *, tags: Any = None) -> None:
        """Keep a count."""
        self.values.append((stat, count, dict(tags or {})))

    def gauge(
        self, stat: str, value: float, rate: float = 1, delta: bool = False, *, tags: Any = None
    ) -> None:
        """Keep a level."""
        self.values.append((stat, value, dict(tags or {})))

    def timing(self, stat: str, dt: Any, *, tags: Any = None) -> None:
        """Keep a time."""
        self.values.append((stat, dt, dict(tags or {})))

    def timer(self, *args: Any, **kwargs: Any) -> Any:
        """Measure nothing: only Airflow's own code asks for this, say where it loads its plugins."""
        return contextlib.nullcontext(SimpleNamespace(duration=0.0))

    def sums(self) -> Counter[str]:
        """Return the sum of each of our counters."""
        kinds = {metric.name: metric.kind for metric in metrics.ALL}
        sums: Counter[str] = Counter()
        for name, value, _ in self.values:
            if kinds.get(name) is metrics.Kind.COUNTER:
                sums[name.removeprefix("vertex_training.")] += value
        return sums

    def of(self, metric: metrics.Metric) -> list[tuple[Any, dict[str, str]]]:
        """Return what was told of one metric."""
        return [(value, tags) for name, value, tags in self.values if name == metric.name]


class Broken(Told):
    """A backend that can't be told anything."""

    def incr(self, stat: str, *args: Any, **kwargs: Any) -> None:
        """Fail, for our metrics: Airflow's own code does not expect it."""
        if stat.startswith("vertex_training."):
            msg = "nobody listens"
            raise ConnectionError(msg)

    gauge = timing = incr


@pytest.fixture
def told(request):
    """What Airflow's metrics hear in this test."""
    backend = getattr(request, "param", Told)()
    stats: Any = Stats
    if not hasattr(stats, "initialize"):
        pytest.skip("Airflow 3.1 makes its backend itself")
    stats.initialize(factory=lambda: backend, export_legacy_names=False)
    yield backend
    from airflow.sdk.observability.metrics import stats_utils

    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)


def test_a_task_from_submission_to_success(on_emulator, project, supervisor, told):
    """One job is submitted; its times, the requests for it and its lines are told, each with its tags."""
    run_task(make(deferrable=False, program="print('one'); print('two')"))

    sums = told.sums()
    assert sums["submitted"] == 1
    assert sums["log_lines"] >= 2
    assert sums["poll_requests"] == sum(
        sum(on_emulator.control.requests(project).get(method, {}).values())
        for method in ("GetCustomJob", "ListCustomJobs")
    )
    place = {"project": project, "region": REGION}
    task = {**place, "dag_id": "digits", "task_id": "train"}
    assert told.of(metrics.SUBMITTED) == [(1, task)]
    for metric in (metrics.QUEUE_TIME, metrics.RUN_TIME):
        ((time, tags),) = told.of(metric)
        assert time >= timedelta(0)
        assert tags == {**task, "state": "succeeded"}
    watched = told.of(metrics.WATCHED_JOBS)
    assert [count for count, _ in watched] == [1, 0]
    assert watched[0][1] == {**place, "connection": "vertex_training_default"}


async def test_requests_that_fail(on_emulator, project, supervisor, told):
    """Each is counted with the name of its status code."""
    name = submitted(on_emulator, make(program="import time; time.sleep(1)"))
    for _ in range(2):
        on_emulator.control.add_fault(project, "error", method="GetCustomJob", code="UNAVAILABLE")

    await first_event(trigger_for(name))

    assert [tags["code"] for _, tags in told.of(metrics.POLL_ERRORS)] == ["UNAVAILABLE"] * 2
    assert told.sums()["log_read_errors"] == 0


@pytest.mark.parametrize(
    ("reattach", "expected"), [(True, {"adopted": 1}), (False, {"submitted": 1, "cancelled": 1})]
)
def test_a_retry(on_emulator, supervisor, told, reattach, expected):
    """It adopts the job of the try before, or cancels it and submits one of its own."""
    operator = make(program=FOREVER, retries=1, reattach=reattach)
    submitted(on_emulator, operator)
    told.values.clear()

    run_task(operator, try_number=2)

    assert {name: count for name, count in told.sums().items() if "_" not in name} == expected


@pytest.mark.parametrize("told", [Broken], indirect=True)
def test_a_backend_that_fails_costs_no_job(on_emulator, project, supervisor, told, log_lines):
    """Whatever Airflow's metrics raise, the job runs on and the task succeeds; the log says it once."""
    outcome = run_task(make(deferrable=False))

    assert outcome.state == "success"
    assert only_job(on_emulator, project)["state"] == "JOB_STATE_SUCCEEDED"
    assert len([line for line in log_lines if line.startswith("WARNING Metrics are missing: ")]) == 1


def test_orphans(on_emulator, supervisor, told):
    """A job that nobody waits for is counted when it is cancelled, and when it is reported."""
    submitted(on_emulator, make(program=FOREVER))
    supervisor.state = "failed"
    with VertexTrainingHook().jobs(REGION) as jobs:
        active = jobs.list("")
    for policy in ("report", "cancel"):
        Orphans(VertexTrainingHook, REGION, policy=policy, grace=timedelta(0)).sweep(active)

    assert [tags["fate"] for _, tags in told.of(metrics.ORPHANS)] == ["leave", "cancel"]


def test_the_documentation_lists_them():
    """The page has a row for each metric, with its kind and its tags, and for no other."""
    rows = re.findall(r"^\| `(\S+)` \| (\S+) \| (.*?) \| (.*) \|$", PAGE.read_text(), flags=re.MULTILINE)
    assert rows == [
        (metric.name, metric.kind.value, ", ".join(f"`{tag}`" for tag in metric.tags), metric.what)
        for metric in metrics.ALL
    ]
