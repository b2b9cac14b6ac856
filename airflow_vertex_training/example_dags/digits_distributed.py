"""Train one model on three machines: a chief and two workers, which average what they learn."""

from __future__ import annotations

import os

from airflow.sdk import DAG

from airflow_vertex_training.operators import Machine, VertexCustomTrainingOperator, WorkerPool

# A bucket of yours; the tests set a folder of the machine, which the emulator writes to.
OUTPUT = os.environ.get("DIGITS_OUTPUT", "gs://acme-models/digits")
IMAGE = "us-docker.pkg.dev/acme/trainers/digits-distributed:1.0"

with DAG("digits_distributed", schedule=None, params={"epochs": 10, "fail": ""}, tags=["vertex-training"]):
    train = VertexCustomTrainingOperator(
        task_id="train",
        region="us-central1",
        # What is said once holds for all pools.
        image=IMAGE,
        args=["--epochs", "{{ params.epochs }}", "--fail", "{{ params.fail }}"],
        worker_pools=[
            WorkerPool(machine=Machine(machine_type="n1-standard-8")),  # the chief, always one
            WorkerPool(machine=Machine(machine_type="n1-standard-4"), replica_count=2),
        ],
        labels={"team": "vision"},
        base_output_directory=OUTPUT + "/{{ run_id | replace(':', '-') }}",
    )
