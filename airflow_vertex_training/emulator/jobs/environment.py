"""What a replica's process is given: its environment, its command, and folders for its cloud storage.

On Vertex `AIP_MODEL_DIR` is a `gs://` URI, Cloud Storage is mounted at `/gcs`, and training code writes to
`os.environ["AIP_MODEL_DIR"].replace("gs://", "/gcs/")`. Nothing can be mounted at `/gcs` here without root.
So the emulator says `gs://BUCKET/path` as the absolute path `STORAGE/BUCKET/path`: that line of code leaves
it as it is, and the result is a folder that can be written to. The same goes for `gs://` and `/gcs/` at the
start of the user's own command, arguments and environment values, or after the first `=` of one
(`--output=gs://...`).
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from google.protobuf import json_format

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_vertex_training.emulator.api.messages import Message
    from airflow_vertex_training.emulator.jobs.store import Job

__all__ = ["Replica", "Storage", "cluster_addresses", "command", "environment", "replicas"]

# What a replica inherits from the emulator. Nothing else: not the emulator's secrets, nor an Airflow's around
# it.
_INHERITED = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "LOGNAME", "TMPDIR", "TZ", "USER")

_CLOUD_PATH = re.compile(r"(?P<before>(?:[^=\s]*=)?)(?:gs://|/gcs/)(?P<path>[^/\s].*)", re.DOTALL)

# https://cloud.google.com/vertex-ai/docs/training/code-requirements#environment-variables
_OUTPUT_FOLDERS = {
    "AIP_MODEL_DIR": "model",
    "AIP_CHECKPOINT_DIR": "checkpoints",
    "AIP_TENSORBOARD_LOG_DIR": "logs",
}

# https://cloud.google.com/vertex-ai/docs/training/distributed-training#tf-config
_TENSORFLOW_ROLES = ("chief", "worker", "ps", "evaluator")


@dataclass(frozen=True)
class Replica:
    """One machine of a job.

    Args:
        pool: The index of its worker pool.
        index: Its index in there.
        container: The pool's `ContainerSpec`.
    """

    pool: int
    index: int
    container: Message

    @property
    def name(self) -> str:
        """What Vertex calls it, such as `workerpool0-0`."""
        return f"workerpool{self.pool}-{self.index}"


@dataclass(frozen=True)
class Storage:
    """The folder in which buckets lie."""

    folder: Path

    def local(self, uri: str) -> Path:
        """Return the folder for a `gs://` or `file://` URI."""
        if uri.startswith("file://"):
            return Path(unquote(urlsplit(uri).path))
        return self.folder / uri.removeprefix("gs://")

    def translate(self, text: str) -> str:
        """Return a text with a cloud path at its start, or after its first `=`, as a path here."""
        found = _CLOUD_PATH.fullmatch(text)
        return f"{found['before']}{self.folder}/{found['path']}" if found else text


def replicas(job: Job) -> list[Replica]:
    """Return a job's replicas; the first is the chief."""
    return [
        Replica(pool_index, index, pool.container_spec)
        for pool_index, pool in enumerate(job.message.job_spec.worker_pool_specs)
        for index in range(pool.replica_count)
    ]


def cluster_addresses(members: Sequence[Replica]) -> dict[str, str]:
    """Find a free local port for each replica.

    The ports are free now; that they still are when a replica binds its own can't be promised.

    Args:
        members: The job's replicas.

    Returns:
        `localhost:PORT` by replica name.
    """
    with ExitStack() as stack:
        addresses = {}
        for member in members:
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            addresses[member.name] = f"localhost:{probe.getsockname()[1]}"
        return addresses


def command(replica: Replica, storage: Storage) -> list[str]:
    """Return the program to run and its arguments; `python` is the emulator's own."""
    program, *arguments = [
        storage.translate(part) for part in (*replica.container.command, *replica.container.args)
    ]
    return [sys.executable if program in ("python", "python3") else program, *arguments]


def environment(
    job: Job, replica: Replica, addresses: Mapping[str, str], storage: Storage, project_number: str
) -> dict[str, str]:
    """Return a replica's environment, and make the folders that it names.

    Args:
        job: The job.
        replica: The replica.
        addresses: From `cluster_addresses`.
        storage: Where buckets lie.
        project_number: The project's number: that is what `CLOUD_ML_PROJECT_ID` holds on Vertex.
    """
    variables = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    variables["PATH"] = os.pathsep.join(
        (str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))
    )
    # As in Google's prebuilt training images: a line reaches the log when it is printed, not when a buffer is
    # full.
    variables["PYTHONUNBUFFERED"] = "1"
    variables["CLOUD_ML_JOB_ID"] = job.job_id
    variables["CLOUD_ML_PROJECT_ID"] = project_number
    variables["CLOUD_ML_REGION"] = job.location.region
    variables |= _cluster(job, replica, addresses)
    variables |= _output_folders(job, storage)
    variables |= {variable.name: storage.translate(variable.value) for variable in replica.container.env}
    return variables


def _output_folders(job: Job, storage: Storage) -> dict[str, str]:
    base = job.message.job_spec.base_output_directory.output_uri_prefix
    if not base:
        return {}
    folder = storage.local(base)
    variables = {}
    for name, part in _OUTPUT_FOLDERS.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
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
