"""Runs the cases of docs/reliability.md against Google's own `CreateCustomJobOperator`.

    python -m tests.chaos.peer [--only TEXT]

Prints a line for each case: what became of its jobs and its task. It is no test: it says what is, not what
should be. The column for that operator in docs/reliability.md is filled in from it.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from airflow_vertex_training.emulator.control.process import launch
from tests.airflow_processes.installation import airflow_installation
from tests.chaos import peer_cases as cases
from tests.chaos.peer_bench import ENDPOINT_VARIABLE, Bench
from tests.tls import make_tls_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from tests.airflow_processes.installation import AirflowInstallation

SIDE_BY_SIDE = 8
RUNS = 4
"""How often a case is run until it takes place."""

OPERATOR = "tests.chaos.google_operator"
INSTANT = ("--queue-seconds", "0", "--provision-seconds", "0", "--stop-grace-seconds", "2")


class Case(NamedTuple):
    """One case.

    Attributes:
        name: As in the document's tables.
        run: Makes it happen; what it returns is printed too.
        alone: Whether it ends or stops processes that other cases need.
    """

    name: str
    run: Callable[[Bench], str | None]
    alone: bool = False


def both(name: str, run: Callable[..., str | None], *arguments: str) -> list[Case]:
    """Return a case for each way to wait."""
    return [
        Case(f"{name}, deferred", lambda bench: run(bench, *arguments, deferrable=True)),
        Case(f"{name}, running", lambda bench: run(bench, *arguments, deferrable=False)),
    ]


CASES = [
    *(
        Case(f"worker killed {point}", functools.partial(cases.killed_worker, point=point))
        for point in ("before create", "after create", "before deferral")
    ),
    Case("worker vanishes with its supervisor, running", cases.lost_machine),
    Case("job succeeds while its worker dies", cases.killed_worker_of_a_finished_job),
    Case("retry after the job failed", cases.retry_after_failure),
    *(
        Case(
            f"{kind} trigger, {'a' if retries else 'no'} try is left",
            functools.partial(cases.broken_trigger, kind=kind, retries=retries),
        )
        for retries in (1, 0)
        for kind in ("crashing", "unloadable")
    ),
    *both("clear", cases.clear),
    Case("clear while no triggerer is alive", cases.clear_without_triggerer, alone=True),
    Case("clear after success", functools.partial(cases.clear_after_the_end, command=cases.SUCCEED)),
    Case("clear after failure", functools.partial(cases.clear_after_the_end, command=cases.FAIL)),
    Case("mapped: one cleared, one failed, one left", cases.siblings),
    Case(
        "create answered UNAVAILABLE after the commit",
        functools.partial(cases.create_error, code="UNAVAILABLE", when="after_commit", retries=1),
    ),
    Case(
        "create refused by the request quota",
        functools.partial(cases.create_error, code="RESOURCE_EXHAUSTED", when="before_commit"),
    ),
    *both("mark failed", cases.mark, "failed"),
    *both("mark success", cases.mark, "success"),
    *(
        Case(
            f"mark {verdict} between create and deferral",
            functools.partial(cases.mark_before_deferral, verdict=verdict),
        )
        for verdict in ("failed", "success")
    ),
    *both("DAG run marked failed", cases.fail_run),
    *both("dagrun_timeout", cases.dagrun_timeout),
    *both("execution_timeout", cases.execution_timeout),
    *both("task removed from the DAG", cases.remove_task),
    Case("DAG deleted, deferred", cases.delete_dag),
    *both("one 503 while polling", cases.polling_error),
    Case("request quota while polling", cases.polling_quota),
    Case("new version of the DAG", cases.new_version),
    Case("triggerer stopped and started", cases.stopped_triggerer, alone=True),
    Case(f"triggerer killed with {cases.MANY} deferred jobs", cases.killed_triggerer, alone=True),
    Case("triggerer frozen, handed over, woken up", cases.frozen_triggerer, alone=True),
    Case("worker frozen until the retry waits, woken up", cases.frozen_worker),
    Case("scheduler and API server restarted", cases.restarts, alone=True),
    Case("outage of the API server, running", cases.api_server_outage, alone=True),
]

NOT_RUN = {
    "DAG deleted, running": "Airflow refuses to delete a DAG while a task of it runs",
    "retry with reattach=False": "no such setting",
    "mark failed with cancel_on_kill=False": "no such setting",
    "two Airflow installations in one project": "the operator looks for no job but its own, by id",
}


def main() -> None:
    """Run all cases, those that can be side by side, and print what became of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    only = parser.parse_args().only
    chosen = [case for case in CASES if only in case.name]
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp())
    tls = make_tls_files(folder)
    say(f"Google provider {version('apache-airflow-providers-google')}, Airflow {version('apache-airflow')}")
    with launch(*tls.emulator_arguments, *INSTANT) as emulator:
        environment = {
            ENDPOINT_VARIABLE: emulator.address,
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tls.ca),
            "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": json.dumps(
                {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True}}
            ),
        }
        with airflow_installation(
            folder / "home",
            environment=environment,
            more_settings={"core": {"parallelism": "16"}},
            preload=[OPERATOR],
        ) as airflow:
            run_all(chosen, airflow, emulator)
    for name, reason in NOT_RUN.items():
        say(f"{name}: not run, {reason}")
    say(f"{len(chosen)} cases in {time.monotonic() - began:.0f} s; logs are in {folder / 'home'}")


def run_all(chosen: list[Case], airflow: AirflowInstallation, emulator: EmulatorProcess) -> None:
    """Run cases side by side, then one after another those that need Airflow for themselves."""
    run = functools.partial(run_until_valid, airflow=airflow, emulator=emulator)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for line in pool.map(run, [case for case in chosen if not case.alone]):
            say(line)
    for case in chosen:
        if case.alone:
            say(run(case))
            airflow.restore()


def run_until_valid(case: Case, *, airflow: AirflowInstallation, emulator: EmulatorProcess) -> str:
    """Run a case and return its line; run it again, as often as `RUNS`, where it did not take place."""
    name = re.sub(r"\W+", "-", case.name).lower()
    for number in range(1, RUNS + 1):
        bench = Bench(airflow, emulator, f"{name}-{number}")
        line = run_one(case, bench)
        if not bench.spoiled():
            return line + (
                f"; run {number}, the scheduler failed the task in those before" if number > 1 else ""
            )
    return f"{case.name}: not valid, the scheduler failed the task in each of {RUNS} runs"


def run_one(case: Case, bench: Bench) -> str:
    """Run one case and return its line; whatever goes wrong is the outcome too."""
    began = time.monotonic()
    try:
        said = case.run(bench) or ""
    except Exception as error:  # noqa: BLE001  the other cases go on
        said = "did not get to its end: " + re.split("\n|; last seen", str(error))[0]
        if not isinstance(error, AssertionError):
            traceback.print_exc()
    try:
        outcome = bench.outcome()
    except Exception as error:  # noqa: BLE001
        outcome = f"can't be read: {error!r}"
    bench.end()
    return "; ".join(filter(None, [f"{case.name}: {outcome}", said])) + f" ({time.monotonic() - began:.0f} s)"


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201  a program


if __name__ == "__main__":
    main()
