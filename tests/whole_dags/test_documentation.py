"""A DAG's test, as the documentation shows it, in real Airflow."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

DAG_FILE = """
from airflow.sdk import DAG
from airflow_vertex_training.operators import VertexCustomTrainingOperator

with DAG("digits", schedule=None) as dag:
    VertexCustomTrainingOperator(
        task_id="train", region="us-central1", image="us-docker.pkg.dev/acme/x/y:1", command=["true"]
    )
"""


@pytest.mark.timeout(300)
def test_the_documented_test_of_a_dag_passes(tmp_path: Path) -> None:
    """With the fixture a DAG's own test needs no connection and no project, also when an answer is lost."""
    text = (PROJECT / "docs" / "testing.md").read_text()
    samples = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    (sample,) = [sample for sample in samples if "dag.test()" in sample]
    dags = tmp_path / "dags" / "my_dags"
    dags.mkdir(parents=True)
    (dags / "digits.py").write_text(DAG_FILE)
    file = tmp_path / "test_digits.py"
    file.write_text(sample)
    environment = {
        **{key: value for key, value in os.environ.items() if key != "VERTEX_AI_EMULATOR_HOST"},
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags.parent),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(dags.parent),
    }
    for command in (
        ["airflow", "db", "migrate"],
        ["pytest", "--rootdir", str(tmp_path), "-p", "no:cacheprovider", str(file)],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
