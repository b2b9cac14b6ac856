"""Jobs that nobody waits for, looked up in Airflow and ended. `tests/chaos` has whole processes."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_vertex_training.hooks import VertexTrainingHook
from airflow_vertex_training.operators import VertexOrphanSweepOperator
from airflow_vertex_training.orphans import Orphans
from airflow_vertex_training.ownership import Fate
from airflow_vertex_training.vertex.exceptions import InvalidJobError
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


def test_a_job_of_another_deployment_is_nobodys_business_here(on_emulator, project, supervisor, log_lines):
    """A trigger may watch another installation's jobs: their tasks are not this one's, whatever their ids."""
    submitted(on_emulator, make(program=FOREVER))
    supervisor.state = "failed"

    fates = orphans(deployment_id="production").sweep(active())

    assert set().union(*map(set, fates.values())) == set()
    assert "CancelCustomJob" not in on_emulator.control.requests(project)


@pytest.mark.parametrize(
    "ids",
    [
        {"task_id": f"group.{'t' * 150}"},
        {"run_id": "scheduled__2026-03-01T12:30:00+00:00"},
        {"run_id": "my run / no. 1 \u2013 \u00fcber"},
        {"task_id": "train_4"},
    ],
    ids=["a long task id", "a scheduled run", "an odd run id", "like a mapped instance"],
)
def test_ids_that_no_label_can_hold(on_emulator, project, supervisor, ids):
    """A job's task is known by its ids in full, however they look in labels."""
    operator = make(program=FOREVER, **{key: value for key, value in ids.items() if key == "task_id"})
    changes = {key: value for key, value in ids.items() if key == "run_id"}
    assert run_task(operator, **changes).state == "deferred"
    (job,) = active()
    supervisor.state = "failed"

    assert orphans().sweep([job])[Fate.CANCEL] == [job.name]


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


@pytest.fixture
def two_orphans(on_emulator, supervisor) -> tuple[str, str]:
    """The names of two orphans of one task's runs, the older one first, which is looked at first."""
    for run_id in ("manual__1", "manual__2"):
        assert run_task(make(program=FOREVER), run_id=run_id).state == "deferred"
    first, second = active()
    supervisor.state = "failed"
    return first.name, second.name


@pytest.mark.parametrize(
    ("method", "code", "told"),
    [
        ("GetCustomJob", "PERMISSION_DENIED", "Whose job this is could not be read"),
        ("GetCustomJob", "UNAVAILABLE", "Whose job this is could not be read"),
        ("GetCustomJob", "RESOURCE_EXHAUSTED", "Whose job this is could not be read"),
        ("CancelCustomJob", "PERMISSION_DENIED", "the task was ended (failed), but it can't be cancelled"),
    ],
)
def test_a_job_that_resists_keeps_no_other_from_its_end(
    on_emulator, project, two_orphans, log_lines, method, code, told
):
    """What can't be read or cancelled is left and said; the orphans behind it are ended all the same."""
    first, second = two_orphans
    looking = orphans()
    jobs = ActiveJobs(tuple(active()), frozenset())
    on_emulator.control.add_fault(project, "error", method=method, code=code, message="no")

    asyncio.run(looking.look(jobs))
    assert on_emulator.control.wait_job(second)["state"] == "JOB_STATE_CANCELLED"
    assert any(told in line and first in line for line in log_lines)

    asyncio.run(looking.look(jobs))
    assert on_emulator.control.wait_job(first)["state"] == "JOB_STATE_CANCELLED"


def test_an_outage_is_not_met_job_by_job(on_emulator, project, supervisor, log_lines):
    """Where nothing can be read a look ends soon, and no job is accused of anything."""
    names = [submitted_as(f"manual__{number}") for number in range(6)]
    supervisor.state = "failed"
    on_emulator.control.add_fault(project, "error", method="GetCustomJob", code="UNAVAILABLE", times=None)
    looking, jobs = orphans(), ActiveJobs(tuple(active()), frozenset())

    asyncio.run(looking.look(jobs))
    assert sum(on_emulator.control.requests(project)["GetCustomJob"].values()) == 3
    assert not any("left alone" in line for line in log_lines)

    on_emulator.control.clear_faults(project)
    asyncio.run(looking.look(jobs))
    for name in names:
        assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


def submitted_as(run_id: str) -> str:
    """Run a task of a DAG run until it deferred, and return its job's name."""
    before = {job.name for job in active()}
    assert run_task(make(program=FOREVER), run_id=run_id).state == "deferred"
    (new,) = {job.name for job in active()} - before
    return str(new)


@pytest.mark.parametrize("in_triggerer", [True, False])
def test_more_jobs_than_are_identified_at_once(
    on_emulator, project, supervisor, log_lines, monkeypatch, in_triggerer
):
    """A job that waits for its turn is not told of as nobody's; a task sees to all, a triggerer in turns."""
    monkeypatch.setattr("airflow_vertex_training.orphans._IDENTIFIED_AT_ONCE", 2)
    names = [submitted_as(f"manual__{number}") for number in range(5)]
    supervisor.state = "failed"
    looking, jobs = orphans(), active()

    if in_triggerer:
        for seen_to in (2, 4, 5):
            asyncio.run(looking.look(ActiveJobs(tuple(jobs), frozenset())))
            assert on_emulator.control.requests(project)["CancelCustomJob"] == {"OK": seen_to}
            jobs = [job for job in active() if job.can_be_waited_for]
    else:
        assert sorted(looking.sweep(jobs)[Fate.CANCEL]) == sorted(names)
    assert not any("left alone" in line for line in log_lines)


def test_each_reason_for_leaving_a_job_is_told_once(on_emulator, supervisor, log_lines):
    """A job that was left because Airflow did not answer is still reported once its task is over."""
    name = submitted(on_emulator, make(program=FOREVER))
    looking = orphans("report")
    for state in (ConnectionError("no server"), ConnectionError("no server"), "failed", "failed"):
        supervisor.state = state
        looking.sweep(active())

    told = [line for line in log_lines if "left alone" in line and name in line]
    assert len(told) == 2
    assert "what became of its task is not known (no answer)" in told[0]
    assert "the task was ended (failed)" in told[1]


def test_a_job_that_has_ended_meanwhile_is_no_orphan(on_emulator, project, supervisor, log_lines):
    """Nobody boasts of having cancelled what was over; a list that shows a job twice makes one cancel."""
    first, second = submitted_as("manual__1"), submitted_as("manual__2")
    supervisor.state = "failed"
    jobs = active()
    with VertexTrainingHook().jobs(REGION) as calls:
        calls.cancel(first)
    on_emulator.control.wait_job(first)

    assert orphans().sweep([*jobs, *jobs]) == {Fate.CANCEL: [second], Fate.KEEP: [], Fate.LEAVE: []}
    assert len([line for line in log_lines if "Cancelled an orphan" in line]) == 1


def test_a_clock_that_is_put_back_hides_no_orphan(on_emulator, supervisor):
    """What the XCom named is asked again after the grace time, and at once where the clock jumped back."""
    name = submitted(on_emulator, make(program=FOREVER))
    now = datetime.now(tz=timezone.utc) + timedelta(hours=2)
    looking = Orphans(VertexTrainingHook, REGION, policy="cancel", now=lambda: now)
    supervisor.state, supervisor.xcoms["job_name"] = "deferred", name
    assert looking.sweep(active())[Fate.KEEP] == [name]

    supervisor.xcoms["job_name"] = f"{name}0"
    now -= timedelta(hours=1)
    assert looking.sweep(active())[Fate.CANCEL] == [name]


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
        return VertexOrphanSweepOperator(task_id="sweep", **{"region": REGION, **changes})


def test_the_operator_sweeps_once(on_emulator, supervisor, monkeypatch):
    """A scheduled task does what triggerers do, where no triggerer watches any job, and says what it did."""
    name = submitted(on_emulator, make(program=FOREVER))
    supervisor.state = "failed"
    monkeypatch.setattr("airflow_vertex_training.settings.orphan_grace_period", lambda: 0)

    result = run_task(sweeper(orphans="cancel")).result

    assert result == {"cancelled": [name], "kept": [], "left": []}
    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


@pytest.mark.parametrize("wrong", ["kill", "ignore", "Cancel"])
def test_the_operator_refuses_an_unknown_policy(on_emulator, supervisor, wrong):
    """A word that is none of the two is told when the DAG is parsed, a template's before any look."""
    message = f"orphans: {wrong!r} is wrong; write 'cancel' or 'report'"
    with pytest.raises(InvalidJobError, match=f"^{message}$"):
        sweeper(orphans=wrong)
    outcome = run_task(sweeper(orphans=f"{{{{ {wrong!r} }}}}"))
    assert str(outcome.error) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"region": "us_central1"}, "region: .*us_central1"),
        ({"region": None}, "region is not set"),
        ({"gcp_conn_id": "missing"}, "missing"),
        ({"impersonation_chain": 5}, "impersonation_chain: "),
    ],
)
def test_the_operator_names_a_wrong_argument(on_emulator, project, supervisor, changes, message):
    """What is wrong with a sweep is said by the argument's name, and nothing is asked of Vertex AI."""
    outcome = run_task(sweeper(**changes))
    assert re.search(message, str(outcome.error))
    assert on_emulator.control.requests(project) == {}
