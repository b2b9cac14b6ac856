"""The ready retry policy, and what a task raises with one and without."""

from __future__ import annotations

import copy
import inspect
import pickle
from datetime import timedelta

import pytest

from airflow_vertex_training import compat
from airflow_vertex_training.retries import vertex_retry_policy
from airflow_vertex_training.vertex import exceptions
from airflow_vertex_training.vertex.exceptions import (
    InvalidJobError,
    JobFailedError,
    JobImageError,
    JobStockoutError,
    Retry,
    VertexInternalError,
    VertexTrainingError,
)
from tests.provider.task_runs import run_task
from tests.provider.training_tasks import make

KINDS = [
    kind
    for kind in vars(exceptions).values()
    if inspect.isclass(kind) and issubclass(kind, VertexTrainingError)
]
ACTIONS = {Retry.HELPS: "default", Retry.LATER: "retry", Retry.SELDOM: "fail", Retry.NEVER: "fail"}

needs_policies = pytest.mark.skipif(
    not compat.TRIGGERER_CALLS_ON_KILL, reason="Airflow has no retry policies before 3.3"
)


@needs_policies
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_class_is_retried_as_it_says(kind):
    """The policy decides by the class itself, not by one that it is made of, and waits where that helps."""
    decision = vertex_retry_policy(timedelta(minutes=7)).evaluate(kind.__new__(kind), 1, 3)
    assert decision.action.value == ACTIONS[kind.retry]
    assert decision.retry_delay == (timedelta(minutes=7) if kind.retry is Retry.LATER else None)


@needs_policies
def test_other_errors_are_left_to_airflow():
    """What is not an error of this package is retried as without a policy."""
    assert vertex_retry_policy().evaluate(OSError("disk"), 1, 3).action.value == "default"


@pytest.mark.skipif(compat.TRIGGERER_CALLS_ON_KILL, reason="this Airflow has retry policies")
def test_older_airflows_are_told():
    """Before Airflow 3.3 the function says what it needs, when the DAG is parsed."""
    with pytest.raises(InvalidJobError, match=r"^retry_policy: needs Airflow 3\.3 or newer, and this is 3\."):
        vertex_retry_policy()


@needs_policies
@pytest.mark.parametrize(
    ("code", "message", "kind", "state"),
    [
        ("RESOURCE_EXHAUSTED", "Resources are insufficient in region: r.", JobStockoutError, "up_for_retry"),
        ("INTERNAL", "Internal error occurred.", VertexInternalError, "up_for_retry"),
        ("NOT_FOUND", "Image x not found.", JobImageError, "failed"),
        ("INVALID_ARGUMENT", "The replica a-0 exited with a non-zero status of 1.", JobFailedError, "failed"),
    ],
)
def test_a_policy_gets_our_own_class(on_emulator, project, supervisor, code, message, kind, state):
    """With a retry policy the task raises its own error, and the policy has the last word."""
    on_emulator.control.add_fault(project, "job_error", code=code, message=message)

    outcome = run_task(make(retries=2, deferrable=False, retry_policy=vertex_retry_policy()))

    assert type(outcome.error) is kind
    assert outcome.state == state


@needs_policies
def test_a_policy_is_asked_about_a_refusal(on_emulator, project, supervisor):
    """A request that Vertex AI refuses for good is the policy's to decide about, too."""
    from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction

    settings = {"method": "CreateCustomJob", "code": "INVALID_ARGUMENT", "message": "no"}
    on_emulator.control.add_fault(project, "error", **settings)

    outcome = run_task(make(retries=2, retry_policy=ExceptionRetryPolicy([], default=RetryAction.RETRY)))

    assert type(outcome.error) is exceptions.InvalidRequestError
    assert outcome.state == "up_for_retry"


def test_without_a_policy_what_can_not_be_mended_is_not_retried(on_emulator, project, supervisor):
    """An image that is not there fails the task at once, as itself and as Airflow's own error."""
    on_emulator.control.add_fault(project, "job_error", code="NOT_FOUND", message="Image x not found.")

    outcome = run_task(make(retries=2, deferrable=False))

    assert outcome.state == "failed"
    assert isinstance(outcome.error, JobImageError)
    assert isinstance(outcome.error, compat.AirflowFailException)
    assert type(outcome.error).__name__ == "JobImageError"


def test_an_error_that_is_not_retried_can_be_copied_and_pickled():
    """Its class is made when it is needed; whoever unpickles it gets one as good."""
    error = compat.not_retried(exceptions.InvalidJobError("image", "is wrong", task_id="train"))

    for again in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert isinstance(again, exceptions.InvalidJobError)
        assert isinstance(again, compat.AirflowFailException)
        assert (str(again), repr(again), vars(again)) == (str(error), repr(error), vars(error))
