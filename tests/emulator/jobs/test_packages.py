from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from airflow_vertex_training.emulator.jobs.failures import CannotRun
from airflow_vertex_training.emulator.jobs.packages import unpack

MODULE = "import os, sys, helper; print(sys.argv[1:], os.environ['DATA'], helper.NAME)"


def wheel(file: Path, files: dict[str, str]) -> Path:
    """Write a wheel."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return file


def sdist(file: Path, files: dict[str, str]) -> Path:
    """Write a source distribution."""
    with tarfile.open(file, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return file


@pytest.mark.parametrize("layout", ["", "src/"])
def test_python_package_runs(client, emulator, project, parent, make_job, tmp_path, layout):
    """A module of a `gs://` sdist runs with its args and env, and finds what a `file://` wheel brings.

    "The Python module name to run after installing the packages" (comment of PythonPackageSpec in the API's
    proto).
    """
    bucket = emulator.storage / "packages" / project
    bucket.mkdir(parents=True)
    sdist(
        bucket / "trainer-0.1.tar.gz",
        {
            "trainer-0.1/PKG-INFO": "Name: trainer",
            f"trainer-0.1/{layout}trainer/__init__.py": "",
            f"trainer-0.1/{layout}trainer/task.py": MODULE,
        },
    )
    helper = wheel(tmp_path / "helper-1-py3-none-any.whl", {"helper.py": "NAME = 'helped'"})
    job = make_job()
    job.job_spec.worker_pool_specs[0].python_package_spec = {
        "executor_image_uri": "us-docker.pkg.dev/vertex-ai/training/tf-cpu.2-14.py310:latest",
        "package_uris": [f"gs://packages/{project}/trainer-0.1.tar.gz", helper.as_uri()],
        "python_module": "trainer.task",
        "args": ["--region", "$(CLOUD_ML_REGION)"],
        "env": [{"name": "DATA", "value": "small"}],
    }
    name = client.create_custom_job(parent=parent, custom_job=job).name
    ended = emulator.control.wait_job(name)
    lines = [line["text"] for line in emulator.control.log_lines(name)]
    assert ended["state"] == "JOB_STATE_SUCCEEDED", lines
    assert lines == ["['--region', 'us-central1'] small helped"]


def test_missing_package_is_named(client, emulator, parent, make_job):
    """A package that is not there fails the job with the path where the emulator looked, and what to do."""
    job = make_job()
    job.job_spec.worker_pool_specs[0].python_package_spec = {
        "executor_image_uri": "docker.io/a/b",
        "package_uris": ["gs://packages/none.whl"],
        "python_module": "trainer",
    }
    name = client.create_custom_job(parent=parent, custom_job=job).name
    error = emulator.control.wait_job(name)["error_message"]
    assert error.startswith(f"package_uris: {emulator.storage}/packages/none.whl can't be unpacked")
    assert "write file:///PATH" in error


@pytest.mark.parametrize("name", ["../outside.py", "trainer/../../outside.py", "/outside.py"])
def test_nothing_is_unpacked_outside(tmp_path, name):
    """An archive with a path that leads out of it writes nothing there."""
    target = tmp_path / "unpacked" / "here"
    with pytest.raises(CannotRun, match="outside of itself"):
        unpack([sdist(tmp_path / "a.tar.gz", {name: "bad"})], target)
    unpack([wheel(tmp_path / "a.whl", {name: "bad"})], target / "wheel")
    assert all(target / "wheel" in file.parents for file in tmp_path.rglob("outside.py"))
    assert not Path("/outside.py").exists()


@pytest.mark.parametrize("name", ["a.whl", "a.tar.gz", "a.txt"])
def test_what_is_no_package_is_refused(tmp_path, name):
    """A file that is no archive is refused by its name."""
    (tmp_path / name).write_text("no archive")
    with pytest.raises(CannotRun, match=f"{name} can't be unpacked"):
        unpack([tmp_path / name], tmp_path / "unpacked")
