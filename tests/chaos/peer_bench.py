"""What a case of `peer_cases.py` works with: its own DAG and project in the one Airflow and emulator."""

from __future__ import annotations

import contextlib
import re
import textwrap
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

from tests.airflow_processes.api import TaskKey
from tests.airflow_processes.waiting import NotReachableError, wait_for
from tests.chaos.dag_files import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from tests.airflow_processes.installation import AirflowInstallation

ENDPOINT_VARIABLE = "PEER_ENDPOINT"
"""Environment variable of the Airflow processes: `host:port` of the emulator."""

EFFECT_SECONDS = 20.0
"""How long what has to come may take: a job's cancel should come within 15 s."""

RUNNING = "is JOB_STATE_RUNNING"
"""What the operator and its trigger log each time they look at a job that runs."""

DAG_FILE = textwrap.dedent("""
    import datetime

    from airflow.sdk import DAG
    from tests.chaos.google_operator import GoogleTraining

    common = {common}
    jobs = {jobs}

    with DAG({dag_id!r}, schedule=None, max_active_tasks=32, **{dag_arguments}):
        if len(jobs) == 1:
            GoogleTraining(**common, custom_job=jobs[0])
        else:
            GoogleTraining.partial(**common).expand(custom_job=jobs)
""")


@dataclass
class Bench:
    """The bench of one case.

    Attributes:
        airflow: Shared by all cases.
        emulator: Shared by all cases; its table of jobs is the judge.
        name: Names the case's DAG and its project, and is in the names of its fault points.
        kills: How often the case has killed a worker.
    """

    airflow: AirflowInstallation
    emulator: EmulatorProcess
    name: str
    kills: int = 0

    @property
    def task(self) -> TaskKey:
        """The case's task instance."""
        return TaskKey(self.name, "run", "train")

    def mapped(self, index: int) -> TaskKey:
        """Return one of the case's mapped task instances."""
        return self.task._replace(map_index=index)

    @property
    def until_released(self) -> list[str]:
        """The command of a job that succeeds after `let_jobs_end`."""
        wait = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.2)"
        return ["python", "-c", wait, str(self._released)]

    def _scheduler_log(self) -> str:
        return self.airflow.scheduler.log_file.read_text(errors="replace")

    @property
    def _released(self) -> Path:
        return self.airflow.home / f"{self.name}.released"

    # Starting

    def start(
        self,
        *,
        deferrable: bool = True,
        command: list[str] = FOREVER,
        count: int = 1,
        dag: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        """Write the DAG and start a run of it.

        Args:
            deferrable: The operator's argument.
            command: What each job runs.
            count: How many mapped tasks; 1 is one task that isn't mapped.
            dag: Arguments of the DAG.
            **arguments: Further arguments of the operator.
        """
        self.write_dag(deferrable=deferrable, command=command, count=count, dag=dag, **arguments)
        self.airflow.api.trigger(self.name, run_id=self.task.run_id)

    def write_dag(
        self, *, command: list[str], count: int, dag: dict[str, Any] | None = None, **arguments: Any
    ) -> None:
        """Write the DAG, or its next version; see `start`."""
        common = {
            "task_id": "train",
            "project_id": self.name,
            "region": "us-central1",
            "poll_interval": 1,
            "retry_delay": timedelta(seconds=0.1),
        }
        jobs = [self._job(command, index) for index in range(count)]
        text = DAG_FILE.format(
            dag_id=self.name, dag_arguments=dag or {}, common={**common, **arguments}, jobs=jobs
        )
        self.airflow.write_dag(self.name, text)

    def start_watched(self, *, deferrable: bool = True, **arguments: Any) -> None:
        """Start a training, and wait until its job runs and is being watched."""
        self.start(deferrable=deferrable, **arguments)
        self.wait_until_watched("deferred" if deferrable else "running")

    def _job(self, command: list[str], index: int) -> dict[str, Any]:
        replica = {
            "machine_spec": {"machine_type": "n1-standard-4"},
            "replica_count": 1,
            "container_spec": {"image_uri": "us-docker.pkg.dev/acme/trainers/digits:1.0", "command": command},
        }
        return {
            "display_name": self.name,
            "labels": {"index": str(index)},
            "job_spec": {"worker_pool_specs": [replica]},
        }

    # Waiting

    def wait_until_watched(self, state: str = "deferred", try_number: int = 1) -> None:
        """Wait until a try of the task is in a state and has seen its job run."""
        self.airflow.wait_for_task(self.task, state, try_number=try_number, timeout=120)
        self.airflow.wait_for_log(self.task, RUNNING, try_number=try_number, timeout=60)

    def wait_for_task(self, *states: str, try_number: int = 1) -> None:
        """Wait until the task is in one of these states."""
        self.airflow.wait_for_task(self.task, *states, try_number=try_number, timeout=120)

    def comes(self, look: Callable[[], object], seconds: float = EFFECT_SECONDS) -> bool:
        """Tell whether what should come does come in its time."""
        with contextlib.suppress(AssertionError):
            wait_for("an effect", look, timeout=seconds)
            return True
        return False

    def wait_for_handled_deferral(self) -> None:
        """Wait until the scheduler knows that the worker of the deferred task has come to its end."""
        said = rf"Received executor event with state success .*dag_id='{self.name}'"
        self.airflow.wait_for("the deferral to be handled", lambda: re.search(said, self._scheduler_log()))

    def kill_worker(self, *, with_supervisor: bool = False) -> None:
        """SIGKILL the process that runs the task, see `AirflowInstallation.kill_task`."""
        self.kills += 1
        self.airflow.kill_task(self.task, with_supervisor=with_supervisor)

    def expect(self, *states: str, seconds: float = EFFECT_SECONDS) -> None:
        """Give the case's jobs the time to get to be so many and in such states."""
        self.comes(lambda: self.states() == states, seconds)

    def let_jobs_end(self) -> None:
        """Release the jobs that run `until_released`, and wait for the end of the DAG run."""
        self._released.touch()
        self.airflow.wait_for_run(self.name, self.task.run_id, timeout=180)

    def looks(self) -> int:
        """Return how often the first try has looked at its job."""
        return self.airflow.api.task_log(self.task).count(RUNNING)

    def point(self, name: str) -> str:
        """Return the case's own name of a fault point, armed."""
        point = f"{name} {self.name}"
        self.airflow.fault_points.arm(point)
        return point

    # Judging

    def jobs(self) -> list[dict[str, Any]]:
        """Return the case's jobs, the oldest first."""
        return self.emulator.control.jobs(self.name)

    def states(self, index: int | None = None) -> tuple[str, ...]:
        """Return the states of the case's jobs, or those of one mapped task, the oldest job's first."""
        jobs = self.jobs()
        if index is not None:
            jobs = [job for job in jobs if job["labels"]["index"] == str(index)]
        return tuple(job["state"].removeprefix("JOB_STATE_") for job in jobs)

    def outcome(self) -> str:
        """Say what became of jobs and tasks, and how many of the jobs the task logs name."""
        jobs = self.jobs()
        try:
            seen = self.airflow.api.task_instances(self.name, self.task.run_id)
        except httpx.HTTPStatusError:
            seen = []
        # The files, not the API: it has none of a try that Airflow did not write down, or of a deleted DAG.
        folder = self.airflow.home / "logs" / f"dag_id={self.name}"
        logs = "".join(file.read_text() for file in folder.rglob("*.log"))
        named = sum(job["name"].rpartition("/")[2] in logs for job in jobs)
        tasks = counted(f"{one['state']} in try {one['try_number']}" for one in seen)
        return f"jobs: {counted(self.states())}; task: {tasks}; {named} of {len(jobs)} jobs named in its log"

    def spoiled(self) -> bool:
        """Tell whether Airflow's scheduler failed the task as it resumed: then the case never took place.

        A task that resumes within seconds of its deferral can meet that. The scheduler says the same, once,
        of a worker that was killed.
        """
        said = rf"TaskInstance: {self.name}\.train run .*finished with state success, but"
        return len(re.findall(said, self._scheduler_log())) > self.kills

    def end(self) -> None:
        """Give the case's worker slots back, whatever state it is in."""
        with contextlib.suppress(httpx.HTTPStatusError, NotReachableError):
            self.emulator.control.clear_faults(self.name)
            self.airflow.api.mark_run(self.name, self.task.run_id, "failed")


def counted(names: Any) -> str:
    """Return names in their order, those that come again and again once, with their number."""
    names = list(names)
    if len(names) > 3:
        return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))
    return ", ".join(names) or "none"
