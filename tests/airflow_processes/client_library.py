"""Loads Google's client library into the scheduler: its forks run the tasks, and each would take seconds."""

from __future__ import annotations

import sys

if "scheduler" in sys.argv:
    import airflow_vertex_training.hooks
    import airflow_vertex_training.vertex.submit.create  # noqa: F401
