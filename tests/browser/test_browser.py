"""What a user does in Airflow's UI, in a real browser on real Airflow processes and the emulator."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from tests.airflow_processes.api import TaskKey

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from tests.airflow_processes.installation import AirflowInstallation
    from tests.browser.airflow_ui import AirflowUi

# The first start of a whole Airflow is in the time of the test that happens to come first.
pytestmark = pytest.mark.timeout(600)

CONNECTION = "made_in_the_form"
DAG_FILE = textwrap.dedent("""
    from airflow.sdk import DAG
    from airflow_vertex_training.operators import VertexCustomTrainingOperator

    # Prints a line, waits for a file, and ends as that says.
    PROGRAM = '''
    import pathlib, sys, time
    file = pathlib.Path(sys.argv[1])
    print('epoch', 1, flush=True)
    while not (file.exists() and file.read_text()): time.sleep(0.05)
    print('epoch', 2, flush=True)
    if file.read_text() == 'fail': raise ValueError('no data')
    '''

    with DAG({dag_id!r}, schedule=None):
        VertexCustomTrainingOperator(
            task_id="train",
            gcp_conn_id={connection!r},
            image="us-docker.pkg.dev/acme/trainers/digits:1.4",
            command=["python", "-c", PROGRAM, {file!r}],
            base_output_directory="gs://acme-models/digits",
            poll_interval=0.5,
        )
""")
_numbers = itertools.count(1)


@pytest.fixture
def connection(airflow: AirflowInstallation, ui: AirflowUi, project: str) -> dict[str, Any]:
    """A connection that was made in the form, as Airflow has stored it."""
    stored = airflow.api.call("GET", "/connections", params={"connection_id_pattern": CONNECTION})
    if stored["total_entries"]:
        airflow.api.call("DELETE", f"/connections/{CONNECTION}")
    ui.add_connection(CONNECTION, project=project, region="us-central1")
    return airflow.api.call("GET", f"/connections/{CONNECTION}")


@pytest.fixture
def running(
    airflow: AirflowInstallation, ui: AirflowUi, connection: dict[str, Any], tmp_path: Path
) -> tuple[TaskKey, Path]:
    """A task that was triggered in the UI and is deferred, its log open; and the file its job waits for."""
    file = tmp_path / "go"
    dag_id = f"browser-{next(_numbers)}"
    airflow.write_dag(dag_id, DAG_FILE.format(dag_id=dag_id, connection=CONNECTION, file=str(file)))
    ui.trigger(dag_id)
    runs = airflow.wait_for(
        "the run", lambda: airflow.api.call("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"], timeout=60
    )
    task = TaskKey(dag_id, runs[0]["dag_run_id"], "train")
    airflow.wait_for_task(task, "deferred", timeout=300)
    ui.open_log(task)
    ui.wait_for_text("Deferred")
    ui.wait_for_text("epoch 1")
    return task, file


def test_a_job_followed_to_its_success(
    ui: AirflowUi,
    airflow: AirflowInstallation,
    emulator: EmulatorProcess,
    project: str,
    connection: dict[str, Any],
    running: tuple[TaskKey, Path],
) -> None:
    """The connection's fields count, the open log grows line by line, and each link leads to the job."""
    task, file = running
    assert connection["conn_type"] == "vertex_training"
    assert f'"project": "{project}"' in connection["extra"]
    (job,) = emulator.control.jobs(project)
    assert ui.lines("epoch 2") == 0

    file.write_text("succeed")
    ui.wait_for_text("epoch 2")
    assert (ui.lines("epoch 1"), ui.lines("epoch 2")) == (1, 1)
    airflow.wait_for_task(task, "success", timeout=300)

    host, port = emulator.address.rsplit(":", 1)
    page = f"http://{host}:{int(port) + 1}/{job['name']}"
    links = ui.open_details(task)
    assert links == {"Vertex AI job": page, "Cloud Logging": f"{page}#log", "Output folder": f"{page}#output"}
    for address in links.values():
        ui.page.goto(str(address))
        ui.wait_for_text(job["name"])
        ui.wait_for_text("SUCCEEDED")


def test_a_failing_jobs_own_exception_is_in_the_log(
    ui: AirflowUi, airflow: AirflowInstallation, running: tuple[TaskKey, Path]
) -> None:
    """What the training raised is what the log ends with."""
    task, file = running

    file.write_text("fail")
    airflow.wait_for_task(task, "failed", timeout=300)
    ui.open_log(task)

    ui.wait_for_text("ValueError: no data")
    ui.wait_for_text("exited with status 1: ValueError: no data")


def test_a_task_killed_in_the_ui(
    ui: AirflowUi,
    airflow: AirflowInstallation,
    emulator: EmulatorProcess,
    project: str,
    running: tuple[TaskKey, Path],
) -> None:
    """Marking the deferred task failed cancels its job, and the log says so."""
    task, _ = running

    ui.mark_failed()

    (job,) = emulator.control.jobs(project)
    assert emulator.control.wait_job(job["name"])["state"] == "JOB_STATE_CANCELLED"
    airflow.wait_for_log(task, "Cancelled: ")
    ui.open_log(task)
    ui.wait_for_text("Cancelled: ")
