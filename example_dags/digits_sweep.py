"""Train the digits model with several settings at once, and pick the best."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_vertex_training.operators import VertexCustomTrainingOperator

# A bucket of yours; the tests set a folder of the machine, which the emulator writes to.
OUTPUT = os.environ.get("DIGITS_OUTPUT", "gs://acme-models/digits")
GAMMAS = [0.00001, 0.0001, 0.001, 0.01]

with DAG("digits_sweep", schedule=None, tags=["vertex-training"]):
    train = VertexCustomTrainingOperator.partial(
        task_id="train",
        region="us-central1",
        image="us-docker.pkg.dev/acme/trainers/digits:1.0",
        command=["python", "-m", "trainer"],
        base_output_directory=OUTPUT + "/sweep/{{ run_id | replace(':', '-') }}/{{ ti.map_index }}",
    ).expand(args=[["--gamma", str(gamma)] for gamma in GAMMAS])

    @task
    def pick_best(jobs: Iterable[dict[str, str]]) -> dict[str, str | float]:
        """Return the job that reached the highest accuracy."""
        scored = [{"name": job["name"], "folder": job["base_output_directory"], **metrics(job)} for job in jobs]
        best = max(scored, key=lambda job: job["accuracy"])
        print(f"best of {len(scored)}: {best}")
        return best

    def metrics(job: dict[str, str]) -> dict[str, float]:
        """Read what a job wrote beside its model."""
        return json.loads((ObjectStoragePath(job["base_output_directory"]) / "model/metrics.json").read_text())

    pick_best(train.output)
