from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / ".ci" / "run"


def _program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """All programs that CI finds: `make` writes down what it is told, and nothing does harm."""
    for name in ("bash", "env", "dirname", "sh"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    _program(
        tmp_path, "make", f'echo "$1" >> {tmp_path}/targets\nread line && exit 3\n[ "$1" != "$FAILING" ]'
    )
    _program(tmp_path, "id", "echo 0")
    return tmp_path


def _run(programs: Path, failing: str = "none") -> tuple[list[str], bool]:
    """Run CI, and return what was made and whether it failed."""
    environment = {"PATH": str(programs), "HOME": str(programs), "FAILING": failing}
    ended = subprocess.run([RUN], cwd=programs, env=environment, check=False, input=b"something\n")
    return (programs / "targets").read_text().split(), ended.returncode != 0


@pytest.mark.parametrize(
    ("failing", "expected_targets", "fails"),
    [("none", ["check", "test"], False), ("check", ["check"], True), ("test", ["check", "test"], True)],
)
def test_ci_runs_check_and_test(
    programs: Path, failing: str, expected_targets: list[str], fails: bool
) -> None:
    """CI checks, then tests, from any folder, with nothing to read, and fails where either fails."""
    assert _run(programs, failing) == (expected_targets, fails)


@pytest.mark.parametrize("works", [True, False])
def test_ci_installs_a_browser_where_it_can(programs: Path, works: bool) -> None:
    """Root on Debian gets one; where that fails, CI goes on without."""
    asked = programs / "asked"
    _program(programs, "apt-get", f'echo "$1" >> {asked}\n{"true" if works else "false"}')
    assert _run(programs) == (["check", "test"], False)
    assert asked.read_text().split() == (["update", "install"] if works else ["update"])


def test_ci_takes_the_browser_that_is_there(programs: Path) -> None:
    """Nothing is installed where a browser is."""
    _program(programs, "chromium", "false")
    _program(programs, "apt-get", f"touch {programs}/asked")
    assert _run(programs) == (["check", "test"], False)
    assert not (programs / "asked").exists()
