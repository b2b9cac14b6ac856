"""Where the questions are asked: an emulator, or a real project; through Google's own clients either way."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.cloud.aiplatform_v1.services.job_service.transports import JobServiceGrpcTransport
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EMULATOR_ARGUMENTS", "FINAL", "Target", "emulator_target", "real_target"]

EMULATOR_ARGUMENTS = (
    *("--queue-seconds", "1", "--provision-seconds", "2", "--stop-grace-seconds", "2", "--error-delay", "2"),
    *("--enforce-quotas", "--log-reads-per-minute", "10000", "--submissions-per-minute", "600"),
)
"""What an emulator is started with: states that last, a late error, Vertex's quota of reads."""

FINAL = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED")
_POOL = "worker_pool_specs"


@dataclass
class Target:
    """An emulator, or a real project.

    Args:
        jobs: The job service.
        logs: Cloud Logging.
        project: The project's id.
        region: Where jobs run.
        other_region: Another region, whose quota may be used up.
        bucket: A bucket in the region, without `gs://`.
        image: An image that has `sh`.
        patience: How long a job may take to get somewhere, in seconds.
        pause: Between two looks, in seconds.
        run: Names all jobs of this run.
    """

    jobs: aiplatform_v1.JobServiceClient
    logs: LoggingServiceV2Client
    project: str
    region: str = "us-central1"
    other_region: str = "us-east1"
    bucket: str = "acceptance"
    image: str = "us-docker.pkg.dev/acme/acceptance/sh:1"
    patience: float = 60.0
    pause: float = 0.5  # five jobs are got each time: half of the quota of reads
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    made: list[str] = field(default_factory=list)

    @property
    def parent(self) -> str:
        """The location of the jobs."""
        return f"projects/{self.project}/locations/{self.region}"

    def create(self, kind: str, script: str, **changes: Any) -> aiplatform_v1.CustomJob:
        """Make a job that runs a shell script on the smallest machine; it is deleted at the end.

        Args:
            kind: Its name, and the value of its label `kind`.
            script: For `sh -c`.
            **changes: Fields of the `CustomJob` (`labels` come on top), or of the `machine_spec`.
        """
        machine = {"machine_type": "e2-standard-4", **changes.pop("machine_spec", {})}
        pool = {
            "machine_spec": machine,
            "replica_count": 1,
            "container_spec": {"image_uri": self.image, "command": ["sh", "-c", script]},
        }
        output = {"output_uri_prefix": f"gs://{self.bucket}/vertex-acceptance/{self.run}"}
        labels = {"run": self.run, "kind": kind, "empty": "", **changes.pop("labels", {})}
        job = aiplatform_v1.CustomJob(
            {
                "display_name": f"acceptance-{kind}",
                "labels": labels,
                "job_spec": {_POOL: [pool], "base_output_directory": output},
                **changes,
            }
        )
        made = self.jobs.create_custom_job(parent=self.parent, custom_job=job, timeout=60)
        self.made.append(made.name)
        return made

    def get(self, name: str) -> aiplatform_v1.CustomJob:
        """Return a job as it is now."""
        return self.jobs.get_custom_job(name=name, timeout=60)

    def listed(self, more: str = "", **request: Any) -> list[aiplatform_v1.CustomJob]:
        """List the jobs of this run that a filter finds."""
        text = f'labels.run="{self.run}"' + (f" AND {more}" if more else "")
        return list(
            self.jobs.list_custom_jobs({"parent": self.parent, "filter": text, **request}, timeout=60)
        )

    def entries(self, name: str, more: str = "") -> list[Any]:
        """Return the log entries of a job that a query finds, oldest first."""
        query = f'resource.type="ml_job" AND resource.labels.job_id="{name.rpartition("/")[2]}"'
        request = {
            "resource_names": [f"projects/{self.project}"],
            "filter": query + (f" AND ({more})" if more else ""),
            "page_size": 1000,
        }
        return list(self.logs.list_log_entries(request, timeout=60))

    def wait(self, look: Callable[[], Any]) -> tuple[Any, float]:
        """Look again and again until there is something to see.

        Returns:
            What was seen, or None if patience ended, and how many seconds it took.
        """
        start = time.monotonic()
        while True:
            seen = look()
            passed = time.monotonic() - start
            if seen or passed > self.patience:
                return seen or None, passed
            time.sleep(self.pause)  # noqa: TID251 - a program of its own

    def ended(self, name: str) -> aiplatform_v1.CustomJob | None:
        """Return a job if it has ended."""
        job = self.get(name)
        return job if job.state.name in FINAL else None

    def clean_up(self) -> list[str]:
        """Cancel and delete all jobs of this run; return the names of those that could not be deleted."""
        return [left for name in self.made if (left := self._remove(name))]

    def _remove(self, name: str) -> str:
        """Remove a job; return why it is still there, if it is."""
        try:
            if self.ended(name) is None:
                self.jobs.cancel_custom_job(name=name, timeout=60)
                self.wait(lambda: self.ended(name))
            self.jobs.delete_custom_job(name=name, timeout=60)
        except exceptions.NotFound:
            return ""  # a question has deleted it
        except exceptions.GoogleAPICallError as error:
            return f"{name}: {error.message}"
        return ""


def emulator_target(address: str) -> Target:
    """Return an emulator at an address, with a project that nobody else uses."""
    channel = grpc.insecure_channel(address)
    return Target(
        aiplatform_v1.JobServiceClient(transport=JobServiceGrpcTransport(channel=channel)),
        LoggingServiceV2Client(transport=LoggingServiceV2GrpcTransport(channel=channel)),
        f"acceptance-{uuid.uuid4().hex[:8]}",
    )


def real_target() -> Target:
    """Return the project that the environment names, reached with application default credentials.

    Raises:
        KeyError: One of the four variables is not set.
    """
    region = os.environ["VERTEX_ACCEPTANCE_REGION"]
    return Target(
        aiplatform_v1.JobServiceClient(
            client_options={"api_endpoint": f"{region}-aiplatform.googleapis.com"}
        ),
        LoggingServiceV2Client(),
        os.environ["VERTEX_ACCEPTANCE_PROJECT"],
        region,
        region,
        os.environ["VERTEX_ACCEPTANCE_BUCKET"].removeprefix("gs://").strip("/"),
        os.environ["VERTEX_ACCEPTANCE_IMAGE"],
        patience=1800,
        pause=5,
    )
