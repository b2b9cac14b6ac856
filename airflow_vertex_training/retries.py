"""A retry policy for training tasks, for Airflow 3.3 and newer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_vertex_training import compat
from airflow_vertex_training.vertex import exceptions
from airflow_vertex_training.vertex.exceptions import Retry, VertexTrainingError

if TYPE_CHECKING:
    from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy

__all__ = ["vertex_retry_policy"]


def vertex_retry_policy(wait: timedelta = timedelta(minutes=10)) -> ExceptionRetryPolicy:
    """Return a retry policy that retries what a retry can mend, and nothing else.

    Where machines or quota have run out, the next try waits for ``wait``. Where the program has failed, or
    Vertex AI refused the job, the task fails at once, and no machine is paid for a second time. All else is
    retried as the task's ``retry_delay`` says. How many tries there are, ``retries`` says, as ever::

        VertexCustomTrainingOperator(..., retries=6, retry_policy=vertex_retry_policy())

    It is an ``ExceptionRetryPolicy``. To decide otherwise about some errors, put rules in front:
    ``ExceptionRetryPolicy(rules=[RetryRule(...), *vertex_retry_policy().rules])``. What each class of error
    stands for is in the error catalogue.

    Args:
        wait: time until the next try after a stockout or a quota that is used up, default 10 minutes.

    Returns:
        The policy: https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/tasks.html

    Raises:
        InvalidJobError: this Airflow is older than 3.3, which has no retry policies.
    """
    policies = compat.retry_policies()
    actions = {
        Retry.HELPS: policies.RetryAction.DEFAULT,
        Retry.LATER: policies.RetryAction.RETRY,
        Retry.SELDOM: policies.RetryAction.FAIL,
        Retry.NEVER: policies.RetryAction.FAIL,
    }
    rules = [
        policies.RetryRule(
            exception=kind,
            action=actions[kind.retry],
            retry_delay=wait if kind.retry is Retry.LATER else None,
            reason=f"{kind.__name__}: another try {kind.retry.value}",
        )
        for kind in _most_special_first()
    ]
    policy: ExceptionRetryPolicy = policies.ExceptionRetryPolicy(rules=rules)
    return policy


def _most_special_first() -> list[type[VertexTrainingError]]:
    """Return all classes of errors, each before its bases: the first rule that fits decides."""
    kinds = [
        kind
        for kind in vars(exceptions).values()
        if isinstance(kind, type) and issubclass(kind, VertexTrainingError)
    ]
    return sorted(kinds, key=lambda kind: len(kind.__mro__), reverse=True)
