"""A crash loses no line of a job's log, and tells none twice that it does not mark."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.airflow_processes.api import TaskKey
from tests.chaos.conftest import PROJECT

if TYPE_CHECKING:
    from tests.airflow_processes.installation import AirflowInstallation
    from tests.chaos.conftest import Trainings

pytestmark = [pytest.mark.timeout(400)]

JOBS = 20
MARK = "(perhaps told before) "
DAG_FILE = textwrap.dedent(f"""
    from airflow.sdk import DAG
    from airflow_vertex_training.operators import VertexCustomTrainingOperator

    PROGRAM = '''
    import itertools, pathlib, sys, time
    for step in itertools.count():
        print("step", step, flush=True)
        if pathlib.Path(sys.argv[1]).exists():
            break
        time.sleep(0.5)
    '''

    with DAG("printing", schedule=None, max_active_tasks={JOBS}):
        VertexCustomTrainingOperator.partial(
            task_id="train",
            project_id={PROJECT!r},
            region="us-central1",
            image="us-docker.pkg.dev/acme/trainers/digits:1.0",
            command=["python", "-c", PROGRAM],
            poll_interval=1.0,
        ).expand(args=[[{{released!r}}]] * {JOBS})
""")


BURST, BURSTING = 100, 10
BURST_FILE = textwrap.dedent(f"""
    from airflow.sdk import DAG
    from airflow_vertex_training.operators import VertexCustomTrainingOperator

    PROGRAM = '''
    import pathlib, sys, time
    print("begun", flush=True)
    while not pathlib.Path(sys.argv[1]).exists():
        time.sleep(0.1)
    for step in range({BURST}):
        print("step", step, "." * 1000)
    '''

    with DAG("bursting", schedule=None, max_active_tasks={BURSTING}):
        VertexCustomTrainingOperator.partial(
            task_id="train",
            project_id={PROJECT!r},
            region="us-central1",
            image="us-docker.pkg.dev/acme/trainers/digits:1.0",
            command=["python", "-c", PROGRAM],
            poll_interval=1.0,
        ).expand(args=[[{{released!r}}]] * {BURSTING})
""")


def test_a_burst_of_last_lines_is_told(
    airflow: AirflowInstallation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Ten jobs print much in their last moment, on a busy machine: all of it is in their tasks' logs.

    A triggerer's supervisor takes a trigger's lines no more once it is done, read or not.
    """
    released = tmp_path_factory.mktemp("bursting") / "released"
    airflow.write_dag("bursting", BURST_FILE.format(released=str(released)))
    run_id = airflow.api.trigger("bursting")
    tasks = [TaskKey("bursting", run_id, "train", index) for index in range(BURSTING)]
    for task in tasks:
        airflow.wait_for_task(task, "deferred", timeout=180)
        airflow.wait_for_log(task, "INFO begun", timeout=60)
    with airflow.triggerers[0].slowed(0.2):
        released.touch()
        assert airflow.wait_for_run("bursting", run_id, timeout=240)["state"] == "success"
    for task in tasks:
        told = [line.split()[2] for line in airflow.api.task_log(task).splitlines() if "INFO step" in line]
        assert told == [str(step) for step in range(BURST)]


def test_a_killed_triggerer_tells_each_line_once(
    airflow: AirflowInstallation, training: Trainings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Twenty jobs print while the triggerer is killed: all lines are told, and only marked ones twice."""
    released = tmp_path_factory.mktemp("printing") / "released"
    airflow.write_dag("printing", DAG_FILE.format(released=str(released)))
    run_id = airflow.api.trigger("printing")
    tasks = [TaskKey("printing", run_id, "train", index) for index in range(JOBS)]
    for task in tasks:
        airflow.wait_for_task(task, "deferred", timeout=180)
        airflow.wait_for_log(task, "INFO step 5", timeout=60)
    airflow.triggerers[0].kill()
    airflow.start_triggerer()
    for task in tasks:
        airflow.wait_for_log(task, "Reading the job's log on", timeout=120)
    released.touch()
    assert airflow.wait_for_run("printing", run_id, timeout=180)["state"] == "success"
    marked, twice = 0, 0
    for task in tasks:
        told = [
            line.removeprefix("INFO ")
            for line in airflow.api.task_log(task).splitlines()
            if re.search(r"step \d+$", line)
        ]
        job_name = airflow.api.xcom(task, "job_name")
        printed = [line["text"] for line in training.emulator.control.log_lines(job_name)]
        times = Counter(line.removeprefix(MARK) for line in told)
        assert list(times) == printed
        repeated = [line for line in times if times[line] > 1]
        assert all(times[line] == 2 and MARK + line in told for line in repeated)
        twice += len(repeated)
        marked += sum(MARK in line for line in told)
    print(f"{twice} lines of {JOBS} jobs were told twice, {marked} were marked")  # noqa: T201
