"""The story that each client goes through, and what a client is."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.cloud import aiplatform_v1

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_vertex_training.emulator.control.process import EmulatorProcess

REGION = "us-central1"
STEPS = ("create", "describe", "list", "logs", "cancel", "delete")
LINE = "hello from the job"


@dataclass(frozen=True)
class Place:
    """Where a client finds the emulator, and its own project."""

    emulator: EmulatorProcess
    folder: Path
    project: str

    @property
    def parent(self) -> str:
        """The location's resource name."""
        return f"projects/{self.project}/locations/{REGION}"


class Client:
    """Does a step of the story as its users do; a step that it has no call for is left to the test itself."""

    name = ""
    over_tls = False

    def __init__(self, place: Place) -> None:
        self.place = place

    @classmethod
    def missing(cls) -> str:
        """Say why the client can't be run on this machine; empty if it can."""
        return ""

    def create(self, job: dict[str, Any]) -> str:
        """Create a job, given as the API's fields in snake case; return its resource name."""
        raise NotImplementedError

    def describe(self, name: str) -> str:
        """Return a job's state."""
        raise NotImplementedError

    def find(self, text: str) -> list[str]:
        """Return the names of the jobs that a filter lets through."""
        raise NotImplementedError

    def logs(self, name: str) -> list[str]:
        """Return the lines of a job's log."""
        raise NotImplementedError

    def cancel(self, name: str) -> None:
        """Cancel a job."""
        raise NotImplementedError

    def delete(self, name: str) -> None:
        """Delete a job."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go what it holds."""


def job_id(name: str) -> str:
    """Return the last segment of a job's name."""
    return name.rpartition("/")[2]


def _job(display_name: str, labels: dict[str, str]) -> dict[str, Any]:
    container = {
        "image_uri": "us-docker.pkg.dev/acme/x/y:1",
        "command": ["sh", "-c", f"echo {LINE}; exec sleep 600"],
    }
    pool = {
        "machine_spec": {"machine_type": "n1-standard-4"},
        "replica_count": 1,
        "container_spec": container,
    }
    return {"display_name": display_name, "labels": labels, "job_spec": {"worker_pool_specs": [pool]}}


class Story:
    """One client's way through the story.

    Args:
        client: Its class.
        place: Where it works.
        fallback: Does what the client has no call for, where the story needs it.
    """

    def __init__(self, client: type[Client], place: Place, fallback: Client) -> None:
        self._client = client(place)
        self._fallback = fallback
        self._place = place
        self._control = place.emulator.control
        self._label = f"story-{uuid.uuid4().hex[:8]}"
        self._job = _job("story", {"client": self._label})
        self._name = ""

    def tell(self) -> dict[str, str]:
        """Go through it.

        Returns:
            What came of each step: `ok`, `-` where the client has no such call, or what went wrong.
        """
        self._fallback.create(_job("another", {"client": "other"}))
        told = {"create": _outcome(self._create)}
        if not self._name:
            self._name = self._fallback.create(self._job)
        self._control.wait_job(self._name, ["JOB_STATE_RUNNING"])
        self._control.wait_line(self._name, LINE)
        told |= {
            "describe": _outcome(self._describe),
            "list": _outcome(self._list),
            "logs": _outcome(self._logs),
            "cancel": _outcome(self._cancel),
        }
        self._control.cancel_jobs(self._place.project)
        self._control.wait_job(self._name)
        told["delete"] = _outcome(self._delete)
        self._client.close()
        self._fallback.close()
        return told

    def _create(self) -> None:
        name = self._client.create(self._job)
        (made,) = [job for job in self._control.jobs(self._place.project) if job["display_name"] == "story"]
        assert (name, self._job["labels"]) == (made["name"], made["labels"]), f"made {made}, returned {name}"
        self._name = name

    def _describe(self) -> None:
        state = self._client.describe(self._name)
        assert state == "JOB_STATE_RUNNING", f"saw {state}"

    def _list(self) -> None:
        listed = self._client.find(f'labels.client="{self._label}"')
        assert listed == [self._name], f"listed {listed}"

    def _logs(self) -> None:
        lines = self._client.logs(self._name)
        assert LINE in lines, f"read {lines}"

    def _cancel(self) -> None:
        self._client.cancel(self._name)
        state = self._control.wait_job(self._name)["state"]
        assert state == "JOB_STATE_CANCELLED", f"it is {state}"

    def _delete(self) -> None:
        self._client.delete(self._name)
        left = [job["name"] for job in self._control.jobs(self._place.project)]
        assert self._name not in left, "it is still there"


def _outcome(step: Callable[[], None]) -> str:
    try:
        step()
    except NotImplementedError:
        return "-"
    except Exception as error:  # noqa: BLE001  whatever goes wrong is the row's content
        return f"{type(error).__name__}: {error}"
    return "ok"


def as_message(job: dict[str, Any]) -> aiplatform_v1.CustomJob:
    """Return a job as the client library's message."""
    return aiplatform_v1.CustomJob(job)
