"""Tasks whose jobs are small programs, and what the server has of them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG
from google.auth.credentials import AnonymousCredentials

from airflow_vertex_training.operators import VertexCustomTrainingOperator
from airflow_vertex_training.vertex.api import endpoint
from tests.provider.task_runs import run_task, task_instance

if TYPE_CHECKING:
    import pytest
    from google.cloud import aiplatform_v1

    from airflow_vertex_training.emulator.control.process import EmulatorProcess


IMAGE = "us-docker.pkg.dev/acme/trainers/digits:1.4"


REGION = "us-central1"


FOREVER = "import time; time.sleep(600)"


NAME = "projects/p/locations/us-central1/customJobs/1"


def make(**changes: Any) -> VertexCustomTrainingOperator:
    """Return an operator that runs a Python program, by default one that succeeds at once."""
    program = changes.pop("program", "print('trained')")
    arguments: dict[str, Any] = {
        "task_id": "train",
        "region": REGION,
        "image": IMAGE,
        "command": ["python", "-c", program],
        "poll_interval": 0.05,
    }
    with DAG("digits", schedule=None, params={"n": 2}):
        return VertexCustomTrainingOperator(**{**arguments, **changes})


def only_job(emulator: EmulatorProcess, project: str) -> dict[str, Any]:
    """Return the project's only job as the control service shows it."""
    (job,) = emulator.control.jobs(project)
    return job


def on_the_server(emulator: EmulatorProcess, project: str) -> aiplatform_v1.CustomJob:
    """Return the project's only job as the API answers it."""
    where = endpoint.Endpoint(emulator.address, is_emulator=True)
    with endpoint.open_client(where, AnonymousCredentials()) as client:
        return client.get_custom_job(name=only_job(emulator, project)["name"])


def resume(operator: VertexCustomTrainingOperator, method: str, kwargs: dict[str, Any], **ti: Any) -> Any:
    """Resume a task as Airflow does after a deferral."""
    context = task_instance(operator, **ti).get_template_context()
    return operator.resume_execution(method, kwargs, context)


def submitted(emulator: EmulatorProcess, operator: VertexCustomTrainingOperator) -> str:
    """Run a task until it deferred, and return its job's name once it runs."""
    project = os.environ["GOOGLE_CLOUD_PROJECT"]
    assert run_task(operator).state == "deferred"
    name = str(only_job(emulator, project)["name"])
    emulator.control.wait_job(name, ["JOB_STATE_RUNNING"])
    return name


def private(monkeypatch: pytest.MonkeyPatch, **extra: Any) -> None:
    """Make the default connection one of a private endpoint, without credentials."""
    monkeypatch.delenv("VERTEX_AI_EMULATOR_HOST", raising=False)
    fields = {"is_anonymous": True, "project": "acme", "region": REGION, **extra}
    value = json.dumps({"conn_type": "vertex_training", "extra": fields})
    monkeypatch.setenv("AIRFLOW_CONN_VERTEX_TRAINING_DEFAULT", value)
