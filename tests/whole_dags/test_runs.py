"""The operator in real Airflow, against the emulator: what the server got, and what the user reads.

All DAGs of `training_dags.py` run in one process, for Airflow's start takes longest; each test looks at one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.cloud.aiplatform_v1 import CustomJob, GetCustomJobRequest
from google.cloud.aiplatform_v1.services.job_service import JobServiceClient
from google.cloud.aiplatform_v1.services.job_service.transports import JobServiceGrpcTransport
from google.protobuf import json_format

from airflow_vertex_training.emulator.control.process import EmulatorProcess, launch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tls import TlsFiles

HERE = Path(__file__).parent
MARK = "=== DAG "
PROJECT = "acme-training"


@dataclass(frozen=True)
class Runs:
    """What came of all the DAGs."""

    results: dict[str, dict[str, Any]]
    logs: dict[str, str]
    emulator: EmulatorProcess
    tls_emulator: EmulatorProcess

    def job(self, dag_id: str) -> dict[str, Any]:
        """Return the one job that a DAG made, as the server has it."""
        jobs = [*self.emulator.control.jobs(PROJECT), *self.tls_emulator.control.jobs(PROJECT)]
        (job,) = [each for each in jobs if each["labels"]["airflow_dag_id"] == dag_id]
        return job


@pytest.fixture(scope="module")
def strict_emulator() -> Iterator[EmulatorProcess]:
    """An emulator that knows one project only."""
    with launch("--queue-seconds", "0", "--provision-seconds", "0", "--projects", PROJECT) as running:
        yield running


@pytest.fixture(scope="module")
def runs(
    strict_emulator: EmulatorProcess,
    tls_emulator: EmulatorProcess,
    tls_files: TlsFiles,
    tmp_path_factory: pytest.TempPathFactory,
) -> Runs:
    """Run every DAG, once for all tests."""
    folder = tmp_path_factory.mktemp("runs")
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE),
        "AIRFLOW_CONN_UNREACHABLE": connection(api_endpoint="localhost:1"),
        "AIRFLOW_CONN_TLS": connection(
            api_endpoint=tls_emulator.address,
            logging_endpoint=tls_emulator.address,
            labels='{"cost-center": "R/D"}',
        ),
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tls_files.ca),
        "PYTHONPATH": str(HERE.parents[1]),
        "TEST_PROJECT": PROJECT,
        "VERTEX_AI_EMULATOR_HOST": strict_emulator.address,
    }
    results = folder / "results.json"
    log = ""
    for command in (["-m", "airflow", "db", "migrate"], [str(HERE / "training_dags.py"), str(results)]):
        process = subprocess.run(
            [sys.executable, *command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stdout
        log = process.stdout
    logs = dict(part.split("\n", 1) for part in log.split(MARK)[1:])
    return Runs(json.loads(results.read_text()), logs, strict_emulator, tls_emulator)


def as_google_reads_it(emulator: EmulatorProcess, job_name: str) -> dict[str, Any]:
    """Return a job as Google's own client gets it, as the REST API writes it."""
    channel = grpc.insecure_channel(emulator.address)
    client = JobServiceClient(transport=JobServiceGrpcTransport(channel=channel))
    job = client.get_custom_job(GetCustomJobRequest(name=job_name), timeout=30)
    channel.close()
    return json_format.MessageToDict(CustomJob.pb(job))


def connection(**extra: str) -> str:
    """Return an Airflow connection with anonymous credentials, as an environment variable holds it."""
    return json.dumps({"conn_type": "vertex_training", "extra": {"is_anonymous": True, **extra}})


@pytest.mark.timeout(300)
@pytest.mark.parametrize("dag_id", ["deferred", "waiting_in_the_worker", "over_tls"])
def test_success(runs: Runs, dag_id: str) -> None:
    """Deferred, waiting in the worker, or over TLS to a private endpoint: one job, run to its end."""
    result = runs.results[dag_id]
    job = runs.job(dag_id)
    assert (result["state"], job["state"]) == ("success", "JOB_STATE_SUCCEEDED")
    returned = result["xcoms"]["return_value"]
    url = result["xcoms"]["_link_VertexJobLink"]
    assert returned["name"] == result["xcoms"]["job_name"] == job["name"]
    assert returned["state"] == "JOB_STATE_SUCCEEDED"
    assert returned["create_time"] <= returned["start_time"] <= returned["end_time"]
    assert returned["console_url"] == url
    if dag_id == "over_tls":
        page = f"/training/{job['name'].rsplit('/')[-1]}/cpu?project={PROJECT}"
        assert url.startswith("https://console.cloud.google.com/")
    else:
        page = f"/{job['name']}"
        assert url.startswith("http://127.0.0.1:")
    assert url.endswith(page)


@pytest.mark.timeout(300)
def test_log_is_complete_and_quiet(runs: Runs) -> None:
    """The task log tells what is submitted, the job's name, where to see it, and how it ended, each once."""
    log = runs.logs["deferred"]
    name = runs.job("deferred")["name"]
    for line in (
        f"Submitting to us-central1 (project {PROJECT}): 1 x n1-standard-4, us-docker.pkg.dev/acme/trainers",
        f"Created {name}",
        f"Console: http://127.0.0.1:{int(runs.emulator.address.rsplit(':')[-1]) + 1}/{name}",
        "Succeeded: queued",
    ):
        assert log.count(line) == 1, line


@pytest.mark.timeout(300)
def test_every_setting_reaches_the_server(runs: Runs) -> None:
    """Each argument, rendered, is in the job that the server got."""
    job = as_google_reads_it(runs.emulator, runs.job("every_setting")["name"])
    spec = job["jobSpec"]
    (pool,) = spec["workerPoolSpecs"]
    assert pool["machineSpec"] == {
        "machineType": "g2-standard-24",
        "acceleratorType": "NVIDIA_L4",
        "acceleratorCount": 2,
    }
    assert pool["diskSpec"] == {"bootDiskType": "pd-standard", "bootDiskSizeGb": 200}
    assert pool["containerSpec"]["args"] == ["--gpus", "2"]
    assert spec["scheduling"]["timeout"] == "10800s"
    assert spec["serviceAccount"] == "trainer@acme.iam.gserviceaccount.com"
    assert spec["network"] == "projects/123/global/networks/net"
    assert spec["reservedIpRanges"] == ["range-a"]
    assert spec["baseOutputDirectory"] == {"outputUriPrefix": "gs://acme-models/every_setting"}
    assert job["displayName"].startswith("digits 2-")


@pytest.mark.timeout(300)
def test_labels(runs: Runs) -> None:
    """A job carries what finds it again, the user's labels made legal, and the connection's."""
    labels = runs.job("every_setting")["labels"]
    result = runs.results["every_setting"]
    assert labels["team_name"] == "vision-a"
    assert labels["airflow_try"] == result["ti_id"]
    assert labels["airflow_deployment"] == "airflow"
    assert labels["airflow_try_number"] == "1"
    assert labels["airflow_map_index"] == "-1"
    assert labels["airflow_run_start"].isdecimal()
    assert labels["airflow_task_instance"]
    assert labels["airflow_task_id"] == "train"
    assert runs.job("over_tls")["labels"]["cost-center"] == "r_d"


@pytest.mark.timeout(300)
def test_environment(runs: Runs) -> None:
    """The job's environment has Airflow's context, under the user's own values."""
    job = runs.job("every_setting")
    (line,) = runs.emulator.control.log_lines(job["name"])
    environment = json.loads(line["text"])
    assert environment["MODE"] == environment["AIRFLOW_CTX_DAG_ID"] == "every_setting"
    assert environment["AIRFLOW_CTX_DAG_RUN_ID"] == runs.results["every_setting"]["run_id"]
    assert environment["AIRFLOW_CTX_TASK_ID"] == "mine"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("dag_id", ["failing", "failing_in_the_worker"])
def test_a_failed_job_fails_the_task_in_vertex_words(runs: Runs, dag_id: str) -> None:
    """The task fails with what happened, then the job's own error message and code, and the job's name."""
    assert runs.results[dag_id]["state"] == "failed"
    log = runs.logs[dag_id]
    assert "JobFailedError: workerpool0-0 exited with status 3" in log
    assert f"Job: {runs.job(dag_id)['name']} (JOB_STATE_FAILED, error code 3)" in log
    assert "workerpool0-0 exited with a non-zero status of 3" in log


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("dag_id", "message"),
    [
        ("bad_after_rendering", "image: Vertex AI does not pull from 'quay.io'"),
        (
            "no_region",
            "region is not set: pass region='us-central1', or set it in the connection",
        ),
        ("no_service_account", "service_account is not set: pass service_account="),
        ("wrong_project", "PERMISSION_DENIED"),
        ("wrong_project", "grant the account that the connection uses the role Vertex AI User"),
        ("unreachable", "Nothing answers at the endpoint"),
        ("named_connection_is_missing", "no_such_connection"),
    ],
)
def test_mistakes_found_at_run_time(runs: Runs, dag_id: str, message: str) -> None:
    """What can only be found when the task runs fails it before any job is made, and says what to do."""
    assert runs.results[dag_id]["state"] == "failed"
    assert runs.results[dag_id]["xcoms"]["job_name"] is None
    assert message in runs.logs[dag_id]
    jobs = [*runs.emulator.control.jobs(PROJECT), *runs.tls_emulator.control.jobs(PROJECT)]
    assert not [job for job in jobs if job["labels"]["airflow_dag_id"] == dag_id]
