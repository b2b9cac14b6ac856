"""Google's Python libraries as clients."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
from google.auth.aio.credentials import AnonymousCredentials as AsyncAnonymousCredentials
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform, aiplatform_v1, logging
from google.cloud.aiplatform_v1.services.job_service.transports import (
    JobServiceGrpcAsyncIOTransport,
    JobServiceGrpcTransport,
)

from tests.emulator.clients.story import REGION, Client, Place, as_message, job_id

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Gapic(Client):
    """The generated client over gRPC."""

    name = "JobServiceClient, gRPC"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._client = self._connect()

    def _connect(self) -> aiplatform_v1.JobServiceClient:
        address = self.place.emulator.address
        if self.place.emulator.http_address.startswith("https:"):
            channel = grpc.secure_channel(address, grpc.ssl_channel_credentials())
        else:
            channel = grpc.insecure_channel(address)
        return aiplatform_v1.JobServiceClient(transport=JobServiceGrpcTransport(channel=channel))

    def create(self, job: dict[str, Any]) -> str:
        """Create a job."""
        return str(self._client.create_custom_job(parent=self.place.parent, custom_job=as_message(job)).name)

    def describe(self, name: str) -> str:
        """Get it."""
        return str(self._client.get_custom_job(name=name).state.name)

    def find(self, text: str) -> list[str]:
        """List all pages."""
        request = {"parent": self.place.parent, "filter": text, "page_size": 1}
        return [job.name for job in self._client.list_custom_jobs(request=request)]

    def cancel(self, name: str) -> None:
        """Cancel it."""
        self._client.cancel_custom_job(name=name)

    def delete(self, name: str) -> None:
        """Delete it and wait for the operation."""
        self._client.delete_custom_job(name=name).result(timeout=10)

    def close(self) -> None:
        """Close the channel."""
        self._client.transport.close()


class GapicRest(Gapic):
    """The same over REST."""

    name = "JobServiceClient, REST"

    def _connect(self) -> aiplatform_v1.JobServiceClient:
        return aiplatform_v1.JobServiceClient(
            transport="rest",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": self.place.emulator.http_address},
        )


class GapicAsync(Client):
    """The asynchronous client."""

    name = "JobServiceAsyncClient, gRPC"

    def create(self, job: dict[str, Any]) -> str:
        """Create a job."""

        async def create(client: aiplatform_v1.JobServiceAsyncClient) -> str:
            made = await client.create_custom_job(parent=self.place.parent, custom_job=as_message(job))
            return str(made.name)

        return str(self._run(create))

    def describe(self, name: str) -> str:
        """Get it."""

        async def get(client: aiplatform_v1.JobServiceAsyncClient) -> str:
            return str((await client.get_custom_job(name=name)).state.name)

        return str(self._run(get))

    def find(self, text: str) -> list[str]:
        """List all pages."""

        async def list_jobs(client: aiplatform_v1.JobServiceAsyncClient) -> list[str]:
            request = {"parent": self.place.parent, "filter": text, "page_size": 1}
            return [job.name async for job in await client.list_custom_jobs(request=request)]

        return list(self._run(list_jobs))

    def cancel(self, name: str) -> None:
        """Cancel it."""

        async def cancel(client: aiplatform_v1.JobServiceAsyncClient) -> None:
            await client.cancel_custom_job(name=name)

        self._run(cancel)

    def delete(self, name: str) -> None:
        """Delete it and wait for the operation."""

        async def delete(client: aiplatform_v1.JobServiceAsyncClient) -> None:
            operation = await client.delete_custom_job(name=name)
            await operation.result(timeout=10)

        self._run(delete)

    def _transport(self) -> dict[str, Any]:
        channel = grpc.aio.insecure_channel(self.place.emulator.address)
        return {"transport": JobServiceGrpcAsyncIOTransport(channel=channel)}

    def _run(self, work: Callable[[aiplatform_v1.JobServiceAsyncClient], Coroutine[Any, Any, Any]]) -> Any:
        async def connected() -> Any:
            async with aiplatform_v1.JobServiceAsyncClient(**self._transport()) as client:
                return await work(client)

        return asyncio.run(connected())


class GapicAsyncRest(GapicAsync):
    """The same over REST."""

    name = "JobServiceAsyncClient, REST"

    def _transport(self) -> dict[str, Any]:
        return {
            "transport": "rest_asyncio",
            "credentials": AsyncAnonymousCredentials(),
            "client_options": {"api_endpoint": self.place.emulator.http_address},
        }


class Sdk(Client):
    """`google.cloud.aiplatform`, which insists on TLS over gRPC."""

    name = "google.cloud.aiplatform, gRPC over TLS"
    over_tls = True
    transport = "grpc"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        aiplatform.init(
            project=place.project,
            location=REGION,
            staging_bucket=f"gs://{place.project}",
            credentials=AnonymousCredentials(),
            api_endpoint=self._endpoint(),
            api_transport=self.transport,
        )

    def _endpoint(self) -> str:
        return self.place.emulator.address

    def create(self, job: dict[str, Any]) -> str:
        """Submit a job."""
        custom_job = aiplatform.CustomJob(
            display_name=job["display_name"],
            worker_pool_specs=job["job_spec"]["worker_pool_specs"],
            labels=job["labels"],
        )
        custom_job.submit()
        return str(custom_job.resource_name)

    def describe(self, name: str) -> str:
        """Get it."""
        return str(aiplatform.CustomJob.get(name).state.name)

    def find(self, text: str) -> list[str]:
        """List."""
        return [str(job.resource_name) for job in aiplatform.CustomJob.list(filter=text)]

    def cancel(self, name: str) -> None:
        """Cancel it."""
        aiplatform.CustomJob.get(name).cancel()

    def delete(self, name: str) -> None:
        """Delete it."""
        aiplatform.CustomJob.get(name).delete()


class SdkRest(Sdk):
    """The same over REST."""

    name = "google.cloud.aiplatform, REST"
    over_tls = False
    transport = "rest"

    def _endpoint(self) -> str:
        return self.place.emulator.http_address


class Logging(Client):
    """`google.cloud.logging`, which insists on TLS over gRPC."""

    name = "google.cloud.logging, gRPC over TLS"
    over_tls = True
    over_grpc = True

    def logs(self, name: str) -> list[str]:
        """List the entries; the client adds a time to the filter."""
        client = logging.Client(
            project=self.place.project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": self._endpoint()},
            _use_grpc=self.over_grpc,
        )
        text = f'resource.type="ml_job" AND resource.labels.job_id="{job_id(name)}" AND severity>=INFO'
        return [
            entry.payload["message"] if isinstance(entry.payload, dict) else str(entry.payload)
            for entry in client.list_entries(filter_=text, order_by=logging.ASCENDING)
        ]

    def _endpoint(self) -> str:
        return self.place.emulator.address


class LoggingRest(Logging):
    """The same over REST."""

    name = "google.cloud.logging, REST"
    over_tls = False
    over_grpc = False

    def _endpoint(self) -> str:
        return self.place.emulator.http_address
