"""Ends what an Airflow installation leaves behind, however the tests ended.

Runs as a process of its own, outside of the terminal's process group, and waits for the end of its standard
input: for the tests to close it, or to die. So a Ctrl-C, a SIGTERM, even a SIGKILL of pytest leaves nothing
running, and there is one way of cleaning up, which every test run goes through.

Airflow starts processes in sessions and groups of their own, and orphans of a killed process belong to
nobody. What they all keep is the environment: everything that carries our AIRFLOW_HOME is ours. (`SPT_NOENV`
in that environment stops setproctitle from overwriting it.)
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.airflow_processes.database import drop_database


def processes_of(airflow_home: str) -> list[psutil.Process]:
    """Return every living process whose environment says that it belongs to this AIRFLOW_HOME."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("AIRFLOW_HOME") == airflow_home:
                found.append(process)
    return found


def end_all(airflow_home: str) -> None:
    """SIGKILL everything that belongs to this AIRFLOW_HOME, and what it starts while it is being killed."""
    while processes := processes_of(airflow_home):
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(processes, timeout=0.2)  # not longer: a zombie, for its parent to reap, is no more


def main() -> None:
    """Wait for the end of standard input, then end the processes and drop the database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("airflow_home")
    parser.add_argument("postgresql_name", help="database to drop; may be empty")
    arguments = parser.parse_args()
    sys.stdin.read()
    end_all(arguments.airflow_home)
    if arguments.postgresql_name:
        drop_database(arguments.postgresql_name)


if __name__ == "__main__":
    main()
