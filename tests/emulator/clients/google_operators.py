"""Google's own Airflow operator and hook as clients."""

from __future__ import annotations

import contextlib
import threading
from functools import cached_property
from typing import Any

from airflow.providers.google.cloud.hooks.vertex_ai.custom_job import CustomJobHook
from airflow.providers.google.cloud.operators.vertex_ai.custom_job import CreateCustomJobOperator
from airflow.sdk import DAG
from airflow.sdk.execution_time.supervisor import set_supervisor_comms

from tests.emulator.clients.story import REGION, Client, Place, as_message, job_id
from tests.provider.task_runs import Supervisor, task_instance


class _Hook(CustomJobHook):
    """The hook, at the emulator: the provider has no setting for an endpoint."""

    endpoint = ""

    def _get_api_endpoint(self, *_: object, **__: object) -> str:
        return self.endpoint


class _Operator(CreateCustomJobOperator):
    """The operator with that hook. It waits in its worker."""

    @cached_property
    def hook(self) -> CustomJobHook:
        return _Hook(gcp_conn_id=self.gcp_conn_id)


class _Beside(Supervisor):
    """The process beside the task; it says when the operator has told its job's id."""

    told = threading.Event()

    def send(self, msg: Any) -> Any:
        """Answer a message."""
        answer = super().send(msg)
        if "custom_job_id" in self.xcoms:
            self.told.set()
        return answer


class GoogleOperators(Client):
    """`CreateCustomJobOperator` creates and, when it is killed, cancels; `CustomJobHook` does the rest."""

    name = "Google's Airflow operator, hook"
    over_tls = True

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        _Hook.endpoint = place.emulator.address
        self._arguments: dict[str, Any] = {"project_id": place.project, "region": REGION}
        self._beside = _Beside()
        self._ends = contextlib.ExitStack()
        self._ends.enter_context(set_supervisor_comms(self._beside))
        self._hook = _Hook()

    def create(self, job: dict[str, Any]) -> str:
        """Run the operator's task, up to the moment in which it has told its job's id."""
        with DAG("story", schedule=None):
            self._operator = _Operator(
                task_id="create", custom_job=as_message(job), poll_interval=1, **self._arguments
            )
        context = task_instance(self._operator).get_template_context()

        def run() -> None:
            # It ends with an error: its job is cancelled.
            with contextlib.suppress(Exception):
                self._operator.execute(context)

        task = threading.Thread(target=run)
        task.start()
        self._ends.callback(task.join)
        assert self._beside.told.wait(30), "the operator has told no job's id"
        return f"{self.place.parent}/customJobs/{self._beside.xcoms['custom_job_id']}"

    def describe(self, name: str) -> str:
        """Get it by the hook."""
        return str(self._hook.get_custom_job(custom_job=job_id(name), **self._arguments).state.name)

    def find(self, text: str) -> list[str]:
        """List by the hook."""
        found = self._hook.list_custom_jobs(
            page_size=1, page_token=None, filter=text, read_mask=None, **self._arguments
        )
        return [job.name for job in found]

    def cancel(self, name: str) -> None:
        """Kill the task."""
        self._operator.on_kill()

    def delete(self, name: str) -> None:
        """Delete it by the hook."""
        self._hook.delete_custom_job(custom_job=job_id(name), **self._arguments).result(timeout=10)

    def close(self) -> None:
        """Wait for the task's end."""
        self._ends.close()
