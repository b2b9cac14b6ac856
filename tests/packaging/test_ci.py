from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / ".ci" / "run"


@pytest.mark.parametrize(
    ("failing", "expected_targets", "fails"),
    [("none", ["check", "test"], False), ("check", ["check"], True), ("test", ["check", "test"], True)],
)
def test_ci_runs_check_and_test(
    tmp_path: Path, failing: str, expected_targets: list[str], fails: bool
) -> None:
    """CI checks, then tests, from any folder, with nothing to read, and fails where either fails."""
    make = tmp_path / "make"
    make.write_text(
        f'#!/bin/sh\necho "$1" >> {tmp_path}/targets\nread line && exit 3\n[ "$1" != {failing} ]\n'
    )
    make.chmod(0o755)
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.defpath}", "HOME": str(tmp_path)}
    ended = subprocess.run([RUN], cwd=tmp_path, env=environment, check=False, input=b"something\n")
    assert (tmp_path / "targets").read_text().split() == expected_targets
    assert (ended.returncode != 0) == fails
