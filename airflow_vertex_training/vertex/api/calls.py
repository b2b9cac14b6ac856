"""The calls that make, read and end jobs, each with its deadline.

``Jobs`` is for workers and threads, ``AsyncJobs`` for the one loop that watches many jobs.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, TypeVar

from google.auth.transport.requests import Request
from google.cloud import aiplatform_v1
from grpc import StatusCode

from airflow_vertex_training.vertex.api import advice, protos, retries, status
from airflow_vertex_training.vertex.api.connection import AsyncConnection
from airflow_vertex_training.vertex.states import age

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from google.auth.credentials import Credentials
    from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient, JobServiceClient
    from tenacity import Retrying
    from typing_extensions import Self

    from airflow_vertex_training.vertex.spec.job import TrainingJob
    from airflow_vertex_training.vertex.states import JobSnapshot

_Answer = TypeVar("_Answer")


class Jobs:
    """The jobs of one project and region.

    Args:
        client: an open client; ``close`` closes its channel.
        project: project id or number.
        region: such as ``us-central1``.
        sleep: how to wait between retries; default ``time.sleep``.
        credentials: those of ``client``, which need a token before each call; default none.
    """

    def __init__(
        self,
        client: JobServiceClient,
        project: str,
        region: str,
        sleep: Callable[[float], None] = time.sleep,  # noqa: TID251 - a default for worker threads, never the event loop
        credentials: Credentials | None = None,
    ) -> None:
        self.client = client
        self.project = project
        self.region = region
        self.sleep = sleep
        self._credentials = credentials

    @property
    def parent(self) -> str:
        """Resource name of the project and region."""
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def address(self) -> str:
        """The endpoint, ``host:port``."""
        return str(self.client.transport.host)

    def __enter__(self) -> Self:
        """Use the jobs until the block ends, then close the channel."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the channel."""
        self.client.transport.close()

    def create(self, job: TrainingJob) -> JobSnapshot:
        """Ask once for a new job. Never repeated here: ``submit`` knows when that is safe.

        Raises:
            google.auth.exceptions.GoogleAuthError: there is no token, and nothing was sent.
            google.api_core.exceptions.GoogleAPICallError: as the API answers it.
        """
        custom_job = protos.with_fingerprint(protos.to_custom_job(job))
        request = aiplatform_v1.CreateCustomJobRequest(parent=self.parent, custom_job=custom_job)
        created = self._call(self.client.create_custom_job, request, retries.CREATE_TIMEOUT)
        return protos.to_snapshot(created)

    def get(self, job_name: str) -> JobSnapshot:
        """Return a job as it is now.

        Raises:
            VertexApiError: the API's error did not pass within two minutes, or never will.
        """
        request = aiplatform_v1.GetCustomJobRequest(name=job_name)
        try:
            job = self._retrying()(self._call, self.client.get_custom_job, request, retries.GET_TIMEOUT)
        except Exception as error:
            raise advice.api_error(f"Getting {job_name}", error) from error
        return protos.to_snapshot(job)

    def differences(self, job_name: str, wanted: TrainingJob) -> list[str]:
        """Return the paths of a job's settings that are others than wanted. No values: they may be secrets.

        Raises:
            VertexApiError: the job can't be had; this is asked once only.
        """
        request = aiplatform_v1.GetCustomJobRequest(name=job_name)
        try:
            job = self._call(self.client.get_custom_job, request, retries.GET_TIMEOUT)
        except Exception as error:
            raise advice.api_error(f"Getting {job_name}", error) from error
        return protos.differences(protos.to_custom_job(wanted), job)

    def find(self, label: str, value: str, *, patience: float = retries.RETRY_SECONDS) -> list[JobSnapshot]:
        """Return all jobs that carry a label, the oldest first.

        Args:
            label: the label's key.
            value: its value.
            patience: seconds for which transient errors are put up with, default two minutes.

        Raises:
            VertexApiError: the API's error did not pass in that time, or never will.
        """
        return self.list(f'labels.{label}="{value}"', patience=patience)

    def list(self, filter_: str, *, patience: float = retries.RETRY_SECONDS) -> list[JobSnapshot]:
        """Return all jobs that a filter fits, the oldest first.

        Args:
            filter_: in the language of ``ListCustomJobs``.
            patience: seconds for which transient errors are put up with, default two minutes.

        Raises:
            VertexApiError: the API's error did not pass in that time, or never will.
        """
        # By their names: pages that shift while they are read show some jobs twice.
        jobs: dict[str, JobSnapshot] = {}
        token, tokens = "", set[str]()
        # A server that leads in a circle has shown all that it will.
        while token not in tokens:
            tokens.add(token)
            page = self._page(filter_, token, patience)
            jobs.update((job.name, protos.to_snapshot(job)) for job in page.custom_jobs)
            token = page.next_page_token or ""
        return sorted(jobs.values(), key=age)

    def airflow_context(self, job_name: str, *, patience: float = retries.RETRY_SECONDS) -> dict[str, str]:
        """Return the ``AIRFLOW_CTX_*`` variables of a job: which Airflow task made it.

        No other variable leaves this method: they may be secrets. Empty where the job is gone.

        Args:
            job_name: full resource name.
            patience: seconds for which transient errors are put up with, default two minutes.

        Raises:
            VertexApiError: the API's error did not pass in that time, or never will.
        """
        request = aiplatform_v1.GetCustomJobRequest(name=job_name)
        try:
            job = self._retrying(patience)(
                self._call, self.client.get_custom_job, request, retries.GET_TIMEOUT
            )
        except Exception as error:
            if status.is_not_found(error):
                return {}
            raise advice.api_error(f"Getting {job_name}", error) from error
        return protos.airflow_context(job)

    def check(self) -> None:
        """Make one list call, to see whether it is answered.

        Raises:
            VertexApiError: it is not; the message says why.
        """
        self._page("", "", patience=0.0)

    def cancel(self, job_name: str) -> bool:
        """Ask Vertex to cancel a job, through transient errors.

        Returns:
            Whether Vertex took the request; ``False`` where the job has ended already or is gone.

        Raises:
            VertexApiError: the API's error did not pass within two minutes, or never will.
        """
        request = aiplatform_v1.CancelCustomJobRequest(name=job_name)
        try:
            self._retrying()(self._call, self.client.cancel_custom_job, request, retries.CANCEL_TIMEOUT)
        except Exception as error:
            if status.status_code(error) in {StatusCode.NOT_FOUND, StatusCode.FAILED_PRECONDITION}:
                return False
            raise advice.api_error(f"Cancelling {job_name}", error) from error
        return True

    def _page(self, filter_: str, token: str, patience: float) -> aiplatform_v1.ListCustomJobsResponse:
        request = protos.list_request(self.parent, filter_, token)
        try:
            pager = self._retrying(patience)(
                self._call, self.client.list_custom_jobs, request, retries.LIST_TIMEOUT
            )
        except Exception as error:
            raise advice.api_error(
                f"Listing jobs in {self.region} of project {self.project}", error
            ) from error
        page: aiplatform_v1.ListCustomJobsResponse = next(pager.pages)
        return page

    def _retrying(self, patience: float = retries.RETRY_SECONDS) -> Retrying:
        return retries.retrying(self.sleep, patience, status.passes_soon)

    def _call(self, method: Callable[..., _Answer], request: Any, timeout: float) -> _Answer:
        """Make one call. The token is got first: gRPC makes UNAVAILABLE of whatever goes wrong with it."""
        if self._credentials is not None and not self._credentials.valid:
            self._credentials.refresh(functools.partial(Request(), timeout=retries.TOKEN_TIMEOUT))
        return method(request, timeout=timeout)


class AsyncJobs(AsyncConnection):
    """The jobs of one project and region, for an event loop: single calls within a budget, none repeated.

    Args:
        connect: opens a client.
        parent: ``projects/P/locations/L``.
        wait_for_turn: awaited before each call, so that no minute sees too many.
        call_timeout: deadline of a call in seconds.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[JobServiceAsyncClient]],
        parent: str,
        *,
        wait_for_turn: Callable[[], Awaitable[None]],
        call_timeout: float,
    ) -> None:
        super().__init__(connect)
        self.parent = parent
        self._wait_for_turn = wait_for_turn
        self._timeout = call_timeout

    async def get(self, job_name: str) -> Any:
        """Return the bare protobuf message of a job.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: as the API answers it.
        """
        await self._wait_for_turn()
        request = aiplatform_v1.GetCustomJobRequest(name=job_name)
        return aiplatform_v1.CustomJob.pb(await self._client.get_custom_job(request, timeout=self._timeout))

    async def page(self, filter_: str, page_token: str, within: float | None = None) -> Any:
        """Return a page of a list as the bare protobuf message: wrapping each job costs more than reading it.

        Args:
            filter_: in the grammar of the API's lists.
            page_token: of the page, empty for the first one.
            within: a deadline in seconds, where it is to be shorter than usual.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: as the API answers it.
        """
        await self._wait_for_turn()
        request = protos.list_request(self.parent, filter_, page_token)
        timeout = self._timeout if within is None else min(within, self._timeout)
        pager = await self._client.list_custom_jobs(request, timeout=timeout)
        return aiplatform_v1.ListCustomJobsResponse.pb(await anext(pager.pages))
