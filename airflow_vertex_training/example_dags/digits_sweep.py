"""Train the digits model with several settings at once, and pick the best."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_vertex_training.operators import VertexCustomTrainingOperator

if TYPE_CHECKING:
    from collections.abc import Iterable

# Where the models go: a bucket of yours. The emulator has no bucket that another task could read, so with it
# this is a folder of the machine.
DEFAULT = "file:///tmp/digits" if "VERTEX_AI_EMULATOR_HOST" in os.environ else "gs://acme-models/digits"
OUTPUT = os.environ.get("DIGITS_OUTPUT", DEFAULT)
GAMMAS = [0.00001, 0.0001, 0.001, 0.01]

with DAG("digits_sweep", schedule=None, tags=["vertex-training"]):
    train = VertexCustomTrainingOperator.partial(
        task_id="train",
        # What the UI calls each of the mapped tasks; the jobs' names have it, too.
        map_index_template="gamma {{ task.args[1] }}",
        region="us-central1",
        image="us-docker.pkg.dev/acme/trainers/digits:1.0",
        command=["python", "-m", "trainer"],
        base_output_directory=OUTPUT + "/sweep/{{ run_id | replace(':', '-') }}/{{ ti.map_index }}",
    ).expand(args=[["--gamma", str(gamma)] for gamma in GAMMAS])

    @task
    def pick_best(jobs: Iterable[dict[str, str]]) -> dict[str, str | float]:
        """Return the job that reached the highest accuracy, by the file that each wrote beside its model."""
        results = [(json.loads(metrics_file(job).read_text()), job["name"]) for job in jobs]
        metrics, name = max(results, key=lambda result: result[0]["accuracy"])
        print(f"best of {len(results)}: gamma {metrics['gamma']}, accuracy {metrics['accuracy']:.4f}, {name}")
        return {"name": name, "gamma": metrics["gamma"], "accuracy": metrics["accuracy"]}

    def metrics_file(job: dict[str, str]) -> ObjectStoragePath:
        """Return where the job's training code wrote what it reached."""
        return ObjectStoragePath(job["base_output_directory"]) / "model" / "metrics.json"

    pick_best(train.output)
