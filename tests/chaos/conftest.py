"""One real Airflow and one emulator for all cases; the emulator's table of jobs is the judge."""

from __future__ import annotations

import itertools
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from airflow_vertex_training import compat
from tests.airflow_processes.api import TaskKey
from tests.chaos.dag_files import FOREVER

if TYPE_CHECKING:
    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from tests.airflow_processes.installation import AirflowInstallation

PROJECT = "acme-chaos"

DAG_FILE = textwrap.dedent("""
    from datetime import timedelta

    from airflow.sdk import DAG
    from airflow_vertex_training.operators import VertexCustomTrainingOperator
    from tests.chaos.faults import Training, arguments

    with DAG({dag_id!r}, schedule=None, **{dag_arguments}):
        Training(
            task_id="train",
            project_id={project!r},
            region="us-central1",
            image="us-docker.pkg.dev/acme/trainers/digits:1.0",
            poll_interval=0.5,
            **arguments({arguments}),
        )
""")


@dataclass
class Trainings:
    """Starts training tasks in the Airflow, and looks at their jobs in the emulator."""

    airflow: AirflowInstallation
    emulator: EmulatorProcess
    numbers: itertools.count[int]
    prefix: str = "training"

    def start(self, *, dag_arguments: str = "{}", command: list[str] = FOREVER, **arguments: Any) -> TaskKey:
        """Write a DAG of one training task, start a run of it, and return the task instance."""
        number = next(self.numbers)
        dag_id = f"{self.prefix}-{number}"
        text = DAG_FILE.format(
            dag_id=dag_id,
            project=PROJECT,
            dag_arguments=dag_arguments,
            arguments={"command": command, "retry_delay": 0.1, **arguments},
        )
        self.airflow.write_dag(dag_id, text)
        return TaskKey(dag_id, self.airflow.api.trigger(dag_id, run_id=f"run-{number}"), "train")

    def start_watched(self, *, deferrable: bool, **arguments: Any) -> TaskKey:
        """Start a training that never ends, and wait until its job runs and is being watched."""
        task = self.start(deferrable=deferrable, **arguments)
        self.airflow.wait_for_task(task, "deferred" if deferrable else "running")
        self.airflow.wait_for_log(task, "INFO Running")
        return task

    def wait_until_watched_again(
        self, task: TaskKey, state: str = "deferred", *, timeout: float = 150.0
    ) -> str:
        """Wait until the second try watches a running job, and return that try's log."""
        self.airflow.wait_for_task(task, state, try_number=2, timeout=timeout)
        return self.airflow.wait_for_log(task, "INFO Running", try_number=2, timeout=90)

    def jobs(self, task: TaskKey) -> list[dict[str, Any]]:
        """Return a task's jobs, the oldest first."""
        every = self.emulator.control.jobs(PROJECT)
        return [job for job in every if job["labels"]["airflow_dag_id"] == task.dag_id]

    def states(self, task: TaskKey) -> list[str]:
        """Return the states of a task's jobs, the oldest job's first."""
        return [job["state"].removeprefix("JOB_STATE_") for job in self.jobs(task)]

    def wait_for_states(self, task: TaskKey, *states: str) -> None:
        """Wait until a task's jobs are as many and in such states."""
        self.airflow.wait_for(
            f"jobs of {task} to be {states}",
            lambda: self.states(task),
            lambda seen: seen == list(states),
            timeout=60,
        )

    def wait_until_cancel_is_told(self, task: TaskKey, *, tries: int = 1) -> None:
        """Wait until a task log says that the task's first job was, or is being, cancelled.

        Before Airflow 3.3 the triggerer closes a killed trigger's task log while the trigger still asks what
        became of its task: what it says later is in the triggerer's own log.
        """
        name = self.jobs(task)[0]["name"]
        more = [] if compat.TRIGGERER_CALLS_ON_KILL else self.airflow.triggerers

        def told() -> str:
            logs = [self.airflow.api.task_log(task, number + 1) for number in range(tries)]
            return "\n".join([*logs, *(each.log_file.read_text() for each in more)])

        self.airflow.wait_for(
            f"a log to say that {name} was cancelled",
            told,
            lambda log: bool(re.search(rf"Cancell(?:ed|ing): .*{name}", log)),
        )


@pytest.fixture
def training(airflow: AirflowInstallation, emulator: EmulatorProcess) -> Trainings:
    """Start trainings in the one Airflow."""
    return Trainings(airflow, emulator, _NUMBERS)


_NUMBERS = itertools.count(1)
