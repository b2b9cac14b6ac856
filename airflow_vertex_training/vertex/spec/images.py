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
    problem = _problem(name) if isinstance(name, str) else None
    return reader.wrong(where, problem) if problem else name


def _problem(name: str) -> str | None:
    """Return what is wrong with an image's name, and what would be right."""
    registry, slash, rest = name.partition("/")
    problem = None
    if "://" in name:
        problem = f"{shown(name)} is an address: write {shown(name.partition('://')[2])}"
    elif _REGISTRY.fullmatch(registry) and not rest:
        problem = f"{shown(name)} is a registry: write the image in it, too"
    elif not (slash and rest) or not ("." in registry or ":" in registry or registry == "localhost"):
        official = name if slash else f"library/{name}"
        right = f"docker.io/{official[:120]}"
        problem = f"{shown(name)} does not name its registry; write it out, such as {right!r}"
    elif not _REGISTRY.fullmatch(registry):
        problem = (
            f"Vertex AI does not pull from {shown(registry)}; push the image to Artifact Registry "
            "(LOCATION-docker.pkg.dev), Container Registry (gcr.io) or Docker Hub (docker.io)"
        )
    elif re.search(r"\s", name):
        problem = f"{shown(name)} has a space in it"
    return problem
