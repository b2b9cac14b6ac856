"""A Vertex AI that runs here: custom jobs as local processes, behind Google's own gRPC API.

Start one with `python -m airflow_vertex_training.emulator`, or from a test:

- `emulator.process.launch()` starts one as a process of its own and returns a handle;
- `emulator.server.Emulator` runs one inside your event loop;
- `emulator.control.ControlClient` injects faults and reads what the server saw.

Nothing is imported here: the client parts stay light, Google's message types take seconds to load.
"""

from __future__ import annotations
