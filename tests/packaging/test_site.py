"""The documentation as a site: what `make docs` builds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """References and docstrings are right, pages are listed, and README has the sections that pages show."""
    options = ["--quiet", "--fail-on-warning", "--keep-going"]
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "-d", tmp_path / "cache", "docs", tmp_path / "site"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
    )
    assert built.returncode == 0, built.stderr
    assert "roles/aiplatform.user" in (tmp_path / "site" / "real-project.html").read_text()
    assert "emulator.toml" in (tmp_path / "site" / "using-the-emulator.html").read_text()
