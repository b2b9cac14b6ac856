"""Who polls for the jobs of a connection: one watcher and one reader of logs for all jobs of an event loop.

It loads the client library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from airflow_vertex_training import metrics, settings
from airflow_vertex_training.hooks import VertexTrainingHook
from airflow_vertex_training.vertex.api.emulator import emulator_address
from airflow_vertex_training.vertex.logs.cursor import DRAIN
from airflow_vertex_training.vertex.logs.sharing import shared_tail
from airflow_vertex_training.vertex.naming.job_name import JobName
from airflow_vertex_training.vertex.watch.sharing import shared_watcher

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient
    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2AsyncClient

    from airflow_vertex_training.vertex.logs.tail import LogTail
    from airflow_vertex_training.vertex.watch.loop import OnActiveJobs
    from airflow_vertex_training.vertex.watch.messages import Update

__all__ = ["log_tail", "watch_job"]


def watch_job(
    job_name: str,
    *,
    gcp_conn_id: str,
    impersonation_chain: str | Sequence[str] | None,
    poll_interval: float,
    deployment_id: str,
    on_active_jobs: OnActiveJobs | None = None,
) -> AsyncGenerator[Update, None]:
    """Watch a job together with all others of this event loop; see ``JobWatcher.watch``.

    The connection is looked up once for all jobs that are watched by it.
    """
    name = JobName.parse(job_name)

    async def connect() -> JobServiceAsyncClient:
        hook = await sync_to_async(VertexTrainingHook)(gcp_conn_id, impersonation_chain)
        return await hook.get_async_job_service_client(name.region)

    watcher = shared_watcher(
        _connection_key(gcp_conn_id, impersonation_chain),
        connect,
        parent=name.parent,
        deployment_id=deployment_id,
        requests_per_minute=settings.requests_per_minute(),
        on_active_jobs=on_active_jobs,
        meter=metrics.JobMeter(name.project, name.region, gcp_conn_id),
    )
    return watcher.watch(job_name, poll_interval)


def log_tail(
    job_name: str,
    *,
    gcp_conn_id: str,
    impersonation_chain: str | Sequence[str] | None,
    reads_per_minute: int,
) -> LogTail:
    """Return what reads the logs of a job together with those of all others of this event loop.

    The connection is looked up once for all jobs that are read by it.
    """
    name = JobName.parse(job_name)

    async def connect() -> LoggingServiceV2AsyncClient:
        hook = await sync_to_async(VertexTrainingHook)(gcp_conn_id, impersonation_chain)
        return await hook.get_async_logging_client(name.region)

    return shared_tail(
        _connection_key(gcp_conn_id, impersonation_chain),
        connect,
        project=name.project,
        reads_per_minute=reads_per_minute,
        # The emulator has all lines of a job when the job has ended.
        drain=0.0 if emulator_address() else DRAIN,
        meter=metrics.JobMeter(name.project, name.region, gcp_conn_id),
    )


def _connection_key(gcp_conn_id: str, impersonation_chain: str | Sequence[str] | None) -> tuple[Any, ...]:
    chain = impersonation_chain if isinstance(impersonation_chain, str) else tuple(impersonation_chain or ())
    return (gcp_conn_id, chain)
