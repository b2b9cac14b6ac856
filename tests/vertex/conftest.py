"""The Vertex side against a real emulator, without Airflow."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import AnonymousCredentials

from airflow_vertex_training.vertex.api import endpoint
from airflow_vertex_training.vertex.api.calls import Jobs
from airflow_vertex_training.vertex.naming.identity import TaskTry
from airflow_vertex_training.vertex.spec.arguments import read_arguments
from airflow_vertex_training.vertex.spec.reader import Reader
from airflow_vertex_training.vertex.spec.resolve import build, complete
from airflow_vertex_training.vertex.submit.create import Submitter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from airflow_vertex_training.vertex.spec.job import TrainingJob
    from airflow_vertex_training.vertex.submit.places import Places

REGION = "us-central1"
RUN_START = datetime(2026, 11, 24, 22, 25, 37, 123456, tzinfo=timezone.utc)
_ids = itertools.count(1)


def a_try(**changes: Any) -> TaskTry:
    """Return the first try of a task, with an id of its own, changed as asked for."""
    first = TaskTry(
        deployment_id="airflow",
        dag_id="digits",
        run_id="manual__2026-11-24",
        task_id="train",
        map_index=-1,
        try_number=1,
        try_id=f"try-{next(_ids)}",
        max_tries=1,
        clear_number=0,
        run_start=RUN_START,
    )
    return dataclasses.replace(first, **changes)


def job_of(**arguments: Any) -> TrainingJob:
    """Return the job that an operator's arguments describe."""
    reader = Reader()
    layer = complete([read_arguments(arguments, reader)], reader)
    reader.raise_findings()
    return build(layer)


def a_job(this: TaskTry, *command: str, **changes: Any) -> TrainingJob:
    """Return the job that a try asks for, changed as asked for; without a command it runs for long."""
    arguments: dict[str, Any] = {
        "image": "us-docker.pkg.dev/acme/trainers/digits:1.4",
        "display_name": "digits",
        "service_account": "trainer@acme.iam.gserviceaccount.com",
        "command": command or ("python", "-c", "import time; time.sleep(600)"),
    }
    job = job_of(**{**arguments, **changes})
    return dataclasses.replace(job, labels={**(job.labels or {}), **this.labels()})


def submitter(places: Places, timeout: float = 1800.0, **changes: Any) -> Submitter:
    """Return what gets a try its job, as patient as an operator is by default, changed as asked for."""
    return Submitter(places, timeout, **changes)


@pytest.fixture
def sleeps() -> list[float]:
    """The waits that were asked for."""
    return []


@pytest.fixture
def jobs(emulator: EmulatorProcess, project: str, sleeps: list[float]) -> Iterator[Jobs]:
    """The jobs of a project of its own; waiting between calls takes no time. All are cancelled at the end."""
    client = endpoint.open_client(
        endpoint.Endpoint(emulator.address, is_emulator=True), AnonymousCredentials()
    )
    with Jobs(client, project, REGION, sleep=sleeps.append) as opened:
        yield opened
        emulator.control.clear_faults(project)
        for job in emulator.control.jobs(project):
            opened.cancel(job["name"])
