"""How Google Cloud names places, accounts and resources."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec import checks
from airflow_vertex_training.vertex.spec.words import kind, shown

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.reader import Reader
    from airflow_vertex_training.vertex.spec.rows import Check

# https://cloud.google.com/vertex-ai/docs/general/locations
_REGION = re.compile(r"[a-z]+(-[a-z]+)+[0-9]+")
# https://cloud.google.com/storage/docs/buckets#naming; file:// is for the emulator, Vertex says no to it.
_FOLDER = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/.*)?|file:///.+")


def region(value: Any, where: str, reader: Reader) -> Any:
    """Take a region; for a zone, offer its region."""
    name = checks.text(value, where, reader)
    if not isinstance(name, str) or _REGION.fullmatch(name):
        return name
    zone = re.fullmatch(rf"({_REGION.pattern})-[a-z]", name)
    right = repr(zone[1]) if zone else "a region such as 'us-central1'"
    return reader.wrong(where, f"{shown(name)} is {'a zone' if zone else 'no region'}; write {right}")


def project(value: Any, where: str, reader: Reader) -> Any:
    """Take a project's id or number."""
    return _PROJECT(value, where, reader)


_PROJECT = checks.named(r"[a-z0-9.:-]+", "the project's id, such as 'acme-vision'")


def service_account(value: Any, where: str, reader: Reader) -> Any:
    """Take a service account's e-mail address, also in the form that IAM policies have."""
    name = checks.text(value, where, reader)
    if not isinstance(name, str):
        return name
    name = name.removeprefix("serviceAccount:").strip()
    if not re.fullmatch(r"[^@\s/:,]+@[^@\s/:,]+\.[^@\s/:,.]+", name):
        right = "NAME@PROJECT.iam.gserviceaccount.com"
        return reader.wrong(
            where, f"{shown(name)} is no e-mail address of a service account: write one such as {right}"
        )
    return name


def accounts(value: Any, where: str, reader: Reader) -> Any:
    """Take a service account or a chain of them: a list, or text with commas between, or JSON text.

    Returns:
        One account as text, several as a list of texts, ``None`` where there is none.
    """
    if isinstance(value, str):
        value = value.strip().strip("[]").split(",") if value.strip() else []
        value = [each.strip().strip("\"'") for each in value]
    else:
        try:
            value = list(value)
        except Exception:  # noqa: BLE001 - an object of any type may be given
            return reader.wrong(where, f"must be a service account or a list of them, got {kind(value)}")
    chain = []
    for index, each in enumerate(value):
        at = f"{where}[{index}]" if len(value) > 1 else where
        chain.append(each if reader.is_open(each) else service_account(each, at, reader))
    chain = [each for each in chain if each]
    return chain[0] if len(chain) == 1 else chain or None


def folder(value: Any, where: str, reader: Reader) -> Any:
    """Take a folder in Cloud Storage."""
    name = checks.text(value, where, reader)
    if isinstance(name, str) and not _FOLDER.fullmatch(name):
        # Without its scheme, with another one, or as a job's programs see it.
        bare = re.sub(r"^(/gcs/|gcs://|gs:/+|https://storage\.(googleapis|cloud\.google)\.com/)", "", name)
        right = f"gs://{bare}" if _FOLDER.fullmatch(f"gs://{bare}") and "/" in bare else "gs://BUCKET/FOLDER"
        return reader.wrong(where, f"{shown(name)} is no folder in Cloud Storage; write {right}")
    return name


def resource(pattern: str, form: str) -> Check:
    """Return a check for the full name of a resource of a region.

    Args:
        pattern: what follows ``projects/P/locations/L/``.
        form: the same in words.
    """
    return checks.named(rf"projects/[^/\s]+/locations/[^/\s]+/{pattern}", f"projects/P/locations/L/{form}")
