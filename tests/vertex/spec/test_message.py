"""The API's own message: read in any of its forms, written in one, and back without a loss."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from google.cloud import aiplatform_v1
from google.protobuf import json_format

from airflow_vertex_training.vertex.api import protos
from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.spec import message
from airflow_vertex_training.vertex.spec.arguments import read_arguments
from airflow_vertex_training.vertex.spec.reader import Reader
from airflow_vertex_training.vertex.spec.resolve import build, complete
from tests.vertex.conftest import job_of

GOOGLE: dict[str, Any] = {
    "display_name": "digits",
    "labels": {"team": "vision"},
    "encryption_spec": {"kms_key_name": "projects/p/locations/l/keyRings/r/cryptoKeys/k"},
    "job_spec": {
        "worker_pool_specs": [
            {
                "machine_spec": {
                    "machine_type": "g2-standard-8",
                    "accelerator_type": 11,
                    "accelerator_count": 1,
                },
                "replica_count": 1,
                "disk_spec": {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": 200},
                "container_spec": {
                    "image_uri": "gcr.io/a/b",
                    "command": ["python"],
                    "args": ["-m", "trainer"],
                    "env": [{"name": "A", "value": "1"}],
                },
            },
            {},
            {
                "machine_spec": {"machine_type": "n1-standard-4"},
                "replica_count": 2,
                "disk_spec": {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": 100},
                "nfs_mounts": [{"server": "10.0.0.2", "path": "/a", "mount_point": "b"}],
                "python_package_spec": {
                    "executor_image_uri": "us-docker.pkg.dev/vertex-ai/training/tf-cpu.2-17.py310:latest",
                    "package_uris": ["gs://a/trainer-0.1.tar.gz"],
                    "python_module": "trainer.task",
                },
            },
        ],
        "scheduling": {"timeout": {"seconds": 3600}, "strategy": 4, "restart_job_on_worker_restart": True},
        "service_account": "a@b.iam.gserviceaccount.com",
        "network": "projects/1234/global/networks/default",
        "base_output_directory": {"output_uri_prefix": "gs://acme/digits"},
        "enable_web_access": True,
    },
}


def of(job_spec: Any, **arguments: Any) -> tuple[Any, Reader]:
    """Return the job of a ``job_spec``, and its reader."""
    reader = Reader()
    layer = complete([read_arguments({"job_spec": job_spec, **arguments}, reader)], reader)
    return build(layer), reader


def test_googles_dict_is_taken_as_it_is() -> None:
    """What Google's operator and client take becomes the same message."""
    job, reader = of(GOOGLE)
    assert reader.findings == []
    assert protos.to_custom_job(job) == aiplatform_v1.CustomJob(GOOGLE)


def test_camel_case_and_a_gcloud_config_are_taken() -> None:
    """JSON of the API, and a CustomJobSpec alone as gcloud reads it, become the same message."""
    expected = aiplatform_v1.CustomJob(GOOGLE)
    camel = json.loads(json_format.MessageToJson(aiplatform_v1.CustomJob.pb(expected)))
    job, reader = of(camel)
    assert reader.findings == []
    assert protos.to_custom_job(job) == expected
    spec, _ = of(camel["jobSpec"])
    assert protos.to_custom_job(spec).job_spec == expected.job_spec


def test_arguments_fill_what_a_spec_leaves_open() -> None:
    """A spec with its pool only is completed by the arguments and defaults."""
    spec = {"workerPoolSpecs": [{"containerSpec": {"imageUri": "gcr.io/a/b"}}]}
    job, reader = of(spec, machine_type="n1-standard-8", service_account="a@b.iam", args=["x"])
    assert reader.findings == []
    assert message.write(job) == {
        "job_spec": {
            "scheduling": {"timeout": "604800s"},
            "service_account": "a@b.iam",
            "worker_pool_specs": [
                {
                    "container_spec": {"image_uri": "gcr.io/a/b", "args": ["x"]},
                    "machine_spec": {"machine_type": "n1-standard-8"},
                    "disk_spec": {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": 100},
                    "replica_count": 1,
                }
            ],
        }
    }


UNKNOWN: list[tuple[dict[str, Any], str, str]] = [
    ({"servic_account": "a"}, "job_spec.servic_account", "did you mean 'service_account'?"),
    ({"jobSpec": {"netwrok": "a"}}, "job_spec.jobSpec.netwrok", "did you mean 'network'?"),
    (
        {"workerPoolSpecs": [{"machineSpec": {"machineTyp": "a"}}]},
        "job_spec.workerPoolSpecs[0].machineSpec.machineTyp",
        "did you mean 'machine_type'?",
    ),
    ({"xyzzy": {"a": 1}}, "job_spec.xyzzy", "is no field that this package knows"),
]


@pytest.mark.parametrize(("spec", "where", "offer"), UNKNOWN, ids=[row[1] for row in UNKNOWN])
def test_a_field_that_is_not_known(spec: dict[str, Any], where: str, offer: str) -> None:
    """It is a warning that names the nearest, and an error where the client does not know it either."""
    job, reader = of(spec, image="gcr.io/a/b")
    assert reader.findings == []
    (warning,) = reader.warnings
    assert str(warning).startswith(f"{where}: is no field that this package knows")
    assert str(warning).endswith(offer)
    with pytest.raises(
        InvalidJobError, match=r"google-cloud-aiplatform [0-9.]+, which is installed, does not take"
    ):
        protos.to_custom_job(job)


@pytest.mark.parametrize("field", sorted(message.OUTPUT_ONLY))
def test_what_vertex_answers_is_ignored(field: str) -> None:
    """A job that was copied from an answer is taken, but for what only Vertex can say, with a word."""
    job, reader = of({**GOOGLE, field: "x"})
    assert reader.findings == []
    assert [str(warning) for warning in reader.warnings] == [
        f"job_spec.{field}: is ignored: {message.OUTPUT_ONLY[field]}"
    ]
    assert protos.to_custom_job(job) == aiplatform_v1.CustomJob(GOOGLE)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("a", "job_spec: must be a dict with the fields of a CustomJobSpec, got str 'a'"),
        ({"scheduling": 3}, "job_spec.scheduling: must be a dict, got int 3"),
        ({"workerPoolSpecs": {}}, "job_spec.workerPoolSpecs: must be a list of dicts, got dict {}"),
        (
            {"workerPoolSpecs": ["a"]},
            "job_spec.workerPoolSpecs[0]: must be a dict with the fields of a WorkerPoolSpec",
        ),
        (
            {"network": "projects/1/global/networks/a", "Network": "projects/2/global/networks/a"},
            "job_spec.Network: is said differently in job_spec.network: say it once",
        ),
    ],
)
def test_what_is_no_spec(spec: Any, problem: str) -> None:
    """What has another shape than the message is refused by its place in it."""
    _, reader = of(spec, image="gcr.io/a/b")
    assert str(reader.findings[0]).startswith(problem)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(hours=1), "3600s"),
        (timedelta(seconds=0.5), "0.500000s"),
        (timedelta(days=3650), "315360000s"),
        (timedelta(0), "0s"),
    ],
)
def test_durations(duration: timedelta, text: str) -> None:
    """A duration is written as the API's JSON has it, to the microsecond."""
    assert message.duration_text(duration) == text


def test_the_message_is_what_the_api_reads() -> None:
    """The plain dict, which needs nothing of Google's, is the message when read by the API's own rules."""
    job = job_of(image="gcr.io/a/b", env={"A": "1"}, maximum_run_time=0.5 + 60)
    read = json_format.ParseDict(message.write(job), aiplatform_v1.CustomJob.pb()())
    assert read == aiplatform_v1.CustomJob.pb(protos.to_custom_job(job))


def test_a_job_does_not_show_its_variables() -> None:
    """Values of variables may be secrets: they are not in what a job looks like in a log."""
    job = job_of(image="gcr.io/a/b", env={"TOKEN": "s3cret"}, worker_pools=[{"replica_count": 1}])
    assert "s3cret" not in repr(job)
