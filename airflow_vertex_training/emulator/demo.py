"""Run the example DAG ``digits`` in real Airflow against the emulator, and show what happened.

Everything lies in the folder ``.demo`` below the current one. Every process that this starts, it ends.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from airflow_vertex_training.emulator.control.process import EmulatorProcess, launch

FOLDER = Path.cwd() / ".demo"
GOOD_ACCURACY = 0.9


def main() -> int:
    """Run the demo; return 0 where the job succeeded and its model is good."""
    output = FOLDER / "output"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    print("Starting the emulator of Vertex AI ...", flush=True)
    dags = FOLDER / "airflow" / "dags"
    with launch("--examples", str(dags)) as emulator:
        print(f"It listens on {emulator.address}. Running the DAG 'digits' in Airflow ...", flush=True)
        log = run_dag("digits", emulator.address, output, dags.parent)
        return show(emulator, output, log)


def run_dag(dag_id: str, emulator_address: str, output: Path, airflow_home: Path) -> str:
    """Run an example DAG in an Airflow of its own, with a SQLite database; return what Airflow wrote.

    Args:
        dag_id: The DAG, in the folder ``dags`` of this Airflow.
        emulator_address: Where its job runs.
        output: The folder that its models go to.
        airflow_home: The folder of this Airflow.

    Raises:
        RuntimeError: Airflow failed; with what it wrote.
    """
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(airflow_home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(airflow_home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "VERTEX_AI_EMULATOR_HOST": emulator_address,
        "DIGITS_OUTPUT": output.as_uri(),
    }
    log = ""
    for command in (["db", "migrate"], ["dags", "test", dag_id]):
        airflow = subprocess.run(
            [sys.executable, "-m", "airflow", *command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        log += airflow.stdout
        if airflow.returncode:
            raise RuntimeError(f"'airflow {' '.join(command)}' failed:\n{log}")
    return log


def show(emulator: EmulatorProcess, output: Path, log: str) -> int:
    """Print the job as the emulator saw it, and the model that it wrote."""
    jobs = emulator.control.jobs("emulator")
    if len(jobs) != 1:
        print(log)
        sys.exit(f"expected one job, the emulator has {len(jobs)}")
    job = jobs[0]
    print(f"\nJob     {job['name']}")
    print(f"States  {' -> '.join(each['state'].removeprefix('JOB_STATE_') for each in job['history'])}")
    for line in emulator.control.log_lines(job["name"]):
        print(f"Log     {line['text']}")
    models = list(output.rglob("model.joblib"))
    if job["state"] != "JOB_STATE_SUCCEEDED" or len(models) != 1:
        print(log)
        sys.exit(f"the job ended as {job['state']} and wrote {len(models)} models")
    accuracy = json.loads((models[0].parent / "metrics.json").read_text())["accuracy"]
    print(f"Model   {models[0].relative_to(FOLDER.parent)} ({models[0].stat().st_size:,} bytes)")
    print(f"Metric  accuracy {accuracy:.4f} on held-out digits")
    return 0 if accuracy > GOOD_ACCURACY else 1


if __name__ == "__main__":
    sys.exit(main())
