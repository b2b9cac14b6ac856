"""The commands, as Airflow's command line and `python -m` run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from google.cloud import aiplatform_v1
from google.protobuf import json_format

from airflow_vertex_training.cli import COMMANDS
from airflow_vertex_training.vertex.spec.yaml_text import load

if TYPE_CHECKING:
    from pathlib import Path

DAGS = """
from airflow.sdk import DAG, task, task_group
from airflow_vertex_training.operators import VertexCustomTrainingOperator

with DAG("previewed", schedule=None):
    VertexCustomTrainingOperator(
        task_id="train", region="us-central1", image="gcr.io/acme/digits:1", args=["--day", "{{ ds }}"],
        env={"DB_PASSWORD": "geheim"}, gcp_conn_id="of_the_environment",
    )
    sweep = VertexCustomTrainingOperator.partial(
        task_id="sweep", region="us-central1", image="gcr.io/acme/digits:1"
    )
    sweep.expand(machine_type=["n1-standard-4", "n1-standard-8"], args=[["a"], ["b"], ["c"]])

    @task
    def choose():
        return ["n1-standard-4"]

    VertexCustomTrainingOperator.partial(
        task_id="chosen", region="us-central1", image="gcr.io/acme/digits:1"
    ).expand(machine_type=choose())
    VertexCustomTrainingOperator.partial(task_id="none", image="gcr.io/acme/digits:1").expand(args=[])
    paced = VertexCustomTrainingOperator.partial(task_id="paced", image="gcr.io/acme/digits:1")
    paced.expand(poll_interval=[1])

    @task
    def grouped(n):
        return n

    grouped.expand(n=[1])

    @task_group
    def group(machine):
        VertexCustomTrainingOperator(task_id="inner", image="gcr.io/acme/digits:1", machine_type=machine)

    group.expand(machine=["n1-standard-4"])
"""
BROKEN = """
from airflow.sdk import DAG
from airflow_vertex_training.operators import VertexCustomTrainingOperator

with DAG("broken", schedule=None):
    VertexCustomTrainingOperator(task_id="train", region="us-central1", image="gcr.io/a/b", machine_type="N1")
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An Airflow without a database, with DAGs, and with a connection in its environment."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    (home / "dags" / "previewed.py").write_text(DAGS)
    (home / "dags" / "broken.py").write_text(BROKEN)
    (home / "templates").mkdir()
    (home / "templates" / "gpu.yaml").write_text("description: GPUs\nfixed: [network]\nimage: gcr.io/a/b\n")
    connection = {"conn_type": "vertex_training", "extra": {"project": "acme", "labels": {"team": "vision"}}}
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__VERTEX_TRAINING__JOB_TEMPLATES": str(home / "templates"),
        "AIRFLOW_CONN_OF_THE_ENVIRONMENT": json.dumps(connection),
        # Whoever asks a network for something, fails.
        "https_proxy": "http://127.0.0.1:1",
    }


def run(
    environment: dict[str, str], *arguments: str, airflow: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    program = ["airflow", "vertex-training"] if airflow else ["airflow_vertex_training"]
    command = [sys.executable, "-m", *program, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=110)


def test_preview(environment: dict[str, str]) -> None:
    """It prints the request, what the connection says included, and beside it what only the run knows."""
    done = run(environment, "preview", "previewed", "train")
    assert done.returncode == 0, done.stderr
    request = json.loads(done.stdout)
    assert request["parent"] == "projects/acme/locations/us-central1"
    assert request["customJob"]["labels"] == {"team": "vision"}
    assert "geheim" not in done.stdout + done.stderr
    read = aiplatform_v1.CreateCustomJobRequest()
    json_format.Parse(done.stdout, aiplatform_v1.CreateCustomJobRequest.pb(read))
    assert "containerSpec.args[1] = {{ ds }}" in done.stderr


def test_airflows_command_line_has_it(environment: dict[str, str]) -> None:
    """Where Airflow takes commands of providers, `airflow vertex-training` is there; YAML goes to gcloud."""
    from airflow.providers_manager import ProvidersManager

    if not hasattr(ProvidersManager, "cli_command_functions"):
        pytest.skip("This Airflow takes no commands of providers")
    done = run(environment, "preview", "previewed", "train", "--output", "yaml", airflow=True)
    assert done.returncode == 0, done.stderr
    _, _, text = done.stdout.partition("# gcloud ai custom-jobs create ")
    spec = load("# " + text)
    assert spec["workerPoolSpecs"][0]["containerSpec"]["imageUri"] == "gcr.io/acme/digits:1"


@pytest.mark.parametrize(
    ("arguments", "machine", "args"),
    [
        (("sweep", "--map-index", "4"), "n1-standard-8", ["b"]),
        (("sweep",), "{{ machine_type of map index N }}", "{{ args of map index N }}"),
        (("chosen", "--map-index", "0"), "{{ machine_type of map index 0 }}", None),
        (("paced",), "n1-standard-4", None),
        (("group.inner",), "{{ machine of the mapped task group }}", None),
    ],
    ids=["one", "any", "known later", "another argument", "of a group"],
)
def test_mapped(environment: dict[str, str], arguments: tuple[str, ...], machine: str, args: object) -> None:
    """An instance of a mapped task is shown as Airflow will expand it; what comes from a task stays open."""
    done = run(environment, "preview", "previewed", *arguments)
    assert done.returncode == 0, done.stderr
    (pool,) = json.loads(done.stdout)["customJob"]["jobSpec"]["workerPoolSpecs"]
    assert pool["machineSpec"]["machineType"] == machine
    assert pool["containerSpec"].get("args") == args


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("preview", "previewed", "sweep", "--map-index", "6"), "--map-index 6 is too much"),
        (
            ("preview", "previewed", "none", "--map-index", "0"),
            "--map-index 0 is too much: the task has 0 inst",
        ),
        (("preview", "previewed", "sweep", "--map-index", "-1"), "--map-index -1 is no instance of the task"),
        (("preview", "previewed", "grouped", "--map-index", "0"), "Task 'grouped' is a _PythonDecorated"),
        (("preview", "previewed", "inner"), "has no task 'inner': did you mean 'group.inner'?"),
        (("preview", "previewed", "train", "--map-index", "0"), "Task 'train' is not mapped"),
        (("preview", "previewed", "choose"), "only a VertexCustomTrainingOperator has a preview"),
        (
            ("preview", "previewed", "xyzzy"),
            "has no task 'xyzzy': it has choose, chosen, group.inner, grouped, ",
        ),
        (("preview", "broken", "train"), "machine_type: 'N1' is not of the right form"),
    ],
    ids=range(9),
)
def test_what_is_wrong(environment: dict[str, str], arguments: tuple[str, ...], message: str) -> None:
    """What can't be previewed is said in a sentence, and the exit status is 1."""
    done = run(environment, *arguments)
    assert done.returncode == 1
    assert message in done.stderr.rstrip().rpartition("\n")[2]


def test_templates(environment: dict[str, str], tmp_path: Path) -> None:
    """They are listed with their rules; a wrong one is told and makes the exit status 1."""
    assert run(environment, "templates").stdout == "gpu GPUs\n  fixed: network\n"
    (tmp_path / "gpu.yaml").write_text("netwrok: a\n")
    done = run({**environment, "AIRFLOW__VERTEX_TRAINING__JOB_TEMPLATES": str(tmp_path)}, "templates")
    assert done.returncode == 1
    assert "did you mean 'network'?" in done.stdout


def test_the_module_loads_nothing() -> None:
    """Airflow loads it with each of its commands: it imports nothing of Airflow's or of ours."""
    probe = (
        "import sys; before = set(sys.modules); import airflow_vertex_training.cli;"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True).stdout
    assert {name for name in loaded.split() if name.startswith("airflow")} == {
        "airflow_vertex_training",
        "airflow_vertex_training.cli",
    }
    assert [command.name for command in COMMANDS] == ["preview", "templates"]
