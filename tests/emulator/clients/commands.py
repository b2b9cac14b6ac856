"""Programs as clients: `curl` and `gcloud`."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from typing import Any

from google.cloud import aiplatform_v1
from google.protobuf import json_format

from tests.emulator.clients.story import LINE, REGION, Client, Place, as_message, job_id


class Program(Client):
    """A program that may not be there."""

    program = ""

    @classmethod
    def missing(cls) -> str:
        """Say so if it is not there."""
        return "" if shutil.which(cls.program) else f"{cls.program} is not on this machine"


class Curl(Program):
    """`curl`, with bodies as Google's documentation shows them."""

    name = program = "curl"

    def create(self, job: dict[str, Any]) -> str:
        """POST a job."""
        body = json_format.MessageToJson(aiplatform_v1.CustomJob.pb(as_message(job)))
        return str(self._call(f"v1/{self.place.parent}/customJobs", "-d", body)["name"])

    def describe(self, name: str) -> str:
        """GET it."""
        return str(self._call(f"v1/{name}")["state"])

    def find(self, text: str) -> list[str]:
        """GET the list."""
        found = self._call(f"v1/{self.place.parent}/customJobs", "-G", "--data-urlencode", f"filter={text}")
        return [job["name"] for job in found["customJobs"]]

    def logs(self, name: str) -> list[str]:
        """POST a query."""
        query = {
            "resourceNames": [f"projects/{self.place.project}"],
            "filter": f'resource.labels.job_id="{job_id(name)}" AND jsonPayload.message:*',
        }
        found = self._call("v2/entries:list", "-d", json.dumps(query))
        return [entry["jsonPayload"]["message"] for entry in found["entries"]]

    def cancel(self, name: str) -> None:
        """POST to `:cancel`."""
        self._call(f"v1/{name}:cancel", "-X", "POST")

    def delete(self, name: str) -> None:
        """DELETE it."""
        assert self._call(f"v1/{name}", "-X", "DELETE")["done"]

    def _call(self, path: str, *arguments: str) -> dict[str, Any]:
        url = f"{self.place.emulator.http_address}/{path}"
        command = ["curl", "-sS", "--fail-with-body", "-H", "Content-Type: application/json", *arguments, url]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr + done.stdout
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


class Gcloud(Program):
    """The real `gcloud ai custom-jobs`; it has no delete, and filters its list itself."""

    name = "gcloud ai custom-jobs"
    program = "gcloud"

    def create(self, job: dict[str, Any]) -> str:
        """Create a job from a file with its spec."""
        file = self.place.folder / "job.json"
        spec = json_format.MessageToDict(aiplatform_v1.CustomJob.pb(as_message(job)))["jobSpec"]
        file.write_text(json.dumps(spec))
        labels = ",".join(f"{key}={value}" for key, value in job["labels"].items())
        return self._run(
            *("create", f"--region={REGION}", f"--display-name={job['display_name']}"),
            *(f"--labels={labels}", f"--config={file}", "--format=value(name)"),
        ).strip()

    def describe(self, name: str) -> str:
        """Describe it."""
        return self._run("describe", name, "--format=value(state)").strip()

    def find(self, text: str) -> list[str]:
        """List."""
        return self._run("list", f"--region={REGION}", f"--filter={text}", "--format=value(name)").split()

    def logs(self, name: str) -> list[str]:
        """Stream the log of the running job until its line is there: gcloud would go on."""
        command = ["gcloud", "ai", "custom-jobs", "stream-logs", name, "--polling-interval=1"]
        with subprocess.Popen(
            command,
            env=gcloud_environment(self.place),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None
            try:
                said = _read_until(process.stdout.fileno(), LINE.encode())
            finally:
                process.kill()
        return [line.rpartition("\t")[2] for line in said.splitlines()]

    def cancel(self, name: str) -> None:
        """Cancel it."""
        self._run("cancel", name)

    def _run(self, *arguments: str) -> str:
        return run_gcloud(self.place, "gcloud", "ai", "custom-jobs", *arguments)


def gcloud_environment(place: Place) -> dict[str, str]:
    """Return the environment in which gcloud asks the emulator: settings of its own, a made-up token."""
    token = place.folder / "token"
    token.write_text("no token")
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("CLOUDSDK_")},
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{place.emulator.http_address}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING": f"{place.emulator.http_address}/",
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        "CLOUDSDK_CONFIG": str(place.folder / "gcloud"),
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "true",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_CORE_PROJECT": place.project,
    }


def run_gcloud(place: Place, *command: str) -> str:
    """Run a gcloud command to its end; return what it has printed."""
    environment = gcloud_environment(place)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _read_until(descriptor: int, text: bytes, seconds: float = 30) -> str:
    said = b""
    deadline = time.monotonic() + seconds
    while text not in said:
        readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(descriptor, 65_536) if readable else b""
        if not chunk:
            break
        said += chunk
    return said.decode()
