"""The example DAGs run as they are shown, in real Airflow, with real training."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1
from sklearn.datasets import load_digits

import airflow_vertex_training
from airflow_vertex_training.emulator import demo
from airflow_vertex_training.emulator.control.process import EmulatorProcess, launch
from airflow_vertex_training.example_dags import digits_distributed
from airflow_vertex_training.vertex.api import endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(airflow_vertex_training.__file__).parent / "example_dags"


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One Airflow for all examples: making its database takes longest."""
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="module")
def emulator_with_image(airflow_home: Path) -> Iterator[EmulatorProcess]:
    """An emulator that brings the examples; its times are the default ones, as a user has them."""
    with launch("--examples", str(airflow_home / "dags")) as running:
        yield running


@pytest.mark.timeout(300)
def test_digits(emulator_with_image: EmulatorProcess, airflow_home: Path, tmp_path: Path) -> None:
    """The job of the DAG writes a model that reads digits which it was not trained on."""
    log = demo.run_dag("digits", emulator_with_image.address, tmp_path, airflow_home)

    (model_file,) = tmp_path.rglob("model.joblib")
    images, digits = load_digits(return_X_y=True)
    held_out = json.loads((model_file.parent / "metrics.json").read_text())["held_out"]
    assert joblib.load(model_file).score(images[held_out], digits[held_out]) > demo.GOOD_ACCURACY
    (job,) = [each for each in emulator_with_image.control.jobs("emulator") if each["name"] in log]
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert f"{job['name']} ended as JOB_STATE_SUCCEEDED, accuracy" in log


@pytest.mark.timeout(300)
def test_digits_sweep(emulator_with_image: EmulatorProcess, airflow_home: Path, tmp_path: Path) -> None:
    """Each mapped task trains a model of its own, and the best of them is picked."""
    log = demo.run_dag("digits_sweep", emulator_with_image.address, tmp_path, airflow_home)

    metrics = [json.loads(each.read_text()) for each in tmp_path.rglob("metrics.json")]
    best = max(each["accuracy"] for each in metrics)
    assert sorted(each["gamma"] for each in metrics) == [0.00001, 0.0001, 0.001, 0.01]
    jobs = [each for each in emulator_with_image.control.jobs("emulator") if each["name"] in log]
    names = {re.sub("-[0-9a-f]{12}$", "", job["display_name"]) for job in jobs}
    gammas = ("1e-05", "0.0001", "0.001", "0.01")
    assert names == {f"digits_sweep-train-gamma {gamma}" for gamma in gammas}
    assert re.search(rf"best of 4: gamma \S+, accuracy {best:.4f}, projects/", log)


@pytest.mark.timeout(300)
def test_digits_distributed(emulator_with_image: EmulatorProcess, airflow_home: Path, tmp_path: Path) -> None:
    """A chief and two workers train on a share each; their average reads digits that none has seen."""
    log = demo.run_dag("digits_distributed", emulator_with_image.address, tmp_path, airflow_home)

    (model_file,) = tmp_path.rglob("model.joblib")
    images, digits = load_digits(return_X_y=True)
    metrics = json.loads((model_file.parent / "metrics.json").read_text())
    model, held_out = joblib.load(model_file), metrics["held_out"]
    assert model.score(images[held_out] / 16, digits[held_out]) > demo.GOOD_ACCURACY
    assert metrics["replicas"] == 3
    (job,) = [each for each in emulator_with_image.control.jobs("emulator") if each["name"] in log]
    lines = emulator_with_image.control.log_lines(job["name"])
    shares = {line["task_name"]: line["text"] for line in lines if "of 3 replicas" in line["text"]}
    assert set(shares) == {"workerpool0-0", "workerpool1-0", "workerpool1-1"}


@pytest.mark.parametrize("replica", ["workerpool0-0", "workerpool1-1"])
def test_a_distributed_job_fails_with_each_replica(
    emulator_with_image: EmulatorProcess, replica: str
) -> None:
    """Whichever replica fails, the job fails and says which; no other replica is left waiting for it."""
    pools = [
        {"container_spec": {"image_uri": digits_distributed.IMAGE, "args": ["--fail", replica]}} for _ in "ab"
    ]
    spec = {
        "worker_pool_specs": [
            {**pool, "replica_count": count, "machine_spec": {"machine_type": "n1-standard-4"}}
            for pool, count in zip(pools, (1, 2), strict=True)
        ]
    }
    where = endpoint.Endpoint(emulator_with_image.address, is_emulator=True)
    with endpoint.open_client(where, AnonymousCredentials()) as client:
        name = client.create_custom_job(
            parent="projects/failing/locations/us-central1",
            custom_job=aiplatform_v1.CustomJob({"display_name": "digits", "job_spec": spec}),
        ).name
    ended = emulator_with_image.control.wait_job(name, timeout=60)
    assert ended["state"] == "JOB_STATE_FAILED"
    assert f"The replica {replica} exited with a non-zero status of 1" in ended["error_message"]


def test_examples_parse_without_airflow_database_or_cloud() -> None:
    """Parsing the examples needs neither an Airflow database nor Google's libraries."""
    program = (
        "import sys, runpy\n"
        "for path in sys.argv[1:]: runpy.run_path(path)\n"
        "heavy = ('google.cloud.aiplatform', 'google.auth', 'grpc')\n"
        "loaded = [name for name in sys.modules if name.startswith(heavy)]\n"
        "assert not loaded, loaded\n"
    )
    files = [str(EXAMPLES / name) for name in ("digits.py", "digits_sweep.py", "digits_distributed.py")]
    subprocess.run([sys.executable, "-c", program, *files], check=True)
