"""Names and labels as Google Cloud allows them.

The rules: https://cloud.google.com/resource-manager/docs/labels-overview#requirements
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slugify import slugify

from airflow_vertex_training.vertex.exceptions import InvalidJobError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MAX_LABEL_LENGTH = 63
MAX_LABELS = 64
MAX_DISPLAY_NAME_LENGTH = 128
OUR_PREFIX = "airflow_"

DEPLOYMENT = "airflow_deployment"
TRY = "airflow_try"
TASK_INSTANCE = "airflow_task_instance"
RUN_START = "airflow_run_start"
FIRST_TRY = "airflow_first_try"
TRY_NUMBER = "airflow_try_number"

DEFAULT_DEPLOYMENT_ID = "airflow"

_HASH_LENGTH = 8


def legal(text: str) -> str:
    """Make ``text`` a legal label value: lower case, ``/`` to ``_``, ``.`` to ``-``, 63 characters at most.

    What is too long is cut and gets a hash, so that two long texts that differ only at their end stay apart.
    """
    slug = slugify(text, regex_pattern=r"[^a-z0-9_-]+", replacements=[("/", "_"), (".", "-")])
    if len(slug) <= MAX_LABEL_LENGTH:
        return slug
    return f"{slug[: MAX_LABEL_LENGTH - _HASH_LENGTH - 1]}-{_hash(text)[:_HASH_LENGTH]}"


def user_labels(labels: Mapping[str, str], *, field: str = "labels") -> dict[str, str]:
    """Make a user's labels legal.

    Args:
        labels: keys and values as the user wrote them.
        field: how an error message names them, default ``labels``.

    Returns:
        Legal keys to legal values, in the same order.

    Raises:
        InvalidJobError: a key or value has no legal form, is kept for this package, or two keys become one.
    """
    result: dict[str, str] = {}
    origin: dict[str, str] = {}
    for key, value in labels.items():
        where = f"{field}[{key!r}]"
        _check_text(where, key, "key")
        _check_text(where, value, "value")
        legal_key = legal(key)
        if not legal_key or not legal_key[0].isalpha():
            raise InvalidJobError(where, "the key must start with a letter")
        if legal_key.startswith(OUR_PREFIX):
            raise InvalidJobError(
                where, f"keys that start with {OUR_PREFIX!r} are kept for Airflow's own labels"
            )
        if legal_key in origin:
            raise InvalidJobError(
                where, f"becomes the same label as {origin[legal_key]!r}: {legal_key!r}; rename one of them"
            )
        origin[legal_key] = key
        result[legal_key] = legal(value)
    return result


def display_name(base: str, unique: str) -> str:
    """Return ``base-unique``, with ``base`` cut so that the whole has 128 characters at most."""
    return f"{base[: MAX_DISPLAY_NAME_LENGTH - len(unique) - 1]}-{unique}"


@dataclass(frozen=True)
class TaskTry:
    """One try of one task instance: who asks for a job.

    Args:
        try_id: ``ti.id``, the UUID that Airflow gives each try.
        first_try: number of the try that this series of retries began with.
        run_start: start of the DAG run, or ``None`` where Airflow has none (``dag.test()``).
        deployment_id: which Airflow this is, from ``[vertex_training] deployment_id``.
    """

    deployment_id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    try_id: str
    first_try: int
    run_start: datetime | None

    def __post_init__(self) -> None:
        """Check the one value that an administrator writes."""
        if self.deployment_id != legal(self.deployment_id) or not self.deployment_id:
            raise InvalidJobError(
                "[vertex_training] deployment_id",
                f"{self.deployment_id!r} is no legal label; write {legal(self.deployment_id) or 'airflow'!r}",
            )

    @property
    def task_instance(self) -> str:
        """Hash of what names the task instance, whatever its try."""
        parts = (self.deployment_id, self.dag_id, self.run_id, self.task_id, str(self.map_index))
        return _hash("\n".join(parts))[:40]

    @property
    def run_start_label(self) -> str | None:
        """The run's start in microseconds, or ``None`` where there is none to be sure by."""
        if self.run_start is None:
            return None
        # Not timestamp() * 1e6: a float is too coarse for the microseconds of today.
        return f"{int(self.run_start.timestamp())}{self.run_start.microsecond:06d}"

    def labels(self) -> dict[str, str]:
        """Return the labels that the job carries from its first moment, so that it can be found again."""
        labels = {
            DEPLOYMENT: self.deployment_id,
            TRY: self.try_id,
            TASK_INSTANCE: self.task_instance,
            FIRST_TRY: str(self.first_try),
            "airflow_dag_id": legal(self.dag_id),
            "airflow_task_id": legal(self.task_id),
            "airflow_run_id": legal(self.run_id),
            "airflow_map_index": str(self.map_index),
            TRY_NUMBER: str(self.try_number),
        }
        if self.run_start_label is not None:
            labels[RUN_START] = self.run_start_label
        return labels


def all_labels(task_try: TaskTry, labels: Mapping[str, str]) -> dict[str, str]:
    """Return Airflow's own labels and the user's (legal ones) on top.

    Raises:
        InvalidJobError: together they are more than Google Cloud takes.
    """
    own = task_try.labels()
    if len(own) + len(labels) > MAX_LABELS:
        room = MAX_LABELS - len(own)
        raise InvalidJobError(
            "labels", f"Vertex AI takes {MAX_LABELS}, Airflow needs {len(own)}: {room} at most"
        )
    return {**own, **labels}


def _check_text(where: str, text: object, role: str) -> None:
    if not isinstance(text, str):
        raise InvalidJobError(where, f"the {role} must be a string, got {type(text).__name__} {text!r}")
    lost = "".join(sorted({char for char in text if not char.isascii() and not slugify(char)}))
    if lost:
        raise InvalidJobError(
            where, f"the {role} {text!r} holds {lost!r}, which no label of Google Cloud can hold"
        )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
