"""Measures on real Airflow processes what `docs/reliability.md` quotes, and prints it.

    python -m tests.chaos.measure [window] [ways] [mapped] [orphans]

`window`: how long after its deferral a task can't be killed for good. `ways`: how soon a job's cancel is
requested after Airflow has ended its task, for each way of ending. `mapped`: 100 mapped tasks that start
together under a submission quota which refuses most of them. `orphans`: jobs that lost their tasks in each
way that no hook of Airflow covers, beside healthy ones. It is no test: a number of seconds is a fact about a
machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import textwrap
import time
from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_vertex_training.emulator.control.process import launch
from tests.airflow_processes.api import TaskKey, as_time
from tests.airflow_processes.installation import airflow_installation
from tests.chaos import orphaning
from tests.chaos.conftest import PROJECT, Trainings
from tests.chaos.dag_files import ANOTHER_TASK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.airflow_processes.installation import AirflowInstallation

ALONE = 5
TOGETHER = 20
EACH_WAY = 3
MAPPED = 100
ORPHANS = 10
HEALTHY = 20
# So few a minute that this machine's workers, who start some 20 tasks a minute, meet the quota.
SUBMISSIONS = 10

# 40 at once, not all: LocalExecutor hands tasks to its workers through a pipe that holds some 60. While that
# is full Airflow's scheduler stands still, then takes its own tasks for orphans and starts them anew.
DAG_FILE = textwrap.dedent(f"""
    from airflow.sdk import DAG
    from airflow_vertex_training.operators import VertexCustomTrainingOperator

    with DAG("measured", schedule=None, max_active_tasks=40, max_active_runs=64):
        VertexCustomTrainingOperator.partial(
            task_id="train",
            project_id={PROJECT!r},
            region="us-central1",
            image="us-docker.pkg.dev/acme/trainers/digits:1.0",
            command=["python", "-c", "import time; time.sleep(3600)"],
            poll_interval=1.0,
        ).expand(args=[[str(number)] for number in range(COUNT)])
""")


class Way(NamedTuple):
    """A way of ending a task.

    Attributes:
        name: What a reader knows it by.
        act: Ends a task that is being watched, and returns when Airflow did so, in seconds since the epoch.
        arguments: Of `Trainings.start`.
        running: Whether a task that runs can be ended so, too.
    """

    name: str
    act: Callable[[AirflowInstallation, TaskKey], float]
    arguments: Mapping[str, Any] = MappingProxyType({})
    running: bool = True


def by_request(request: Callable[[AirflowInstallation, TaskKey], object]) -> Any:
    """Return how to end a task by a request to Airflow's API, at whose start the clock starts."""

    def act(airflow: AirflowInstallation, task: TaskKey) -> float:
        at = time.time()
        request(airflow, task)
        return at

    return act


def execution_timeout(airflow: AirflowInstallation, task: TaskKey) -> float:
    """Return when a task's time is up."""
    started = str(airflow.api.task_instance(task)["start_date"])
    return seconds(started) + EXECUTION_TIMEOUT


def dagrun_timeout(airflow: AirflowInstallation, task: TaskKey) -> float:
    """Wait until the scheduler fails the run, and return when it did."""
    run = airflow.wait_for_run(task.dag_id, task.run_id, ["failed"], timeout=120)
    return seconds(str(run["end_date"]))


def removal(airflow: AirflowInstallation, task: TaskKey) -> float:
    """Take the task out of its DAG, and return when Airflow has stored the new one."""
    airflow.write_dag(task.dag_id, ANOTHER_TASK.format(dag_id=task.dag_id))
    return time.time()


EXECUTION_TIMEOUT = 30.0
WAYS = (
    Way("marked failed", by_request(lambda airflow, task: airflow.api.mark_task(task, "failed"))),
    Way("marked success", by_request(lambda airflow, task: airflow.api.mark_task(task, "success"))),
    Way("cleared", by_request(lambda airflow, task: airflow.api.clear_task(task))),
    Way(
        "DAG run marked failed",
        by_request(lambda airflow, task: airflow.api.mark_run(task.dag_id, task.run_id, "failed")),
    ),
    Way("dagrun_timeout", dagrun_timeout, {"dag_arguments": '{"dagrun_timeout": timedelta(seconds=30)}'}),
    Way("execution_timeout", execution_timeout, {"execution_timeout": EXECUTION_TIMEOUT}),
    Way("task removed from the DAG", removal),
    Way("DAG deleted", by_request(lambda airflow, task: airflow.remove_dag(task.dag_id)), running=False),
)


def main() -> None:
    """Measure and print."""
    parts = {
        "window": measure_window,
        "ways": measure_ways,
        "mapped": measure_mapped,
        "orphans": measure_orphans,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "parts", nargs="*", choices=[*parts, []], metavar="PART", help="all of them by default"
    )
    chosen = parser.parse_args().parts or list(parts)
    instant = ("--queue-seconds", "0", "--provision-seconds", "0", "--stop-grace-seconds", "2")
    for name in chosen:
        more = orphaning.SETTINGS if name == "orphans" else None
        home = Path(tempfile.mkdtemp()) / "home"
        with (
            launch(*instant) as emulator,
            airflow_installation(
                home, environment={"VERTEX_AI_EMULATOR_HOST": emulator.address}, more_settings=more
            ) as airflow,
        ):
            parts[name](Trainings(airflow, emulator, itertools.count(1)))


def measure_window(training: Trainings) -> None:
    """From the deferral to the start of the trigger."""
    airflow = training.airflow
    alone = [task for number in range(ALONE) for task in deferred(airflow, f"alone-{number}", 1)]
    show("window, one task at a time", [window(airflow.home, task) for task in alone])
    together = deferred(airflow, "together", TOGETHER)
    show(f"window, {TOGETHER} tasks at once", [window(airflow.home, task) for task in together])
    for run_id in {task.run_id for task in (*alone, *together)}:
        airflow.api.mark_run("measured", run_id, "failed")


def measure_ways(training: Trainings) -> None:
    """From Airflow's ending a task to the request to cancel its job."""
    for way, deferrable in itertools.product(WAYS, (True, False)):
        if deferrable or way.running:
            tasks = [training.start(deferrable=deferrable, **way.arguments) for _ in range(EACH_WAY)]
            for task in tasks:
                training.airflow.wait_for_task(task, "deferred" if deferrable else "running")
                training.airflow.wait_for_log(task, "INFO Running")
            acted = [way.act(training.airflow, task) for task in tasks]
            asked = [cancel_asked(training, task) for task in tasks]
            show(
                f"{way.name}, {'deferred' if deferrable else 'running'}",
                [to - since for since, to in zip(acted, asked, strict=True)],
            )
            if way.name == "cleared":
                for task in tasks:
                    training.airflow.api.mark_run(task.dag_id, task.run_id, "failed")


def measure_mapped(training: Trainings) -> None:
    """Whether each of many mapped tasks gets its one job under a quota."""
    control = training.emulator.control
    control.set_quotas(PROJECT, {"submissions": SUBMISSIONS})
    training.airflow.write_dag("measured", DAG_FILE.replace("COUNT", str(MAPPED)))
    started = time.monotonic()
    training.airflow.api.trigger("measured", run_id="mapped")
    training.airflow.wait_for(
        "all mapped tasks to be deferred",
        lambda: training.airflow.api.task_instances("measured", "mapped"),
        lambda seen: len(seen) == MAPPED and {one["state"] for one in seen} == {"deferred"},
        timeout=1800,
    )
    spent = time.monotonic() - started
    jobs = [job for job in control.jobs(PROJECT) if job["labels"]["airflow_run_id"] == "mapped"]
    tasks = {job["labels"]["airflow_map_index"] for job in jobs if job["state"] == "JOB_STATE_RUNNING"}
    print(  # noqa: T201  a program
        f"{MAPPED} mapped tasks under a quota of {SUBMISSIONS} submissions a minute, after {spent:.0f} s: "
        f"jobs by state: {Counter(job['state'] for job in jobs)}, the running ones of {len(tasks)} tasks; "
        f"create calls by answer: {control.requests(PROJECT)['CreateCustomJob']}"
    )
    training.airflow.api.mark_run("measured", "mapped", "failed")


def measure_orphans(training: Trainings) -> None:
    """From the end of the grace time to the request to cancel an orphan; and what became of healthy jobs."""
    healthy = orphaning.healthy(training, HEALTHY)
    for name, orphan in orphaning.WAYS.items():
        tasks = orphan(training, ORPHANS)
        at = time.time()
        show(f"orphans: {name}", [orphaning.seconds_after_grace(training, task, at) for task in tasks])
    untouched = sum(training.states(task) == ["RUNNING"] for task in healthy)
    print(f"healthy jobs beside them: {untouched} of {HEALTHY} run")  # noqa: T201  a program


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
                    times[name] = seconds(entry["timestamp"])
    return times["starting"] - times["Pausing task as DEFERRED"]


def cancel_asked(training: Trainings, task: TaskKey) -> float:
    """Wait until Vertex is asked to cancel a task's first job; return when, in seconds since the epoch."""
    job = training.jobs(task)[0]
    history = training.emulator.control.wait_job(job["name"], ["JOB_STATE_CANCELLING"], timeout=90)["history"]
    (at,) = (one["nanoseconds"] for one in history if one["state"] == "JOB_STATE_CANCELLING")
    return float(at) / 1e9


def seconds(text: str) -> float:
    """Return a time as Airflow writes it, in seconds since the epoch."""
    return as_time(text).timestamp()


def show(what: str, durations: Sequence[float]) -> None:
    """Print the spread of some durations."""
    middle = statistics.median(durations)
    spread = f"{min(durations):.1f} to {max(durations):.1f} s, median {middle:.1f} s"
    print(f"{what}: {spread}", flush=True)  # noqa: T201  a program


if __name__ == "__main__":
    main()
