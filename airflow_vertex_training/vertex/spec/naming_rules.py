"""Labels as a field of a job: read by the rules of `naming.labels`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.naming.labels import legal, legal_labels
from airflow_vertex_training.vertex.spec.reader import Open
from airflow_vertex_training.vertex.spec.words import kind

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.reader import Reader


def labels(value: Any, where: str, reader: Reader) -> Any:
    """Take labels: a dict, or a JSON object as text, as a connection holds it. They are made legal."""
    if isinstance(value, str):
        value = _parsed(value, where, reader)
        if isinstance(value, Open):
            return value
    if not isinstance(value, Mapping):
        return reader.wrong(where, f'must be a dict such as {{"team": "vision"}}, got {kind(value)}')
    # What is not known yet gets its name now.
    values = {key: "open" if reader.is_open(each) else each for key, each in value.items()}
    legal_ones, wrong, warnings = legal_labels(values)
    made: dict[str, Any] = dict(legal_ones)
    made.update(
        {
            legal(key): Open(each)
            for key, each in value.items()
            if legal(str(key)) in made and reader.is_open(each)
        }
    )
    for key, problem in wrong:
        reader.wrong(f"{where}[{key!r}]", problem)
    for key, problem in warnings:
        reader.warn(f"{where}[{key!r}]", problem)
    return made


def _parsed(value: str, where: str, reader: Reader) -> Any:
    import json

    if not value.strip():
        return {}
    try:
        return json.loads(value)
    except ValueError as error:
        return reader.wrong(where, f'is no JSON object, such as {{"team": "vision"}}: {error}')
