"""An empty metadata database for one Airflow installation: PostgreSQL where one answers, else SQLite."""

from __future__ import annotations

import os
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
    """

    url: str
    postgresql_name: str = ""


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
        return MetadataDatabase(f"sqlite:///{folder / 'airflow.db'}?timeout=30")
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
