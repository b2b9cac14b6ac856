"""All that depends on Airflow's version, and nothing else. Supported: 3.1, 3.2, 3.3."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import Future
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.triggers.base import BaseTrigger

from airflow_vertex_training.provider_info import get_provider_info

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    "airflow_variables",
    "api_server_is_down",
    "cancel_may_be_a_kill",
    "config",
    "connection_form_widgets",
    "masked",
    "task_state",
    "task_state_in_time",
]

TRIGGERER_CALLS_ON_KILL = hasattr(BaseTrigger, "on_kill")
"""Whether the triggerer tells a trigger that its task was killed: from Airflow 3.3."""


def cancel_may_be_a_kill() -> bool:
    """Whether a trigger that is cancelled now may have to do what ``on_kill`` does on newer Airflows.

    Before Airflow 3.3 a kill is a cancel and no more. So is the end of a triggerer, which kills no task: what
    its triggers ask then is not answered any more, and on 3.2 can delay the end.
    """
    return not TRIGGERER_CALLS_ON_KILL and not _triggerer_has_ended()


def _triggerer_has_ended() -> bool:
    """Whether this event loop was a triggerer's, and that is over."""
    runner = getattr(sys.modules.get("airflow.jobs.triggerer_job_runner"), "TriggerRunner", None)
    main = getattr(runner, "arun", None)
    if main is None:
        # No triggerer, or one that is not as it was: where in doubt, ask.
        return False
    running = (getattr(task.get_coro(), "cr_code", None) for task in asyncio.all_tasks())
    return main.__code__ not in running


def config(option: str) -> str:
    """Return an option of Airflow's configuration section ``[vertex_training]``."""
    info: Any = get_provider_info()
    default = info["config"]["vertex_training"]["options"][option]["default"]
    return str(conf.get("vertex_training", option, fallback=default))


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


def task_state(ti: Any) -> str | None:
    """Ask Airflow for a task instance's state; ``None`` where there is no such task instance.

    A blocking call, for a task or a thread that asgiref's ``sync_to_async`` made.

    Args:
        ti: the task instance, as a task or a trigger has it.
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    mapped = ti.map_index is not None and ti.map_index >= 0
    answer = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id,
        task_ids=[ti.task_id],
        run_ids=[ti.run_id],
        map_index=ti.map_index if mapped else None,
    )
    # Airflow names a mapped task's instances TASKID_MAPINDEX here.
    key = f"{ti.task_id}_{ti.map_index}" if mapped else ti.task_id
    state = answer.get(ti.run_id, {}).get(key)
    return None if state is None else str(getattr(state, "value", state))


def task_state_in_time(ti: Any, timeout: float) -> str | None:
    """Ask as ``task_state`` does, though the question of another thread may be in the way.

    Args:
        ti: the task instance, as a task has it.
        timeout: seconds to wait for the answer.

    Raises:
        TimeoutError: there was none.
    """
    answer: Future[str | None] = Future()

    def ask() -> None:
        try:
            answer.set_result(task_state(ti))
        except Exception as error:  # noqa: BLE001 - raised where the answer is waited for
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    return answer.result(timeout)


def api_server_is_down() -> bool:
    """Whether Airflow's API server can't be reached from a worker. One that is slow is not down."""
    import httpx

    base = str(conf.get("api", "base_url", fallback=""))
    if not base or base.startswith("/"):
        base = f"http://localhost:8080{base}"
    url = str(conf.get("core", "execution_api_server_url", fallback=f"{base.rstrip('/')}/execution/"))
    try:
        answer = httpx.get(url, timeout=1.0)
    except (httpx.ConnectError, httpx.ConnectTimeout):
        return True
    except httpx.HTTPError:
        return False
    # What a gateway answers that has no server behind it.
    return answer.status_code in {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}


def airflow_variables(context: Mapping[str, Any]) -> dict[str, str]:
    """Return what Airflow tells a task's processes about itself: ``AIRFLOW_CTX_DAG_ID`` and so on."""
    from airflow.sdk.execution_time.context import context_to_airflow_vars

    return context_to_airflow_vars(context, in_env_var_format=True)


def masked(value: str, name: str) -> str:
    """Return ``value``, or asterisks where Airflow takes ``name`` for that of a secret."""
    from airflow.sdk import log

    # Not in the module's __all__, but where Airflow itself takes it from.
    return str(log.redact(value, name))  # type: ignore[attr-defined]
