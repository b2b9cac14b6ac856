from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_googles_sdk_runs_unchanged_but_for_the_endpoint(tls_emulator, tls_files, project):
    """`CustomJob` of google-cloud-aiplatform submits, runs, cancels, lists, gets and deletes here."""
    program = Path(__file__).with_name("sdk_program.py")
    # grpc reads the certificate authority once in a process, so the SDK gets one of its own.
    environment = {**os.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tls_files.ca)}
    done = subprocess.run(
        [sys.executable, str(program), tls_emulator.address, project],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["run"] == "JOB_STATE_SUCCEEDED"
    assert "The replica workerpool0-0 exited with a non-zero status of 3." in seen["failure"]
    assert seen["submitted"].startswith(f"projects/{project}/locations/us-central1/customJobs/")
    assert seen["cancelled"] == "JOB_STATE_CANCELLED"
    assert seen["listed"] == ["long", "fails", "run"]
    assert seen["got"] == "long"
    assert "does not exist" in seen["deleted"]
