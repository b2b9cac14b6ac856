"""What becomes of wrong arguments: of a name that is not there, of a mapped task, of several at once."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_vertex_training import compat
from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.spec.table import how_to_say
from airflow_vertex_training.vertex.spec.words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow.sdk import BaseOperator


@contextmanager
def refused(operator: BaseOperator | type[BaseOperator], arguments: Mapping[str, Any]) -> Iterator[None]:
    """Say how to write arguments that are not there, and spare a mapped task retries that could not help.

    Args:
        operator: the operator, or its class.
        arguments: those that the operator passes on to Airflow.

    Raises:
        TypeError: an argument is not there; says which is most like it.
        AirflowFailException: an argument of a mapped task is wrong, or not there.
    """
    try:
        yield
    except InvalidJobError as error:
        if compat.is_of_a_mapped_task(operator):
            raise compat.not_retried(error) from None
        raise
    except TypeError as error:
        kind = operator if isinstance(operator, type) else type(operator)
        unknown = arguments.keys() - _known_to(kind)
        if not unknown:
            raise
        task = f" (task {arguments.get('task_id')!r})"
        offers = "\n".join(_offer(kind, name) for name in sorted(unknown))
        told = TypeError(f"{kind.__name__}{task} takes no such argument. {offers}")
        raise (compat.not_retried(told) if compat.is_of_a_mapped_task(operator) else told) from error


def _known_to(operator: type[BaseOperator]) -> set[str]:
    """Return the names of all arguments that a class and its bases take."""
    found: set[str] = set()
    for kind in operator.__mro__:
        if "__init__" in vars(kind):
            found.update(inspect.signature(vars(kind)["__init__"]).parameters)
    return found


def _offer(operator: type[BaseOperator], name: str) -> str:
    right = how_to_say(name)
    if right is None and (argument := nearest(name, _known_to(operator))):
        right = f"{argument}=..."
    return f"{name}: {f'did you mean {right}?' if right else 'there is nothing like it'}"
