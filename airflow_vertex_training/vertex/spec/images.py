"""Where Vertex AI pulls container images from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec import checks
from airflow_vertex_training.vertex.spec.words import shown

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.reader import Reader

# https://cloud.google.com/vertex-ai/docs/training/containers-overview
_REGISTRY = re.compile(r"(.+\.pkg\.dev|(.+\.)?gcr\.io|docker\.io)")


def image(value: Any, where: str, reader: Reader) -> Any:
    """Take an image that names its registry: Artifact Registry, Container Registry or Docker Hub."""
    name = checks.text(value, where, reader)
    if not isinstance(name, str):
        return name
    registry, slash, rest = name.partition("/")
    if not (slash and rest) or not ("." in registry or ":" in registry or registry == "localhost"):
        official = name if slash else f"library/{name}"
        return reader.wrong(
            where,
            f"{shown(name)} does not name its registry; write it out, such as 'docker.io/{official[:120]}'",
        )
    if not _REGISTRY.fullmatch(registry):
        return reader.wrong(
            where,
            f"Vertex AI does not pull from {shown(registry)}; push the image to Artifact Registry "
            "(LOCATION-docker.pkg.dev), Container Registry (gcr.io) or Docker Hub (docker.io)",
        )
    if re.search(r"\s", name):
        return reader.wrong(where, f"{shown(name)} has a space in it")
    return name
