"""The parts of the harness that need no Airflow."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.airflow_processes import database, reaper, settings
from tests.airflow_processes.waiting import NotReachableError, wait_for


def test_a_wait_ends_with_what_it_waited_for():
    """What can't be reached at first is looked at again."""
    answers = iter([NotReachableError("starting"), 1, 2, 3])

    def look():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert wait_for("more than one", look, lambda seen: seen > 1) == 2


def test_a_failed_wait_says_what_it_saw():
    """The error names the condition, what was seen last, and the details."""
    with pytest.raises(AssertionError, match=r"Waited 0 s for rain; last seen: 'sun'\nlogs"):
        wait_for("rain", lambda: "sun", lambda seen: seen == "rain", timeout=0, details=lambda: "logs")


def test_the_reaper_ends_what_carries_the_home(tmp_path):
    """When the tests' end of the pipe closes, all that carries our AIRFLOW_HOME ends, and nothing else."""
    idle = [sys.executable, "-c", "input()"]
    with (
        subprocess.Popen(
            idle,
            env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
            stdin=subprocess.PIPE,
            start_new_session=True,
        ) as ours,
        subprocess.Popen(
            idle, env={**os.environ, "AIRFLOW_HOME": f"{tmp_path}-other"}, stdin=subprocess.PIPE
        ) as not_ours,
    ):
        wait_for("the processes to be there", lambda: len(reaper.processes_of(str(tmp_path))) == 1)
        subprocess.run(
            [sys.executable, Path(reaper.__file__), tmp_path, ""], input=b"", check=True, timeout=30
        )
        assert ours.wait() != 0
        assert not_ours.poll() is None


def test_preloaded_modules_come_with_airflow(tmp_path):
    """A process of an installation has imported what is to be preloaded when it has imported Airflow."""
    settings.write_home(tmp_path / "home", {}, ["colorsys"])
    program = "import sys, airflow; sys.exit('colorsys' not in sys.modules)"
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "home")}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


def test_sqlite_gives_no_trigger_id_twice(tmp_path):
    """The trigger after a deleted one has an id of its own, as it has in PostgreSQL."""
    file = tmp_path / "airflow.db"
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("""
            CREATE TABLE "trigger" (
                id INTEGER NOT NULL,
                classpath VARCHAR(1000) NOT NULL,
                CONSTRAINT trigger_pkey PRIMARY KEY (id)
            )
        """)
        connection.execute('CREATE INDEX by_class ON "trigger" (classpath)')
    database.never_reuse_trigger_ids(file)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        for _ in range(2):
            last = connection.execute("INSERT INTO \"trigger\" (classpath) VALUES ('a')").lastrowid
            connection.execute('DELETE FROM "trigger"')
    assert last == 2


def test_an_unknown_kind_of_database_is_refused(monkeypatch, tmp_path):
    """The error names the variable and what it may hold."""
    monkeypatch.setenv(database.CHOICE_VARIABLE, "oracle")
    with pytest.raises(
        ValueError, match=r"VERTEX_TRAINING_TEST_DATABASE: must be sqlite or postgresql, got 'oracle'"
    ):
        database.create_database(tmp_path)
