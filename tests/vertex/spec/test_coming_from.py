"""What other systems are configured with becomes the message that they send, but for listed differences."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import yaml
from google.cloud import aiplatform_v1
from google.protobuf import json_format

from airflow_vertex_training.vertex.api import protos
from tests.vertex.conftest import job_of

DISK = {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": 100}
WEEK = {"seconds": 7 * 24 * 3600}


def message(spec: dict[str, Any]) -> aiplatform_v1.CustomJob:
    """Return the message of a job spec in the API's snake case."""
    return aiplatform_v1.CustomJob({"job_spec": spec})


GOOGLE: dict[str, dict[str, Any]] = {
    "one container": {
        "display_name": "digits",
        "job_spec": {
            "worker_pool_specs": [
                {
                    "replica_count": 1,
                    "machine_spec": {
                        "machine_type": "n1-standard-8",
                        "accelerator_type": aiplatform_v1.AcceleratorType.NVIDIA_TESLA_T4,
                        "accelerator_count": 2,
                    },
                    "disk_spec": {"boot_disk_type": "pd-standard", "boot_disk_size_gb": 200},
                    "container_spec": {
                        "image_uri": "gcr.io/acme/digits",
                        "command": ["python"],
                        "args": ["-m", "trainer"],
                        "env": [{"name": "A", "value": "1"}],
                    },
                }
            ],
            "scheduling": {"timeout": {"seconds": 3600}, "strategy": 4},
            "service_account": "a@acme.iam.gserviceaccount.com",
            "base_output_directory": {"output_uri_prefix": "gs://acme/out"},
        },
        "labels": {"team": "vision"},
    },
    "a package in two pools": {
        "display_name": "digits",
        "job_spec": {
            "worker_pool_specs": [
                {
                    "replica_count": count,
                    "machine_spec": {"machine_type": "n1-standard-4"},
                    "disk_spec": DISK,
                    "python_package_spec": {
                        "executor_image_uri": "us-docker.pkg.dev/vertex-ai/training/pytorch-xla.2-4:latest",
                        "package_uris": ["gs://acme/a.tar.gz"],
                        "python_module": "trainer.task",
                        "args": ["--epochs", "3"],
                    },
                }
                for count in (1, 3)
            ],
            "scheduling": {"timeout": WEEK, "restart_job_on_worker_restart": True},
            "enable_web_access": True,
        },
    },
}


@pytest.mark.parametrize("custom_job", GOOGLE.values(), ids=GOOGLE)
def test_a_custom_job_of_googles_operator(custom_job: dict[str, Any]) -> None:
    """A dict that says all of it is the very message that Google's operator would send."""
    assert protos.to_custom_job(job_of(job_spec=custom_job)) == aiplatform_v1.CustomJob(custom_job)


def test_what_a_short_dict_gets_besides() -> None:
    """What Google's dict leaves open is sent as Vertex AI's own defaults; nothing else is different."""
    pool = {
        "machine_spec": {"machine_type": "n1-standard-4"},
        "container_spec": {"image_uri": "gcr.io/acme/digits"},
    }
    made = protos.to_custom_job(
        job_of(job_spec={"display_name": "d", "job_spec": {"worker_pool_specs": [pool]}})
    )
    whole = {**pool, "replica_count": 1, "disk_spec": DISK}
    wanted = message({"worker_pool_specs": [whole], "scheduling": {"timeout": WEEK}})
    wanted.display_name = "d"
    assert made == wanted


GCLOUD = {
    "container": """
workerPoolSpecs:
- machineSpec:
    machineType: g2-standard-8
    acceleratorType: NVIDIA_L4
    acceleratorCount: 1
  replicaCount: 1
  diskSpec: {bootDiskType: pd-ssd, bootDiskSizeGb: 150}
  containerSpec:
    imageUri: us-docker.pkg.dev/acme/trainers/digits:1.4
    args: [--epochs, '3']
scheduling: {timeout: 7200s}
network: projects/1234/global/networks/mine
reservedIpRanges: [range]
""",
    "two pools": """
workerPoolSpecs:
- machineSpec: {machineType: n1-standard-8}
  replicaCount: '1'
  diskSpec: {bootDiskType: pd-ssd, bootDiskSizeGb: 100}
  containerSpec: {imageUri: gcr.io/acme/digits}
- machineSpec: {machineType: n1-standard-4}
  replicaCount: '2'
  diskSpec: {bootDiskType: pd-ssd, bootDiskSizeGb: 100}
  nfsMounts: [{server: 10.0.0.2, path: /a, mountPoint: b}]
  containerSpec: {imageUri: gcr.io/acme/digits, env: [{name: A, value: '1'}]}
scheduling: {timeout: 604800s}
persistentResourceId: mine
""",
}


@pytest.mark.parametrize("text", GCLOUD.values(), ids=GCLOUD)
def test_a_config_of_gcloud(text: str) -> None:
    """A file that gcloud takes as its config is the very message that gcloud would send."""
    config = yaml.safe_load(text)
    wanted = aiplatform_v1.CustomJob()
    json_format.ParseDict({"jobSpec": config}, aiplatform_v1.CustomJob.pb(wanted))
    assert protos.to_custom_job(job_of(job_spec=config)) == wanted


# What prefect-gcp makes of a block's fields, read in its source; `maximum_run_time` gets lost there.
BLOCK: dict[str, Any] = {
    "image": "gcr.io/acme/digits/train:1",
    "command": ["python", "-m", "trainer"],
    "env": {"A": "1"},
    "region": "us-central1",
    "machine_type": "n1-standard-8",
    "network": "projects/1234/global/networks/mine",
    "reserved_ip_ranges": ["range"],
    "service_account": "a@acme.iam.gserviceaccount.com",
    "maximum_run_time": timedelta(hours=2),
}
BLOCK_SENDS: dict[str, Any] = {
    "worker_pool_specs": [
        {
            "container_spec": {
                "image_uri": BLOCK["image"],
                "command": BLOCK["command"],
                "env": [{"name": "A", "value": "1"}],
            },
            "machine_spec": {"machine_type": "n1-standard-8"},
            "replica_count": 1,
        }
    ],
    "service_account": BLOCK["service_account"],
    "scheduling": {},
    "network": BLOCK["network"],
    "reserved_ip_ranges": ["range"],
}


def test_a_block_of_prefect() -> None:
    """The block's fields keep their names; wanted besides: its run time, which it loses, and its disk."""
    wanted = message({**BLOCK_SENDS, "scheduling": {"timeout": {"seconds": 2 * 3600}}})
    wanted.job_spec.worker_pool_specs[0].disk_spec = aiplatform_v1.DiskSpec(DISK)
    assert protos.to_custom_job(job_of(**BLOCK)) == wanted


WORKER: dict[str, Any] = {
    "image": "gcr.io/acme/digits/train:1",
    "command": "python -m trainer",
    "machine_type": "n1-standard-8",
    "accelerator_type": "NVIDIA_TESLA_T4",
    "accelerator_count": 1,
    "boot_disk_type": "pd-standard",
    "boot_disk_size_gb": 200,
    "maximum_run_time_hours": 3,
    "scheduling": {"strategy": "SPOT", "restart_job_on_worker_restart": True},
    "service_account_name": "a@acme.iam.gserviceaccount.com",
    "env": {"A": "1"},
}


def test_a_configuration_of_prefects_worker() -> None:
    """The worker's variables, renamed as the page says, are the very message that it would send."""
    renamed = {
        **{name: each for name, each in WORKER.items() if not name.endswith(("_hours", "_name"))},
        "command": WORKER["command"].split(),
        "maximum_run_time": timedelta(hours=WORKER["maximum_run_time_hours"]),
        "service_account": WORKER["service_account_name"],
    }
    sent = message(
        {
            "worker_pool_specs": [
                {
                    "container_spec": {
                        "image_uri": WORKER["image"],
                        "command": ["python", "-m", "trainer"],
                        "env": [{"name": "A", "value": "1"}],
                    },
                    "machine_spec": {
                        "machine_type": "n1-standard-8",
                        "accelerator_type": "NVIDIA_TESLA_T4",
                        "accelerator_count": 1,
                    },
                    "replica_count": 1,
                    "disk_spec": {"boot_disk_type": "pd-standard", "boot_disk_size_gb": 200},
                }
            ],
            "scheduling": {
                "strategy": "SPOT",
                "restart_job_on_worker_restart": True,
                "timeout": {"seconds": 3 * 3600},
            },
            "service_account": WORKER["service_account_name"],
        }
    )
    assert protos.to_custom_job(job_of(**renamed)) == sent
