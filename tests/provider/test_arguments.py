"""A wrong argument fails when the DAG is parsed, with a message that names it; a template is left alone."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_vertex_training.operators import VertexCustomTrainingOperator
from airflow_vertex_training.vertex.exceptions import InvalidJobError

GOOD: dict[str, Any] = {"task_id": "train", "image": "us-docker.pkg.dev/acme/trainers/digits:1.4"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": "python:3.11"}, "image: 'python:3.11' does not name its registry; write it out, such as"),
        (
            {"image": "quay.io/acme/digits"},
            "image: Vertex AI does not pull from 'quay.io'; push the image to",
        ),
        ({"region": "us-central1-a"}, "region: 'us-central1-a' is a zone; write 'us-central1'"),
        ({"command": []}, "command: is empty; name the program to run, or leave it out"),
        ({"command": "python train.py"}, "command: must be a list of strings, got str"),
        ({"args": ["--epochs", 3]}, "args[1]: must be a string, got int 3; write '3'"),
        ({"env": {"EPOCHS": 3}}, "env['EPOCHS']: must be a string, got int; use str(...)"),
        (
            {"labels": {"team": "a\N{ROCKET}"}},
            "labels['team']: the value 'a\N{ROCKET}' holds '\N{ROCKET}', which no",
        ),
        (
            {"labels": {"a.b": "1", "a-b": "2"}},
            "labels['a-b']: becomes the same label as 'a.b': 'a-b'; rename",
        ),
        ({"accelerator_type": "NVIDIA_L4"}, "accelerator_count: must be at least 1 with accelerator_type"),
        ({"accelerator_count": 1}, "accelerator_type: is missing, such as 'NVIDIA_L4'"),
        ({"accelerator_count": "two"}, "accelerator_count: must be a whole number, got 'two'"),
        (
            {"network": "default"},
            "network: 'default' is no full name; write projects/NUMBER/global/networks/NAME",
        ),
        ({"service_account": "trainer"}, "service_account: 'trainer' is no e-mail address"),
        (
            {"base_output_directory": "/models"},
            "base_output_directory: '/models' is no folder in Cloud Storage",
        ),
        ({"maximum_run_time": timedelta(0)}, "maximum_run_time: must be a timedelta of at least a second"),
    ],
)
def test_mistakes_fail_at_parse(arguments: dict[str, Any], message: str) -> None:
    """Each mistake gets one clear message that names the argument."""
    with pytest.raises(InvalidJobError) as raised:
        VertexCustomTrainingOperator(**{**GOOD, **arguments})
    assert str(raised.value).startswith(message)


def test_a_secret_value_is_not_told() -> None:
    """The message about an environment variable tells its value's type only."""
    secret: Any = b"s3cret"
    with pytest.raises(InvalidJobError) as raised:
        VertexCustomTrainingOperator(**GOOD, env={"TOKEN": secret})
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {
            "image": "{{ params.image }}",
            "accelerator_type": "NVIDIA_L4",
            "accelerator_count": "{{ params.n }}",
        },
        {"region": "{{ var.value.region }}", "env": {"A": "{{ ds }}"}, "labels": {"run": "{{ run_id }}"}},
        {"image": "gcr.io/acme/digits"},
        {"image": "eu.gcr.io/acme/digits@sha256:0123"},
        {"image": "docker.io/library/python:3.11"},
    ],
)
def test_good_arguments_and_templates_pass(arguments: dict[str, Any]) -> None:
    """Registries that Vertex AI pulls from pass, and a template is checked when it is rendered."""
    VertexCustomTrainingOperator(**{**GOOD, **arguments})


def test_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    """The preview is the request that would be sent, without a call; values of secrets are masked."""
    # Nothing listens there: a call would fail.
    monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", "127.0.0.1:1")
    operator = VertexCustomTrainingOperator(
        **GOOD,
        project_id="acme",
        region="us-central1",
        command=["python", "-m", "trainer"],
        env={"API_TOKEN": "s3cret", "EPOCHS": "3"},
    )
    text = operator.preview()

    request = json.loads(text)
    container = request["customJob"]["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]
    assert request["parent"] == "projects/acme/locations/us-central1"
    assert container["command"] == ["python", "-m", "trainer"]
    assert container["env"] == [{"name": "API_TOKEN", "value": "***"}, {"name": "EPOCHS", "value": "3"}]
    assert request["customJob"]["jobSpec"]["scheduling"]["timeout"] == "604800s"
    assert "s3cret" not in text
