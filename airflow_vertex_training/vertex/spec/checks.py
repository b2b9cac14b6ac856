"""What each argument may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow_vertex_training.vertex.exceptions import InvalidJobError

MAX_ENV_VARIABLES = 100


def check_fields(values: Mapping[str, Any]) -> None:
    """Check each given field on its own; fields that are ``None`` or not given are left alone.

    Args:
        values: field name of ``TrainingJob`` (or ``region``) to value.

    Raises:
        InvalidJobError: on the first field that is wrong.
    """
    for name, value in values.items():
        if value is not None and name in _CHECKS:
            _CHECKS[name](name, value)


def check_accelerators(accelerator_type: str | None, accelerator_count: int | None) -> None:
    """Raise InvalidJobError where one of the two is given without the other."""
    if accelerator_type and not accelerator_count:
        raise InvalidJobError(
            "accelerator_count", f"must be at least 1 with accelerator_type {accelerator_type!r}"
        )
    if accelerator_count and not accelerator_type:
        raise InvalidJobError(
            "accelerator_type", f"is missing, such as 'NVIDIA_L4', with {accelerator_count=}"
        )


def whole_number(name: str, value: object) -> int | None:
    """Return a number that a template may have made text of; ``None`` where there is none.

    Raises:
        InvalidJobError: it is no whole number.
    """
    if value is None or value == "":
        return None
    try:
        return int(str(value))
    except ValueError:
        raise InvalidJobError(name, f"must be a whole number, got {value!r}") from None


def duration(name: str, value: object) -> timedelta:
    """Return a timedelta, or the seconds that a template may have made text of, as a timedelta.

    Raises:
        InvalidJobError: it is neither.
    """
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=float(str(value)))
    except (ValueError, OverflowError):
        raise InvalidJobError(name, f"must be a timedelta or seconds, got {value!r}") from None


# A location as in https://cloud.google.com/vertex-ai/docs/general/locations
_REGION = re.compile(r"[a-z]+(-[a-z]+)+[0-9]+")

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")

_NETWORK = re.compile(r"projects/[^/]+/global/networks/[^/]+")

# Where Vertex AI pulls images from:
# https://cloud.google.com/vertex-ai/docs/training/containers-overview
_REGISTRY = re.compile(r"(.+\.pkg\.dev|(.+\.)?gcr\.io|docker\.io)")


def _check_region(name: str, value: object) -> None:
    text = _text(name, value)
    if _REGION.fullmatch(text):
        return
    zone = re.fullmatch(rf"({_REGION.pattern})-[a-z]", text)
    right = repr(zone[1]) if zone else "a region such as 'us-central1'"
    raise InvalidJobError(name, f"{text!r} is {'a zone' if zone else 'no region'}; write {right}")


def _check_image(name: str, value: object) -> None:
    image = _text(name, value)
    registry, slash, rest = image.partition("/")
    if not (slash and rest) or not ("." in registry or ":" in registry or registry == "localhost"):
        official = image if slash else f"library/{image}"
        raise InvalidJobError(
            name, f"{image!r} does not name its registry; write it out, such as 'docker.io/{official}'"
        )
    if not _REGISTRY.fullmatch(registry):
        raise InvalidJobError(
            name,
            f"Vertex AI does not pull from {registry!r}; push the image to Artifact Registry "
            "(LOCATION-docker.pkg.dev), Container Registry (gcr.io) or Docker Hub (docker.io)",
        )


def _check_strings(name: str, value: object) -> None:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidJobError(name, f"must be a list of strings, got {_kind(value)}")
    for index, item in enumerate(value):
        if not isinstance(item, str):
            raise InvalidJobError(
                f"{name}[{index}]", f"must be a string, got {_kind(item)}; write {str(item)!r}"
            )


def _check_command(name: str, value: object) -> None:
    _check_strings(name, value)
    if not value:
        raise InvalidJobError(
            name, "is empty; name the program to run, or leave it out to run the image's own"
        )


def _check_env(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise InvalidJobError(name, f"must be a dict of strings, got {_kind(value)}")
    for key, item in value.items():
        if not isinstance(key, str) or not _ENV_NAME.fullmatch(key):
            raise InvalidJobError(f"{name}[{key!r}]", "is no name for an environment variable")
        if not isinstance(item, str):
            # The value may be a secret: only its type is told.
            raise InvalidJobError(
                f"{name}[{key!r}]", f"must be a string, got {type(item).__name__}; use str(...)"
            )
    if len(value) > MAX_ENV_VARIABLES:
        raise InvalidJobError(
            name, f"Vertex AI takes {MAX_ENV_VARIABLES} variables at most, got {len(value)}"
        )


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidJobError(name, f"must be a whole number of at least 1, got {_kind(value)}")


def _check_run_time(name: str, value: object) -> None:
    if not isinstance(value, timedelta) or value < timedelta(seconds=1):
        raise InvalidJobError(name, f"must be a timedelta of at least a second, got {_kind(value)}")


def _check_service_account(name: str, value: object) -> None:
    text = _text(name, value)
    if "@" not in text:
        right = "NAME@PROJECT.iam.gserviceaccount.com"
        raise InvalidJobError(name, f"{text!r} is no e-mail address of a service account, such as {right}")


def _check_network(name: str, value: object) -> None:
    text = _text(name, value)
    if not _NETWORK.fullmatch(text):
        raise InvalidJobError(name, f"{text!r} is no full name; write projects/NUMBER/global/networks/NAME")


def _check_output_directory(name: str, value: object) -> None:
    text = _text(name, value)
    # file:// is for the emulator; Vertex itself says no to it.
    if not re.match(r"gs://[^/]|file:///", text):
        raise InvalidJobError(name, f"{text!r} is no folder in Cloud Storage; write gs://BUCKET/FOLDER")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidJobError(name, f"must be a string that is not empty, got {_kind(value)}")
    return value


def _check_text(name: str, value: object) -> None:
    _text(name, value)


def _kind(value: object) -> str:
    return f"{type(value).__name__} {value!r}"


_CHECKS: Mapping[str, Callable[[str, object], None]] = {
    "region": _check_region,
    "image": _check_image,
    "command": _check_command,
    "args": _check_strings,
    "env": _check_env,
    "machine_type": _check_text,
    "accelerator_type": _check_text,
    "accelerator_count": _check_count,
    "boot_disk_type": _check_text,
    "boot_disk_size_gb": _check_count,
    "maximum_run_time": _check_run_time,
    "network": _check_network,
    "reserved_ip_ranges": _check_strings,
    "service_account": _check_service_account,
    "base_output_directory": _check_output_directory,
    "display_name": _check_text,
}
