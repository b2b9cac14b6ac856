from __future__ import annotations

import json
import os
import re
import site
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import airflow_vertex_training
from airflow_vertex_training.provider_info import get_provider_info

PROJECT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(300)  # the first of these tests builds


def _run(*command: str | Path, **environment: str) -> str:
    # Not from the checkout: the package must not be found there.
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd="/", env={**os.environ, **environment}
    ).stdout


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist made from the checkout, and the wheel made from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--outdir", folder, PROJECT)
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="session")
def installed(distributions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel in it, that borrows this environment's other packages."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    _run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        distributions[1],
    )
    (packages,) = folder.glob("lib/python*/site-packages")
    packages.joinpath("borrowed.pth").write_text("\n".join(site.getsitepackages()))
    return python


def test_the_index_will_take_them(distributions: tuple[Path, Path]) -> None:
    """Metadata and README are what a package index accepts, without a warning."""
    _run(sys.executable, "-m", "twine", "check", "--strict", *distributions)


def test_the_wheel_holds_the_package_and_nothing_else(distributions: tuple[Path, Path]) -> None:
    """The wheel has every file of the package, `py.typed` too, the license, and no tests."""
    names = {name for name in zipfile.ZipFile(distributions[1]).namelist() if ".dist-info/" not in name}
    package = PROJECT / "airflow_vertex_training"
    sources = {
        str(path.relative_to(PROJECT))
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert names == sources
    assert "airflow_vertex_training/py.typed" in names


def test_the_metadata_say_what_it_is(distributions: tuple[Path, Path]) -> None:
    """Name and version agree with the code, and the license is an SPDX expression with its text."""
    archive = zipfile.ZipFile(distributions[1])
    (metadata_file,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(archive.read(metadata_file).decode())
    assert metadata["Name"] == get_provider_info()["package-name"] == "airflow-vertex-training"
    assert metadata["Version"] == airflow_vertex_training.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in archive.namelist())
    # A bare requirement takes versions that never worked; an exact one takes no other.
    requirements = [text for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text]
    assert [text for text in requirements if ">=" not in text or "==" in text] == []


def test_the_sdist_holds_the_tests(distributions: tuple[Path, Path]) -> None:
    """Who has the sdist can run the suite."""
    with tarfile.open(distributions[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {
        *("Makefile", "constraints.txt", ".ci/run", ".airflow-registry.yaml"),
        *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
        *("tests/packaging/test_distribution.py", "docs/conf.py", "benchmarks/polling.py"),
        "airflow_vertex_training/example_dags/digits_image/trainer.py",
    }
    assert needed <= names


def test_airflow_lists_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    """Airflow finds the provider in an environment that has the wheel, and not the checkout."""
    place = _run(installed, "-c", "import airflow_vertex_training; print(airflow_vertex_training.__file__)")
    assert Path(place.strip()).is_relative_to(installed.parents[1])
    output = _run(
        installed, "-m", "airflow", "providers", "list", "--output", "json", AIRFLOW_HOME=str(tmp_path)
    )
    providers = {entry["package_name"]: entry for entry in json.loads(output[output.index("[{") :])}
    assert providers["airflow-vertex-training"]["version"] == airflow_vertex_training.__version__


def test_a_users_own_test_runs(installed: Path, tmp_path: Path) -> None:
    """The documentation's test of a user's own passes where only the wheel is, and loads no Airflow."""
    text = (PROJECT / "docs" / "testing.md").read_text()
    sample = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)[0]
    file = tmp_path / "test_training.py"
    file.write_text(sample)
    program = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]) or 'airflow' in sys.modules)"
    _run(installed, "-c", program, "--rootdir", tmp_path, "-p", "no:cacheprovider", file)
