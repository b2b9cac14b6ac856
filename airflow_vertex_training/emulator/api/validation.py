"""Which custom jobs are refused at create, and in which words.

The rules are those of the protos' comments and of the docs; `pool_validation` has those of one worker pool.
Where Vertex's exact words are not public, the text says the rule. Fields are named as Vertex names them:
https://github.com/prefect-archive/prefect-gcp/issues/175 quotes one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import grpc
from google.cloud.aiplatform_v1.types import custom_job

from airflow_vertex_training.emulator.api import machines
from airflow_vertex_training.emulator.api.errors import ApiError, invalid_argument
from airflow_vertex_training.emulator.api.pool_validation import BUCKET, Problem, check_pool, machine_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_vertex_training.emulator.api.messages import Message

__all__ = ["check_custom_job"]

_MAX_DISPLAY_NAME = 128
_MAX_LABELS = 64
_MAX_LABEL = 63
_LABEL_RULE = (
    "Label keys and values can only contain lowercase letters, numbers, dashes and underscores, and be at "
    f"most {_MAX_LABEL} characters long. Keys must start with a letter."
)
_MAX_POOLS = 4
_MAX_FLEX_START_DAYS = 7

_PERSISTENT_RESOURCE = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_STRATEGY = custom_job.Scheduling.Strategy
_FLEX_START_ACCELERATORS = frozenset(
    {"NVIDIA_L4", "NVIDIA_TESLA_A100", "NVIDIA_A100_80GB", "NVIDIA_H100_80GB", "NVIDIA_H100_MEGA_80GB"}
    | {"NVIDIA_H200_141GB", "NVIDIA_B200"}
)

_PLACE = "projects/[^/]+/locations/(?P<region>[^/]+)"
_CONTEXT = f"{_PLACE}/metadataStores/[^/]+/contexts/[^/]+"
_FORMS = {
    "network": (r"projects/\d+/global/networks/[^/]+", "projects/PROJECT_NUMBER/global/networks/NETWORK"),
    "tensorboard": (
        f"{_PLACE}/tensorboards/[^/]+",
        "projects/PROJECT/locations/LOCATION/tensorboards/TENSORBOARD",
    ),
    "experiment": (_CONTEXT, "projects/PROJECT/locations/LOCATION/metadataStores/STORE/contexts/EXPERIMENT"),
    "experiment_run": (
        _CONTEXT,
        "projects/PROJECT/locations/LOCATION/metadataStores/STORE/contexts/EXPERIMENT-RUN",
    ),
}
_KEY = re.compile(f"{_PLACE}/keyRings/[^/]+/cryptoKeys/[^/]+")


def check_custom_job(job: Message, region: str, *, refuse_unknown_machines: bool = False) -> None:
    """Refuse a job that Vertex would refuse, naming every field that is wrong.

    Args:
        job: The `CustomJob` of a create request.
        region: Where it is to run.
        refuse_unknown_machines: Whether machine types of a family that the tables don't know are refused.

    Raises:
        ApiError: INVALID_ARGUMENT.
    """
    errors = [*_display_name(job), *_labels(job), *_encryption(job, region), *_spec(job.job_spec, region)]
    if errors:
        raise invalid_argument(errors)
    for pool in job.job_spec.worker_pool_specs:
        problem = machine_problem(pool.machine_spec, refuse_unknown=refuse_unknown_machines)
        if pool.ByteSize() and problem is not None:
            raise ApiError(grpc.StatusCode.INVALID_ARGUMENT, problem)


def _display_name(job: Message) -> Iterator[Problem]:
    if not job.display_name:
        yield "display_name", "Required field is not set."
    elif len(job.display_name) > _MAX_DISPLAY_NAME:
        length = len(job.display_name)
        problem = f"The display name must be at most {_MAX_DISPLAY_NAME} characters long, got {length}."
        yield "display_name", problem


def _labels(job: Message) -> Iterator[Problem]:
    if len(job.labels) > _MAX_LABELS:
        yield "labels", f"At most {_MAX_LABELS} labels are allowed, got {len(job.labels)}."
    for key, value in sorted(job.labels.items()):
        if not (_is_label(key) and key[:1].isalpha() and _is_label(value)):
            yield "labels", f"{_LABEL_RULE} Got {key!r}: {value!r}."


def _is_label(text: str) -> bool:
    """International characters are allowed: letters without an upper case, or in lower case."""
    return len(text) <= _MAX_LABEL and all(
        character in "-_" or character.isdecimal() or (character.isalpha() and character == character.lower())
        for character in text
    )


def _encryption(job: Message, region: str) -> Iterator[Problem]:
    if not job.HasField("encryption_spec"):
        return
    field, key = "encryption_spec.kms_key_name", job.encryption_spec.kms_key_name
    found = _KEY.fullmatch(key)
    if found is None:
        form = "projects/PROJECT/locations/LOCATION/keyRings/KEY_RING/cryptoKeys/KEY"
        yield field, f"Must be {form}, got {key!r}."
    elif found["region"] != region:
        yield field, f"The key needs to be in the job's region, {region}, got {found['region']!r}."


def _spec(spec: Message, region: str) -> Iterator[Problem]:
    yield from _pools(spec)
    yield from _scheduling(spec)
    yield from _output(spec)
    yield from _names(spec)
    yield from _tensorboard(spec, region)
    yield from _networking(spec)
    resource = spec.persistent_resource_id
    if resource and _PERSISTENT_RESOURCE.fullmatch(resource) is None:
        problem = (
            f"Must be the id of a persistent resource: lowercase letters, digits, dashes, got {resource!r}."
        )
        yield "job_spec.persistent_resource_id", problem


def _pools(spec: Message) -> Iterator[Problem]:
    field = "job_spec.worker_pool_specs"
    pools = spec.worker_pool_specs
    if not pools:
        yield field, "Required field is not set: at least one worker pool."
    if len(pools) > _MAX_POOLS:
        yield field, f"At most {_MAX_POOLS} worker pools are allowed, got {len(pools)}."
    for index, pool in enumerate(pools):
        if index and not pool.ByteSize():
            continue  # "all worker pools except the first one ... can be skipped by providing an empty value"
        yield from check_pool(pool, f"{field}[{index}]", chief=index == 0)
    used = _used(spec)
    if any(machines.is_tpu(pool.machine_spec.machine_type) for pool in used) and len(used) > 1:
        yield field, f"A job with TPUs has one worker pool, got {len(used)}."


def _used(spec: Message) -> list[Message]:
    return [pool for pool in spec.worker_pool_specs if pool.ByteSize()]


def _output(spec: Message) -> Iterator[Problem]:
    output = spec.base_output_directory.output_uri_prefix
    if spec.HasField("base_output_directory") and BUCKET.fullmatch(output) is None:
        problem = "Must be gs://BUCKET/PATH (the emulator also takes file:///PATH)"
        yield "job_spec.base_output_directory.output_uri_prefix", f"{problem}, got {output!r}."


def _names(spec: Message) -> Iterator[Problem]:
    for name, (pattern, form) in _FORMS.items():
        value = getattr(spec, name)
        if value and re.fullmatch(pattern, value) is None:
            yield f"job_spec.{name}", f"Must be {form}, got {value!r}."
    if spec.experiment and spec.experiment_run and not spec.experiment_run.startswith(f"{spec.experiment}-"):
        problem = f"Must be the experiment's name, a dash and the run's name, got {spec.experiment_run!r}."
        yield "job_spec.experiment_run", problem


def _tensorboard(spec: Message, region: str) -> Iterator[Problem]:
    """https://cloud.google.com/vertex-ai/docs/experiments/tensorboard-training."""
    if not spec.tensorboard:
        return
    if not spec.service_account:
        yield "job_spec.service_account", "Required when tensorboard is set."
    if not spec.base_output_directory.output_uri_prefix:
        yield "job_spec.base_output_directory", "Required when tensorboard is set."
    found = re.fullmatch(_FORMS["tensorboard"][0], spec.tensorboard)
    if found is not None and found["region"] != region:
        problem = f"Must be in the job's region, {region}, got {spec.tensorboard!r}."
        yield "job_spec.tensorboard", problem


def _networking(spec: Message) -> Iterator[Problem]:
    if spec.network and spec.HasField("psc_interface_config"):
        yield "job_spec.network", "Can't be used together with psc_interface_config."
    for index, peering in enumerate(spec.psc_interface_config.dns_peering_configs):
        field = f"job_spec.psc_interface_config.dns_peering_configs[{index}]"
        for name in ("domain", "target_project", "target_network"):
            if not getattr(peering, name):
                yield f"{field}.{name}", "Required field is not set."
        if peering.domain and not peering.domain.endswith("."):
            yield f"{field}.domain", f"Must end with a dot, got {peering.domain!r}."


def _scheduling(spec: Message) -> Iterator[Problem]:
    field, scheduling = "job_spec.scheduling", spec.scheduling
    for name in ("timeout", "max_wait_duration"):
        seconds = _seconds(getattr(scheduling, name))
        least = "more than 0" if name == "timeout" else "0 or more"
        if scheduling.HasField(name) and (seconds < 0 or (name == "timeout" and seconds == 0)):
            yield f"{field}.{name}", f"Must be {least} seconds, got {seconds:g}."
    used = [pool.machine_spec for pool in _used(spec)]
    if scheduling.strategy == _STRATEGY.SPOT and any(_is_pod(machine) for machine in used):
        yield f"{field}.strategy", "SPOT has no TPU Pods."
    reserved = any(machine.HasField("reservation_affinity") for machine in used)
    if reserved and spec.persistent_resource_id:
        yield "job_spec.persistent_resource_id", "Can't be used together with a reservation."
    if scheduling.strategy == _STRATEGY.FLEX_START:
        yield from _flex_start(scheduling, used, reserved=reserved)


def _flex_start(scheduling: Message, used: list[Message], *, reserved: bool) -> Iterator[Problem]:
    """https://cloud.google.com/vertex-ai/docs/training/schedule-jobs-dws#requirements."""
    field = "job_spec.scheduling"
    if _seconds(scheduling.timeout) > _MAX_FLEX_START_DAYS * 86_400:
        yield f"{field}.timeout", f"Must be at most {_MAX_FLEX_START_DAYS} days with FLEX_START."
    if any(machine != used[0] for machine in used):
        yield f"{field}.strategy", "FLEX_START needs the same machine configuration in all worker pools."
    names = {_accelerator(machine) for machine in used}
    if not names <= _FLEX_START_ACCELERATORS:
        named = ", ".join(sorted(names))
        yield f"{field}.strategy", f"FLEX_START needs an accelerator that it supports, got {named}."
    if reserved:
        yield f"{field}.strategy", "FLEX_START can't be used together with a reservation."


def _is_pod(machine: Message) -> bool:
    return machines.is_pod(machine.machine_type, machine.accelerator_count, machine.tpu_topology)


def _accelerator(machine: Message) -> str:
    kinds = machine.DESCRIPTOR.fields_by_name["accelerator_type"].enum_type.values_by_number
    return kinds[machine.accelerator_type].name if machine.accelerator_type in kinds else "an unknown one"


def _seconds(duration: Message) -> float:
    return float(duration.seconds + duration.nanos / 1e9)
