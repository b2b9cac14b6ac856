"""What was said, as the checks of combinations look at it: values, and how to name one that is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec.reader import Open
from airflow_vertex_training.vertex.spec.table import JOB, POOL, default_words

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.layers import Fields
    from airflow_vertex_training.vertex.spec.reader import Reader


class View:
    """The rows of a job, or of one of its pools.

    Args:
        fields: what was said.
        reader: keeps what is wrong.
        index: which pool it is; ``None`` for the job.
        alone: whether the pool is the only one.
    """

    __slots__ = ("alone", "fields", "index", "reader")

    def __init__(
        self, fields: Fields, reader: Reader, index: int | None = None, *, alone: bool = True
    ) -> None:
        self.fields = fields
        self.reader = reader
        self.index = index
        self.alone = alone

    def get(self, name: str) -> Any:
        """Return a row's value: ``None`` where there is none, ``Open`` where it is not known."""
        said = self.fields.get(name)
        return None if said is None else said.value

    def known(self, *names: str) -> bool:
        """Whether none of these is left open."""
        return not any(isinstance(self.get(name), Open) for name in names)

    def given(self, name: str) -> bool:
        """Whether a row has a value, and it is known."""
        value = self.get(name)
        return value is not None and not isinstance(value, Open)

    def where(self, name: str) -> str:
        """Return how messages name a row: as it was said, else as its neighbours were."""
        if name in self.fields:
            return self.fields[name].where
        head, _, leaf = name.rpartition(".")
        for other, said in self.fields.items():
            group, _, other_leaf = other.rpartition(".")
            if group == head and said.where.endswith(f".{other_leaf}"):
                return said.where[: -len(other_leaf)] + leaf
        if self.index is None:
            return default_words(name, JOB[name])
        # An argument says it of all pools; what has none is said in the pool.
        short = POOL[name].argument if self.alone else None
        return short or f"worker_pools[{self.index}].{name}"

    def wrong(self, name: str, problem: str) -> None:
        """Say that a row is wrong, or missing."""
        self.reader.wrong(self.where(name), problem)

    def warn(self, name: str, problem: str) -> None:
        """Say that a row may be wrong."""
        self.reader.warn(self.where(name), problem)
