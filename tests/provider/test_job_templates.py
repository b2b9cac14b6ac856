"""A task with a job template, from the DAG's parsing to the job on the server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_vertex_training.operators import VertexCustomTrainingOperator, job_templates
from airflow_vertex_training.vertex.exceptions import InvalidJobError
from tests.provider.task_runs import run_task
from tests.provider.training_tasks import make, on_the_server

if TYPE_CHECKING:
    from pathlib import Path

GPU = """
description: GPUs of the vision team
region: us-central1
image: us-docker.pkg.dev/acme/trainers/base:1
command: [python, -c, "print('trained')"]
labels: {team: vision, dag: "{{ dag.dag_id }}"}
base_output_directory: gs://acme-models/{{ task.task_id }}
fixed: [base_output_directory, labels.team]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of templates, with one in it."""
    monkeypatch.setenv("AIRFLOW__VERTEX_TRAINING__JOB_TEMPLATES", str(tmp_path))
    (tmp_path / "gpu.yaml").write_text(GPU)
    return tmp_path


def task(**arguments: Any) -> VertexCustomTrainingOperator:
    """Return a task that says nothing but what is asked for."""
    with DAG("digits", schedule=None):
        return VertexCustomTrainingOperator(task_id="train", poll_interval=0.05, **arguments)


def test_the_template_is_in_the_job(folder, on_emulator, project):
    """A task that names a template alone asks for what that says, region and Jinja templates included."""
    assert run_task(task(job_template="gpu", labels={"run": "1"})).state == "deferred"
    job = on_the_server(on_emulator, project)
    assert job.name.split("/")[3] == "us-central1"
    assert (
        job.job_spec.worker_pool_specs[0].container_spec.image_uri == "us-docker.pkg.dev/acme/trainers/base:1"
    )
    assert job.job_spec.base_output_directory.output_uri_prefix == "gs://acme-models/train"
    assert {key: job.labels[key] for key in ("team", "dag", "run")} == {
        "team": "vision",
        "dag": "digits",
        "run": "1",
    }


def test_a_template_of_the_connection(folder, on_emulator, project, monkeypatch):
    """The connection may name it: it is heard before the connection's own fields, after the task."""
    extra = {"job_template": "gpu", "region": "us-east1", "labels": '{"team": "other", "cost": "7"}'}
    connection = {"conn_type": "vertex_training", "extra": {**extra, "project": project}}
    monkeypatch.setenv("AIRFLOW_CONN_VERTEX_TRAINING_DEFAULT", json.dumps(connection))
    assert run_task(task(image="us-docker.pkg.dev/acme/trainers/mine:1")).state == "deferred"
    job = on_the_server(on_emulator, project)
    assert job.name.split("/")[3] == "us-central1"
    assert (
        job.job_spec.worker_pool_specs[0].container_spec.image_uri == "us-docker.pkg.dev/acme/trainers/mine:1"
    )
    assert (job.labels["team"], job.labels["cost"]) == ("vision", "7")


def test_a_task_may_say_that_it_has_none(folder, monkeypatch):
    """Empty text keeps the connection's template away."""
    connection = {"conn_type": "vertex_training", "extra": {"job_template": "gpu"}}
    monkeypatch.setenv("AIRFLOW_CONN_VERTEX_TRAINING_DEFAULT", json.dumps(connection))
    with pytest.raises(InvalidJobError, match="image: is missing"):
        task(job_template="", region="us-central1")


AT_PARSE = [
    ({"job_template": "gpu", "labels": {"team": "mine"}}, r"labels\['team'\]: is fixed to 'vision'"),
    ({"job_template": "gpo"}, "job_template: there is no gpo.yaml in .*: did you mean 'gpu'"),
    ({"job_template": "gpu.yaml"}, "job_template: 'gpu.yaml' has an ending: write 'gpu'"),
    ({"job_template": "xyzzy"}, "job_template: there is no xyzzy.yaml in .*: it has gpu"),
    ({"job_template": "a/gpu"}, "job_template: 'a/gpu' is not of the right form"),
    ({"job_template": ".."}, "job_template: '..' is not of the right form"),
    ({"job_template": "../gpu"}, "job_template: '../gpu' is not of the right form"),
    ({"job_template": "gpu", "accelerator_count": 3}, "accelerator_type: is missing"),
    ({"job_template": 5}, "job_template: there is no 5.yaml"),
]


@pytest.mark.parametrize(("arguments", "message"), AT_PARSE, ids=range(len(AT_PARSE)))
def test_it_is_checked_when_the_dag_is_parsed(folder, arguments, message):
    """Where the folder is there, a task that can't go with its template fails at parse."""
    with pytest.raises(InvalidJobError, match=message):
        task(**arguments)


def test_files_that_are_no_templates(folder):
    """What can't be read is told with the reason, and what is no file is not offered."""
    (folder / "cpu.yml").write_text("image: gcr.io/a/b")
    (folder / "latin.yaml").write_bytes("labels: {a: \xe9}".encode("latin1"))
    (folder / "folder.yaml").mkdir()
    (folder / "gone.yaml").symlink_to(folder / "nowhere.yaml")
    assert job_templates.names() == ["gpu", "latin"]
    for name, message in (
        ("cpu", "job_template: cpu.yml in .* has another ending than .yaml: rename it"),
        ("latin", "job_template: 'latin' can't be read from .*: 'utf-8' codec can't decode"),
        ("folder", "job_template: 'folder' can't be read from .*: .*Is a directory"),
        ("gone", "job_template: there is no gone.yaml in .*: it has gpu, latin"),
        ("x" * 300, "job_template: 'x*' can't be read from .*: .*File name too long"),
    ):
        with pytest.raises(InvalidJobError, match=message):
            task(job_template=name, region="us-central1")


def test_a_template_may_have_any_name(folder):
    """A file is found by its name, in whatever language."""
    for name in ("Modèle à GPU", "v1.2", "モデル"):
        (folder / f"{name}.yaml").write_text(GPU)
        assert task(job_template=name).preview().custom_job["labels"]["team"] == "vision"


@pytest.mark.parametrize("option", ["", "/nowhere/at/all"])
def test_without_the_folder_it_is_checked_when_the_task_runs(option, on_emulator, project, monkeypatch):
    """A DAG processor without the folder parses the DAG; the task says what is missing."""
    monkeypatch.setenv("AIRFLOW__VERTEX_TRAINING__JOB_TEMPLATES", option)
    outcome = run_task(task(job_template="gpu", region="us-central1"))
    assert outcome.state == "failed"
    assert str(outcome.error).startswith("job_template: is 'gpu', but ")
    assert "[vertex_training] job_templates" in str(outcome.error)
    assert on_emulator.control.jobs(project) == []


def test_what_a_rendered_template_fixes_is_checked_when_the_task_runs(folder, on_emulator, project):
    """A fixed value that is a Jinja template is compared once it is known."""
    assert (
        run_task(task(job_template="gpu", base_output_directory="gs://acme-models/train")).state == "deferred"
    )
    outcome = run_task(task(job_template="gpu", base_output_directory="gs://acme-models/other"))
    assert outcome.state == "failed"
    assert "base_output_directory: is fixed to 'gs://acme-models/train' by job template" in str(outcome.error)


def test_what_a_hidden_template_may_say_is_no_mistake(folder):
    """Where the connection may name a template, what it may say is not missing; what is wrong is told."""
    assert task(accelerator_type="NVIDIA_L4").accelerator_type == "NVIDIA_L4"
    with pytest.raises(InvalidJobError, match="3 NVIDIA_TESLA_T4 do not fit n1-standard-4"):
        task(machine_type="n1-standard-4", accelerator_type="NVIDIA_TESLA_T4", accelerator_count=3)


def test_an_edited_template_is_read_again(folder):
    """What the file says when it is needed is what counts."""
    assert task(job_template="gpu").preview().custom_job["labels"]["team"] == "vision"
    (folder / "gpu.yaml").write_text(GPU.replace("team: vision", "team: language"))
    assert task(job_template="gpu").preview().custom_job["labels"]["team"] == "language"


def test_a_template_of_a_task(folder):
    """A task's template alone makes the same job; one that has a template writes that as well."""
    for operator in (
        make(labels={"a": "b"}, env={"A": "{{ ds }}"}, display_name="digits"),
        task(job_template="gpu", machine_type="n1-standard-8", display_name="x"),
    ):
        (folder / "its.yaml").write_text(operator.to_job_template())
        assert task(job_template="its").preview() == operator.preview()


def test_a_template_that_is_not_used_costs_nothing(folder):
    """Without a template in use, building a task loads no YAML."""
    import subprocess
    import sys

    program = (
        "import sys\n"
        "from airflow.sdk import DAG\n"
        "before = 'yaml' in sys.modules\n"
        "from airflow_vertex_training.operators import VertexCustomTrainingOperator\n"
        "with DAG('d', schedule=None):\n"
        "    VertexCustomTrainingOperator(task_id='t', region='us-central1', image='gcr.io/a/b')\n"
        "ours = [name for name in sys.modules if name.endswith(('spec.templates', 'spec.yaml_text'))]\n"
        "assert before or 'yaml' not in sys.modules\n"
        "assert not ours, ours\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
