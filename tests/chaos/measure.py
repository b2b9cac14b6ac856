"""Measures how wide the window is that can't be closed, and how soon a killed task's job is cancelled.

    python -m tests.chaos.measure

Prints what `docs/reliability.md` quotes. It is no test: a number of seconds is a fact about a machine.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import textwrap
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_vertex_training.emulator.process import launch
from tests.airflow_processes.api import TaskKey
from tests.airflow_processes.installation import airflow_installation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_vertex_training.emulator.process import EmulatorProcess
    from tests.airflow_processes.installation import AirflowInstallation

PROJECT = "acme-measure"
ALONE = 5
TOGETHER = 20

DAG_FILE = textwrap.dedent(f"""
    from airflow.sdk import DAG
    from airflow_vertex_training.operators import VertexCustomTrainingOperator

    with DAG("measured", schedule=None, max_active_tasks=64, max_active_runs=64):
        VertexCustomTrainingOperator.partial(
            task_id="train",
            project_id={PROJECT!r},
            region="us-central1",
            image="us-docker.pkg.dev/acme/trainers/digits:1.0",
            command=["python", "-c", "import time; time.sleep(3600)"],
            poll_interval=1.0,
        ).expand(args=[[str(number)] for number in range(COUNT)])
""")


def main() -> None:
    """Measure and print."""
    instant = ("--queue-seconds", "0", "--provision-seconds", "0", "--stop-grace-seconds", "2")
    home = Path(tempfile.mkdtemp()) / "home"
    with (
        launch(*instant) as emulator,
        airflow_installation(home, environment={"VERTEX_AI_EMULATOR_HOST": emulator.address}) as airflow,
    ):
        alone = [task for number in range(ALONE) for task in deferred(airflow, f"alone-{number}", 1)]
        show("window, one task at a time", [window(home, task) for task in alone])
        together = deferred(airflow, "together", TOGETHER)
        show(f"window, {TOGETHER} tasks at once", [window(home, task) for task in together])
        show(
            "deferred and marked failed to cancelled", [cancelled(airflow, emulator, one) for one in together]
        )


def deferred(airflow: AirflowInstallation, run_id: str, count: int) -> list[TaskKey]:
    """Run so many mapped tasks and wait until each is watched."""
    airflow.write_dag("measured", DAG_FILE.replace("COUNT", str(count)))
    airflow.api.trigger("measured", run_id=run_id)
    tasks = [TaskKey("measured", run_id, "train", index) for index in range(count)]
    for task in tasks:
        airflow.wait_for_task(task, "deferred", timeout=180)
        airflow.wait_for_log(task, "INFO Running", timeout=180)
    return tasks


def window(home: Path, task: TaskKey) -> float:
    """Return the seconds from a task's deferral to the start of its trigger, by their log lines."""
    folder = home / "logs" / f"dag_id={task.dag_id}" / f"run_id={task.run_id}" / f"task_id={task.task_id}"
    times = {}
    for file in (folder / f"map_index={task.map_index}").glob("attempt=1.log*"):
        for line in file.read_text().splitlines():
            entry = json.loads(line)
            for name in ("Pausing task as DEFERRED", "starting"):
                if name in entry["event"]:
                    times[name] = datetime.fromisoformat(entry["timestamp"].replace("Z", "+00:00"))
    return (times["starting"] - times["Pausing task as DEFERRED"]).total_seconds()


def cancelled(airflow: AirflowInstallation, emulator: EmulatorProcess, task: TaskKey) -> float:
    """Mark a task failed; return the seconds until Vertex was asked to cancel its job."""
    name = str(airflow.api.xcom(task, "job_name"))
    marked = time.time()
    airflow.api.mark_task(task, "failed")
    history = emulator.control.wait_job(name, ["JOB_STATE_CANCELLING"], timeout=60)["history"]
    (at,) = (one["nanoseconds"] for one in history if one["state"] == "JOB_STATE_CANCELLING")
    return float(at) / 1e9 - marked


def show(what: str, seconds: Sequence[float]) -> None:
    """Print the spread of some durations."""
    middle = statistics.median(seconds)
    print(f"{what}: {min(seconds):.1f} to {max(seconds):.1f} s, median {middle:.1f} s")  # noqa: T201  a program


if __name__ == "__main__":
    main()
