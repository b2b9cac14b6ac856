"""What importing our operator costs a DAG file, beside Google's own module, and what making operators costs.

Airflow's DAG processor imports a DAG file again and again, in a fresh process each time. So each
measurement here is made in a fresh process, after `airflow.sdk`, which every DAG file needs anyway. The cost
of making operators is CPU time, of a thousand in one DAG, beside Airflow's own BashOperator.

Usage:
    python benchmarks/import_cost.py [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

MODULES = (
    "airflow_vertex_training.operators",
    "airflow.providers.google.cloud.operators.vertex_ai.custom_job",
)

PROBE = """
import importlib, sys, time
import psutil
from airflow.sdk import DAG, BaseOperator

memory = psutil.Process().memory_info
modules, resident, start = len(sys.modules), memory().rss, time.perf_counter()
importlib.import_module(sys.argv[1])
print(time.perf_counter() - start, memory().rss - resident, len(sys.modules) - modules)
"""


MAKING = """
import sys, time
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from airflow_vertex_training.operators import VertexCustomTrainingOperator

def bash(number):
    BashOperator(task_id=f"bash{number}", bash_command=f"python -m trainer --seed {number}")

def ours(number):
    VertexCustomTrainingOperator(
        task_id=f"train{number}",
        region="us-central1",
        image="us-docker.pkg.dev/acme/trainers/digits:1.4",
        command=["python", "-m", "trainer", "--seed", str(number)],
        machine_type="g2-standard-8",
        accelerator_type="NVIDIA_L4",
        accelerator_count=1,
        base_output_directory="gs://acme-models/digits/{{ run_id }}",
    )

for make in (bash, ours):
    with DAG(make.__name__, schedule=None):
        start = time.process_time()
        for number in range(1000):
            make(number)
        print(time.process_time() - start)
"""


def measure_making() -> tuple[float, float]:
    """Return the seconds for a thousand of Airflow's BashOperator and of ours, in a fresh process."""
    command = [sys.executable, "-c", MAKING]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    bash, ours = map(float, lines[-2:])
    return bash, ours


def measure(module: str) -> tuple[float, float, float]:
    """Import a module in a fresh process.

    Args:
        module: Dotted path of the module.

    Returns:
        Seconds, bytes of resident memory and modules that the import added.
    """
    command = [sys.executable, "-c", PROBE, module]
    last_line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    seconds, size, modules = map(float, last_line.split())
    return seconds, size, modules


def main() -> None:
    """Print a table with the median of each figure."""
    parser = argparse.ArgumentParser(description="What importing our operator costs a DAG file.")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each module (default: 3)")
    rounds = parser.parse_args().rounds
    print(f"Added to airflow.sdk by an import, median of {rounds} fresh processes:")
    print(f"{'seconds':>8} {'MB':>6} {'modules':>8}")
    for module in MODULES:
        measure(module)  # not counted: it fills the file system's cache
        seconds, size, modules = map(
            statistics.median, zip(*(measure(module) for _ in range(rounds)), strict=True)
        )
        print(f"{seconds:8.2f} {size / 1e6:6.1f} {modules:8.0f}  {module}", flush=True)
    bash, ours = map(statistics.median, zip(*(measure_making() for _ in range(rounds)), strict=True))
    print(f"Making 1,000 operators: {ours:.2f} s, {ours / bash:.2f} times BashOperator's {bash:.2f} s")


if __name__ == "__main__":
    main()
