"""The API's own message: read in any of its forms, written in one, and back without a loss."""

from __future__ import annotations

import json
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest
import yaml
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


POOL: dict[str, Any] = {"containerSpec": {"imageUri": "gcr.io/a/b"}}
SPEC: dict[str, Any] = {"workerPoolSpecs": [POOL]}
NFS = {"server": "10.0.0.2", "path": "/a", "mountPoint": "b"}
_ENDLESS: list[Any] = []
_ENDLESS.append(_ENDLESS)


UNKNOWN: list[tuple[dict[str, Any], str, str]] = [
    ({"servic_account": "a"}, "job_spec.servic_account", "did you mean 'service_account'?"),
    ({"jobSpec": {"netwrok": "a"}}, "job_spec.jobSpec.netwrok", "did you mean 'network'?"),
    (
        {"workerPoolSpecs": [{"machineSpec": {"machineTyp": "a"}}]},
        "job_spec.workerPoolSpecs[0].machineSpec.machineTyp",
        "did you mean 'machine_type'?",
    ),
    ({"xyzzy": {"a": 1}}, "job_spec.xyzzy", "is no field that this package knows"),
    ({"xy.zzy": 1}, "job_spec.xy.zzy", "is no field that this package knows"),
    ({"worker_pools": []}, "job_spec.worker_pools", "did you mean 'worker_pool_specs'?"),
    ({"worker-pool-specs": []}, "job_spec.worker-pool-specs", "did you mean 'worker_pool_specs'?"),
    (
        {"workerPoolSpecs": [{"executorImageUri": "a"}]},
        "job_spec.workerPoolSpecs[0].executorImageUri",
        "did you mean 'python_package_spec.executor_image_uri'?",
    ),
    (
        {"workerPoolSpecs": [{"machine-type": "a"}]},
        "job_spec.workerPoolSpecs[0].machine-type",
        "did you mean 'machine_spec.machine_type'?",
    ),
    (
        {"jobSpec": {"encryptionSpec": {}}},
        "job_spec.jobSpec.encryptionSpec",
        "write encryption_spec beside job_spec",
    ),
    (
        {"workerPoolSpecs": [{"nfsMounts": [{"mount": "a", **NFS}]}]},
        "job_spec.workerPoolSpecs[0].nfsMounts[0].mount",
        "did you mean 'mount_point'?",
    ),
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


def test_all_that_the_client_does_not_know_is_told() -> None:
    """Each field that the installed client library refuses is told by its place, in one line."""
    pool = {**POOL, "machineSpec": {"gpuType": "a"}}
    job, _ = of({"workerPoolSpecs": [pool], "xyzzy": 1, "serviceAccount": "a@b.iam.gserviceaccount.com"})
    with pytest.raises(InvalidJobError) as raised:
        protos.to_custom_job(job)
    lines = str(raised.value).splitlines()
    places = ["job_spec.worker_pool_specs[0].machine_spec.gpu_type", "job_spec.xyzzy"]
    assert [line.partition(": ")[0] for line in lines] == places
    assert lines[1].endswith('CustomJobSpec" has no field named "xyzzy" at "CustomJob.job_spec"')


WRITTEN: list[Any] = [
    aiplatform_v1.CustomJob(GOOGLE),
    aiplatform_v1.CustomJob.pb(aiplatform_v1.CustomJob(GOOGLE)),
    {**GOOGLE, "job_spec": aiplatform_v1.CustomJobSpec(GOOGLE["job_spec"])},
    {
        **GOOGLE,
        "job_spec": {
            **GOOGLE["job_spec"],
            "worker_pool_specs": [
                aiplatform_v1.WorkerPoolSpec(each) for each in GOOGLE["job_spec"]["worker_pool_specs"]
            ],
            "scheduling": aiplatform_v1.Scheduling(GOOGLE["job_spec"]["scheduling"]),
        },
    },
    {"parent": "projects/p/locations/l", "customJob": GOOGLE},
    {"custom_job": GOOGLE},
    json.dumps(GOOGLE),
    str(GOOGLE),
    json_format.MessageToJson(aiplatform_v1.CustomJob.pb(aiplatform_v1.CustomJob(GOOGLE))),
    yaml.safe_dump(json_format.MessageToDict(aiplatform_v1.CustomJob.pb(aiplatform_v1.CustomJob(GOOGLE)))),
    aiplatform_v1.CustomJob.to_dict(aiplatform_v1.CustomJob(GOOGLE)),
    MappingProxyType(GOOGLE),
]


@pytest.mark.parametrize("spec", WRITTEN, ids=range(len(WRITTEN)))
def test_all_ways_to_write_a_message(spec: Any) -> None:
    """The client library's objects, a request, and text in JSON, YAML or Python's form are the message."""
    job, reader = of(spec)
    assert reader.findings == []
    assert protos.to_custom_job(job) == aiplatform_v1.CustomJob(GOOGLE)


def test_a_single_pool_as_gclouds_help_writes_it() -> None:
    """A list of one may be that one, as in the example of `gcloud ai custom-jobs create --help`."""
    config = """
workerPoolSpecs:
  machineSpec: {machineType: n1-highmem-2}
  replicaCount: 1
  containerSpec: {imageUri: gcr.io/a/b, args: [port=8500], command: [start]}
  nfsMounts: {server: 10.0.0.2, path: /a, mountPoint: b}
"""
    job, reader = of(config)
    assert (reader.findings, reader.warnings) == ([], [])
    assert len(job.worker_pools) == 1
    assert job.worker_pools[0].nfs_mounts


@pytest.mark.parametrize("pools", [[], None])
def test_no_pools_are_not_said(pools: Any) -> None:
    """An empty list of pools leaves them to the arguments: a job has one at least."""
    job, reader = of({"workerPoolSpecs": pools}, image="gcr.io/a/b")
    assert reader.findings == []
    assert [pool.image for pool in job.worker_pools] == ["gcr.io/a/b"]


OPEN: list[Any] = [
    "{{ x }}",
    {"jobSpec": "{{ x }}", "labels": "{{ x }}"},
    {"workerPoolSpecs": "{{ x }}"},
    {"workerPoolSpecs": [POOL, "{{ x }}"]},
    {"workerPoolSpecs": [{**POOL, "machineSpec": "{{ x }}"}]},
    {"workerPoolSpecs": [{"containerSpec": "{{ x }}"}]},
    {"workerPoolSpecs": [{"pythonPackageSpec": "{{ x }}", "diskSpec": "{{ x }}"}]},
    {"workerPoolSpecs": [{"containerSpec": {"imageUri": "{{ x }}", "env": ["{{ x }}"]}}]},
    {
        "workerPoolSpecs": [
            {"containerSpec": {**POOL["containerSpec"], "env": [{"name": "{{ x }}", "value": ""}]}}
        ]
    },
    {**SPEC, "scheduling": "{{ x }}", "encryptionSpec": "{{ x }}", "baseOutputDirectory": "{{ x }}"},
    {**SPEC, "pscInterfaceConfig": {"dnsPeeringConfigs": ["{{ x }}"]}},
    {**SPEC, "xyzzy": {"a": ["{{ x }}", 1]}},
]


@pytest.mark.parametrize("spec", OPEN, ids=range(len(OPEN)))
def test_a_template_may_stand_for_any_part(spec: Any) -> None:
    """What is a template, from the whole message to a variable's name, is left alone until it is rendered."""
    reader = Reader(lambda value: isinstance(value, str) and "{{" in value)
    complete([read_arguments({"job_spec": spec}, reader)], reader)
    assert reader.findings == []


def test_keys_are_no_templates() -> None:
    """Airflow renders the values of dicts only: a template in a key is told of."""
    reader = Reader(lambda value: isinstance(value, str) and "{{" in value)
    key = {"{{ x.y }}": "1"}
    read_arguments({"job_spec": {**SPEC, **key}, "env": key, "labels": key}, reader)
    assert sorted(str(finding) for finding in reader.findings) == [
        f"{place}: Airflow renders the values of a dict, not its keys"
        for place in ("env['{{ x.y }}']", "job_spec.{{ x.y }}", "labels['{{ x.y }}']")
    ]


def test_fields_of_pools_that_others_replace_are_left_out() -> None:
    """What a template says of its pools, known or not, goes with them where the task has pools of its own."""
    reader = Reader()
    of_template = read_arguments(
        {"job_spec": {"workerPoolSpecs": [POOL, {**POOL, "xyzzy": 1}], "zyxxy": 1}}, reader
    )
    task = read_arguments({"worker_pools": [{}]}, reader)
    job = build(complete([task, of_template], reader))
    assert list(job.other_fields) == ["job_spec.zyxxy"]
    assert message.write(job)["job_spec"]["zyxxy"] == 1


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
        ("a: b: c", "job_spec: must be a dict with the fields of a CustomJobSpec, got str 'a: b: c'"),
        (b"{}", "job_spec: must be a dict with the fields of a CustomJobSpec, got bytes b'{}'"),
        (
            {**SPEC, "baseOutputDirectory": "gs://acme"},
            "job_spec.baseOutputDirectory: must be a dict with output_uri_prefix, got str 'gs://acme'",
        ),
        ({"workerPoolSpecs": 3}, "job_spec.workerPoolSpecs: must be a list of dicts, got int 3"),
        (
            {"workerPoolSpecs": [POOL], "worker_pool_specs": [POOL]},
            "job_spec.worker_pool_specs: are said twice",
        ),
        (
            {"workerPoolSpecs": [{**POOL, "pythonPackageSpec": {"pythonModule": "a"}}]},
            "job_spec.workerPoolSpecs[0].pythonPackageSpec: does not go with container_spec: a pool runs",
        ),
        (
            {**SPEC, "xyzzy": {1, 2}},
            "job_spec.xyzzy: must be text, a number, a list or a dict, got set {1, 2}",
        ),
        ({**SPEC, "xyzzy": _ENDLESS}, "job_spec.xyzzy: must be text, a number, a list or a dict, got list"),
        (
            {"workerPoolSpecs": ["a"]},
            "job_spec.workerPoolSpecs[0]: must be a dict with the fields of a WorkerPoolSpec",
        ),
        (
            {
                **SPEC,
                "network": "projects/1/global/networks/a",
                "Network": "projects/2/global/networks/a",
            },
            "job_spec.Network: is said differently in job_spec.network: say it once",
        ),
    ],
)
def test_what_is_no_spec(spec: Any, problem: str) -> None:
    """What has another shape than the message is refused by its place in it, and nothing else is told."""
    reader = Reader()
    complete([read_arguments({"job_spec": spec}, reader)], reader)
    (finding,) = reader.findings
    assert str(finding).startswith(problem)


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
