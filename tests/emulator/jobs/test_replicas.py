from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from airflow_vertex_training.emulator.control.process import launch

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
    inherited = {"LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "LOGNAME", "PATH"}
    inherited |= {"PYTHONUSERBASE", "TMPDIR", "TZ", "USER"}
    without_credentials = {
        "HOME",
        "GCE_METADATA_HOST",
        "GCE_METADATA_IP",
        "GCE_METADATA_ROOT",
        "NO_GCE_CHECK",
    }
    assert set(found) - inherited - without_credentials == {
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


LOOK_FOR_CREDENTIALS = """
import google.auth, google.auth.exceptions, os, pathlib
assert not [path for path in pathlib.Path.home().rglob("*") if path.is_file()], "HOME is empty"
assert not {"GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"} & set(os.environ)
try:
    google.auth.default()
except google.auth.exceptions.DefaultCredentialsError:
    print("none")
"""


def test_job_finds_no_credentials_of_the_machine(connect, parent, make_job, tmp_path, monkeypatch):
    """A job has a HOME of its own, and none of the ways to credentials that the emulator's user has."""
    gcloud = tmp_path / ".config" / "gcloud"
    gcloud.mkdir(parents=True)
    user = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "t"}
    (gcloud / "application_default_credentials.json").write_text(json.dumps(user))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(gcloud))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(gcloud / "application_default_credentials.json"))
    with launch("--queue-seconds", "0", "--provision-seconds", "0") as running:
        job = make_job("python", "-c", LOOK_FOR_CREDENTIALS)
        name = connect(running.address).create_custom_job(parent=parent, custom_job=job).name
        assert running.control.wait_job(name)["state"] == "JOB_STATE_SUCCEEDED"
        assert [line["text"] for line in running.control.log_lines(name)] == ["none"]


def test_path_in_a_bucket_stays_there(client, emulator, parent, make_job):
    """`..` leads out of no bucket, from wherever a path comes: the job fails and its error says why."""
    outside = "gs://bucket/a/../../outside"
    with_env = make_job("true")
    with_env.job_spec.worker_pool_specs[0].container_spec.env = [{"name": "A", "value": outside}]
    output = {"base_output_directory": {"output_uri_prefix": outside}}
    package = make_job()
    package.job_spec.worker_pool_specs[0].python_package_spec = {
        "executor_image_uri": "docker.io/a/b",
        "package_uris": [outside],
        "python_module": "trainer",
    }
    for job in (make_job("ls", outside), with_env, make_job("true", spec=output), package):
        name = client.create_custom_job(parent=parent, custom_job=job).name
        ended = emulator.control.wait_job(name)
        assert (ended["state"], ended["error_code"]) == ("JOB_STATE_FAILED", 3)
        assert ended["error_message"].startswith(f"{outside} leaves its bucket")
    assert not (emulator.storage / "outside").exists()


EXPANDED = [
    # "Variables that reference a $(VAR_NAME) are expanded using the previous defined environment variables in
    # the container and any service environment variables. If a variable cannot be resolved, the reference in
    # the input string will be unchanged. ... escaped with a double $$ ... Escaped references will never be
    # expanded." (comment of EnvVar.value in the API's proto)
    ("$(EPOCHS) of $(CLOUD_ML_REGION)", "3 of us-central1"),
    ("$(LATER) $(UNKNOWN) $(date)", "$(LATER) $(UNKNOWN) $(date)"),
    ("$$(EPOCHS) $$(UNKNOWN)", "$(EPOCHS) $(UNKNOWN)"),
    ("$EPOCHS ${EPOCHS} $$ $$EPOCHS $()", "$EPOCHS ${EPOCHS} $$ $$EPOCHS $()"),
    ("$(HOME) $(PATH)", "$(HOME) $(PATH)"),
]


@pytest.mark.parametrize(("written", "read"), EXPANDED, ids=[str(n) for n in range(len(EXPANDED))])
def test_references_are_expanded_as_the_proto_says(client, emulator, parent, make_job, written, read):
    """`$(NAME)` in env values, command and args is expanded where it is known, and `$$(NAME)` is not."""
    program = "import os, sys; print([os.environ['TEXT'], *sys.argv[1:]])"
    job = make_job("python", "-c", program, written)
    container = job.job_spec.worker_pool_specs[0].container_spec
    container.args = [written]
    container.env = [{"name": name, "value": value} for name, value in (("EPOCHS", "3"), ("TEXT", written))]
    name = client.create_custom_job(parent=parent, custom_job=job).name
    emulator.control.wait_job(name)
    assert emulator.control.wait_line(name) == str([read, read, read])


def test_variables_are_defined_in_their_order(client, emulator, parent, make_job):
    """A value sees the variables before it and not those after it, and `gs://` in them is a folder."""
    job = make_job("sh", "-c", "echo $FIRST $SECOND $(THIRD)")
    values = {"FIRST": "$(THIRD)", "SECOND": "$(BASE)/x", "THIRD": "3"}
    env = [{"name": "BASE", "value": "gs://bucket"}, *({"name": k, "value": v} for k, v in values.items())]
    job.job_spec.worker_pool_specs[0].container_spec.env = env
    name = client.create_custom_job(parent=parent, custom_job=job).name
    emulator.control.wait_job(name)
    assert emulator.control.wait_line(name) == f"$(THIRD) {emulator.storage}/bucket/x 3"


def test_tensorboard_is_named_in_the_environment(client, emulator, parent, project, make_job):
    """`AIP_TENSORBOARD_RESOURCE_NAME` is there with a TensorBoard (Vertex's code requirements page)."""
    board = f"projects/{project}/locations/us-central1/tensorboards/1"
    spec = {
        "tensorboard": board,
        "service_account": "a@p.iam.gserviceaccount.com",
        "base_output_directory": {"output_uri_prefix": f"gs://bucket/{project}"},
    }
    job = make_job("sh", "-c", "echo $AIP_TENSORBOARD_RESOURCE_NAME", spec=spec)
    name = client.create_custom_job(parent=parent, custom_job=job).name
    assert emulator.control.wait_job(name)["state"] == "JOB_STATE_SUCCEEDED"
    assert emulator.control.wait_line(name) == board


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
