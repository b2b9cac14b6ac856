"""What the calls are made to: an emulator with some jobs in it whose labels, states and lines are known."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import grpc
from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.cloud.aiplatform_v1.services.job_service.transports import JobServiceGrpcTransport
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_vertex_training.emulator.control.process import EmulatorProcess

__all__ = ["UNDOCUMENTED", "Call", "Refused", "World", "answer", "proto"]

UNDOCUMENTED = "undocumented"
"""The source of an answer that neither a proto comment nor a docs page gives."""

_IMAGE = "us-docker.pkg.dev/acme/trainers/calls:1"

_LINES = r"""
import json, sys
print("Hello World")
print("low disk", file=sys.stderr)
print(json.dumps({
    "message": "loss", "severity": "WARNING", "loss": 0.25, "epoch": 3, "done": True, "nothing": None,
    "tags": ["fast", "Cheap"], "sizes": [8.5, 9, 6], "net": {"layer": {"units": 64}}, "a.b": "dotted",
    "Case": "x",
}))
"""


@dataclass(frozen=True)
class Refused:
    """A request that is refused.

    Args:
        text: Is in the error's message.
        code: The gRPC status code's name.
    """

    text: str
    code: str = "INVALID_ARGUMENT"


@dataclass(frozen=True)
class Call:
    """One call and its answer.

    Args:
        name: What is asked; unique.
        ask: Makes the call and returns what came back.
        expected: What has to come back: a value, or `Refused`.
        source: Who says so: a proto comment, a docs page, or `UNDOCUMENTED`.
    """

    name: str
    ask: Callable[[World], Any]
    expected: Any
    source: str = UNDOCUMENTED


def proto(comment: str) -> str:
    """Return the source of what the comment of a proto's field says, such as `CustomJob.labels`."""
    return f"proto comment of {comment}"


def answer(call: Call, world: World) -> Any:
    """Make a call.

    Returns:
        What came back; for an error a `Refused` with its whole message, or with the expected text where the
        message contains it.
    """
    try:
        return call.ask(world)
    except exceptions.GoogleAPICallError as error:
        wanted = call.expected.text if isinstance(call.expected, Refused) else ""
        text = wanted if wanted and wanted in error.message else error.message
        return Refused(text, error.grpc_status_code.name if error.grpc_status_code else "")


@dataclass
class World:
    """An emulator, clients for it, and what is in it.

    Args:
        emulator: The emulator.
        project: A project of its own, whose jobs are known.
        empty: A project without jobs.
    """

    emulator: EmulatorProcess
    project: str = field(default_factory=lambda: f"calls-{uuid.uuid4().hex[:8]}")
    empty: str = field(default_factory=lambda: f"empty-{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        """Make the jobs."""
        self._channel = grpc.insecure_channel(self.emulator.address)
        self.jobs = aiplatform_v1.JobServiceClient(transport=JobServiceGrpcTransport(channel=self._channel))
        self.logs = LoggingServiceV2Client(transport=LoggingServiceV2GrpcTransport(channel=self._channel))
        self.names = {
            "train_a": self.create(
                "python", "-c", _LINES, name="train_a", labels={"team": "vision", "none": ""}
            ),
            "train_b": self.create("sh", "-c", "exit 3", name="train_b", labels={"team": "vision-2"}),
            "other": self.create("sleep", "600", name="other"),
        }
        self.emulator.control.wait_job(self.names["train_a"])
        self.emulator.control.wait_job(self.names["train_b"])
        self.emulator.control.wait_job(self.names["other"], ["JOB_STATE_RUNNING"])

    def close(self) -> None:
        """End what runs."""
        self.jobs.cancel_custom_job(name=self.names["other"])
        self._channel.close()

    def parent(self, project: str | None = None) -> str:
        """Return the location of a project; by default of the one with the known jobs."""
        return f"projects/{project or self.project}/locations/us-central1"

    def create(self, *command: str, name: str = "job", project: str | None = None, **fields: Any) -> str:
        """Make a job that runs a command; return its name."""
        pool = {
            "machine_spec": {"machine_type": "n1-standard-4"},
            "replica_count": 1,
            "container_spec": {"image_uri": _IMAGE, "command": list(command)},
        }
        job = aiplatform_v1.CustomJob(
            {"display_name": name, "job_spec": {"worker_pool_specs": [pool]}, **fields}
        )
        made = self.jobs.create_custom_job(parent=self.parent(project), custom_job=job)
        return str(made.name)

    def listed(self, text: str = "", **request: Any) -> list[str]:
        """Return the display names of the jobs that a filter finds, in the alphabet's order."""
        found = self.jobs.list_custom_jobs(request={"parent": self.parent(), "filter": text, **request})
        return sorted(job.display_name for job in found)

    def lines(self, text: str, **request: Any) -> list[str]:
        """Return what a query finds of the log of `train_a`: its lines, and `service` for Vertex's own.

        `{yesterday}`, `{tomorrow}`, `{project}` and `{job}` in the query stand for what they say.
        """
        now = datetime.now(tz=timezone.utc)
        query = text
        for key, value in {
            "yesterday": (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.%f%z"),
            "tomorrow": (now + timedelta(days=1)).strftime("%Y-%m-%d"),
            "project": self.project,
            "job": self.names["train_a"].rpartition("/")[2],
        }.items():
            query = query.replace(f"{{{key}}}", value)
        names = {"resource_names": [f"projects/{self.project}"]}
        found = self.logs.list_log_entries(request={"filter": query, **names, **request})
        job = self.names["train_a"].rpartition("/")[2]
        ours = [entry for entry in found if entry.resource.labels["job_id"] == job]
        return sorted(
            {str(entry.json_payload["message"]) if entry.json_payload else "service" for entry in ours}
        )
