"""What a task is about to ask for, as it is sent, for people to read."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.operators.masking import masked_variables
from airflow_vertex_training.operators.openness import how_written
from airflow_vertex_training.vertex.spec import message
from airflow_vertex_training.vertex.spec.reader import Open
from airflow_vertex_training.vertex.spec.resolve import pending_connection, said_as_written

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from airflow_vertex_training.vertex.spec.job import TrainingJob
    from airflow_vertex_training.vertex.spec.layers import Layer
    from airflow_vertex_training.vertex.spec.reader import Reader

ACCOUNT_NOT_KNOWN = "SERVICE_ACCOUNT@PROJECT.iam.gserviceaccount.com"
"""Stands for an account that only the credentials tell."""

LATER = "Known when the task runs"


@dataclass(frozen=True)
class Preview:
    """The create request of a job.

    Args:
        parent: where it is made, ``projects/P/locations/L``.
        custom_job: the ``CustomJob`` as the API's JSON, with the values of secrets masked.
        later: what is known only when the task runs, each with what stands for it here.
    """

    parent: str
    custom_job: Mapping[str, Any]
    later: Sequence[str] = ()

    @property
    def request(self) -> dict[str, Any]:
        """The request as the REST API takes it."""
        return {"parent": self.parent, "customJob": self.custom_job}

    def as_json(self) -> str:
        """Return the request as JSON text."""
        return json.dumps(self.request, indent=2, ensure_ascii=False)

    def as_yaml(self) -> str:
        """Return the job's spec as gcloud's ``--config`` takes it, with the command above as a comment."""
        from airflow_vertex_training.vertex.spec.yaml_text import dump

        command = _in_one_line(shlex.join(self.gcloud_command()))
        lines = [f"# {command}", *(f"# {LATER}: {each}" for each in self.later)]
        return "\n".join(lines) + "\n" + dump(self.custom_job.get("jobSpec", {}))

    def gcloud_command(self, config: str = "FILE") -> list[str]:
        """Return the command of gcloud that makes the same job.

        Args:
            config: the file that ``as_yaml`` has been written to.
        """
        # Both may be templates, which may hold a slash.
        project, _, region = self.parent.removeprefix("projects/").partition("/locations/")
        command = ["gcloud", "ai", "custom-jobs", "create", f"--project={project}", f"--region={region}"]
        command.append(f"--display-name={self.custom_job.get('displayName', '')}")
        labels = self.custom_job.get("labels")
        if isinstance(labels, dict):
            labels = ",".join(f"{key}={value}" for key, value in labels.items())
        if labels:
            command.append(f"--labels={labels}")
        if key := self.custom_job.get("encryptionSpec", {}).get("kmsKeyName"):
            command.append(f"--kms-key={key}")
        return [*command, f"--config={config}"]

    def __str__(self) -> str:
        return "\n".join([self.as_json(), *(f"{LATER}: {each}" for each in self.later)])


def connection(gcp_conn_id: str, impersonation_chain: Any, reader: Reader) -> Layer:
    """Return what a connection says; that it may say all that one can, where it is not known here."""
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_vertex_training.hooks import VertexTrainingHook

    if not reader.is_open(gcp_conn_id):
        chain = None if reader.is_open(impersonation_chain) else impersonation_chain
        try:
            return VertexTrainingHook(gcp_conn_id, chain).layer(reader)
        except AirflowNotFoundException:
            reader.warn(f"connection {gcp_conn_id!r}", "is not known here: what it says is left out")
    return pending_connection()


def preview(
    job: TrainingJob, whole: Layer, is_open: Callable[[Any], bool], *, by_client: bool = True
) -> Preview:
    """Return the preview of a job.

    Args:
        job: what is asked for.
        whole: all that is said of it.
        is_open: whether a value is known only when the task runs.
        by_client: whether the client library, which takes a second to load, may be asked about it.

    Raises:
        InvalidJobError: the installed client library knows no such field or accelerator.
    """
    data = message.api_json(job)
    data = collapsed(masked_variables(data), wholes(whole))
    later = list(open_places(data, is_open))
    shown = as_written(data)
    if by_client and not later and not whole.unknown:
        from airflow_vertex_training.vertex.api import protos

        # The client library says whether it knows all of it; a try's job gets its last label.
        shown["labels"] = dict(protos.with_fingerprint(protos.to_custom_job(job)).labels)
    if whole.unknown:
        later.append("worker_pools or job_spec, which are a template as a whole")
    spec = shown["jobSpec"]
    if spec.get("serviceAccount") == ACCOUNT_NOT_KNOWN:
        later.append("serviceAccount is that of the credentials")
        del spec["serviceAccount"]
    project, region = (said_as_written(whole, name, how_written) for name in ("project_id", "region"))
    parent = f"projects/{project or 'PROJECT'}/locations/{region or 'REGION'}"
    later += [f"parent = {parent}"] if is_open(parent) or not (project and region) else []
    return Preview(parent, shown, later)


def wholes(layer: Layer) -> set[int]:
    """Return the ids of templates that stand for objects: each is said at one place for several rows."""
    several: set[int] = set()
    single: set[int] = set()
    for fields in (layer.job, *(layer.pools or ())):
        places: dict[str, list[int]] = {}
        for said in fields.values():
            if isinstance(said.value, Open):
                places.setdefault(said.where, []).append(id(said.value.value))
        for ids in places.values():
            (several if len(ids) > 1 else single).update(ids)
    # The same text may stand for one field elsewhere: then nothing is shown as an object.
    return several - single


def collapsed(data: Any, wholes: Collection[int]) -> Any:
    """Return data with one template in the place of each dict that it stands for.

    Args:
        data: of a job's message.
        wholes: ids of templates that stand for dicts.
    """
    if isinstance(data, dict):
        first, *others = [*_leaves(data), None]
        same = len(others) > 1 and id(first) in wholes and all(each is first for each in others[:-1])
        return first if same else {name: collapsed(each, wholes) for name, each in data.items()}
    return [collapsed(each, wholes) for each in data] if isinstance(data, list) else data


def as_written(data: Any) -> Any:
    """Return data with what is known only when a task runs as text."""
    if isinstance(data, dict):
        return {name: as_written(each) for name, each in data.items()}
    if isinstance(data, list):
        return [as_written(each) for each in data]
    return data if isinstance(data, (str, int, float, type(None))) else how_written(data)


def _leaves(data: Any) -> Iterator[Any]:
    if isinstance(data, dict):
        for each in data.values():
            yield from _leaves(each)
    else:
        yield data


def open_places(data: Any, is_open: Callable[[Any], bool], place: str = "") -> Iterator[str]:
    """Yield where data holds what is known only when a task runs, and how it was written."""
    if isinstance(data, dict):
        for name, each in data.items():
            yield from open_places(each, is_open, f"{place}.{name}" if place else name)
    elif isinstance(data, list):
        for index, each in enumerate(data):
            yield from open_places(each, is_open, f"{place}[{index}]")
    elif is_open(data):
        yield f"{place} = {_in_one_line(how_written(data))}"


def _in_one_line(text: str) -> str:
    return text if text.isprintable() else repr(text)
