from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from tests.tls import TlsFiles

PROGRAM = Path(__file__).with_name("token_program.py")


def test_a_token_that_can_not_be_had_for_ten_minutes_fails_nothing(
    tls_emulator: EmulatorProcess, tls_files: TlsFiles, project: str
) -> None:
    """Without a token each job is told of the trouble once, of its end once, and then how the job ended."""
    names = tls_emulator.control.create_simulated(
        project, "us-central1", 20, labels={"airflow_deployment": "airflow"}, run_seconds=0.1
    )
    for name in names:
        tls_emulator.control.wait_job(name)
    ran = subprocess.run(
        [sys.executable, PROGRAM, tls_emulator.address, project, *names],
        env={
            **os.environ,
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tls_files.ca),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told == [["Trouble", "Recovered", "JOB_STATE_SUCCEEDED"]] * 20
