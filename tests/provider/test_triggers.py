"""The trigger, on an event loop of its own, against the emulator."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync

from airflow_vertex_training import compat, triggers
from airflow_vertex_training.triggers import VertexJobTrigger
from tests.provider.task_runs import GONE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from airflow_vertex_training.emulator.control.process import EmulatorProcess

REGION = "us-central1"
# What Airflow's triggerer cancels a trigger with when its task was killed; it looks at nothing else.
KILLED = "__airflow_user_action__"


@dataclass
class TaskInstance:
    """What a triggerer tells its triggers of their task instance."""

    dag_id: str = "digits"
    run_id: str = "manual__1"
    task_id: str = "train"
    map_index: int = -1
    try_number: int = 1


def trigger_for(name: str, *, map_index: int = -1, **changes: Any) -> VertexJobTrigger:
    """Return a trigger as a triggerer has it."""
    trigger = VertexJobTrigger(job_name=name, **{"poll_interval": 0.05, **changes})
    trigger.task_instance = TaskInstance(map_index=map_index)  # type: ignore[assignment]  # as far as it counts
    return trigger


@pytest.fixture
def run_job(on_emulator: EmulatorProcess, project: str) -> Callable[..., str]:
    """Make jobs that run for a while, and return their names."""

    def make(**settings: Any) -> str:
        arguments = {"labels": {"airflow_deployment": "airflow"}, "run_seconds": 600.0, **settings}
        (name,) = on_emulator.control.create_simulated(project, REGION, 1, **arguments)
        return name

    return make


async def first_event(trigger: VertexJobTrigger) -> dict[str, Any]:
    """Run a trigger to its only event and return what that carries."""
    events = [event async for event in trigger.run()]
    assert len(events) == 1
    payload: dict[str, Any] = events[0].payload
    return payload


async def watched(emulator: EmulatorProcess, project: str) -> None:
    """Return as soon as somebody has got the job of a project."""
    fault = await asyncio.to_thread(
        emulator.control.add_fault, project, "delay", method="GetCustomJob", seconds=0.0
    )
    await asyncio.to_thread(emulator.control.wait_fault, fault)


async def gone(trigger: VertexJobTrigger) -> None:
    """Wait until what a trigger started to end its job with is done."""
    name = f"end {trigger.job_name}"
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == name))


# The wire format


def test_serialization_loses_nothing():
    """A trigger read back from Airflow's database by its class path is the same, in every argument."""
    arguments: dict[str, Any] = {
        "job_name": "projects/p/locations/us-central1/customJobs/1",
        "gcp_conn_id": "mine",
        "impersonation_chain": ["a@p.iam.gserviceaccount.com", "b@p.iam.gserviceaccount.com"],
        "poll_interval": 7.5,
        "cancel_on_kill": False,
        "deployment_id": "production",
    }
    path, stored = VertexJobTrigger(**arguments).serialize()

    module, _, name = path.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(stored)))
    assert {key: getattr(again, key) for key in arguments} == arguments
    assert again.serialize() == (path, stored)
    assert [*stored, "newer"] == list(inspect.signature(VertexJobTrigger).parameters)
    defaults = {key: each.default for key, each in inspect.signature(VertexJobTrigger).parameters.items()}
    assert [key for key, value in arguments.items() if value == defaults[key]] == []


async def test_what_other_versions_have_stored_is_waited_for(run_job, log_lines):
    """A worker may be older than the triggerer, and store less, or newer, and store what is not known yet."""
    name = run_job(run_seconds=0.2)
    assert (await first_event(VertexJobTrigger(job_name=name)))["status"] == "success"

    newer: dict[str, Any] = {"poll_interval": 0.05, "region_fallback": ["europe-west4"], "colour": "green"}
    assert (await first_event(VertexJobTrigger(job_name=name, **newer)))["status"] == "success"
    assert "WARNING This version does not know, and ignores: colour, region_fallback" in log_lines


async def test_a_deployment_that_is_no_label_is_told(run_job):
    """A trigger that is given one says so, and does not crash."""
    event = await first_event(trigger_for(run_job(), deployment_id="Our Airflow"))
    assert event["message"] == "deployment_id: 'Our Airflow' is no legal label"


@pytest.mark.parametrize("wrong", [0, -1.0, float("nan"), float("inf"), "soon", [], None])
async def test_a_wrong_interval_harms_nobody_else(on_emulator, project, run_job, wrong):
    """Jobs are watched together: an interval that no clock can keep ends the wait of its own job only."""
    other = asyncio.create_task(first_event(trigger_for(run_job(run_seconds=1.0))))
    await watched(on_emulator, project)

    event = await first_event(trigger_for(run_job(run_seconds=0.1), poll_interval=wrong))

    assert (event["status"] == "success") is (wrong is None)
    assert wrong is None or event["message"].startswith("poll_interval: must be ")
    assert (await other)["status"] == "success"


async def test_a_wrong_option_for_orphans_ends_no_wait(run_job, monkeypatch, log_lines):
    """A triggerer whose look for orphans is set up wrongly says so, and waits for its jobs."""
    monkeypatch.setenv("AIRFLOW__VERTEX_TRAINING__ORPHANS", "kill")

    event = await first_event(trigger_for(run_job(run_seconds=0.1)))

    assert event["status"] == "success"
    assert any(line.startswith("ERROR Nobody looks for orphans here. [vertex_tr") for line in log_lines)


# Waiting


@pytest.mark.parametrize(
    ("exit_status", "status", "state"),
    [(0, "success", "JOB_STATE_SUCCEEDED"), (1, "error", "JOB_STATE_FAILED")],
    ids=["success", "failure"],
)
async def test_event(run_job, exit_status, status, state):
    """The one event tells how the job ended, in few words and without the job's spec."""
    name = run_job(run_seconds=0.2, exit_status=exit_status)

    event = await first_event(trigger_for(name))

    assert (event["status"], event["job"]["name"], event["job"]["state"]) == (status, name, state)
    assert event.keys() == {"version", "status", "kind", "message", "details", "job"}
    assert not {"labels", "job_spec", "env"} & event["job"].keys()
    assert len(json.dumps(event)) < 2000


async def test_each_state_is_logged_once(on_emulator, project, run_job, log_lines):
    """However often the job is looked at, a state is one line of the log."""
    await first_event(trigger_for(run_job(run_seconds=1.0)))

    assert (await asyncio.to_thread(on_emulator.control.requests, project))["GetCustomJob"]["OK"] > 5
    assert len([line for line in log_lines if line.startswith("INFO Running")]) == 1


async def test_transient_errors_end_nothing(on_emulator, project, run_job, log_lines):
    """UNAVAILABLE changes nothing of the event; the log says it, and when it is over, once each."""
    on_emulator.control.add_fault(project, "error", method="GetCustomJob", code="UNAVAILABLE")

    # The watcher waits up to two seconds before it asks again.
    event = await first_event(trigger_for(run_job(run_seconds=3.0)))

    assert event["status"] == "success"
    trouble = [line for line in log_lines if "Watching the job does not work now" in line]
    assert len(trouble) == 1
    assert "UNAVAILABLE" in trouble[0]
    assert len([line for line in log_lines if "Watching the job works again" in line]) == 1


async def test_deleted_job_is_an_error(on_emulator, project, run_job):
    """A job that somebody deleted ends the wait, with a word on what to do."""
    name = run_job(run_seconds=600.0)
    task = asyncio.create_task(first_event(trigger_for(name)))
    await watched(on_emulator, project)
    on_emulator.control.add_fault(project, "error", method="GetCustomJob", code="NOT_FOUND", times=None)

    event = await task

    assert event["status"] == "error"
    assert event["message"].startswith("The job is not there any more: somebody deleted it")
    assert event["message"].endswith(f"\nJob: {name}")


async def test_triggers_share_one_connection(on_emulator, project, run_job):
    """Triggers of one loop, connection, project and region use one channel."""
    control = on_emulator.control
    # A delay of nothing tells that all have been asked for, some twice: no job ends before all are watched.
    asked = control.add_fault(project, "delay", method="GetCustomJob", seconds=0.0, times=None)
    names = [run_job() for _ in range(3)]
    waiting = [asyncio.create_task(first_event(trigger_for(name))) for name in names]
    await asyncio.to_thread(control.wait_fault, asked, 2 * len(names))
    await asyncio.to_thread(control.cancel_jobs, project)

    events = await asyncio.gather(*waiting)

    assert [event["kind"] for event in events] == ["JobCancelledError"] * 3
    assert control.connections(project) == 1


# Ending


@pytest.mark.parametrize("state", ["failed", "success", "restarting", "removed", GONE])
@pytest.mark.parametrize("map_index", [-1, 3])
async def test_on_kill_cancels(on_emulator, project, run_job, supervisor, log_lines, state, map_index):
    """The job of a task that somebody ended or cleared ends, and the log says why."""
    name = run_job()
    supervisor.state = state

    await trigger_for(name, map_index=map_index).on_kill()

    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"
    why = "the task was cleared" if state == "restarting" else f"the task was ended ({state})"
    assert f"INFO Cancelled: {why}. {name}" in log_lines


@pytest.mark.parametrize("state", ["deferred", "running", "up_for_retry"])
@pytest.mark.parametrize("named", ["this job", "another job", "no job"])
async def test_on_kill_of_a_task_that_lives(on_emulator, project, run_job, supervisor, state, named):
    """The job of a task that lives is kept, unless a later try has one of its own."""
    name = run_job()
    supervisor.state = state
    supervisor.xcoms = {"this job": {"job_name": name}, "another job": {"job_name": f"{name}0"}}.get(
        named, {}
    )

    await trigger_for(name).on_kill()

    cancelled = "CancelCustomJob" in on_emulator.control.requests(project)
    assert cancelled is (named == "another job")


@pytest.mark.parametrize(("then", "cancelled"), [("running", False), ("failed", True), (None, True)])
async def test_on_kill_asks_until_the_next_try_has_started(
    on_emulator, project, run_job, supervisor, monkeypatch, then, cancelled
):
    """A task about to start was cleared or retried: its next try shows which, or no one comes for the job."""
    monkeypatch.setattr(triggers, "_PATIENCE", 60.0 if then else 0.5)
    monkeypatch.setattr(triggers, "_ASK_AGAIN", 0.05)
    name = run_job()
    states = iter(["scheduled", "queued", ConnectionError("no server"), None])
    send = supervisor.send

    def answer(msg: Any) -> Any:
        if type(msg).__name__ == "GetTaskStates":
            supervisor.state = next(states, then)
        return send(msg)

    monkeypatch.setattr(supervisor, "send", answer)

    await trigger_for(name).on_kill()

    assert ("CancelCustomJob" in on_emulator.control.requests(project)) is cancelled


@pytest.mark.parametrize("message", ["GetTaskStates", "GetXCom", "GetConnection"])
async def test_on_kill_asks_again_what_airflow_did_not_answer(
    on_emulator, project, run_job, supervisor, monkeypatch, message
):
    """After a clear the next try has deferred to a job of its own; each question may fail for a moment."""
    monkeypatch.setattr(triggers, "_ASK_AGAIN", 0.05)
    name, failures = run_job(), iter([ConnectionError("no server")] * 3)
    supervisor.state, supervisor.xcoms = "deferred", {"job_name": f"{name}0"}
    send = supervisor.send

    def answer(msg: Any) -> Any:
        if type(msg).__name__ == message and (error := next(failures, None)):
            raise error
        return send(msg)

    monkeypatch.setattr(supervisor, "send", answer)

    await trigger_for(name).on_kill()

    assert next(failures, None) is None
    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


async def test_on_kill_leaves_the_job_where_it_should(on_emulator, project, run_job, supervisor, log_lines):
    """With cancel_on_kill=False the job runs on, and the log says so."""
    name = run_job()
    supervisor.state = "failed"

    await trigger_for(name, cancel_on_kill=False).on_kill()

    assert "CancelCustomJob" not in on_emulator.control.requests(project)
    why = "cancel_on_kill is off, though the task was ended (failed)"
    assert f"WARNING The job may run on: {why}. {name}" in log_lines


async def test_on_kill_is_silent_about_a_job_that_ended(run_job, on_emulator, supervisor, log_lines):
    """A job that has ended already is no error."""
    name = run_job(run_seconds=0.0)
    await asyncio.to_thread(on_emulator.control.wait_job, name)
    supervisor.state = "failed"

    await trigger_for(name).on_kill()

    assert f"INFO The job had ended already, or is gone: the task was ended (failed). {name}" in log_lines
    assert [line for line in log_lines if line.startswith(("ERROR", "EXCEPTION"))] == []


async def test_on_kill_survives_repeated_cancels(on_emulator, project, run_job, supervisor):
    """The triggerer's impatience does not stop a cancel call that is under way."""
    name = run_job()
    supervisor.state = "failed"
    hold = on_emulator.control.add_fault(project, "hold", method="CancelCustomJob")
    trigger = trigger_for(name)
    killing = asyncio.create_task(trigger.on_kill())
    await asyncio.to_thread(on_emulator.control.wait_fault, hold)

    for _ in range(3):
        killing.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await killing
    on_emulator.control.release_fault(hold)
    await gone(trigger)

    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


async def test_unknown_state_leaves_the_job(
    on_emulator, project, run_job, supervisor, monkeypatch, log_lines
):
    """Where Airflow can't be asked, the task may well be deferred: the job runs on, and the log says so."""

    def no_answer(_: Any) -> None:
        raise ConnectionError("the supervisor is gone")

    name = run_job()
    monkeypatch.setattr(triggers, "_PATIENCE", 0.1)
    monkeypatch.setattr(triggers, "_ASK_AGAIN", 0.05)
    monkeypatch.setattr(supervisor, "send", no_answer)

    await trigger_for(name).on_kill()

    assert "CancelCustomJob" not in on_emulator.control.requests(project)
    why = "Airflow could not be asked what became of the task"
    assert f"WARNING The job may run on: {why}. {name}" in log_lines


async def test_cancel_is_retried(on_emulator, project, run_job, supervisor):
    """A cancel call that met a transient error is made again."""
    name = run_job()
    supervisor.state = "failed"
    on_emulator.control.add_fault(project, "error", method="CancelCustomJob", code="UNAVAILABLE")

    await trigger_for(name).on_kill()

    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


async def cancelled(trigger: VertexJobTrigger, when: Callable[[], Awaitable[None]]) -> tuple[Any, ...]:
    """Run a trigger, cancel it as a triggerer does, and return what its CancelledError carries."""
    caught: list[asyncio.CancelledError] = []

    async def run() -> None:
        try:
            await first_event(trigger)
        except asyncio.CancelledError as error:
            caught.append(error)

    running = asyncio.create_task(run())
    await when()
    running.cancel(KILLED)
    # Some turns of the loop, and no call that could take time.
    for _ in range(10):
        await asyncio.sleep(0)
    assert running.done()
    return caught[0].args


@pytest.mark.parametrize("phase", ["loading", "watching"])
async def test_cancelled_run_ends_at_once_and_keeps_the_message(on_emulator, project, run_job, phase):
    """Airflow calls on_kill only where its own message comes out of run(), so nothing may swallow it."""

    async def when() -> None:
        await (asyncio.sleep(0) if phase == "loading" else watched(on_emulator, project))

    assert await cancelled(trigger_for(run_job()), when) == (KILLED,)
    assert "CancelCustomJob" not in on_emulator.control.requests(project)


async def test_a_cancel_leaves_a_question_to_airflow_alone(run_job, supervisor, monkeypatch):
    """A trigger cancelled while it looks its connection up lets Airflow answer: 3.1 would die otherwise."""
    asked, let_go, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()
    send = supervisor.send

    async def answer(msg: Any) -> Any:
        asked.set()
        await let_go.wait()
        answered.set()
        return send(msg)

    def ask(msg: Any) -> Any:
        # Only once: the thread that asks would wait for ever for the loop of a test that is over.
        is_first = type(msg).__name__ == "GetConnection" and not asked.is_set()
        return async_to_sync(answer)(msg) if is_first else send(msg)

    monkeypatch.setattr(supervisor, "send", ask)
    supervisor.state = "deferred"  # so that nothing else asks for the connection
    trigger = trigger_for(run_job())
    running = asyncio.create_task(first_event(trigger))
    await asked.wait()
    running.cancel(KILLED)
    with pytest.raises(asyncio.CancelledError):
        await running
    let_go.set()

    await answered.wait()
    await gone(trigger)


@pytest.fixture
async def triggerer(monkeypatch) -> AsyncIterator[asyncio.Task[None]]:
    """The main task of a triggerer without on_kill, which runs on this event loop but does nothing."""
    from airflow.jobs.triggerer_job_runner import TriggerRunner

    async def for_ever() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(compat, "TRIGGERER_CALLS_ON_KILL", False)
    runner = TriggerRunner()
    monkeypatch.setattr(runner, "init_comms", for_ever)
    main = asyncio.create_task(runner.arun())
    yield main
    main.cancel()


@pytest.mark.parametrize(("state", "end"), [("failed", "JOB_STATE_CANCELLED"), ("deferred", None)])
async def test_without_on_kill_a_cancelled_run_ends_the_job(
    on_emulator, project, run_job, supervisor, triggerer, state, end
):
    """Before Airflow 3.3 a cancelled run is all that tells of a kill: it asks the same question."""
    name = run_job()
    supervisor.state = state
    trigger = trigger_for(name)

    await cancelled(trigger, lambda: watched(on_emulator, project))
    await gone(trigger)

    if end:
        assert on_emulator.control.wait_job(name)["state"] == end
    assert ("CancelCustomJob" in on_emulator.control.requests(project)) is bool(end)


async def test_without_on_kill_the_end_of_the_triggerer_asks_nothing(
    on_emulator, project, run_job, supervisor, triggerer
):
    """A triggerer that stops cancels its triggers last: that kills no task, and no trigger asks about it."""
    supervisor.state = "failed"
    trigger = trigger_for(run_job())

    async def when() -> None:
        await watched(on_emulator, project)
        triggerer.cancel()
        await asyncio.wait({triggerer})

    await cancelled(trigger, when)
    await gone(trigger)

    assert "CancelCustomJob" not in on_emulator.control.requests(project)


async def test_what_is_no_full_name_of_a_job_ends_the_wait(supervisor, triggerer):
    """A trigger that a user has built wrongly says what is wrong, in a triggerer, too."""
    event = await first_event(trigger_for("4711"))

    assert event["status"] == "error"
    assert event["kind"] == "InvalidJobError"
    assert event["message"] == (
        "job_name: '4711' is no full resource name; write projects/PROJECT/locations/REGION/customJobs/ID"
    )
