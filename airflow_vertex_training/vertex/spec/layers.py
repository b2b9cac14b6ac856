"""Who said what about a job: an operator, a template, a connection, the package. The first is heard first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.spec.message import POOLS
from airflow_vertex_training.vertex.spec.reader import Open, Reader, Said, is_settled
from airflow_vertex_training.vertex.spec.table import JOB, MERGED, POOL, UNITS, default_words
from airflow_vertex_training.vertex.spec.words import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_vertex_training.vertex.spec.rows import Row

    Fields = Mapping[str, Said]


@dataclass(frozen=True)
class Layer:
    """What one of them said.

    Args:
        job: rows of the job, by name.
        pool: rows of each worker pool that leaves them open.
        pools: the worker pools; an empty one after the first skips a place; ``None`` where it names none.
        other: fields of the message that the table does not know, by their place in it.
        unknown: whether it says more than is known yet.
    """

    job: Fields = field(default_factory=dict)
    pool: Fields = field(default_factory=dict)
    pools: Sequence[Fields] | None = None
    other: Fields = field(default_factory=dict)
    unknown: bool = False


def merge(high: Layer, low: Layer) -> Layer:
    """Return both layers as one: where both say something, ``high`` is heard. It is associative."""
    pools = None
    if high.pools is not None:
        pools = filled(high.pools, lambda pool: over(pool, low.pool))
    elif low.pools is not None:
        pools = filled(low.pools, lambda pool: over(high.pool, pool))
    return Layer(
        job=over(high.job, low.job),
        pool=over(high.pool, low.pool),
        pools=pools,
        other={**_of_the_pools_that_stay(high, low), **high.other},
        unknown=high.unknown or low.unknown,
    )


def _of_the_pools_that_stay(high: Layer, low: Layer) -> Fields:
    """Return the other fields of ``low``, without those of pools in whose place others stand."""
    if high.pools is None:
        return low.other
    return {place: said for place, said in low.other.items() if not place.startswith(f"{POOLS}[")}


def filled(pools: Sequence[Fields], fill: Callable[[Fields], Fields]) -> list[Fields]:
    """Return pools with more said of each. An empty one skips a place, but the first can't be skipped."""
    return [fill(pool) if pool or not index else pool for index, pool in enumerate(pools)]


def over(high: Fields, low: Fields) -> Fields:
    """Return the rows of both; where both say one, or ``high`` says what others belong to, it is heard."""
    if not high or not low:
        return high or low
    left = set(low)
    for leads, members in UNITS:
        if not leads.isdisjoint(high):
            left = left - members
    result = {name: low[name] for name in low if name in left}
    result.update(high)
    for name in MERGED & high.keys() & low.keys():
        one, other = high[name], low[name]
        if isinstance(one.value, dict) and isinstance(other.value, dict):
            result[name] = Said({**other.value, **one.value}, one.where)
        elif not isinstance(one.value, Open):
            result[name] = Said(Open(), one.where) if one.value else other
    return result


def same_level(one: Fields, other: Fields, reader: Reader) -> Fields:
    """Return what is said in two places of one layer; to say one thing twice and differently is wrong."""
    result = dict(one)
    for name, second in other.items():
        first = result.get(name)
        if first is None:
            result[name] = second
        elif not is_settled(first.value) or not is_settled(second.value):
            continue
        elif name in MERGED:
            for key in (first.value or {}).keys() & (second.value or {}).keys():
                one_value, other_value = first.value[key], second.value[key]
                if one_value != other_value and is_settled(one_value) and is_settled(other_value):
                    reader.wrong(
                        f"{first.where}[{key!r}]", f"is said differently in {second.where}: say it once"
                    )
            result[name] = Said({**(second.value or {}), **(first.value or {})}, first.where)
        elif first.value != second.value:
            reader.wrong(
                first.where,
                f"is {shown(first.value)} here and {shown(second.value)} in {second.where}: say it once",
            )
    return result


def package_defaults() -> Layer:
    """Return what the package says where nobody else does."""
    return Layer(job=_defaults(JOB), pool=_defaults(POOL))


def _defaults(rows: Mapping[str, Row]) -> Fields:
    return {
        name: Said(row.default, default_words(name, row))
        for name, row in rows.items()
        if row.default is not None
    }


PACKAGE = package_defaults()
