"""What an Airflow connection may say, checked before anything is asked by it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.provider_info import get_provider_info
from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.spec.words import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = [
    "UnusableCredentialsError",
    "check",
    "connection_type",
    "credential_fields",
    "is_yes",
    "unknown_fields",
]

# Google's provider has other types with the same fields, such as gcpbigquery.
_TYPES = ("vertex", "google", "gcp")
# How Airflow 2 stored the fields of Google's connections.
_OLD_PREFIX = "extra__google_cloud_platform__"


# Of the first ones Google's hook takes one only.
_CREDENTIALS = ("key_path", "keyfile_dict", "credential_config_file", "key_secret_name", "is_anonymous")
_BESIDE_CREDENTIALS = ("idp_issuer_url", "idp_extra_params")


class UnusableCredentialsError(Exception):
    """The credentials of a connection can't be made of what it says.

    Args:
        fields: the connection's fields that lead to them.
        error: what came of that.
    """

    def __init__(self, fields: Sequence[str], error: Exception) -> None:
        super().__init__(f"{' and '.join(fields) or 'credentials'}: {type(error).__name__}: {error}")


def credential_fields(get: Callable[[str], Any]) -> list[str]:
    """Return which fields of a connection its credentials come from; none for application default ones.

    Args:
        get: returns the value of a field.
    """
    fields = [field for field in (*_CREDENTIALS, *_BESIDE_CREDENTIALS) if get(field)]
    return fields or [field for field in ("quota_project_id",) if get(field)]


def connection_type() -> dict[str, Any]:
    """Return what Airflow is told of the connection type."""
    info: Any = get_provider_info()
    return dict(info["connection-types"][0])


def check(connection: Any) -> None:
    """Refuse what would do nothing: application default credentials would serve in its place.

    Args:
        connection: an Airflow connection.

    Raises:
        InvalidJobError: it is one to something else, or what it says can't be read.
    """
    where = f"connection {connection.conn_id!r}"
    kind = connection.conn_type or ""
    if kind and not kind.startswith(_TYPES):
        problem = f"its type is {kind!r}; it has to be vertex_training or google_cloud_platform"
        raise InvalidJobError(where, problem)
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise InvalidJobError(where, 'its extra is no JSON object; write such as {"region": "us-central1"}')


def is_yes(value: Any) -> bool:
    """Whether a checkbox of the form is set; where a connection is written as a URI, it is a text."""
    return value.strip().lower() in {"true", "1", "yes", "on"} if isinstance(value, str) else bool(value)


def unknown_fields(extra: Iterable[str]) -> str:
    """Say which fields nobody reads that look like mistaken ones; empty where there is none.

    Args:
        extra: the names of the fields that a connection has.
    """
    known = connection_type()["conn-fields"].keys()
    unknown = sorted({name.removeprefix(_OLD_PREFIX) for name in extra} - known)
    meant = {name: nearest(name, known) for name in unknown}
    return "".join(
        f"\nNobody reads its field {name}: did you mean {right}?" for name, right in meant.items() if right
    )
