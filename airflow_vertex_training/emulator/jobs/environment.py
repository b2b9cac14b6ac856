"""What a replica's process is given: its environment, as on Vertex, and its command."""

from __future__ import annotations

import json
import os
import re
import site
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf import json_format

from airflow_vertex_training.emulator.jobs.failures import CannotRun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from airflow_vertex_training.emulator.jobs.images import Image
    from airflow_vertex_training.emulator.jobs.replicas import Replica
    from airflow_vertex_training.emulator.jobs.storage import Storage
    from airflow_vertex_training.emulator.jobs.store import Job

__all__ = ["Program", "Surroundings", "program"]

# What a replica inherits from the emulator. Nothing else: not the emulator's secrets, nor an Airflow's around
# it.
_INHERITED = ("LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "LOGNAME", "TMPDIR", "TZ", "USER")

# Without these, training code on a machine that has credentials of its own (a developer's, a virtual
# machine's) would reach the real cloud. Nobody listens at port 1.
# https://googleapis.dev/python/google-auth/latest/reference/google.auth.environment_vars.html
_NOBODY = "127.0.0.1:1"
_NO_CREDENTIALS = {
    "GCE_METADATA_HOST": _NOBODY,
    "GCE_METADATA_IP": _NOBODY,
    "GCE_METADATA_ROOT": _NOBODY,
    "NO_GCE_CHECK": "true",
}

# https://cloud.google.com/vertex-ai/docs/training/code-requirements#environment-variables
_OUTPUT_FOLDERS = {
    "AIP_MODEL_DIR": "model",
    "AIP_CHECKPOINT_DIR": "checkpoints",
    "AIP_TENSORBOARD_LOG_DIR": "logs",
}

# https://cloud.google.com/vertex-ai/docs/training/distributed-training#tf-config
_TENSORFLOW_ROLES = ("chief", "worker", "ps", "evaluator")

_REFERENCE = re.compile(r"(?P<escape>\$?)\$\((?P<name>[A-Za-z_][A-Za-z0-9_]*)\)")


@dataclass(frozen=True)
class Program:
    """What a replica runs.

    Args:
        command: The program and its arguments.
        folder: The folder that it works in.
        variables: Its environment.
    """

    command: Sequence[str]
    folder: Path
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Surroundings:
    """What is the same for all replicas of a job.

    Args:
        job: The job.
        addresses: Of all replicas, by name.
        project_number: The project's number: that is what `CLOUD_ML_PROJECT_ID` holds on Vertex.
        storage: Where buckets lie.
    """

    job: Job
    addresses: Mapping[str, str]
    project_number: str
    storage: Storage


def program(
    around: Surroundings, replica: Replica, image: Image, folder: Path, packages: Sequence[Path] = ()
) -> Program:
    """Return what a replica runs, and make the folders that its environment names.

    Args:
        around: What it shares with the others.
        replica: The replica.
        image: Its image.
        folder: A folder of its own.
        packages: Where its Python packages are.

    Raises:
        CannotRun: It is not known what to run, or a path leaves its bucket.
    """
    work, home = folder / "work", folder / "home"
    for each in (work, home):
        each.mkdir()
    service = _service_variables(around, replica)
    known = dict(service)
    for variable in replica.task.env:
        known[variable.name] = around.storage.translate(_expanded(variable.value, known))

    def ready(text: str) -> str:
        return around.storage.translate(_expanded(text, known))

    if replica.package:
        parts = [str(image.python), "-m", replica.package.python_module, *map(ready, replica.package.args)]
    else:
        container = replica.spec.container_spec
        parts = image.command_line([*map(ready, container.command)], [*map(ready, container.args)])
    variables = _inherited(image, home) | dict(image.environment) | known
    if packages:
        paths = (*map(str, packages), variables.get("PYTHONPATH"))
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return Program(parts, image.folder or work, variables)


def _expanded(text: str, known: Mapping[str, str]) -> str:
    """Expand `$(NAME)`, as the proto of `EnvVar` says; `$$(NAME)` stands for the text `$(NAME)`.

    Kubernetes, which runs the containers, does the same for commands and arguments.
    """

    def replace(found: re.Match[str]) -> str:
        if found["escape"]:
            return f"$({found['name']})"
        return known.get(found["name"], found[0])

    return _REFERENCE.sub(replace, text)


def _inherited(image: Image, home: Path) -> dict[str, str]:
    variables = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    variables["PATH"] = os.pathsep.join((str(image.python.parent), os.environ.get("PATH", os.defpath)))
    variables["HOME"] = str(home)
    if site.ENABLE_USER_SITE:
        variables["PYTHONUSERBASE"] = site.getuserbase()  # packages that lie in the emulator's own home
    # As in Google's prebuilt training images: a line reaches the log when it is printed, not when a buffer is
    # full.
    variables["PYTHONUNBUFFERED"] = "1"
    return variables | _NO_CREDENTIALS


def _service_variables(around: Surroundings, replica: Replica) -> dict[str, str]:
    job = around.job
    variables = {
        "CLOUD_ML_JOB_ID": job.job_id,
        "CLOUD_ML_PROJECT_ID": around.project_number,
        "CLOUD_ML_REGION": job.location.region,
    }
    variables |= _cluster(job, replica, around.addresses)
    variables |= _output_folders(job, around.storage)
    if job.message.job_spec.tensorboard:
        variables["AIP_TENSORBOARD_RESOURCE_NAME"] = job.message.job_spec.tensorboard
    return variables


def _output_folders(job: Job, storage: Storage) -> dict[str, str]:
    base = job.message.job_spec.base_output_directory.output_uri_prefix
    if not base:
        return {}
    folder = storage.local(base)
    variables = {}
    for name, part in _OUTPUT_FOLDERS.items():
        try:
            (folder / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotRun(f"base_output_directory: {folder} can't be made: {error.strerror}") from error
        variables[name] = f"{folder / part}/"
    return variables | {"AIP_STORAGE_URI": str(folder)}


def _cluster(job: Job, replica: Replica, addresses: Mapping[str, str]) -> dict[str, str]:
    """https://cloud.google.com/vertex-ai/docs/training/distributed-training#cluster-variables."""
    cluster: dict[str, list[str]] = {}
    for name, address in addresses.items():
        cluster.setdefault(name.rpartition("-")[0], []).append(address)
    described = {
        "cluster": cluster,
        "environment": "cloud",
        "task": {"type": f"workerpool{replica.pool}", "index": replica.index},
        "job": json_format.MessageToDict(job.message.job_spec),
    }
    variables = {"CLUSTER_SPEC": json.dumps(described)}
    if len(addresses) > 1:
        # TensorFlow's own names; an evaluator gets a task but is no part of the cluster.
        roles = {f"workerpool{pool}": role for pool, role in enumerate(_TENSORFLOW_ROLES)}
        described["cluster"] = {
            roles[pool]: members for pool, members in cluster.items() if roles[pool] != "evaluator"
        }
        described["task"] = {"type": _TENSORFLOW_ROLES[replica.pool], "index": replica.index}
        variables["TF_CONFIG"] = json.dumps(described)
    return variables
