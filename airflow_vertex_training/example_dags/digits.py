"""Train a model that reads handwritten digits, then look at what came out."""

from __future__ import annotations

import json
import os

from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_vertex_training.operators import VertexCustomTrainingOperator

# Where the models go: a bucket of yours. The emulator has no bucket that another task could read, so with it
# this is a folder of the machine.
DEFAULT = "file:///tmp/digits" if "VERTEX_AI_EMULATOR_HOST" in os.environ else "gs://acme-models/digits"
OUTPUT = os.environ.get("DIGITS_OUTPUT", DEFAULT)

with DAG("digits", schedule=None, params={"c": 1.0, "gamma": 0.001}, tags=["vertex-training"]):
    train = VertexCustomTrainingOperator(
        task_id="train",
        region="us-central1",
        image="us-docker.pkg.dev/acme/trainers/digits:1.0",
        command=["python", "-m", "trainer"],
        args=["--c", "{{ params.c }}", "--gamma", "{{ params.gamma }}"],
        labels={"team": "vision"},
        base_output_directory=OUTPUT + "/{{ run_id | replace(':', '-') }}",
    )

    @task
    def report(job: dict[str, str]) -> float:
        """Print what the job reached, from the file that it wrote beside its model."""
        folder = ObjectStoragePath(job["base_output_directory"]) / "model"
        accuracy = float(json.loads((folder / "metrics.json").read_text())["accuracy"])
        print(f"{job['name']} ended as {job['state']}, accuracy {accuracy:.4f}: {folder / 'model.joblib'}")
        return accuracy

    report(train.output)
