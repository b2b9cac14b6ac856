"""DAGs of one task each, which `test_runs.py` runs in a real Airflow; and the program that runs them.

Run as a program it runs every DAG, with a line `MARK DAG_ID` before each one's output, and writes how each
ended to the file that it is told. Airflow finds the DAGs when it reads this file from its DAGs folder.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from airflow_vertex_training.operators import VertexCustomTrainingOperator

PROJECT = os.environ["TEST_PROJECT"]
IMAGE = "us-docker.pkg.dev/acme/trainers/digits:1.0"
PRINT_ENVIRONMENT = ["python", "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
DEFAULTS: dict[str, Any] = {
    "image": IMAGE,
    "region": "us-central1",
    "project_id": PROJECT,
    "command": ["python", "-c", "print('trained')"],
    "poll_interval": 0.2,
}

DAGS: list[DAG] = []


def dag_of_one(dag_id: str, **arguments: Any) -> None:
    """Make a DAG of one training task."""
    with DAG(dag_id, schedule=None, params={"gpus": 2}) as dag:
        VertexCustomTrainingOperator(task_id="train", **{**DEFAULTS, **arguments})
    DAGS.append(dag)


dag_of_one("deferred")
dag_of_one("waiting_in_the_worker", deferrable=False)
dag_of_one(
    "every_setting",
    command=PRINT_ENVIRONMENT,
    args=["--gpus", "{{ params.gpus }}"],
    env={"MODE": "{{ dag.dag_id }}", "AIRFLOW_CTX_TASK_ID": "mine"},
    labels={"Team/Name": "Vision.A"},
    machine_type="g2-standard-24",
    accelerator_type="NVIDIA_L4",
    accelerator_count="{{ params.gpus }}",
    boot_disk_type="pd-standard",
    boot_disk_size_gb=200,
    maximum_run_time=timedelta(hours=3),
    network="projects/123/global/networks/net",
    reserved_ip_ranges=["range-a"],
    service_account="trainer@acme.iam.gserviceaccount.com",
    base_output_directory="gs://acme-models/{{ dag.dag_id }}",
    display_name="digits {{ params.gpus }}",
)
dag_of_one("failing", command=["python", "-c", "raise SystemExit(3)"])
dag_of_one("failing_in_the_worker", command=["python", "-c", "raise SystemExit(3)"], deferrable=False)
dag_of_one("bad_after_rendering", image="{{ 'quay.io/acme/digits' }}")
dag_of_one("no_region", region=None)
dag_of_one("wrong_project", project_id="not-mine")
dag_of_one("named_connection_is_missing", gcp_conn_id="no_such_connection")
# The connections are in the environment that the tests give: an address at which nothing listens, and one
# of the emulator; `emulator_variable` says which of them are no matter of the variable.
dag_of_one("no_service_account", gcp_conn_id="tls")
dag_of_one("unreachable", gcp_conn_id="unreachable", service_account="a@b.iam.gserviceaccount.com")
dag_of_one("over_tls", gcp_conn_id="tls", service_account="a@b.iam.gserviceaccount.com")

WITHOUT_EMULATOR_VARIABLE = {"no_service_account", "unreachable", "over_tls"}


def run(out: Path) -> None:
    """Run every DAG and write what came of it."""
    emulator = os.environ.get("VERTEX_AI_EMULATOR_HOST")
    results = {}
    for dag in DAGS:
        os.environ.pop("VERTEX_AI_EMULATOR_HOST", None)
        if emulator and dag.dag_id not in WITHOUT_EMULATOR_VARIABLE:
            os.environ["VERTEX_AI_EMULATOR_HOST"] = emulator
        print(f"{MARK}{dag.dag_id}", flush=True)  # noqa: T201 - the mark in the output
        run_ = dag.test()
        (ti,) = run_.get_task_instances()
        xcoms = {key: ti.xcom_pull(task_ids="train", key=key) for key in XCOMS}
        results[dag.dag_id] = {
            "state": str(ti.state),
            "ti_id": str(ti.id),
            "run_id": run_.run_id,
            "xcoms": xcoms,
        }
    out.write_text(json.dumps(results, default=str))


MARK = "=== DAG "
XCOMS = ("return_value", "job_name", "_link_VertexJobLink")

if __name__ == "__main__":
    run(Path(sys.argv[1]))
