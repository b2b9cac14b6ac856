"""An empty metadata database for one Airflow installation: PostgreSQL where one answers, else SQLite."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import uuid
from typing import TYPE_CHECKING, NamedTuple

import psycopg2

if TYPE_CHECKING:
    from pathlib import Path

CHOICE_VARIABLE = "VERTEX_TRAINING_TEST_DATABASE"
"""Environment variable that forces `sqlite` or `postgresql`; unset takes what is there."""

POSTGRESQL = {
    "host": "127.0.0.1",
    "port": 5432,
    "user": "postgres",
    "dbname": "postgres",
    "connect_timeout": 3,
}


class MetadataDatabase(NamedTuple):
    """Where the metadata lies.

    Attributes:
        url: SQLAlchemy's URL of the database.
        postgresql_name: What has to be dropped at the end, or "" where nothing has to.
        sqlite_file: Where it is SQLite's, its file.
    """

    url: str
    postgresql_name: str = ""
    sqlite_file: Path | None = None


def create_database(folder: Path) -> MetadataDatabase:
    """Make an empty database of the kind that `CHOICE_VARIABLE` names, or of the best kind there is.

    Args:
        folder: Where an SQLite file may lie.

    Returns:
        The database. `drop_database` ends it.

    Raises:
        ValueError: `CHOICE_VARIABLE` holds anything else than `sqlite` or `postgresql`.
        psycopg2.OperationalError: `postgresql` is asked for by name and does not answer.
    """
    choice = os.environ.get(CHOICE_VARIABLE) or ("postgresql" if _postgresql_answers() else "sqlite")
    if choice == "sqlite":
        file = folder / "airflow.db"
        return MetadataDatabase(f"sqlite:///{file}?timeout=30", sqlite_file=file)
    if choice == "postgresql":
        name = f"airflow_test_{uuid.uuid4().hex}"
        _execute(f'CREATE DATABASE "{name}"')
        # A crash of the database server is no part of any test; a flush to disk for each commit is a good
        # part of each test's time.
        _execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        address = "{user}@{host}:{port}".format(**POSTGRESQL)
        return MetadataDatabase(f"postgresql+psycopg2://{address}/{name}", name)
    raise ValueError(f"{CHOICE_VARIABLE}: must be sqlite or postgresql, got {choice!r}")


def drop_database(postgresql_name: str) -> None:
    """Drop a database of PostgreSQL that `create_database` made, whoever is still connected to it."""
    _execute(f'DROP DATABASE IF EXISTS "{postgresql_name}" WITH (FORCE)')


def never_reuse_trigger_ids(sqlite_file: Path) -> None:
    """Make SQLite number Airflow's triggers as PostgreSQL does: no id twice. For a migrated, empty database.

    Airflow's own table gives the id of a trigger that was just deleted to the next one. The triggerer, which
    still runs the old one for a second, takes them for the same: it neither ends the old nor starts the new
    one, and resumes the new one's task with the old one's event. A test that ends a deferred task would break
    the next test now and then.
    """
    with contextlib.closing(sqlite3.connect(sqlite_file)) as connection, connection:
        rows = connection.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = 'trigger' ORDER BY type DESC"
        )
        table, *indexes = [sql for (sql,) in rows]
        numbered = table.replace("id INTEGER NOT NULL", "id INTEGER PRIMARY KEY AUTOINCREMENT", 1)
        numbered = re.sub(r",\s+CONSTRAINT trigger_pkey PRIMARY KEY \(id\)", "", numbered)
        for statement in ('DROP TABLE "trigger"', numbered, *indexes):
            connection.execute(statement)


def _postgresql_answers() -> bool:
    try:
        psycopg2.connect(**POSTGRESQL).close()
    except psycopg2.OperationalError:
        return False
    return True


def _execute(statement: str) -> None:
    connection = psycopg2.connect(**POSTGRESQL)
    try:
        connection.autocommit = True  # CREATE and DROP DATABASE work outside of transactions only
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()
