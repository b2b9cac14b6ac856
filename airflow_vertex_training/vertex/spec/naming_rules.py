"""Labels as a field of a job: read by the rules of `naming.labels`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.naming.labels import legal, legal_labels
from airflow_vertex_training.vertex.spec.reader import KEY_IS_OPEN, Open
from airflow_vertex_training.vertex.spec.values import as_text, is_blank, written_out
from airflow_vertex_training.vertex.spec.words import kind

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.reader import Reader


def labels(value: Any, where: str, reader: Reader) -> Any:
    """Take labels: a dict, or a JSON object as text, as a connection holds it. They are made legal."""
    if is_blank(value):
        return {}
    value = written_out(value)
    if not isinstance(value, Mapping):
        return reader.wrong(where, f'must be a dict such as {{"team": "vision"}}, got {kind(value)}')
    for key in value:
        if reader.is_open(key):
            reader.wrong(f"{where}[{key!r}]", KEY_IS_OPEN)
    # What is not known yet gets its name now.
    values = {
        key: "open" if reader.is_open(each) else each if (text := as_text(each)) is None else text
        for key, each in value.items()
        if not reader.is_open(key)
    }
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
