"""What is sent to Vertex AI and what is understood of its answers."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud import aiplatform_v1
from google.protobuf import json_format
from google.rpc import status_pb2

from airflow_vertex_training.vertex.api import protos
from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.naming import identity
from airflow_vertex_training.vertex.spec import message
from airflow_vertex_training.vertex.spec.job import Scheduling
from tests.vertex.conftest import RUN_START, a_job, a_try, job_of

if TYPE_CHECKING:
    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from airflow_vertex_training.vertex.api.calls import Jobs

NAME = "projects/acme/locations/us-central1/customJobs/4711"
SAID: dict[str, Any] = {
    "image": "us-docker.pkg.dev/acme/trainers/digits:1.4",
    "display_name": "digits",
    "service_account": "trainer@acme.iam.gserviceaccount.com",
    "command": ["python", "-m", "trainer"],
    "args": ["--epochs", "3"],
    "env": {"A": "1", "B": ""},
    "machine_type": "g2-standard-8",
    "accelerator_type": "NVIDIA_L4",
    "accelerator_count": 1,
    "boot_disk_type": "pd-standard",
    "boot_disk_size_gb": 200,
    "maximum_run_time": timedelta(hours=1, milliseconds=500),
    "network": "projects/1234/global/networks/default",
    "reserved_ip_ranges": ["range"],
    "base_output_directory": "gs://acme/digits",
}
LABELS = a_try().labels()
FULL = dataclasses.replace(job_of(**SAID), labels=LABELS)


def test_each_field_reaches_the_request() -> None:
    """The request holds each setting where CustomJobSpec has it, and nothing else."""
    assert json_format.MessageToDict(aiplatform_v1.CustomJob.pb(protos.to_custom_job(FULL))) == {
        "displayName": FULL.display_name,
        "labels": LABELS,
        "jobSpec": {
            "workerPoolSpecs": [
                {
                    "machineSpec": {
                        "machineType": "g2-standard-8",
                        "acceleratorType": "NVIDIA_L4",
                        "acceleratorCount": 1,
                    },
                    "replicaCount": "1",
                    "diskSpec": {"bootDiskType": "pd-standard", "bootDiskSizeGb": 200},
                    "containerSpec": {
                        "imageUri": SAID["image"],
                        "command": ["python", "-m", "trainer"],
                        "args": ["--epochs", "3"],
                        "env": [{"name": "A", "value": "1"}, {"name": "B"}],
                    },
                }
            ],
            "scheduling": {"timeout": "3600.500s"},
            "serviceAccount": FULL.service_account,
            "network": "projects/1234/global/networks/default",
            "reservedIpRanges": ["range"],
            "baseOutputDirectory": {"outputUriPrefix": "gs://acme/digits"},
        },
    }


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"labels": {"team": "vision"}, "display_name": "other"}, True),
        ({"env": {**SAID["env"], "AIRFLOW_CTX_TRY_NUMBER": "2"}}, True),
        ({"env": {"B": "", "A": "1"}}, True),
        ({"env": {**SAID["env"], "A": "2"}}, False),
        ({"image": "us-docker.pkg.dev/acme/trainers/digits:1.5"}, False),
        ({"args": ["--epochs", "4"]}, False),
        ({"machine_type": "g2-standard-12"}, False),
        ({"maximum_run_time": timedelta(hours=2)}, False),
        ({"network": None, "reserved_ip_ranges": None}, False),
    ],
    ids=["names", "Airflow's variables", "order", "env", "image", "args", "machine", "time", "network"],
)
def test_a_fingerprint_tells_settings_apart_and_not_tries(changes: dict[str, Any], *, same: bool) -> None:
    """Tries that ask for the same job have the same fingerprint; any other setting makes another."""
    one, other = (
        protos.fingerprint(protos.to_custom_job(job_of(**said))) for said in (SAID, {**SAID, **changes})
    )
    assert (one == other) is same


def test_only_a_try_s_job_gets_a_fingerprint() -> None:
    """The fingerprint is a label beside Airflow's other ones, or none."""
    labelled = protos.with_fingerprint(protos.to_custom_job(FULL))
    assert labelled.labels[identity.SPEC] == protos.fingerprint(labelled)
    bare = protos.to_custom_job(dataclasses.replace(FULL, labels={"team": "vision"}))
    assert dict(protos.with_fingerprint(bare).labels) == {"team": "vision"}


def test_the_json_is_what_the_api_reads() -> None:
    """The job's JSON text, read by the API's own rules, is the message again."""
    read = aiplatform_v1.CustomJob()
    json_format.Parse(json.dumps(message.api_json(FULL)), aiplatform_v1.CustomJob.pb(read))
    assert read == protos.to_custom_job(FULL)


def test_what_is_not_set_is_not_sent() -> None:
    """A field without a value is absent, so that Vertex's own default holds."""
    text = json.dumps(message.api_json(job_of(image=SAID["image"])))
    for field in ("network", "reservedIpRanges", "baseOutputDirectory", "command", "accelerator", "env"):
        assert field not in text


def test_an_accelerator_that_is_not_known() -> None:
    """The message lists the accelerators that the client library knows, without the unspecified one."""
    job = job_of(**{**SAID, "machine_type": "g9-standard-8", "accelerator_type": "NVIDIA_L44"})
    with pytest.raises(
        InvalidJobError, match=r"accelerator_type: 'NVIDIA_L44' is not known .* did you mean 'NVIDIA_L4'"
    ) as error:
        protos.to_custom_job(job)
    assert "UNSPECIFIED" not in str(error.value)


def test_the_server_gets_the_maximum_run_time(emulator: EmulatorProcess, project: str, jobs: Jobs) -> None:
    """scheduling.timeout crosses the wire: a job that runs for longer is ended by the server."""
    job = dataclasses.replace(a_job(a_try()), scheduling=Scheduling(timeout=timedelta(seconds=1)))
    name = jobs.create(job).name
    ended = emulator.control.wait_job(name)
    assert ended["state"] != "JOB_STATE_SUCCEEDED"
    assert jobs.get(name).is_final


def test_a_snapshot_has_what_matters() -> None:
    """All that a snapshot has is read from an answer, whichever of its two forms."""
    message = aiplatform_v1.CustomJob(
        name=NAME,
        display_name="digits",
        state=aiplatform_v1.JobState.JOB_STATE_FAILED,
        create_time=RUN_START,
        start_time=RUN_START + timedelta(seconds=1),
        end_time=RUN_START + timedelta(seconds=2),
        update_time=RUN_START + timedelta(seconds=3),
        error=status_pb2.Status(code=8, message="no machines"),
        labels={"team": "vision"},
        web_access_uris={"workerpool1-0": "https://b", "workerpool0-0": "https://a"},
        job_spec={"base_output_directory": {"output_uri_prefix": "gs://acme/digits"}},
    )
    snapshot = protos.to_snapshot(message)
    assert snapshot == protos.to_snapshot(aiplatform_v1.CustomJob.pb(message))
    assert dataclasses.asdict(snapshot) == {
        "name": NAME,
        "display_name": "digits",
        "state": "JOB_STATE_FAILED",
        "create_time": RUN_START,
        "start_time": RUN_START + timedelta(seconds=1),
        "end_time": RUN_START + timedelta(seconds=2),
        "update_time": RUN_START + timedelta(seconds=3),
        "error_code": 8,
        "error_message": "no machines",
        "base_output_directory": "gs://acme/digits",
        "labels": {"team": "vision"},
        "web_access_uris": (("workerpool0-0", "https://a"), ("workerpool1-0", "https://b")),
    }


def test_a_snapshot_of_a_bare_answer() -> None:
    """What an answer leaves out is none, not the year 1970 or error code 0."""
    snapshot = protos.to_snapshot(aiplatform_v1.CustomJob(name=NAME))
    assert (snapshot.create_time, snapshot.end_time, snapshot.error_code) == (None, None, None)


@pytest.mark.parametrize("seconds", [-(10**18), 10**18, 253402300800])
def test_a_time_that_no_calendar_has_is_none(seconds: int) -> None:
    """One odd job ends the watching of no other."""
    message = aiplatform_v1.CustomJob.pb(aiplatform_v1.CustomJob(name=NAME))
    message.end_time.seconds = seconds
    assert protos.to_snapshot(message).end_time is None


def test_a_list_asks_for_all_that_a_snapshot_is_made_of(
    emulator: EmulatorProcess, project: str, jobs: Jobs
) -> None:
    """A job from a list is the same as the job that was got, though the list leaves the spec at home."""
    this = a_try()
    job = dataclasses.replace(
        a_job(this, "python", "-c", "raise SystemExit(3)"), base_output_directory="gs://acme/digits"
    )
    name = jobs.create(job).name
    emulator.control.wait_job(name)
    (found,) = jobs.find("airflow_try", this.try_id)
    assert found == jobs.get(name)
    assert found.error_message
    assert found.base_output_directory == "gs://acme/digits"
