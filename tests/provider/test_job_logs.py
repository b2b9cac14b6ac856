"""What a task's log shows of its job's."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_vertex_training import compat, following, log_positions
from airflow_vertex_training.log_positions import of_job
from airflow_vertex_training.triggers import VertexJobTrigger
from tests.provider.task_runs import run_task
from tests.provider.test_triggers import first_event, trigger_for
from tests.provider.training_tasks import make, resume, submitted

if TYPE_CHECKING:
    from airflow_vertex_training.emulator.control.process import EmulatorProcess

BLOWS_UP = "print('epoch 1', flush=True); raise ValueError('MY TRAINING BLEW UP')"
EXCEPTION = "ValueError: MY TRAINING BLEW UP"
# Prints a line when a file is there.
STEPS = """
import pathlib, time
print('one', flush=True)
while not pathlib.Path({path!r}).exists(): time.sleep(0.05)
print('two', flush=True)
"""


def test_a_task_that_waits_shows_its_jobs_lines(on_emulator, project, supervisor, log_lines):
    """What the program prints is in the task's log, before the job's end is, each line once."""
    outcome = run_task(make(deferrable=False, program="print('one'); print('two')"))

    assert outcome.state == "success"
    assert [line for line in log_lines if line in {"INFO one", "INFO two"}] == ["INFO one", "INFO two"]
    (end,) = [number for number, line in enumerate(log_lines) if line.startswith("INFO Succeeded")]
    assert log_lines.index("INFO two") < end


ODD_POSITIONS: list[Any] = [
    *("text", 7, [], {}, {"version": 2}, {"since": "x"}, {"told": "x"}, {"told": 5}, {"lines": None}),
    *({"until": 10**40}, {"until": None}, {"replicas": 7}, {"perhaps": "soon"}),
]


POSITION: dict[str, Any] = {"version": 1, "since": 0, "until": 0, "told": "", "lines": 0, "job": "this"}


@pytest.mark.parametrize("odd", ODD_POSITIONS, ids=repr)
def test_a_position_of_another_version_is_no_position(odd):
    """What this version can't read on from is passed over."""
    assert of_job(POSITION, "this") == POSITION
    assert of_job({**POSITION, **odd} if isinstance(odd, dict) and odd else odd, "this") is None


@pytest.mark.parametrize("kept", ["in the trigger", "in the XCom"])
def test_without_a_position_that_can_be_read_the_log_is_shown(on_emulator, supervisor, log_lines, kept):
    """The log is shown from its beginning then, and the job waited for."""
    name = submitted(on_emulator, make(program="print('one')"))
    position = {**POSITION, "until": "soon", "job": name}
    if kept == "in the XCom":
        supervisor.xcoms["log_position"] = position

    event = asyncio.run(first_event(trigger_for(name, log_position=position if "trigger" in kept else None)))

    assert event["status"] == "success"
    assert "INFO one" in log_lines


@pytest.mark.parametrize("stream_logs", [True, False])
def test_a_programs_own_exception_is_in_the_log_and_in_the_error(
    on_emulator, project, supervisor, log_lines, stream_logs
):
    """Whether the log is shown or not, the last lines are at ERROR, and the error says what was raised."""
    outcome = run_task(make(deferrable=False, program=BLOWS_UP, stream_logs=stream_logs))

    assert outcome.state == "failed"
    assert str(outcome.error).startswith(f"workerpool0-0 exited with status 1: {EXCEPTION}\n")
    shown = [line for line in log_lines if line.endswith(EXCEPTION)]
    assert len(shown) == 1
    assert shown[0].startswith("ERROR")
    assert ("INFO epoch 1" in log_lines) is stream_logs
    if not stream_logs:
        title, *lines = shown[0].split("\n")
        assert title == "ERROR The last lines of workerpool0-0:"
        assert (lines[0], lines[-1]) == ("epoch 1", EXCEPTION)


async def test_trigger_shows_lines_and_tells_the_exception(on_emulator, project, supervisor, log_lines):
    """A deferred task's log shows the job's lines; the event has the exception's own line."""
    name = submitted_by(on_emulator, project, BLOWS_UP)
    event = await first_event(trigger_for(name))

    assert event["details"]["exception"] == EXCEPTION
    assert EXCEPTION in event["message"]
    assert "INFO epoch 1" in log_lines
    assert f"ERROR {EXCEPTION}" in log_lines
    assert supervisor.xcoms["log_position"]["job"] == name
    with pytest.raises(Exception, match="MY TRAINING BLEW UP"):
        await asyncio.to_thread(resume, make(), "execute_complete", {"event": event})


async def test_a_log_that_can_not_be_shown_in_time_is_told(
    on_emulator, project, supervisor, log_lines, monkeypatch
):
    """Where lines get on too slowly, the event comes all the same, and the log says where all of them are."""
    monkeypatch.setattr(following, "_LOG_TIMEOUT", 0.5)
    monkeypatch.setattr(log_positions.XComPositions, "keep", lambda *_: time.sleep(2.0))  # noqa: TID251 - a slow Airflow
    name = submitted_by(on_emulator, project, "print('one')")
    event = await first_event(trigger_for(name))
    assert event["status"] == "success"
    told = [line for line in log_lines if "could not be shown in time. All of it: http" in line]
    assert len(told) == 1


async def test_next_triggerer_goes_on_where_the_last_one_was(
    on_emulator, project, supervisor, log_lines, tmp_path
):
    """A trigger that is handed over shows each line once, and says where it goes on."""
    flag = tmp_path / "go on"
    name = submitted_by(on_emulator, project, STEPS.format(path=str(flag)))
    await show_first_line(name, log_lines, supervisor)
    flag.touch()
    assert (await first_event(trigger_for(name)))["status"] == "success"

    assert len([line for line in log_lines if line.endswith(" one")]) == 1
    assert len([line for line in log_lines if line.endswith(" two")]) == 1
    assert any("Reading the job's log on from" in line for line in log_lines)


async def test_triggers_share_one_reader(on_emulator, project, supervisor):
    """The lines of several jobs are read together, and each is in its own trigger's log."""
    (*names,) = [submitted_by(on_emulator, project, f"print('job {number}')") for number in range(5)]
    logs = [Log() for _ in names]
    waiting = []
    for name, log in zip(names, logs, strict=True):
        trigger = trigger_for(name)
        trigger._log = log  # type: ignore[assignment]
        waiting.append(first_event(trigger))
    await asyncio.gather(*waiting)
    assert [[line for line in log.lines if line.startswith("job")] for log in logs] == [
        [f"job {number}"] for number in range(5)
    ]


class Log:
    """Stands for the log of a trigger's task."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, level: int, text: str, *arguments: object) -> None:
        """Take a line."""
        self.lines.append(text % arguments)

    def info(self, text: str, *arguments: object) -> None:
        """Take a line."""
        self.lines.append(text % arguments)

    warning = info


async def test_no_permission_to_read_logs_ends_nothing(on_emulator, project, supervisor, log_lines):
    """The job goes on and its task succeeds; one warning names the role that is missing."""
    fault = {"method": "ListLogEntries", "code": "PERMISSION_DENIED", "times": None}
    on_emulator.control.add_fault(project, "error", **fault)
    name = submitted_by(on_emulator, project, "print('one')")
    assert (await first_event(trigger_for(name)))["status"] == "success"
    assert len([line for line in log_lines if "roles/logging.viewer" in line]) == 1
    assert "INFO one" not in log_lines


@pytest.mark.skipif(not compat.TRIGGERER_CALLS_ON_KILL, reason="before 3.3 nothing outlasts a try")
def test_adopting_retry_goes_on_where_the_try_before_was(
    on_emulator, project, supervisor, log_lines, tmp_path
):
    """A retry that adopts its job shows the lines that the try before did not, where Airflow keeps it."""
    flag = tmp_path / "go on"
    operator = make(retries=1, program=STEPS.format(path=str(flag)))
    name = submitted(on_emulator, operator)
    asyncio.run(show_first_line(name, log_lines, supervisor))
    with pytest.raises(compat.TaskDeferralError):
        resume(operator, "__fail__", {"error": "Trigger failure", "traceback": []})
    supervisor.xcoms.clear()
    log_lines.clear()

    outcome = run_task(operator, try_number=2)
    assert outcome.state == "deferred"
    trigger = VertexJobTrigger(**outcome.message.trigger_kwargs)
    flag.touch()
    assert asyncio.run(first_event(trigger))["status"] == "success"
    (line,) = [line for line in log_lines if line.endswith((" one", " two"))]
    assert line.endswith(" two")


async def show_first_line(name: str, log_lines: list[str], supervisor: Any) -> None:
    """Run a trigger until it has shown a program's first line and kept its position, and cancel it."""
    task = asyncio.create_task(first_event(trigger_for(name)))
    while not kept(log_lines, supervisor):  # noqa: ASYNC110 - nothing tells when a line is logged
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def kept(log_lines: list[str], supervisor: Any) -> bool:
    """Whether a program's first line was shown, and the position after it is kept."""
    lines = [line for line in log_lines if line == "INFO one" or line.startswith("INFO Vertex AI:")]
    return "INFO one" in lines and supervisor.xcoms.get("log_position", {}).get("lines") == len(lines)


def submitted_by(emulator: EmulatorProcess, project: str, program: str) -> str:
    """Submit a job by a task that defers, and return its name."""
    before = {job["name"] for job in emulator.control.jobs(project)}
    assert run_task(make(program=program)).state == "deferred"
    (name,) = {str(job["name"]) for job in emulator.control.jobs(project)} - before
    return name
