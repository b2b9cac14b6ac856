from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

PRINT_ENVIRONMENT = "import os, json; print(json.dumps({'message': json.dumps(dict(os.environ))}))"


def environment(emulator, name: str, replica: str = "workerpool0-0") -> dict[str, str]:
    """What a replica that ran `PRINT_ENVIRONMENT` had."""
    (line,) = emulator.control.log_lines(name, replica)
    found: dict[str, str] = json.loads(line["text"])
    return found


def test_environment_is_vertex_and_nothing_else(client, emulator, project, parent, make_job):
    """A replica gets Vertex's variables and its own, and inherits none that could hold a secret."""
    job = make_job("python", "-c", PRINT_ENVIRONMENT)
    job.job_spec.worker_pool_specs[0].container_spec.env = [{"name": "EPOCHS", "value": "3"}]
    name = client.create_custom_job(parent=parent, custom_job=job).name
    assert emulator.control.wait_job(name)["state"] == "JOB_STATE_SUCCEEDED"
    found = environment(emulator, name)
    inherited = {"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "LOGNAME", "PATH"}
    inherited |= {"TMPDIR", "TZ", "USER"}
    assert set(found) - inherited == {
        "CLOUD_ML_JOB_ID",
        "CLOUD_ML_PROJECT_ID",
        "CLOUD_ML_REGION",
        "CLUSTER_SPEC",
        "EPOCHS",
        "PYTHONUNBUFFERED",
    }
    assert found["CLOUD_ML_JOB_ID"] == name.rpartition("/")[2]
    assert found["CLOUD_ML_REGION"] == "us-central1"
    assert found["CLOUD_ML_PROJECT_ID"].isdecimal()
    spec = json.loads(found["CLUSTER_SPEC"])
    assert spec["environment"] == "cloud"
    assert spec["task"] == {"type": "workerpool0", "index": 0}
    assert list(spec["cluster"]) == ["workerpool0"]
    assert spec["job"]["workerPoolSpecs"][0]["machineSpec"] == {"machineType": "n1-standard-4"}


def test_distributed_job_runs_all_replicas_with_a_cluster(client, emulator, parent, make_job):
    """Each replica of a distributed job knows all addresses and its own place, in both of Vertex's forms."""
    job = make_job("python", "-c", PRINT_ENVIRONMENT)
    chief = job.job_spec.worker_pool_specs[0]
    for count in (2, 1, 1):
        job.job_spec.worker_pool_specs.append(chief)
        job.job_spec.worker_pool_specs[-1].replica_count = count
    # The chief's end is the job's end, so it waits for the others.
    chief.container_spec.command[-1] += "; import time; time.sleep(600)"
    job.job_spec.worker_pool_specs[0] = chief
    name = client.create_custom_job(parent=parent, custom_job=job).name
    replicas = ["workerpool0-0", "workerpool1-0", "workerpool1-1", "workerpool2-0", "workerpool3-0"]
    for replica in replicas:
        task = json.dumps({"type": replica[:-2], "index": int(replica[-1])})
        emulator.control.wait_line(name, json.dumps(task)[1:-1])
    found = environment(emulator, name, "workerpool1-1")
    cluster = json.loads(found["CLUSTER_SPEC"])["cluster"]
    assert {pool: len(members) for pool, members in cluster.items()} == {
        "workerpool0": 1,
        "workerpool1": 2,
        "workerpool2": 1,
        "workerpool3": 1,
    }
    config = json.loads(found["TF_CONFIG"])
    assert config["task"] == {"type": "worker", "index": 1}
    assert config["cluster"] == {
        "chief": cluster["workerpool0"],
        "worker": cluster["workerpool1"],
        "ps": cluster["workerpool2"],
    }
    client.cancel_custom_job(name=name)


def test_chiefs_end_is_the_jobs_end(client, emulator, parent, make_job):
    """When the chief exits with 0 the job has succeeded, and the other replicas are ended."""
    job = make_job("python", "-c", "pass")
    job.job_spec.worker_pool_specs.append(make_job("sleep", "600").job_spec.worker_pool_specs[0])
    name = client.create_custom_job(parent=parent, custom_job=job).name
    assert emulator.control.wait_job(name)["state"] == "JOB_STATE_SUCCEEDED"


def test_workers_failure_fails_the_job(client, emulator, parent, make_job):
    """When a worker fails while the chief works the job has failed, and the error names the worker."""
    job = make_job("sleep", "600")
    job.job_spec.worker_pool_specs.append(make_job("sh", "-c", "exit 4").job_spec.worker_pool_specs[0])
    name = client.create_custom_job(parent=parent, custom_job=job).name
    assert (
        "The replica workerpool1-0 exited with a non-zero status of 4."
        in (emulator.control.wait_job(name)["error_message"])
    )


@pytest.mark.parametrize(
    "expression",
    ["os.environ['AIP_MODEL_DIR'].replace('gs://', '/gcs/')", "sys.argv[1].replace('gs://', '/gcs/')"],
)
def test_the_line_that_writes_on_vertex_writes_here(client, emulator, project, parent, make_job, expression):
    """`gs://` replaced by `/gcs/` names a folder to write to, in `AIP_MODEL_DIR` and in an argument."""
    script = (
        "import os, sys, pathlib\n"
        f"folder = pathlib.Path({expression}); folder.mkdir(parents=True, exist_ok=True)\n"
        "(folder / 'weights').write_text('42')"
    )
    output = {"base_output_directory": {"output_uri_prefix": f"gs://bucket/{project}"}}
    job = make_job("python", "-c", script, f"gs://bucket/{project}/model", spec=output)
    name = client.create_custom_job(parent=parent, custom_job=job).name
    assert emulator.control.wait_job(name)["state"] == "JOB_STATE_SUCCEEDED"
    assert (emulator.storage / "bucket" / project / "model" / "weights").read_text() == "42"
    (pool,) = client.get_custom_job(name=name).job_spec.worker_pool_specs
    assert pool.container_spec.command[-1] == f"gs://bucket/{project}/model"


def test_file_uri_is_a_base_output_directory(client, emulator, parent, make_job, tmp_path):
    """A `file://` base output directory is that folder, spaces included."""
    folder = tmp_path / "a folder"
    output = {"base_output_directory": {"output_uri_prefix": folder.as_uri()}}
    job = make_job("python", "-c", PRINT_ENVIRONMENT, spec=output)
    name = client.create_custom_job(parent=parent, custom_job=job).name
    emulator.control.wait_job(name)
    found = environment(emulator, name)
    assert found["AIP_MODEL_DIR"] == f"{folder}/model/"
    assert found["AIP_CHECKPOINT_DIR"] == f"{folder}/checkpoints/"
    assert found["AIP_TENSORBOARD_LOG_DIR"] == f"{folder}/logs/"
    assert Path(found["AIP_MODEL_DIR"]).is_dir()


def test_each_replica_has_an_empty_folder_of_its_own(client, emulator, parent, make_job):
    """A replica without an image folder works in a new empty folder, which is gone after the job."""
    name = client.create_custom_job(
        parent=parent, custom_job=make_job("python", "-c", "import os; print(os.getcwd(), os.listdir())")
    ).name
    emulator.control.wait_job(name)
    folder, listed = emulator.control.wait_line(name).split(" ", 1)
    assert listed == "[]"
    assert not Path(folder).exists()


@pytest.mark.parametrize(("whole_job", "started"), [(True, 4), (False, 3)])
def test_loss_of_a_worker_restarts_what_was_asked_for(client, emulator, parent, make_job, whole_job, started):
    """With `restart_job_on_worker_restart` the loss of one replica restarts all, without it that one."""
    job = make_job("sh", "-c", "echo up; sleep 600")
    job.job_spec.scheduling.restart_job_on_worker_restart = whole_job
    job.job_spec.worker_pool_specs.append(job.job_spec.worker_pool_specs[0])
    name = client.create_custom_job(parent=parent, custom_job=job).name

    def wait_lines(number: int) -> None:
        deadline = time.monotonic() + 20
        while len(emulator.control.log_lines(name)) < number:
            assert time.monotonic() < deadline

    wait_lines(2)
    assert emulator.control.preempt(name, "workerpool1-0")
    wait_lines(started)
    client.cancel_custom_job(name=name)
    emulator.control.wait_job(name)
    assert len(emulator.control.log_lines(name)) == started
