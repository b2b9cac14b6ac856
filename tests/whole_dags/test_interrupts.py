"""Ctrl-C, and a SIGTERM, to `airflow dags test`: there is one process, and nobody goes on with its job."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_vertex_training.emulator.control.process import EmulatorProcess

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def airflow_home(emulator: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment of an Airflow with a database of its own."""
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("interrupts")),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE),
        "VERTEX_AI_EMULATOR_HOST": emulator.address,
    }
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=environment, check=True)
    return environment


@pytest.mark.timeout(180)
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("dag_id", ["forever_deferred", "forever_in_the_worker"])
def test_an_interrupted_dag_test_leaves_no_job(emulator, project, airflow_home, tmp_path, dag_id, sent):
    """The job is cancelled, whatever tries are left, and the log says so."""
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "airflow",
                "dags",
                "test",
                dag_id,
                "--dagfile-path",
                str(HERE / "interrupted_dags.py"),
            ],
            env={**airflow_home, "GOOGLE_CLOUD_PROJECT": project},
            stdout=out,
            stderr=subprocess.STDOUT,
            # What a shell starts in the background ignores SIGINT, and so does what that starts.
            preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        try:
            watched = emulator.control.add_fault(project, "delay", method="GetCustomJob", seconds=0.0)
            emulator.control.wait_fault(watched, timeout=90.0)
            (job,) = emulator.control.jobs(project)
            emulator.control.wait_job(job["name"], ["JOB_STATE_RUNNING"])
            process.send_signal(sent)
            ended = emulator.control.wait_job(job["name"])
            process.wait(timeout=60)
        finally:
            process.kill()
            process.wait()

    assert ended["state"] == "JOB_STATE_CANCELLED"
    assert f"Cancelled: airflow dags test was interrupted. {job['name']}" in log.read_text()
