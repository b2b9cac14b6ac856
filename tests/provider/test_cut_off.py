"""A process that is cut off in the middle of each step, in each way: no job is left that nobody waits for."""

from __future__ import annotations

import os
import signal
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.provider.task_runs import run_task
from tests.provider.training_tasks import FOREVER, make, submitted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from tests.provider.task_runs import Supervisor

ENDED = {"JOB_STATE_CANCELLED", "JOB_STATE_CANCELLING", "JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED"}
LOST: dict[str, Any] = {"kind": "error", "method": "CreateCustomJob", "when": "after_commit"}
LATE: dict[str, Any] = {"kind": "late", "method": "ListCustomJobs", "seconds": 3600.0}
# A step: which request is under way, and of which try.
STEPS: dict[str, tuple[dict[str, Any], int]] = {
    "in create, before the job is made": ({"method": "CreateCustomJob", "when": "before_commit"}, 1),
    "in create, after the job is made": ({"method": "CreateCustomJob", "when": "after_commit"}, 1),
    "in a retry's look": ({"method": "ListCustomJobs"}, 2),
    "in the look after a retry's create": ({"method": "ListCustomJobs", "skip": 1}, 2),
    "in the cancel of a twin": ({"method": "CancelCustomJob"}, 2),
}
MESSAGES = {"before the XCom": "SetXCom", "before the deferral": "GetTaskStates"}
SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
WAYS = [*SIGNALS, "execution_timeout"]


@pytest.fixture(autouse=True)
def sigint(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SIGINT is a KeyboardInterrupt, also where whoever started the tests has it ignored; looks are short."""
    monkeypatch.setattr("airflow_vertex_training.vertex.submit.create.LOOKS", (0.1, 0.2, 0.3, 0.4))
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


def active(emulator: EmulatorProcess, project: str) -> list[str]:
    """Return the names of the jobs that nobody has asked to end."""
    return [job["name"] for job in emulator.control.jobs(project) if job["state"] not in ENDED]


def run_cut_off(
    emulator: EmulatorProcess, way: str, fault: str, before: Callable[[], None] = lambda: None, **run: Any
) -> Any:
    """Run a task until a request is held, and cut it off there; what is killed can go on a little later."""
    arguments = {"program": FOREVER, **run.pop("arguments", {})}
    if way == "execution_timeout":
        return run_task(make(execution_timeout=timedelta(seconds=2), **arguments), **run)

    def cut() -> None:
        emulator.control.wait_fault(fault)
        before()
        os.kill(os.getpid(), SIGNALS[way])
        time.sleep(0.5)  # noqa: TID251 - what was killed is at its end by then, or waits for this
        emulator.control.release_fault(fault)

    thread = threading.Thread(target=cut)
    thread.start()
    outcome = run_task(make(**arguments), **run)
    thread.join()
    return outcome


def hold(emulator: EmulatorProcess, project: str, step: str) -> str:
    """Let a request of a try be held; where that is a retry, let a first try leave a job, or two."""
    settings, try_number = STEPS[step]
    if try_number > 1:
        operator = make(program=FOREVER, retries=1)
        submitted(emulator, operator)
        if "twin" in step:
            run_task(operator)
    if "after a retry's create" in step:
        emulator.control.add_fault(project, **LATE)
    return emulator.control.add_fault(project, "hold", **settings, seconds=30.0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", STEPS)
def test_a_last_try_leaves_no_job(
    on_emulator: EmulatorProcess, project: str, supervisor: Supervisor, step: str, way: str
) -> None:
    """Whatever cuts a last try off while a request is under way: no job of the task is left running."""
    fault, try_number = hold(on_emulator, project, step), STEPS[step][1]

    def somebody_fails_the_task() -> None:
        supervisor.state = "failed"

    outcome = run_cut_off(
        on_emulator,
        way,
        fault,
        somebody_fails_the_task,
        arguments={"retries": try_number - 1},
        try_number=try_number,
    )

    assert outcome.state == "failed"
    assert active(on_emulator, project) == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("retries", [0, 1])
def test_a_late_list_hides_no_job_of_a_call_that_was_cut_off(
    on_emulator: EmulatorProcess, project: str, supervisor: Supervisor, way: str, retries: int
) -> None:
    """What a create call has made that got no answer is looked for as long as a list may be late."""
    fault = hold(on_emulator, project, "in create, after the job is made")
    on_emulator.control.add_fault(project, **LATE, times=2)

    def somebody_fails_the_task() -> None:
        supervisor.state = "failed"

    run_cut_off(on_emulator, way, fault, somebody_fails_the_task, arguments={"retries": retries})

    assert len(on_emulator.control.jobs(project)) == 1
    assert active(on_emulator, project) == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("message", MESSAGES)
def test_cut_off_between_two_requests(
    on_emulator: EmulatorProcess,
    project: str,
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
    message: str,
    way: str,
) -> None:
    """Between the create call's answer and the deferral the job has a name, by which it is ended."""
    send, pending = supervisor.send, [MESSAGES[message]]

    def answer(msg: Any) -> Any:
        if type(msg).__name__ in pending:
            pending.clear()
            if way == "execution_timeout":
                time.sleep(30.0)  # noqa: TID251 - the alarm ends it
            supervisor.state = "failed"
            os.kill(os.getpid(), SIGNALS[way])
        return send(msg)

    monkeypatch.setattr(supervisor, "send", answer)
    changes = {"execution_timeout": timedelta(seconds=2)} if way == "execution_timeout" else {}

    outcome = run_task(make(program=FOREVER, **changes))

    assert outcome.state == "failed"
    assert len(on_emulator.control.jobs(project)) == 1
    assert active(on_emulator, project) == []


@pytest.mark.parametrize(("retries", "left"), [(0, 0), (1, 1)])
def test_an_exit_is_seen_to(
    on_emulator: EmulatorProcess,
    project: str,
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
    retries: int,
    left: int,
) -> None:
    """Whatever ends the process by sys.exit, Airflow retries: the job is left to that, or ended."""
    send = supervisor.send

    def answer(msg: Any) -> Any:
        if type(msg).__name__ == "SetXCom":
            raise SystemExit(3)
        return send(msg)

    monkeypatch.setattr(supervisor, "send", answer)
    run_task(make(program=FOREVER, retries=retries))
    assert len(active(on_emulator, project)) == left


@pytest.mark.parametrize("try_number", [1, 2])
def test_a_kill_before_execute_makes_no_job(
    on_emulator: EmulatorProcess, project: str, supervisor: Supervisor, try_number: int
) -> None:
    """Airflow goes on after its SIGTERM: a task that was killed while it was set up makes no job any more."""
    if try_number > 1:
        submitted(on_emulator, make(program=FOREVER, retries=1))
    operator = make(program=FOREVER, retries=try_number - 1, pre_execute=lambda _: kill_self(supervisor))

    outcome = run_task(operator, try_number=try_number)

    assert outcome.state == "failed"
    assert str(outcome.error) == "the task was killed while its job was being submitted"
    assert len(on_emulator.control.jobs(project)) == try_number - 1
    assert active(on_emulator, project) == []
    # The same object may run once more, in airflow dags test.
    supervisor.state = "running"
    operator._pre_execute_hook = None
    assert run_task(operator, try_number=try_number + 1).state == "deferred"


def kill_self(supervisor: Supervisor) -> None:
    """Send this process what Airflow sends a task that somebody has marked failed."""
    supervisor.state = "failed"
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_second_kill_waits_for_the_first(
    on_emulator: EmulatorProcess, project: str, supervisor: Supervisor, log_lines: list[str]
) -> None:
    """Airflow may say it twice: the job is ended once, and the log says so once."""
    name = submitted(on_emulator, make(program=FOREVER))
    supervisor.state = "failed"
    hold = on_emulator.control.add_fault(project, "hold", method="CancelCustomJob")

    for _ in range(2):
        os.kill(os.getpid(), signal.SIGTERM)
    on_emulator.control.release_fault(hold)

    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"
    assert on_emulator.control.requests(project)["CancelCustomJob"] == {"OK": 1}


@pytest.mark.parametrize("way", SIGNALS)
@pytest.mark.parametrize("step", STEPS)
def test_a_retry_that_follows_keeps_one_job(
    on_emulator: EmulatorProcess, project: str, supervisor: Supervisor, step: str, way: str
) -> None:
    """A try that is cut off while nobody has ended its task leaves one job at most, for the next try."""
    fault, try_number = hold(on_emulator, project, step), STEPS[step][1]

    outcome = run_cut_off(on_emulator, way, fault, arguments={"retries": try_number}, try_number=try_number)
    assert outcome.state == "up_for_retry"
    on_emulator.control.clear_faults(project)

    assert run_task(make(program=FOREVER, retries=2), try_number=3, max_tries=try_number).state == "deferred"
    assert active(on_emulator, project) == [supervisor.xcoms["job_name"]]
