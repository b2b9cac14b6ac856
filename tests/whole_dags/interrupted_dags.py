"""DAGs of one task that trains for ever, which `test_interrupts.py` interrupts."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_vertex_training.operators import VertexCustomTrainingOperator

for deferrable in (True, False):
    with DAG(f"forever_{'deferred' if deferrable else 'in_the_worker'}", schedule=None):
        VertexCustomTrainingOperator(
            task_id="train",
            image="us-docker.pkg.dev/acme/trainers/digits:1.0",
            region="us-central1",
            command=["python", "-c", "import time; time.sleep(600)"],
            poll_interval=0.2,
            deferrable=deferrable,
            retries=2,
        )
