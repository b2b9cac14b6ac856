"""The one translator between our words and the API's messages."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import timezone
from importlib import metadata
from typing import TYPE_CHECKING, Any

from google.cloud import aiplatform_v1
from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask

from airflow_vertex_training.vertex.naming import identity
from airflow_vertex_training.vertex.spec import message, reading
from airflow_vertex_training.vertex.spec.reader import Reader
from airflow_vertex_training.vertex.spec.resolve import build
from airflow_vertex_training.vertex.spec.words import nearest
from airflow_vertex_training.vertex.states import JobSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from google.protobuf.timestamp_pb2 import Timestamp

    from airflow_vertex_training.vertex.spec.job import TrainingJob

# The largest page is not documented: what is asked for may be cut, and the token followed.
PAGE_SIZE = 100

# All that a snapshot is made of: nothing of the spec but the output folder crosses the network.
SNAPSHOT_FIELDS = (
    "name",
    "display_name",
    "state",
    "create_time",
    "start_time",
    "end_time",
    "update_time",
    "error",
    "labels",
    "web_access_uris",
    "job_spec.base_output_directory",
)


def to_custom_job(job: TrainingJob) -> aiplatform_v1.CustomJob:
    """Return the message that ``CreateCustomJob`` takes.

    Raises:
        InvalidJobError: the installed client library knows no such field or accelerator.
    """
    reader = Reader()
    _check_accelerators(job, reader)
    for place, value in job.other_fields.items():
        _parsed(replace(job, other_fields={place: value}), place, reader)
    custom_job = _parsed(job, "job_spec", reader) if not reader.findings else None
    reader.raise_findings()
    assert custom_job is not None  # noqa: S101 - what is wrong was raised
    return custom_job


def _parsed(job: TrainingJob, place: str, reader: Reader) -> aiplatform_v1.CustomJob | None:
    custom_job = aiplatform_v1.CustomJob()
    try:
        json_format.ParseDict(message.write(job), aiplatform_v1.CustomJob.pb(custom_job))
    except json_format.ParseError as error:
        reader.wrong(
            place,
            f"google-cloud-aiplatform {_client_version()}, which is installed, does not take it: "
            f"{_reason(error)}",
        )
        return None
    return custom_job


def _reason(error: json_format.ParseError) -> str:
    """Return what the client library says is wrong, without the way to it and the fields that it has."""
    line = str(error).partition("\n")[0].rstrip(".")
    return re.sub(r"^(Failed to parse \w+ field: )+", "", line)


def from_custom_job(custom_job: Any) -> TrainingJob:
    """Return a job of what its message asks for. What Vertex answers besides is left out.

    Raises:
        InvalidJobError: it says what no job of ours can be.
    """
    data = json_format.MessageToDict(aiplatform_v1.CustomJob.pb(custom_job), preserving_proto_field_name=True)
    reader = Reader()
    layer = reading.read({key: data[key] for key in data if key not in message.OUTPUT_ONLY}, "job", reader)
    reader.raise_findings()
    return build(layer)


def with_fingerprint(custom_job: aiplatform_v1.CustomJob) -> aiplatform_v1.CustomJob:
    """Label a job that a try asks for with the fingerprint of its settings, and return it.

    A job without the labels of a try stays as it is.
    """
    if identity.TRY in custom_job.labels:
        custom_job.labels[identity.SPEC] = fingerprint(custom_job)
    return custom_job


def fingerprint(custom_job: aiplatform_v1.CustomJob) -> str:
    """Return a hash of a job's settings: two tries that ask for the same job have the same."""
    return hashlib.sha256(json.dumps(settings(custom_job), sort_keys=True).encode()).hexdigest()[:40]


def settings(custom_job: aiplatform_v1.CustomJob) -> dict[str, Any]:
    """Return what a job is to run, without what tells its tries apart.

    That is the message by field name, without labels, display name and ``AIRFLOW_CTX_*`` variables. It may
    hold secrets: only its keys are for a log.
    """
    bare = aiplatform_v1.CustomJob.pb(custom_job)
    data: dict[str, Any] = json_format.MessageToDict(
        type(bare)(job_spec=bare.job_spec, encryption_spec=bare.encryption_spec),
        preserving_proto_field_name=True,
    )
    for pool in data.get("job_spec", {}).get("worker_pool_specs", ()):
        for program in ("container_spec", "python_package_spec"):
            if env := pool.get(program, {}).pop("env", None):
                own = {each["name"]: each.get("value", "") for each in env if not _is_airflows(each["name"])}
                pool[program]["env"] = own
    return data


def differences(wanted: aiplatform_v1.CustomJob, there: aiplatform_v1.CustomJob) -> list[str]:
    """Return the paths of the settings in ``wanted`` that another job has not, or has with another value.

    What only the other job has is named for environment variables alone: Vertex sets fields by itself.
    """
    return list(_differences("", settings(wanted), settings(there)))


def _differences(path: str, wanted: Any, there: Any) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(there, dict):
        names = [*wanted, *(name for name in there if path.endswith(".env") and name not in wanted)]
        for name in names:
            yield from _differences(f"{path}.{name}", wanted.get(name), there.get(name))
    elif isinstance(wanted, list) and isinstance(there, list) and len(wanted) == len(there):
        for index, (one, other) in enumerate(zip(wanted, there, strict=True)):
            yield from _differences(f"{path}[{index}]", one, other)
    elif wanted != there:
        yield path.removeprefix(".").removeprefix("job_spec.")


def _is_airflows(variable: str) -> bool:
    return variable.startswith("AIRFLOW_CTX_")


def list_request(parent: str, filter_: str, page_token: str) -> aiplatform_v1.ListCustomJobsRequest:
    """Return the request for a page of jobs, as large as Vertex AI makes them, with what a snapshot needs."""
    return aiplatform_v1.ListCustomJobsRequest(
        parent=parent,
        filter=filter_,
        page_size=PAGE_SIZE,
        page_token=page_token,
        read_mask=FieldMask(paths=SNAPSHOT_FIELDS),
    )


def to_snapshot(custom_job: Any) -> JobSnapshot:
    """Return what matters of a job that the API answered, a ``CustomJob`` or its bare protobuf message."""
    job = custom_job
    if isinstance(custom_job, aiplatform_v1.CustomJob):
        job = aiplatform_v1.CustomJob.pb(custom_job)
    # A field that isn't set reads as its default: whether there is an error is asked of the message.
    has_error = job.HasField("error")
    return JobSnapshot(
        name=job.name,
        display_name=job.display_name,
        state=state_name(job.state),
        create_time=_time(job, "create_time"),
        start_time=_time(job, "start_time"),
        end_time=_time(job, "end_time"),
        update_time=_time(job, "update_time"),
        error_code=job.error.code if has_error else None,
        error_message=job.error.message if has_error else "",
        base_output_directory=job.job_spec.base_output_directory.output_uri_prefix,
        labels=dict(job.labels),
        web_access_uris=tuple(sorted(job.web_access_uris.items())),
    )


def airflow_context(custom_job: aiplatform_v1.CustomJob) -> dict[str, str]:
    """Return the ``AIRFLOW_CTX_*`` variables of a job's first replica that runs a program."""
    for pool in aiplatform_v1.CustomJob.pb(custom_job).job_spec.worker_pool_specs:
        env = [*pool.container_spec.env, *pool.python_package_spec.env]
        if found := {each.name: each.value for each in env if each.name.startswith("AIRFLOW_CTX_")}:
            return found
    return {}


def _time(job: Any, field: str) -> datetime | None:
    """Return a job's time in UTC, ``None`` where it is not set, or is none that a calendar has."""
    timestamp: Timestamp = getattr(job, field)
    try:
        return timestamp.ToDatetime(tzinfo=timezone.utc) if job.HasField(field) else None
    except (ValueError, OverflowError):
        return None


def state_name(value: int) -> str:
    """Return the name of a ``JobState``; a state that this client does not know is UNSPECIFIED."""
    return _STATE_NAMES.get(value, "JOB_STATE_UNSPECIFIED")


def _check_accelerators(job: TrainingJob, reader: Reader) -> None:
    known = {each.name for each in _values(aiplatform_v1.AcceleratorType) if each.value}
    for index, pool in enumerate(job.worker_pools):
        name = pool.machine and pool.machine.accelerator_type
        if name and name not in known:
            alone = len(job.worker_pools) == 1
            right = nearest(name, known)
            reader.wrong(
                "accelerator_type" if alone else f"worker_pools[{index}].machine.accelerator_type",
                f"{name!r} is not known to google-cloud-aiplatform {_client_version()}, which is installed"
                f"{f'; did you mean {right!r}?' if right else ''} It knows {', '.join(sorted(known))}",
            )


def _client_version() -> str:
    return metadata.version("google-cloud-aiplatform")


def _values(enum: Any) -> list[Any]:
    # The client library's enums are typed as plain classes.
    return list(enum)


_STATE_NAMES: dict[int, str] = {each.value: each.name for each in _values(aiplatform_v1.JobState)}
