"""A Vertex AI that runs here: custom jobs as local processes, behind Google's own API, over gRPC and HTTP.

Start one with `python -m airflow_vertex_training.emulator`, or from a test:

- `emulator.control.process.launch()` starts one as a process of its own and returns a handle;
- `emulator.server.Emulator` runs one inside your event loop;
- `emulator.control.client.ControlClient` injects faults (`emulator.control.faults.Fault`) and reads what the
  server saw.

Nothing is imported here: the client parts stay light, Google's message types take seconds to load.

As on Vertex are: the custom job methods of `JobService`, `GetOperation`, `GetLocation`, `ListLocations`,
and `ListLogEntries` of Cloud Logging, over gRPC and, at the next port, as Google's JSON API over HTTP; their
validation, errors, filters, pages and request quotas; a job's states, times, error codes and texts; a
replica's environment.

What is not as there:

- The container's command runs, its image does not: a local folder stands for it, see `emulator.jobs.images`.
  Machines, disks, networks and accelerators are only checked.
- `gs://BUCKET` is a folder, see `emulator.jobs.storage`.
- A Python package is unpacked, not installed, see `emulator.jobs.packages`.
- A job finds no credentials: its HOME is its own, and no metadata server answers.
- A replica that exits with another status than 0 fails the job at once. Vertex may restart it a few times
  first; here only injected faults of the infrastructure restart replicas.
- Google doesn't document what these do, so the emulator's answer is its own: cancelling a job that has ended
  is FAILED_PRECONDITION; a job over its `scheduling.timeout` is CANCELLED, with a text that says so; one that
  waited for longer than its `max_wait_duration` is FAILED, as in a stockout.
- After a restart with a state file, a job that was RUNNING gets new processes, see `emulator.jobs.lifecycle`.
- A deleted job's log goes with it.
- Nobody is authenticated. It listens on loopback addresses only, or at a socket of its owner's, and runs
  whatever command it is sent.
"""

from __future__ import annotations
