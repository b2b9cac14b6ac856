from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.aiplatform_v1 import CustomJob
from google.protobuf import json_format

from airflow_vertex_training.emulator.api.errors import ApiError
from airflow_vertex_training.emulator.api.validation import check_custom_job

GPU = {"machine_type": "g2-standard-8", "accelerator_type": "NVIDIA_L4", "accelerator_count": 1}
PACKAGE: dict[str, Any] = {"pool__container_spec": None, "package__python_module": "trainer.task"}


def job(**changes: Any) -> Any:
    """A valid message with some fields replaced, of the job, its spec, its pool, or the pool's container.

    Or of its Python package, which is in the pool only then.
    """
    container = {"image_uri": "docker.io/a/b", "command": ["true"]}
    pool: dict[str, Any] = {"machine_spec": {"machine_type": "n1-standard-4"}, "replica_count": 1}
    pool["container_spec"] = container
    package: dict[str, Any] = {"executor_image_uri": "docker.io/a/b", "package_uris": ["gs://bucket/p.whl"]}
    spec: dict[str, Any] = {"worker_pool_specs": [pool]}
    fields: dict[str, Any] = {"display_name": "job", "job_spec": spec}
    for name, value in changes.items():
        level, _, field = name.partition("__")
        {"job": fields, "spec": spec, "pool": pool, "container": container, "package": package}[level][
            field
        ] = value
    if any(name.startswith("package__") for name in changes):
        pool["python_package_spec"] = package
    return json_format.ParseDict(fields, CustomJob.pb()())


VALID: list[dict[str, Any]] = [
    {},
    {"job__labels": {"team": "vision", "größe": "groß", "a1_-": ""}},
    {"job__labels": {f"key{n}": "v" for n in range(64)}},
    {"job__display_name": "ü" * 128},
    {"pool__machine_spec": GPU},
    {"container__command": [], "container__args": ["--epochs", "1"]},
    {"container__command": []},
    PACKAGE,
    {"container__env": [{"name": f"N{n}", "value": ""} for n in range(100)]},
    {"spec__base_output_directory": {"output_uri_prefix": "gs://acme-models/digits"}},
    {"spec__scheduling": {"timeout": "1s"}},
    {"pool__machine_spec": GPU, "spec__scheduling": {"strategy": "FLEX_START"}},
]


@pytest.mark.parametrize("changes", VALID, ids=[str(n) for n in range(len(VALID))])
def test_valid_job_is_taken(changes: dict[str, Any]):
    """Whatever is within Vertex's limits is valid, up to the limit itself."""
    check_custom_job(job(**changes))


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"job__display_name": ""}, "custom_job.display_name", "Required field is not set"),
    ({"job__display_name": "x" * 129}, "custom_job.display_name", "at most 128 characters long, got 129"),
    ({"job__labels": {f"k{n}": "v" for n in range(65)}}, "custom_job.labels", "At most 64 labels"),
    ({"job__labels": {"Team": "a"}}, "custom_job.labels", "lowercase letters"),
    ({"job__labels": {"1st": "a"}}, "custom_job.labels", "Keys must start with a letter"),
    ({"job__labels": {"team": "\N{PARTY POPPER}"}}, "custom_job.labels", "lowercase letters"),
    ({"job__labels": {"team": "x" * 64}}, "custom_job.labels", "at most 63 characters"),
    ({"job__labels": {"": "x"}}, "custom_job.labels", "Keys must start with a letter"),
    ({"spec__worker_pool_specs": []}, "job_spec.worker_pool_specs", "at least one worker pool"),
    ({"pool__machine_spec": {}}, "worker_pool_specs[0].machine_spec.machine_type", "is not specified"),
    ({"pool__replica_count": 3}, "worker_pool_specs[0].replica_count", "Must be 1 for the first"),
    ({"pool__machine_spec": {**GPU, "accelerator_count": 0}}, "accelerator_count", "(NVIDIA_L4), got 0"),
    ({"pool__machine_spec": {**GPU, "accelerator_type": None}}, "accelerator_type", "Must be set"),
    ({"pool__disk_spec": {"boot_disk_type": "floppy"}}, "disk_spec.boot_disk_type", "got 'floppy'"),
    ({"container__image_uri": ""}, "container_spec.image_uri", "Required field is not set"),
    ({"pool__container_spec": None}, "worker_pool_specs[0].container_spec", "it or python_package_spec"),
    ({**PACKAGE, "package__python_module": ""}, "python_package_spec.python_module", "Required field"),
    ({**PACKAGE, "package__package_uris": []}, "python_package_spec.package_uris", "Required field"),
    ({**PACKAGE, "package__package_uris": ["gs://b/p.whl"] * 101}, "package_uris", "At most 100 packages"),
    ({**PACKAGE, "package__package_uris": ["p.whl"]}, "package_uris", "Must be gs://BUCKET/PATH"),
    ({**PACKAGE, "package__env": [{"name": "1 A"}]}, "python_package_spec.env", "C identifiers"),
    ({"container__env": [{"name": f"N{n}"} for n in range(101)]}, "container_spec.env", "At most 100"),
    ({"container__env": [{"name": "A"}, {"name": "A"}]}, "container_spec.env", "must be unique"),
    ({"container__env": [{"name": "1 A"}]}, "container_spec.env", "C identifiers, got '1 A'"),
    ({"spec__scheduling": {"timeout": "0s"}}, "scheduling.timeout", "more than 0 seconds, got 0"),
    ({"spec__scheduling": {"strategy": "FLEX_START"}}, "scheduling.strategy", "needs an accelerator"),
    ({"spec__base_output_directory": {"output_uri_prefix": "s3://x"}}, "output_uri_prefix", "got 's3://x'"),
    ({"spec__network": "default"}, "job_spec.network", "projects/PROJECT/global/networks/NAME"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "field", "message"), WRONG, ids=[str(n) for n in range(len(WRONG))])
def test_wrong_job_names_its_field(changes: dict[str, Any], field: str, message: str):
    """What Vertex would refuse is INVALID_ARGUMENT that names the field and the rule."""
    with pytest.raises(ApiError) as caught:
        check_custom_job(job(**changes))
    assert caught.value.code.name == "INVALID_ARGUMENT"
    assert f"{field}; Message: " in caught.value.message
    assert message in caught.value.message


def test_every_wrong_field_is_listed(client, parent):
    """One answer lists all that is wrong, in Vertex's form and as a BadRequest detail."""
    with pytest.raises(exceptions.InvalidArgument) as caught:
        client.create_custom_job(parent=parent, custom_job=CustomJob({"display_name": ""}))
    assert caught.value.message.startswith(
        "List of found errors:\t1.Field: custom_job.display_name; Message: "
    )
    fields = [violation.field for detail in caught.value.details for violation in detail.field_violations]
    assert fields == ["custom_job.display_name", "custom_job.job_spec.worker_pool_specs"]


@pytest.mark.parametrize(
    ("parent", "message"),
    [
        ("projects/p", "must be projects/PROJECT/locations/LOCATION"),
        ("projects/p/locations/us-centrall", "There is no region 'us-centrall'"),
    ],
)
def test_wrong_parent_is_refused(client, make_job, parent, message):
    """A malformed parent and a region that doesn't exist are INVALID_ARGUMENT."""
    with pytest.raises(exceptions.InvalidArgument, match=message):
        client.create_custom_job(parent=parent, custom_job=make_job("true"))
    with pytest.raises(exceptions.InvalidArgument, match=message):
        client.list_custom_jobs(parent=parent)


def test_unknown_job_is_not_found(client, parent):
    """Get, cancel and delete of a job that doesn't exist are NOT_FOUND."""
    for method in (client.get_custom_job, client.cancel_custom_job, client.delete_custom_job):
        with pytest.raises(exceptions.NotFound, match="The CustomJob does not exist"):
            method(name=f"{parent}/customJobs/1")
    with pytest.raises(exceptions.InvalidArgument, match="customJobs/JOB"):
        client.get_custom_job(name="projects/p/customJobs/1")
