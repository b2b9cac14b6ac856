"""What a user of Google's SDK writes: only the endpoint is the emulator's. Prints what it saw as JSON."""

from __future__ import annotations

import json
import sys

from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform

endpoint, project = sys.argv[1:]
aiplatform.init(
    project=project,
    location="us-central1",
    staging_bucket="gs://staging",
    credentials=AnonymousCredentials(),
    api_endpoint=endpoint,
    api_transport="grpc",
)


def job(name: str, *command: str) -> aiplatform.CustomJob:
    """A job of one machine."""
    pool = {
        "machine_spec": {"machine_type": "n1-standard-4"},
        "replica_count": 1,
        "container_spec": {"image_uri": "us-docker.pkg.dev/acme/x/y:1", "command": list(command)},
    }
    return aiplatform.CustomJob(display_name=name, worker_pool_specs=[pool], labels={"made": "by-sdk"})


seen: dict[str, object] = {}

done = job("run", "python", "-c", "print('trained')")
done.run(sync=True)
seen["run"] = done.state.name

failing = job("fails", "sh", "-c", "exit 3")
failing.submit()
while not failing.end_time:
    pass
seen["failure"] = str(failing.error)

long = job("long", "sleep", "600")
long.submit(timeout=3600, disable_retries=True)
seen["submitted"] = long.resource_name
long.cancel()
while not long.end_time:
    pass
seen["cancelled"] = long.state.name

seen["listed"] = [found.display_name for found in aiplatform.CustomJob.list(filter='labels.made="by-sdk"')]
seen["got"] = aiplatform.CustomJob.get(long.resource_name).display_name
done.delete()
try:
    aiplatform.CustomJob.get(done.resource_name)
except exceptions.NotFound as error:
    seen["deleted"] = error.message

print(json.dumps(seen))  # noqa: T201
