"""A whole Airflow of real processes: scheduler with LocalExecutor, API server, DAG processor, triggerers."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import signal
import socket
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import psutil

from tests.airflow_processes import fault_points, settings, waiting
from tests.airflow_processes.api import AirflowApi, Json, TaskKey, as_time
from tests.airflow_processes.database import create_database, never_reuse_trigger_ids
from tests.airflow_processes.processes import AirflowProcess, send_signal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

REPOSITORY = Path(__file__).parents[2]

JOB_TYPES = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
"""What Airflow's table of processes calls them; the API server is not in it."""

FINAL_STATES = ("success", "failed", "skipped", "upstream_failed", "removed")

Seen = TypeVar("Seen")


@contextlib.contextmanager
def airflow_installation(
    home: Path,
    *,
    environment: Mapping[str, str] | None = None,
    more_settings: settings.Settings | None = None,
    preload: Sequence[str] = (),
    python: str = sys.executable,
) -> Iterator[AirflowInstallation]:
    """Run a healthy Airflow for the length of a block; end all its processes after it, whatever happened.

    Args:
        home: Its AIRFLOW_HOME; must not exist yet. It stays, with all logs.
        environment: Further environment of all processes, such as VERTEX_AI_EMULATOR_HOST or AIRFLOW_CONN_...
        more_settings: Goes over `settings.quick_settings`.
        preload: Modules that each process imports when it starts. Tasks, triggers and DAG files run in forks
            of these processes and find them loaded.
        python: The Python that has the Airflow to run.

    Yields:
        The installation.

    Raises:
        AssertionError: It did not get healthy in time; says what its logs end with.
    """
    home.mkdir(parents=True)
    database = create_database(home)
    reaper = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("reaper.py")), str(home), database.postgresql_name],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        port = _free_port()
        quick = settings.quick_settings(home, database.url, port)
        settings.write_home(home, settings.merged(quick, more_settings or {}), preload)
        fault_folder = {fault_points.FOLDER_VARIABLE: str(home / "fault_points")}
        variables = settings.process_environment(home, REPOSITORY, fault_folder | dict(environment or {}))
        with contextlib.closing(
            AirflowInstallation(home, f"http://127.0.0.1:{port}", variables, python)
        ) as made:
            made.migrate()
            if database.sqlite_file is not None:
                never_reuse_trigger_ids(database.sqlite_file)
            made.start()
            yield made
    finally:
        # What the processes have started themselves, wherever it went, and the database.
        reaper.communicate()


class AirflowInstallation:
    """Processes, DAG files and API of one Airflow. Made by `airflow_installation`.

    Attributes:
        home: AIRFLOW_HOME.
        api: Client of the API server.
        fault_points: Stops processes at named points.
        scheduler: Also runs the tasks, in processes below it.
        api_server: Serves the public API, and the workers' and triggerers' own.
        dag_processor: Parses the files of the DAG folder.
        triggerers: Every triggerer that was started, the first one at 0.
    """

    def __init__(self, home: Path, url: str, environment: Mapping[str, str], python: str):
        self.home = home
        self.api = AirflowApi(url)
        self.fault_points = fault_points.FaultPoints(home / "fault_points", self.wait_for)
        self._environment = environment
        self._python = python
        (home / "process_logs").mkdir()
        self.scheduler = self._process("scheduler", "scheduler", "--skip-serve-logs")
        self.api_server = self._process("api-server", "api-server", "--workers", "1")
        self.dag_processor = self._process("dag-processor", "dag-processor")
        self.triggerers: list[AirflowProcess] = [self._new_triggerer(0)]

    def migrate(self) -> None:
        """Make the tables of the metadata database."""
        self._process("db-migrate", "db", "migrate").run()

    def start(self) -> None:
        """Start one process of each kind, and wait until all have a heartbeat."""
        for process in self.processes:
            process.start()
        self.wait_for("a healthy Airflow", self.api.health, _is_healthy, timeout=120)

    def close(self) -> None:
        """Kill all its processes."""
        for process in self.processes:
            process.kill()
        self.api.close()

    @property
    def processes(self) -> list[AirflowProcess]:
        """All processes that were ever started, the dead ones too."""
        return [self.api_server, self.scheduler, self.dag_processor, *self.triggerers]

    def wait_for(
        self,
        what: str,
        look: Callable[[], Seen],
        until: Callable[[Seen], object] = bool,
        *,
        timeout: float = 60.0,
    ) -> Seen:
        """Do as `waiting.wait_for`; an error also shows how the logs of all processes end."""
        return waiting.wait_for(what, look, until, timeout=timeout, details=self.log_tails)

    def log_tails(self) -> str:
        """Return how the logs of all processes end."""
        return "\n".join(process.log_tail() for process in self.processes)

    # Processes

    def start_triggerer(self) -> AirflowProcess:
        """Start one more triggerer and wait until it has a heartbeat."""
        triggerer = self._new_triggerer(len(self.triggerers))
        self.triggerers.append(triggerer)
        self.start_again(triggerer)
        return triggerer

    def start_again(self, *processes: AirflowProcess) -> None:
        """Start processes that have ended (`kill` or `stop` them first) and wait until they are at work."""
        started_at = datetime.now(tz=timezone.utc)
        for process in processes:
            process.start()
        self.wait_for("the API server", self.api.health)
        for process in processes:
            if process is not self.api_server:
                job_type = JOB_TYPES[process.name.rstrip("-0123456789")]
                self.wait_for(
                    f"{process.name} to be at work",
                    functools.partial(self.api.jobs, job_type, started_after=started_at),
                )

    def kill_task(self, task: TaskKey, *, with_supervisor: bool = False) -> None:
        """SIGKILL the process that runs a task instance.

        Args:
            task: A running task instance.
            with_supervisor: Also the worker process above it, as when the machine goes away: then nobody
                tells Airflow, and it finds out when heartbeats are missing for
                `[scheduler] task_instance_heartbeat_timeout`. Without it the supervisor reports at once.
        """
        pid = self.task_pid(task)
        process = psutil.Process(pid)
        supervisor = process.ppid()
        if with_supervisor:
            os.kill(supervisor, signal.SIGKILL)
        process.kill()

    @contextlib.contextmanager
    def task_frozen(self, task: TaskKey) -> Iterator[None]:
        """SIGSTOP the process that runs a task instance, and its supervisor, for the length of a block.

        As when the worker's machine hangs: Airflow finds out when heartbeats are missing for
        `[scheduler] task_instance_heartbeat_timeout`.
        """
        process = psutil.Process(self.task_pid(task))
        processes = [psutil.Process(process.ppid()), process]
        send_signal(processes, signal.SIGSTOP)
        try:
            yield
        finally:
            send_signal(processes, signal.SIGCONT)

    def api_server_outage(self, task: TaskKey) -> None:
        """SIGKILL the API server, end a running task as its worker does then, and start the server again.

        After `[workers] max_failed_heartbeats` a worker sends its task a SIGTERM, and 5 seconds later a
        SIGKILL. It takes a worker of Airflow 3.3 some 40 s to come to that, one of 3.1 more than two minutes.
        """
        process = psutil.Process(self.task_pid(task))
        self.api_server.kill()
        process.terminate()
        try:
            process.wait(timeout=5)
        except psutil.TimeoutExpired:
            process.kill()
        self.start_again(self.api_server)

    def task_pid(self, task: TaskKey) -> int:
        """Wait until a task instance runs, and return the pid of the process that executes it."""
        running = self.wait_for_task(task, "running")
        return int(running["pid"])

    def restore(self) -> None:
        """Bring it back to one running process of each kind, nothing frozen, no fault point armed.

        For the time between two tests, whatever the last one has killed.
        """
        self.fault_points.clear()
        for process in self.processes:
            process.thaw()
        for surplus in self.triggerers[1:]:
            surplus.kill()
        needed = [self.api_server, self.scheduler, self.dag_processor, self.triggerers[0]]
        self.start_again(*(process for process in needed if not process.running))

    # DAG files

    def write_dag(self, dag_id: str, text: str, *, file_name: str | None = None) -> None:
        """Write or replace a DAG file and wait until Airflow has stored the DAG of exactly this text.

        Args:
            dag_id: A DAG that the text defines.
            text: Python.
            file_name: Its name in the DAG folder, by default `DAG_ID.py`.

        Raises:
            AssertionError: It was not parsed in time; tells the import error if there is one.
        """
        file = self.home / "dags" / (file_name or f"{dag_id}.py")
        new = file.with_suffix(".new")  # a file appears whole, or not at all
        new.write_text(text)
        new.rename(file)
        tag = "text-" + hashlib.sha256(file.read_bytes()).hexdigest()[:16]  # of settings.LOCAL_SETTINGS

        def parsed() -> str:
            dag = self.api.dag(dag_id)
            if dag is not None and not dag["is_stale"] and tag in {tag["name"] for tag in dag["tags"]}:
                return "yes"
            return "no\n" + "\n".join(self.api.import_errors().values())

        self.wait_for(f"{file.name} to be parsed", parsed, lambda answer: answer == "yes")

    def remove_dag(self, dag_id: str, *, file_name: str | None = None) -> None:
        """Delete a DAG file, then the DAG with its runs.

        On SQLite, which locks no rows, Airflow's scheduler can fall over a run that is deleted while it looks
        at it. Then it is started again.
        """
        (self.home / "dags" / (file_name or f"{dag_id}.py")).unlink()
        self.api.delete_dag(dag_id)
        deleted_at = datetime.now(tz=timezone.utc)

        def goes_on() -> bool:
            return as_time(self.api.health()["scheduler"]["latest_scheduler_heartbeat"]) > deleted_at

        self.wait_for(
            "the scheduler to go on, or to end", lambda: not self.scheduler.running or goes_on(), timeout=90
        )
        if not self.scheduler.running:
            self.start_again(self.scheduler)

    # States

    def wait_for_task(self, task: TaskKey, *states: str, try_number: int = 1, timeout: float = 60.0) -> Json:
        """Wait until a task instance is in one of these states, in this try or a later one, and return it."""
        return self.wait_for(
            f"{task} to be {' or '.join(states)}, try {try_number}",
            lambda: self.api.task_instance(task),
            lambda seen: seen["state"] in states and seen["try_number"] >= try_number,
            timeout=timeout,
        )

    def wait_for_run(
        self, dag_id: str, run_id: str, states: Collection[str] = ("success", "failed"), timeout: float = 60.0
    ) -> Json:
        """Wait until a DAG run is in one of these states, by default at its end, and return it."""
        return self.wait_for(
            f"run {run_id} of {dag_id} to be {' or '.join(states)}",
            lambda: self.api.run(dag_id, run_id),
            lambda seen: seen["state"] in states,
            timeout=timeout,
        )

    def wait_for_log(self, task: TaskKey, text: str, *, try_number: int = 1, timeout: float = 60.0) -> str:
        """Wait until a task's log contains this text, and return the whole log."""
        return self.wait_for(
            f"{text!r} in the log of {task}, try {try_number}",
            lambda: self.api.task_log(task, try_number),
            lambda log: text in log,
            timeout=timeout,
        )

    def _new_triggerer(self, number: int) -> AirflowProcess:
        return self._process(f"triggerer-{number}", "triggerer", "--skip-serve-logs")

    def _process(self, name: str, *arguments: str) -> AirflowProcess:
        return AirflowProcess(name, arguments, self._environment, self.home / "process_logs", self._python)


def _is_healthy(health: Json) -> bool:
    components = ("metadatabase", "scheduler", "triggerer", "dag_processor")
    return all((health.get(name) or {}).get("status") == "healthy" for name in components)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
