"""Which custom jobs are refused at create, and in which words.

The rules are those of the API reference,
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec and its neighbours; where Vertex's
exact words are not public, the text says the rule.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import accelerator_type, custom_job

from airflow_vertex_training.emulator.api.errors import invalid_argument

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_vertex_training.emulator.api.messages import Message

__all__ = ["check_custom_job"]

_MAX_DISPLAY_NAME = 128
_MAX_LABELS = 64
_MAX_LABEL = 63
_LABEL_RULE = (
    "Label keys and values can only contain lowercase letters, numbers, dashes and underscores, and be at "
    f"most {_MAX_LABEL} characters long. Keys must start with a letter."
)
_MAX_ENV = 100
_MAX_PACKAGES = 100
_MAX_POOLS = 4
_MAX_TIMEOUT_DAYS = 7

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BUCKET = re.compile(r"(gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/.*)?|file:///.+)", re.DOTALL)
_NETWORK = re.compile(r"projects/[^/]+/global/networks/[^/]+")
_STRATEGY = custom_job.Scheduling.Strategy
_FLEX_START_ACCELERATORS = frozenset(
    {"NVIDIA_L4", "NVIDIA_TESLA_A100", "NVIDIA_A100_80GB", "NVIDIA_H100_80GB", "NVIDIA_H100_MEGA_80GB"}
    | {"NVIDIA_H200_141GB", "NVIDIA_B200"}
)


def check_custom_job(job: Message) -> None:
    """Refuse a job that Vertex would refuse, naming every field that is wrong.

    Args:
        job: The `CustomJob` of a create request.

    Raises:
        ApiError: INVALID_ARGUMENT.
    """
    errors = [*_display_name(job), *_labels(job), *_spec(job.job_spec)]
    if errors:
        raise invalid_argument(errors)


def _display_name(job: Message) -> Iterator[tuple[str, str]]:
    if not job.display_name:
        yield "custom_job.display_name", "Required field is not set."
    elif len(job.display_name) > _MAX_DISPLAY_NAME:
        length = len(job.display_name)
        problem = f"The display name must be at most {_MAX_DISPLAY_NAME} characters long, got {length}."
        yield "custom_job.display_name", problem


def _labels(job: Message) -> Iterator[tuple[str, str]]:
    field = "custom_job.labels"
    if len(job.labels) > _MAX_LABELS:
        yield field, f"At most {_MAX_LABELS} labels are allowed, got {len(job.labels)}."
    for key, value in sorted(job.labels.items()):
        if not (_is_label(key) and key[:1].isalpha() and _is_label(value)):
            yield field, f"{_LABEL_RULE} Got {key!r}: {value!r}."


def _is_label(text: str) -> bool:
    """International characters are allowed: letters without an upper case, or in lower case."""
    return len(text) <= _MAX_LABEL and all(
        character in "-_" or character.isdecimal() or (character.isalpha() and character == character.lower())
        for character in text
    )


def _spec(spec: Message) -> Iterator[tuple[str, str]]:
    field = "custom_job.job_spec"
    pools = spec.worker_pool_specs
    if not pools:
        yield f"{field}.worker_pool_specs", "Required field is not set: at least one worker pool."
    if len(pools) > _MAX_POOLS:
        yield (
            f"{field}.worker_pool_specs",
            f"At most {_MAX_POOLS} worker pools are allowed, got {len(pools)}.",
        )
    for index, pool in enumerate(pools):
        if index and not pool.ByteSize():
            continue  # "all worker pools except the first one ... can be skipped by providing an empty value"
        yield from _pool(pool, f"{field}.worker_pool_specs[{index}]", chief=index == 0)
    yield from _scheduling(spec, f"{field}.scheduling")
    output = spec.base_output_directory.output_uri_prefix
    if spec.HasField("base_output_directory") and _BUCKET.fullmatch(output) is None:
        problem = "Must be gs://BUCKET/PATH (the emulator also takes file:///PATH)"
        yield f"{field}.base_output_directory.output_uri_prefix", f"{problem}, got {output!r}."
    if spec.network and _NETWORK.fullmatch(spec.network) is None:
        yield f"{field}.network", f"Must be projects/PROJECT/global/networks/NAME, got {spec.network!r}."
    if spec.network and spec.HasField("psc_interface_config"):
        yield f"{field}.network", "Can't be used together with psc_interface_config."


def _pool(pool: Message, field: str, *, chief: bool) -> Iterator[tuple[str, str]]:
    yield from _machine(pool, f"{field}.machine_spec")
    if chief and pool.replica_count != 1:
        yield f"{field}.replica_count", f"Must be 1 for the first worker pool, got {pool.replica_count}."
    elif pool.replica_count < 1:
        yield f"{field}.replica_count", f"Must be 1 or more, got {pool.replica_count}."
    disk = pool.disk_spec.boot_disk_type
    if not disk.startswith("hyperdisk-") and disk not in ("", "pd-ssd", "pd-standard"):
        problem = f"Must be pd-ssd, pd-standard or a hyperdisk type, got {disk!r}."
        yield f"{field}.disk_spec.boot_disk_type", problem
    if pool.HasField("container_spec"):
        yield from _container(pool.container_spec, f"{field}.container_spec")
    elif pool.HasField("python_package_spec"):
        yield from _python_package(pool.python_package_spec, f"{field}.python_package_spec")
    else:
        yield f"{field}.container_spec", "Required field is not set: it or python_package_spec."


def _machine(pool: Message, field: str) -> Iterator[tuple[str, str]]:
    machine = pool.machine_spec
    if not machine.machine_type:
        yield f"{field}.machine_type", "Machine type is not specified."
    known = accelerator_type.AcceleratorType
    if machine.accelerator_type and machine.accelerator_count < 1:
        name = known(machine.accelerator_type).name
        yield (
            f"{field}.accelerator_count",
            f"Must be 1 or more when accelerator_type is set ({name}), got {machine.accelerator_count}.",
        )
    if machine.accelerator_count and not machine.accelerator_type:
        yield f"{field}.accelerator_type", "Must be set when accelerator_count is set."


def _container(container: Message, field: str) -> Iterator[tuple[str, str]]:
    if not container.image_uri:
        yield f"{field}.image_uri", "Required field is not set."
    yield from _env(container.env, field)


def _python_package(package: Message, field: str) -> Iterator[tuple[str, str]]:
    for name in ("executor_image_uri", "package_uris", "python_module"):
        if not getattr(package, name):
            yield f"{field}.{name}", "Required field is not set."
    if len(package.package_uris) > _MAX_PACKAGES:
        problem = f"At most {_MAX_PACKAGES} packages are allowed, got {len(package.package_uris)}."
        yield f"{field}.package_uris", problem
    for uri in package.package_uris:
        if _BUCKET.fullmatch(uri) is None:
            problem = "Must be gs://BUCKET/PATH (the emulator also takes file:///PATH)"
            yield f"{field}.package_uris", f"{problem}, got {uri!r}."
    yield from _env(package.env, field)


def _env(env: Sequence[Message], field: str) -> Iterator[tuple[str, str]]:
    if len(env) > _MAX_ENV:
        yield f"{field}.env", f"At most {_MAX_ENV} environment variables are allowed, got {len(env)}."
    names = [variable.name for variable in env]
    if len(names) != len(set(names)):
        yield f"{field}.env", "EnvVar names must be unique."
    for name in names:
        if _ENV_NAME.fullmatch(name) is None:
            yield f"{field}.env", f"EnvVar names must be C identifiers, got {name!r}."


def _scheduling(spec: Message, field: str) -> Iterator[tuple[str, str]]:
    scheduling = spec.scheduling
    seconds = scheduling.timeout.seconds + scheduling.timeout.nanos / 1e9
    if scheduling.HasField("timeout") and seconds <= 0:
        yield f"{field}.timeout", f"Must be more than 0 seconds, got {seconds:g}."
    if scheduling.strategy != _STRATEGY.FLEX_START:
        return
    if seconds > _MAX_TIMEOUT_DAYS * 86_400:
        yield f"{field}.timeout", f"Must be at most {_MAX_TIMEOUT_DAYS} days with FLEX_START."
    machines = [pool.machine_spec for pool in spec.worker_pool_specs if pool.ByteSize()]
    if len({machine.machine_type for machine in machines}) > 1:
        yield f"{field}.strategy", "FLEX_START needs the same machine type in all worker pools."
    known = accelerator_type.AcceleratorType
    names = {known(machine.accelerator_type).name for machine in machines}
    if not names <= _FLEX_START_ACCELERATORS:
        yield (
            f"{field}.strategy",
            f"FLEX_START needs an accelerator that it supports, got {', '.join(sorted(names))}.",
        )
