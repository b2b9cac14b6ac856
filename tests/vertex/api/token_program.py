"""A program that watches jobs over TLS with credentials whose token can't be had for ten minutes.

A process of its own: gRPC reads which certificate authorities to trust once. Arguments: the server's address,
the project and the jobs' names. Prints what each job was told, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from google.auth.credentials import Credentials
from google.auth.exceptions import RefreshError

from airflow_vertex_training.vertex.api import endpoint
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.watch import budget
from airflow_vertex_training.vertex.watch.loop import Clock, JobWatcher

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient

now = 0.0


class LateToken(Credentials):
    """Credentials of which no token can be had in the first ten minutes."""

    def refresh(self, request: Any) -> None:
        """Get a token."""
        if now < 600.0:
            raise RefreshError("no token now")
        self.token = "token"


async def sleep(seconds: float) -> None:
    """Let the clock jump instead of waiting."""
    global now  # noqa: PLW0603 - the program's clock
    now += seconds
    await asyncio.sleep(0.01)


async def watch_all(address: str, project: str, names: list[str]) -> list[list[str]]:
    """Watch all jobs to their ends and return what each was told: states, and the kinds of trouble."""

    async def connect() -> JobServiceAsyncClient:
        return endpoint.open_async_client(endpoint.Endpoint(address), LateToken())

    watcher = JobWatcher(
        connect,
        f"projects/{project}/locations/us-central1",
        deployment_id="airflow",
        budget=budget.RequestBudget(300),
        clock=Clock(lambda: now, sleep),
    )

    async def watch(name: str) -> list[str]:
        return [
            update.state if isinstance(update, JobSnapshot) else type(update).__name__
            async for update in watcher.watch(name, 10.0)
        ]

    return await asyncio.gather(*map(watch, names))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(watch_all(sys.argv[1], sys.argv[2], sys.argv[3:]))))
