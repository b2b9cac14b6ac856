"""The harness on DAGs of Airflow's own operators."""

from __future__ import annotations

import contextlib
import os
import signal
import textwrap

import psutil
import pytest

from tests.airflow_processes.api import TaskKey
from tests.airflow_processes.reaper import processes_of

# The first start of a whole Airflow is in the time of the test that happens to come first.
pytestmark = pytest.mark.timeout(180)

WAITING_FOR_A_FILE = textwrap.dedent("""
    from airflow.providers.standard.sensors.filesystem import FileSensor
    from airflow.sdk import DAG

    with DAG("waits_for_a_file", schedule=None):
        FileSensor(task_id="wait", filepath="{{ dag_run.conf['file'] }}", deferrable=True, poke_interval=0.5)
""")

STOPPING = textwrap.dedent("""
    from airflow.sdk import DAG, task
    from tests.airflow_processes.fault_points import reach

    with DAG("stops", schedule=None):

        @task(retries=1, retry_delay=0.1)
        def work():
            reach("in the task")
            return "worked"

        work()
""")

MAPPED = textwrap.dedent("""
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG

    with DAG("mapped", schedule=None):
        BashOperator.partial(task_id="say").expand(bash_command=["echo one", "echo two"])
""")


@pytest.fixture
def waiting(airflow, tmp_path):
    """A deferred task that waits for a file, and the file."""
    airflow.write_dag("waits_for_a_file", WAITING_FOR_A_FILE)
    file = tmp_path / "awaited"
    task = TaskKey("waits_for_a_file", airflow.api.trigger("waits_for_a_file", {"file": str(file)}), "wait")
    airflow.wait_for_task(task, "deferred")
    # Deferred is one thing, taken up by a triggerer another.
    airflow.wait_for_log(task, "starting")
    return task, file


def is_alive(process):
    """A killed process may stay on as a zombie, where nobody asks for its exit code."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_run_succeeds_and_shows_what_it_did(airflow):
    """State, XCom and log of each mapped task instance can be read."""
    airflow.write_dag("mapped", MAPPED)
    run_id = airflow.api.trigger("mapped")
    assert airflow.wait_for_run("mapped", run_id)["state"] == "success"
    assert {one["map_index"] for one in airflow.api.task_instances("mapped", run_id)} == {0, 1}
    second = TaskKey("mapped", run_id, "say", 1)
    assert airflow.api.xcom(second) == "two"
    assert "INFO two" in airflow.api.task_log(second).splitlines()
    assert airflow.api.extra_links(second) == {}


def test_nothing_listens_to_other_machines(airflow):
    """Every listening socket of every process is bound to 127.0.0.1."""
    listening = []
    for process in processes_of(str(airflow.home)):
        with contextlib.suppress(psutil.NoSuchProcess):  # its task has just ended
            connections = process.net_connections("inet")
            listening += [each.laddr for each in connections if each.status == psutil.CONN_LISTEN]
    assert listening
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_a_deferred_task_can_be_marked_failed(airflow, waiting):
    """A user's verdict on a deferred task is the run's end, and its trigger goes away."""
    task, _ = waiting
    airflow.api.mark_task(task, "failed")
    assert airflow.wait_for_run(task.dag_id, task.run_id)["state"] == "failed"
    airflow.wait_for("the trigger to go away", lambda: airflow.api.task_instance(task)["trigger"] is None)


def test_a_run_can_be_marked_failed(airflow, waiting):
    """Failing a run ends its deferred task."""
    task, _ = waiting
    airflow.api.mark_run(task.dag_id, task.run_id, "failed")
    airflow.wait_for_task(task, "failed", "skipped")


def test_a_cleared_task_runs_again(airflow, waiting):
    """A clear of a deferred task starts its second try, which waits for itself."""
    task, file = waiting
    airflow.api.clear_task(task)
    airflow.wait_for_task(task, "deferred", try_number=2)
    airflow.wait_for_log(task, "starting", try_number=2)
    file.touch()
    airflow.wait_for_task(task, "success")
    assert [one["try_number"] for one in airflow.api.tries(task)] == [1, 2]


def test_another_triggerer_takes_over_from_a_killed_one(airflow, waiting):
    """The trigger of a SIGKILLed triggerer goes on elsewhere, within the same try."""
    task, file = waiting
    first = airflow.api.task_instance(task)["triggerer_job"]["id"]
    airflow.triggerers[0].kill()
    airflow.start_triggerer()
    moved = airflow.wait_for(
        "the trigger to move to another triggerer",
        lambda: airflow.api.task_instance(task),
        lambda seen: (seen["triggerer_job"] or {"id": first})["id"] != first,
    )
    assert moved["state"] == "deferred"
    file.touch()
    assert airflow.wait_for_task(task, "success", "failed")["state"] == "success"
    assert airflow.api.task_instance(task)["try_number"] == 1


def test_a_frozen_triggerer_goes_on_when_it_thaws(airflow, waiting):
    """SIGSTOP stops the triggerer with its children, SIGCONT lets it finish its work."""
    task, file = waiting
    triggerer = psutil.Process(airflow.triggerers[0].pid)
    family = [triggerer, *triggerer.children(recursive=True)]
    assert len(family) > 1
    airflow.triggerers[0].freeze()
    airflow.wait_for(
        "the triggerer to stand still", lambda: {one.status() for one in family} == {psutil.STATUS_STOPPED}
    )
    file.touch()
    airflow.triggerers[0].thaw()
    assert airflow.wait_for_run(task.dag_id, task.run_id)["state"] == "success"


def test_a_killed_task_is_tried_again(airflow):
    """A task SIGKILLed at a fault point has a second try, which runs through the point."""
    airflow.write_dag("stops", STOPPING)
    airflow.fault_points.arm("in the task")
    task = TaskKey("stops", airflow.api.trigger("stops"), "work")
    pid = airflow.fault_points.reached("in the task")
    assert pid == airflow.task_pid(task)
    os.kill(pid, signal.SIGKILL)
    airflow.wait_for_task(task, "success", try_number=2)
    assert [one["state"] for one in airflow.api.tries(task)] == ["failed", "success"]


def test_a_killed_worker_reports_nothing(airflow):
    """A task killed together with the worker process above it counts as running: nobody tells."""
    airflow.write_dag("stops", STOPPING)
    airflow.fault_points.arm("in the task")
    task = TaskKey("stops", airflow.api.trigger("stops"), "work")
    process = psutil.Process(airflow.fault_points.reached("in the task"))
    supervisor = process.parent()
    airflow.kill_task(task, with_supervisor=True)
    airflow.wait_for("both to be gone", lambda: not is_alive(process) and not is_alive(supervisor))
    assert airflow.api.task_instance(task)["state"] == "running"
    airflow.api.mark_run("stops", task.run_id, "failed")


def test_a_fault_point_lets_go(airflow):
    """A released task goes on within its try."""
    airflow.write_dag("stops", STOPPING)
    airflow.fault_points.arm("in the task")
    task = TaskKey("stops", airflow.api.trigger("stops"), "work")
    airflow.fault_points.reached("in the task")
    airflow.fault_points.release("in the task")
    airflow.wait_for_task(task, "success")
    assert airflow.api.xcom(task) == "worked"
    assert len(airflow.api.tries(task)) == 1


def test_a_replaced_dag_file_is_what_runs(airflow):
    """Once `write_dag` returns, a run has the new text, though only a function's body changed."""
    airflow.write_dag("stops", STOPPING)
    airflow.write_dag("stops", STOPPING.replace("worked", "worked differently"))
    task = TaskKey("stops", airflow.api.trigger("stops"), "work")
    airflow.wait_for_task(task, "success")
    assert airflow.api.xcom(task) == "worked differently"
    airflow.remove_dag("stops")
    airflow.wait_for("the DAG to be gone", lambda: airflow.api.dag("stops") is None)


def test_killed_processes_start_again(airflow):
    """Whatever a test has killed, the next one finds a whole Airflow."""
    for process in airflow.processes:
        process.kill()
        assert not process.running
    airflow.restore()
    airflow.write_dag("mapped", MAPPED)
    assert airflow.wait_for_run("mapped", airflow.api.trigger("mapped"))["state"] == "success"
