"""Parts of a job by name, as the rules of a job template name them: an argument, a row, a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.naming.labels import legal
from airflow_vertex_training.vertex.spec.layers import merge
from airflow_vertex_training.vertex.spec.reader import Open
from airflow_vertex_training.vertex.spec.table import (
    GROUPS,
    JOB,
    JOB_ARGUMENTS,
    MERGED,
    POOL,
    POOL_ARGUMENTS,
)
from airflow_vertex_training.vertex.spec.words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_vertex_training.vertex.spec.layers import Fields, Layer

WORKER_POOLS = "worker_pools"


@dataclass(frozen=True)
class Part:
    """Rows of a job, or of its pools.

    Args:
        name: as a rule names it.
        rows: rows of the job.
        pool_rows: rows of each pool.
        key: of labels or variables, default all of them.
    """

    name: str
    rows: tuple[str, ...] = ()
    pool_rows: tuple[str, ...] = ()
    key: str | None = None

    @property
    def may_be_secret(self) -> bool:
        """Whether messages must not show its values."""
        return "env" in self.pool_rows

    def is_said(self, layer: Layer) -> bool:
        """Whether a layer says it, or may turn out to."""
        if self.name == WORKER_POOLS:
            return layer.pools is not None or layer.unknown
        pools = [pool for pool in layer.pools or () if pool] or [layer.pool]
        return (
            layer.unknown
            or any(self._value(layer.job, row) is not None for row in self.rows)
            or any(all(self._value(pool, row) is not None for pool in pools) for row in self.pool_rows)
        )

    def changed(self, task: Layer, template: Layer) -> Iterator[tuple[str, Any]]:
        """Yield where a task says it otherwise than a template, and what the template says.

        Args:
            task: what the task's arguments say.
            template: what the template says.
        """
        if task.unknown:
            return
        both = merge(task, template)
        for row in self.rows:
            yield from self._otherwise(both.job, template.job, row, self.name)
        if self.name == WORKER_POOLS and task.pools is not None and template.pools is None:
            yield WORKER_POOLS, None
            return
        there = template.pools or ()
        for index, pool in enumerate(both.pools if both.pools is not None else [both.pool]):
            fixed = there[index] if index < len(there) else template.pool
            rows = self.pool_rows
            if self.name == WORKER_POOLS:
                # What it says of all pools alike is no part of them.
                rows = tuple(row for row in POOL if fixed.get(row) != template.pool.get(row))
            for row in rows:
                yield from self._otherwise(pool, fixed, row, self.name)
        if self.name == WORKER_POOLS and len(both.pools or ()) != len(there):
            yield WORKER_POOLS, None

    def _otherwise(self, said: Fields, template: Fields, row: str, name: str) -> Iterator[tuple[str, Any]]:
        there, fixed = self._value(said, row), self._value(template, row)
        if isinstance(there, Open) or isinstance(fixed, Open):
            return
        if row in MERGED and self.key is None:
            # Others may come on top.
            same = all((there or {}).get(key) == value for key, value in (fixed or {}).items())
        else:
            same = there == fixed
        if not same:
            key = "" if self.key is None else f"[{self.key!r}]"
            yield f"{said[row].where}{key}" if row in said else name, fixed

    def _value(self, fields: Fields, row: str) -> Any:
        said = fields.get(row)
        value = None if said is None else said.value
        if self.key is not None and isinstance(value, dict):
            return value.get(self.key)
        return None if value in ({}, ()) else value


def part_named(name: str) -> Part | str | None:
    """Return a part by its name; the nearest name where there is none, ``None`` where nothing is like it."""
    head, _, key = name.partition(".")
    if head in MERGED and key:
        rows, pool_rows = ((head,), ()) if head in JOB else ((), (head,))
        # A label is found by the name that it has in the job.
        return Part(name, rows, pool_rows, legal(key) if head == "labels" else key)
    if name in _PARTS:
        return _PARTS[name]
    leaves = {each.rpartition(".")[2]: each for each in _PARTS if "." in each}
    right = nearest(name, {**leaves, **_PARTS})
    return leaves[right] if right in leaves and right not in _PARTS else right


_PARTS = {
    **{row: Part(row, rows=(row,)) for row in JOB},
    **{row: Part(row, pool_rows=(row,)) for row in POOL},
    **{name: Part(name, rows=(row,)) for name, row in JOB_ARGUMENTS.items()},
    **{name: Part(name, pool_rows=(row,)) for name, row in POOL_ARGUMENTS.items()},
    **{name: Part(name, rows=tuple(row for row in JOB if row.startswith(f"{name}."))) for name in GROUPS},
    WORKER_POOLS: Part(WORKER_POOLS),
}
del _PARTS["job_template"]
