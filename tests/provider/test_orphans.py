"""Jobs that nobody waits for, looked up in Airflow and ended. `tests/chaos` has whole processes."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_vertex_training.hooks import VertexTrainingHook
from airflow_vertex_training.operators import VertexOrphanSweepOperator
from airflow_vertex_training.orphans import Orphans
from airflow_vertex_training.ownership import Fate
from airflow_vertex_training.vertex.watch.messages import ActiveJobs
from tests.provider.task_runs import GONE, run_task
from tests.provider.training_tasks import FOREVER, REGION, make, submitted


def orphans(policy: str = "cancel", **changes: Any) -> Orphans:
    """Return what looks for orphans, as if the grace time were over."""
    return Orphans(VertexTrainingHook, REGION, policy=policy, grace=timedelta(0), **changes)


def active() -> list[Any]:
    """Return the project's jobs, as a list shows them."""
    with VertexTrainingHook().jobs(REGION) as jobs:
        return jobs.list("")


@pytest.mark.parametrize("state", ["success", "failed", "skipped", "removed", "upstream_failed"])
def test_the_job_of_a_task_that_is_over_is_cancelled(on_emulator, supervisor, log_lines, state):
    """Nobody waits for it, and the log says how to have it reported only."""
    name = submitted(on_emulator, make(program=FOREVER))
    supervisor.state = state

    fates = orphans().sweep(active())

    assert fates[Fate.CANCEL] == [name]
    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"
    (line,) = [line for line in log_lines if "orphan" in line]
    assert line.startswith(f"WARNING Cancelled an orphan: the task was ended ({state}). {name}")
    assert "orphans = report" in line


@pytest.mark.parametrize("state", ["deferred", "running", "up_for_retry", "queued"])
@pytest.mark.parametrize(("named", "fate"), [("this", Fate.KEEP), ("other", Fate.CANCEL), (None, Fate.KEEP)])
def test_the_job_of_a_living_task(on_emulator, supervisor, state, named, fate):
    """It is cancelled only where the task has another job by now."""
    name = submitted(on_emulator, make(program=FOREVER))
    supervisor.state = state
    supervisor.xcoms["job_name"] = {"this": name, "other": f"{name}0"}.get(named)

    assert orphans().sweep(active())[fate] == [name]


@pytest.mark.parametrize(
    "what", ["no such task", "no answer", "cancel_on_kill off", "environment overridden"]
)
def test_what_is_never_cancelled(on_emulator, project, supervisor, log_lines, what):
    """Where it is not known whose a job is, or its user lets it run on, it is reported, once."""
    env = {"AIRFLOW_CTX_DAG_ID": "another"} if what == "environment overridden" else None
    name = submitted(on_emulator, make(program=FOREVER, cancel_on_kill=what != "cancel_on_kill off", env=env))
    supervisor.state = {"no such task": GONE, "no answer": ConnectionError("no server")}.get(what, "failed")

    looking = orphans()
    for _ in range(2):
        assert looking.sweep(active())[Fate.LEAVE] == [name]

    assert "CancelCustomJob" not in on_emulator.control.requests(project)
    assert len([line for line in log_lines if "left alone" in line and name in line]) == 1


def test_a_report_cancels_nothing(on_emulator, project, supervisor, log_lines):
    """With orphans = report the log names the job, says why, and how to have such jobs cancelled."""
    name = submitted(on_emulator, make(program=FOREVER))
    supervisor.state = "failed"

    orphans("report").sweep(active())

    assert "CancelCustomJob" not in on_emulator.control.requests(project)
    (line,) = [line for line in log_lines if name in line and "left alone" in line]
    assert "the task was ended (failed)" in line
    assert "orphans = cancel" in line


def test_a_young_job_is_left_alone(on_emulator, project, supervisor):
    """A job that a worker has just made is watched by nobody yet: it gets its grace time."""
    name = submitted(on_emulator, make(program=FOREVER))
    supervisor.state = "failed"
    later = datetime.now(tz=timezone.utc) + timedelta(minutes=6)
    grace = timedelta(minutes=5)

    young = Orphans(VertexTrainingHook, REGION, policy="cancel", grace=grace).sweep(active())
    old = Orphans(VertexTrainingHook, REGION, policy="cancel", grace=grace, now=lambda: later).sweep(active())

    assert set().union(*map(set, young.values())) == set()
    assert old[Fate.CANCEL] == [name]


def test_mapped_instances_are_told_apart(on_emulator, project, supervisor):
    """Each instance of a mapped task is asked about by its own index."""
    operator = make(program=FOREVER)
    assert run_task(operator, map_index=4).state == "deferred"
    (job,) = active()
    send = supervisor.send

    def answer(msg: Any) -> Any:
        if type(msg).__name__ == "GetTaskStates":
            reply = send(msg)
            return reply.model_copy(
                update={"task_states": {msg.run_ids[0]: {"train_4": "failed", "train": "deferred"}}}
            )
        return send(msg)

    supervisor.send = answer

    assert orphans().sweep(active())[Fate.CANCEL] == [job.name]


def test_a_triggerer_looks_beside_its_watching(on_emulator, supervisor):
    """What a watcher lists is looked into, but for the jobs that it watches itself."""
    name = submitted(on_emulator, make(program=FOREVER))
    supervisor.state = "failed"
    jobs, looking = tuple(active()), orphans()

    asyncio.run(looking.look(ActiveJobs(jobs, frozenset({jobs[0].custom_job_id}))))
    assert on_emulator.control.wait_job(name, ["JOB_STATE_RUNNING"])["state"] == "JOB_STATE_RUNNING"
    asyncio.run(looking.look(ActiveJobs(jobs, frozenset())))
    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


def sweeper(**changes: Any) -> VertexOrphanSweepOperator:
    """Return a task that sweeps."""
    with DAG("sweep", schedule=None):
        return VertexOrphanSweepOperator(task_id="sweep", region=REGION, **changes)


def test_the_operator_sweeps_once(on_emulator, supervisor, monkeypatch):
    """A scheduled task does what triggerers do, where no triggerer watches any job, and says what it did."""
    name = submitted(on_emulator, make(program=FOREVER))
    supervisor.state = "failed"
    monkeypatch.setattr("airflow_vertex_training.settings.orphan_grace_period", lambda: 0)

    result = run_task(sweeper(orphans="cancel")).result

    assert result == {"cancelled": [name], "kept": [], "left": []}
    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


def test_the_operator_refuses_an_unknown_policy(on_emulator, supervisor):
    """A word that is none of the three is told before anything is looked at."""
    outcome = run_task(sweeper(orphans="kill"))
    assert str(outcome.error) == "orphans: 'kill' is wrong; write 'cancel' or 'report'"
