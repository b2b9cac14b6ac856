"""All that depends on Airflow's version, and nothing else. Supported: 3.1, 3.2, 3.3."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow import __version__
from airflow.triggers.base import BaseTrigger

from airflow_vertex_training.vertex.exceptions import InvalidJobError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

try:
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowTaskTimeout,
        TaskDeferralError,
        TaskDeferralTimeout,
    )
except ImportError:  # Airflow 3.1
    from airflow.exceptions import (  # type: ignore[no-redef]
        AirflowFailException,
        AirflowTaskTimeout,
        TaskDeferralError,
        TaskDeferralTimeout,
    )

__all__ = [
    "TRIGGERER_CALLS_ON_KILL",
    "AirflowFailException",
    "AirflowTaskTimeout",
    "TaskDeferralError",
    "TaskDeferralTimeout",
    "cancel_may_be_a_kill",
    "clear_number",
    "connection_form_widgets",
    "connection_is_missing",
    "connection_lookup",
    "current_dag",
    "find_dag",
    "id_in_group",
    "is_dag_test",
    "is_mapped",
    "is_of_a_mapped_task",
    "is_triggerer",
    "log_socket",
    "mapped_arguments",
    "not_retried",
    "policy_retries",
    "read_connections_of_the_server",
    "retry_policies",
    "task_state_store",
]

logger = logging.getLogger(__name__)

_AIRFLOW = tuple(int(part) for part in __version__.split(".")[:2])

_TASK_RUNNER = "airflow.sdk.execution_time.task_runner"

TRIGGERER_CALLS_ON_KILL = hasattr(BaseTrigger, "on_kill")
"""Whether the triggerer tells a trigger that its task was killed: from Airflow 3.3."""


def clear_number(run: Any, max_tries: int) -> int:
    """Return a number that is the same for all tries of a task between two clears of it.

    Before Airflow 3.2 a clear counts in ``dag_run.clear_number`` only where the run had ended. There
    ``max_tries`` serves, which nothing else changes.

    Args:
        run: the DAG run.
        max_tries: of the task instance.
    """
    if _AIRFLOW < (3, 2):
        return max_tries
    # None where Airflow keeps no count, say in dag.test().
    return getattr(run, "clear_number", None) or 0


def cancel_may_be_a_kill() -> bool:
    """Whether a trigger that is cancelled now may have to do what ``on_kill`` does on newer Airflows.

    Before Airflow 3.3 a kill is a cancel and no more. So is the end of a triggerer, which kills no task: what
    its triggers ask then is not answered any more, and on 3.2 can delay the end.
    """
    return not TRIGGERER_CALLS_ON_KILL and _triggerer_runs() is not False


def is_triggerer() -> bool:
    """Whether this event loop is that of a triggerer which is not about to end."""
    return _triggerer_runs() is True


def log_socket() -> int | None:
    """Return the socket into which a triggerer's triggers log, ``None`` elsewhere or where it is not found.

    The supervisor of ``airflow.sdk.execution_time`` gives its process a root logger and a ``structlog`` that
    both write into it (``_configure_logs_over_json_channel``), in Airflow 3.1 to 3.3. A task's supervisor has
    such a socket as well, but reads it to its end after the task's.
    """
    if not is_triggerer():
        return None
    streams = [getattr(handler, "stream", None) for handler in logging.getLogger().handlers]
    return next((descriptor for descriptor in map(_socket_of, streams) if descriptor is not None), None)


def _socket_of(stream: Any) -> int | None:
    try:
        descriptor: int = stream.fileno()
        return descriptor if stat.S_ISSOCK(os.fstat(descriptor).st_mode) else None
    except (AttributeError, OSError, ValueError):
        return None


def _triggerer_runs() -> bool | None:
    """Whether a triggerer's main task runs on this event loop; ``None`` where that can't be told."""
    runner = getattr(sys.modules.get("airflow.jobs.triggerer_job_runner"), "TriggerRunner", None)
    main = getattr(runner, "arun", None)
    if main is None:
        # No triggerer, or one that is not as it was.
        return None
    running = (getattr(task.get_coro(), "cr_code", None) for task in asyncio.all_tasks())
    return main.__code__ in running


def is_of_a_mapped_task(operator: Any) -> bool:
    """Whether Airflow makes an operator as one of a mapped task's, which it does when that runs."""
    return bool(getattr(operator, "_BaseOperator__from_mapped", False))


def current_dag() -> Any:
    """Return the DAG whose ``with`` block is being read, or ``None``."""
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    return DagContext.get_current()


def id_in_group(task_id: str, dag: Any, task_group: Any = None) -> str:
    """Return the id that a task has in the group whose ``with`` block is being read, or in the given one."""
    from airflow.sdk.definitions._internal.contextmanager import TaskGroupContext

    group = task_group or (dag and TaskGroupContext.get_current(dag))
    return str(group.child_id(task_id)) if group else task_id


def connection_form_widgets(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a connection form for Airflow 3.1, which does not read ``conn-fields``.

    Args:
        fields: the ``conn-fields``, as newer Airflows read them.
    """
    # Airflow 3.1 puts its own stand-in there; the package itself is not installed.
    from wtforms import BooleanField, IntegerField, PasswordField, StringField  # type: ignore[import-untyped]

    def widget(label: str, schema: Mapping[str, Any], description: str = "") -> Any:
        if schema.get("format") == "password":
            kind = PasswordField
        elif "boolean" in schema["type"]:
            kind = BooleanField
        else:
            kind = IntegerField if "integer" in schema["type"] else StringField
        return kind(label, description=description, default=schema.get("default"))

    return {name: widget(**field) for name, field in fields.items()}


@contextmanager
def connection_lookup(conn_id: str) -> Iterator[None]:
    """Say as newer Airflows do that a connection is not there.

    Where it is in no secrets backend, Airflow 3.1.0 asks a task's supervisor, also outside of a task.

    Raises:
        AirflowNotFoundException: there is no such connection.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    try:
        yield
    except ImportError as error:
        if error.name != _TASK_RUNNER:
            raise
        raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined") from error


def connection_is_missing(conn_id: str) -> bool:
    """Whether Airflow says that there is no such connection, where a look-up found none.

    In tasks and triggers a look-up finds none also where Airflow's API server did not answer.
    """
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time import comms

    supervisor = getattr(sys.modules.get(_TASK_RUNNER), "SUPERVISOR_COMMS", None)
    if supervisor is None:
        return True
    try:
        answer = supervisor.send(comms.GetConnection(conn_id=conn_id))
    except AirflowRuntimeError as error:
        answer = error.error
    except Exception:
        logger.exception("Airflow did not say whether there is a connection %r", conn_id)
        return False
    return getattr(answer, "error", None) is ErrorType.CONNECTION_NOT_FOUND


def task_state_store(context: Mapping[str, Any]) -> Any:
    """Return what Airflow keeps for a task over its tries, from 3.3; ``None`` before.

    Args:
        context: of the running task.
    """
    return context.get("task_state_store")


def is_dag_test() -> bool:
    """Whether the task runs in the process of ``airflow dags test``, so that nothing goes on without it."""
    from airflow.sdk.execution_time import task_runner

    return type(getattr(task_runner, "SUPERVISOR_COMMS", None)).__name__ == "InProcessSupervisorComms"


def not_retried(error: Exception) -> Exception:
    """Return ``error`` as one that Airflow does not retry after.

    It stays of its own class, for callbacks and readers, and is an ``AirflowFailException``, too. One that is
    chained to ``error`` would show the task's log the same words twice.
    """
    return _twin(type(error), error.args, error.__dict__)


def _twin(kind: type[Exception], args: tuple[Any, ...], state: dict[str, Any]) -> Exception:
    def reduce(self: Exception) -> tuple[Any, ...]:
        # The class can't be imported: whoever unpickles it makes it anew.
        return _twin, (kind, self.args, self.__dict__)

    members = {"__module__": kind.__module__, "__reduce__": reduce}
    final: type[Exception] = type(kind.__name__, (kind, AirflowFailException), members)
    twin: Exception = final.__new__(final, *args)
    twin.__dict__.update(state)
    return twin


def retry_policies() -> Any:
    """Return Airflow's module of retry policies.

    Raises:
        InvalidJobError: this Airflow is older than 3.3, which has none.
    """
    try:
        from airflow.sdk.definitions import retry_policy
    except ImportError as error:
        raise InvalidJobError(
            "retry_policy", f"needs Airflow 3.3 or newer, and this is {__version__}; leave it out here"
        ) from error
    return retry_policy


def policy_retries(operator: Any, context: Any, error: BaseException) -> bool:
    """Whether the task's retry policy, from Airflow 3.3, lets another try follow after ``error``.

    Airflow asks the policy once more when ``error`` leaves the task. It gets the same answer then: a policy
    may cost something, or answer otherwise the second time.

    Args:
        operator: the task.
        context: of the running task.
        error: what the task is about to raise.
    """
    policy: Any = getattr(operator, "retry_policy", None)
    if policy is None:
        return True
    policies = retry_policies()
    ti = context["ti"]
    try:
        decision = policy.evaluate(error, ti.try_number, ti.max_tries, context)
    except Exception:
        logger.exception("The task's retry policy failed; Airflow then retries as without one")
        decision = policies.RetryDecision.default()

    class Decided(policies.RetryPolicy):  # type: ignore[misc, name-defined]
        def evaluate(self, exception: BaseException, *args: Any, **kwargs: Any) -> Any:
            return decision if exception is error else policy.evaluate(exception, *args, **kwargs)

    operator.retry_policy = Decided()
    return bool(decision.action is not policies.RetryAction.FAIL)


def find_dag(dag_id: str) -> tuple[Any, dict[str, str]]:
    """Return a DAG of the configured bundles, ``None`` where there is none, and files that can't be read."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 3.1
        from airflow.models.dagbag import DagBag  # type: ignore[no-redef]

    errors: dict[str, str] = {}
    manager: Any = DagBundlesManager
    for bundle in manager().get_all_dag_bundles():
        bundle.initialize()
        # As the DAG processor does, so that a DAG file can import its neighbours.
        if str(bundle.path) not in sys.path:
            sys.path.append(str(bundle.path))
        bag: Any = DagBag(dag_folder=str(bundle.path))
        if dag_id in bag.dags:
            return bag.dags[dag_id], {}
        errors.update(bag.import_errors)
    return None, errors


def read_connections_of_the_server() -> None:
    """Let this process find connections where the scheduler does, Airflow's database included."""
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")


def is_mapped(task: Any) -> bool:
    """Whether a task of a DAG is a mapped one."""
    return bool(task.is_mapped)


def mapped_arguments(task: Any) -> Any:
    """Return what a mapped task is expanded over: a dict from ``expand``, else what ``expand_kwargs`` got."""
    return task._get_specified_expand_input().value  # noqa: SLF001 - there is no other way to it
