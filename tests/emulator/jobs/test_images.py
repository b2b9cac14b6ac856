from __future__ import annotations

import json
import re
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_vertex_training.emulator.config import EmulatorConfig
from airflow_vertex_training.emulator.control.process import EmulatorProcess, launch
from airflow_vertex_training.emulator.jobs.failures import CannotRun
from airflow_vertex_training.emulator.jobs.images import Images
from airflow_vertex_training.emulator.server import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

PARENT = "projects/p/locations/us-central1"
TRAINER = "us-docker.pkg.dev/acme/trainers/digits"
PLAIN = "us-docker.pkg.dev/acme/trainers/plain:1"
PREFECT = "prefecthq/prefect:3-latest"

SETTINGS = """
entrypoint = ["python", "-m", "trainer", "--fixed"]
command = ["--epochs", "3"]
working_directory = "src"
python = ".venv"

[environment]
DATA = "small"
"""
PROGRAM = """
import json, os, sys
print(json.dumps({"message": json.dumps([sys.argv[1:], sys.prefix, os.getcwd(), os.environ["DATA"]])}))
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that stands for an image, with a virtual environment of its own."""
    folder = tmp_path_factory.mktemp("digits image")
    (folder / "src" / "trainer").mkdir(parents=True)
    (folder / "src" / "trainer" / "__main__.py").write_text(PROGRAM)
    (folder / "emulator.toml").write_text(SETTINGS)
    venv.create(folder / ".venv", with_pip=False, symlinks=True)
    # A program that the environment has, as Prefect's image has `prefect`.
    (folder / ".venv" / "bin" / "prefect").write_text("#!/bin/sh\necho prefect $*\n")
    (folder / ".venv" / "bin" / "prefect").chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def strict(image: Path) -> Iterator[EmulatorProcess]:
    """An emulator as on the command line: it runs only images that it knows."""
    images = ("--image", f"{TRAINER}={image}", "--image", f"{PLAIN}={image / 'src'}")
    prefect = ("--image", f"{PREFECT}={image / 'src'}", "--python", f"{PREFECT}={image / '.venv'}")
    instant = ("--queue-seconds", "0", "--provision-seconds", "0", "--no-any-image")
    with launch(*images, *prefect, *instant) as running:
        yield running


def ended(strict, connect, job):
    """Run a job to its end; return it as the control service does, and its lines."""
    name = connect(strict.address).create_custom_job(parent=PARENT, custom_job=job).name
    job = strict.control.wait_job(name)
    return job, [line["text"] for line in strict.control.log_lines(name)]


def container(make_job, uri: str, **fields):
    """A job of an image."""
    job = make_job()
    job.job_spec.worker_pool_specs[0].container_spec = {"image_uri": uri, **fields}
    return job


@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        ({}, ["--fixed", "--epochs", "3"]),
        ({"args": ["--epochs=10"]}, ["--fixed", "--epochs=10"]),
        ({"command": ["python", "-m", "trainer"]}, []),
        ({"command": ["python3", "-m", "trainer"], "args": ["-v"]}, ["-v"]),
    ],
)
@pytest.mark.parametrize("uri", [TRAINER, f"{TRAINER}:1.4", f"{TRAINER}@sha256:{'0' * 64}"])
def test_image_runs_as_its_file_says(strict, connect, make_job, image, uri, fields, arguments):
    """`command` replaces the entry point, `args` its arguments; folder, Python and ENV are the image's.

    "It overrides the entrypoint instruction in Dockerfile when provided" (comment of ContainerSpec.command in
    the API's proto).
    """
    job, lines = ended(strict, connect, container(make_job, uri, **fields))
    assert job["state"] == "JOB_STATE_SUCCEEDED", lines
    expected = [arguments, str(image / ".venv"), str(image / "src"), "small"]
    assert [json.loads(line) for line in lines] == [expected]


def test_program_of_the_images_python_is_found(strict, connect, make_job):
    """Prefect's default command, a program of the image's environment, runs with `--python URI=FOLDER`."""
    job, lines = ended(
        strict, connect, container(make_job, PREFECT, command=["prefect", "flow-run", "execute"])
    )
    assert (job["state"], lines) == ("JOB_STATE_SUCCEEDED", ["prefect flow-run execute"])


@pytest.mark.parametrize(
    ("uri", "fields", "problem"),
    [
        ("docker.io/a/b:1", {"command": ["true"]}, "--image docker.io/a/b:1=FOLDER"),
        ("docker.io/a/b:1", {}, "--any-image"),
        (PLAIN, {}, 'write entrypoint = ["PROGRAM", ...] into '),
        (PLAIN, {"args": ["--epochs=10"]}, "does not know the entry point"),
    ],
)
def test_unknown_image_fails_with_what_to_pass(strict, connect, make_job, uri, fields, problem):
    """A job that the emulator does not know how to run fails, and its error says what to pass."""
    job, _ = ended(strict, connect, container(make_job, uri, **fields))
    assert (job["state"], job["error_code"]) == ("JOB_STATE_FAILED", 3)
    assert problem in job["error_message"]


def test_any_image_still_needs_a_command(client, emulator, parent, make_job):
    """With `--any-image` a job without a command fails: nothing is known of its image."""
    name = client.create_custom_job(parent=parent, custom_job=container(make_job, "docker.io/a/b")).name
    assert "emulator.toml in a folder" in emulator.control.wait_job(name)["error_message"]


def test_program_that_is_not_there_is_named(strict, connect, make_job, image):
    """A program that can't be started is named in the job's error and in its log, with the folder."""
    job, lines = ended(strict, connect, container(make_job, PLAIN, command=["no-such-program"]))
    problem = f"'no-such-program' can't be started in {image / 'src'}: No such file or directory"
    assert lines == [problem]
    assert f"status of 127. Termination reason: ContainerCannotRun. {problem}" in job["error_message"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("entrypoint = 'python'", "entrypoint must be a list of texts, got 'python'"),
        ("command = [1]", "command must be a list of texts"),
        ("entry_point = []", "unknown key 'entry_point'; there are entrypoint, command"),
        ("environment = {A = 1}", "environment must be a table of texts"),
        ("environment = {'A=B' = 'x'}", "environment must be a table of texts, with no '=' in their names"),
        ("python = 1", "python must be a text, got 1"),
        (
            "python = 'nowhere'",
            "nowhere does not exist; name an interpreter or a virtual environment's folder",
        ),
        ("python = 'emulator.toml'", "emulator.toml is no interpreter and no virtual environment; name"),
        ("working_directory = 'nowhere'", "nowhere is no folder"),
        ("= 1", "Invalid"),
    ],
)
def test_wrong_file_is_refused_at_the_start(tmp_path, text, problem):
    """A mistake in `emulator.toml` is told when the emulator starts, with the file and the key."""
    (tmp_path / "emulator.toml").write_text(text)
    with pytest.raises(ValueError, match=re.escape(problem)) as caught:
        Emulator(EmulatorConfig(images={"docker.io/a/b": tmp_path}))
    said_in, _, rest = str(caught.value).partition(": ")
    assert said_in == str(tmp_path / "emulator.toml")
    assert text.partition("=")[0].strip() in rest


def test_file_may_be_edited_while_the_emulator_runs(tmp_path):
    """`emulator.toml` is read for each job; a mistake made meanwhile is the job's error."""
    images = Images({"docker.io/a/b": tmp_path}, {}, any_image=False)
    assert images.find("docker.io/a/b").entrypoint == ()
    (tmp_path / "emulator.toml").write_text('entrypoint = ["train"]')
    assert images.find("docker.io/a/b:2").entrypoint == ("train",)
    (tmp_path / "emulator.toml").write_text("entrypoint = 1")
    with pytest.raises(CannotRun, match="must be a list of texts"):
        images.find("docker.io/a/b:2")


@pytest.mark.parametrize(
    "uri",
    [
        "localhost:5000/a/b",
        "localhost:5000/a/b:1",
        "localhost:5000/a/b:1@sha256:00",
        "localhost:5000/a/b@sha256:00",
    ],
)
def test_tag_is_told_from_a_port(tmp_path, uri):
    """A URI without a tag stands for all tags and digests, also behind a registry with a port."""
    images = Images({"localhost:5000/a/b": tmp_path}, {}, any_image=False)
    assert images.find(uri).folder == tmp_path
    with pytest.raises(CannotRun, match="not found"):
        images.find("localhost:5001/a/b")


def test_executor_image_needs_no_folder():
    """An image that runs a Python package needs no more than Python, so it need not be known."""
    images = Images({}, {}, any_image=False)
    found = images.find("us-docker.pkg.dev/vertex-ai/training/tf-cpu.2-14.py310", is_executor=True)
    assert found.python == Path(sys.executable)


def test_readmes_file_is_valid(tmp_path):
    """The `emulator.toml` that the README shows is taken, with every key that there is."""
    readme = Path(__file__).parents[3] / "README.md"
    (text,) = re.findall(r"^```toml\n(.*?)^```", readme.read_text(), flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "emulator.toml").write_text(text)
    venv.create(tmp_path / ".venv", with_pip=False, symlinks=True)
    image = Images({"docker.io/a/b": tmp_path}, {}, any_image=False).find("docker.io/a/b:1")
    assert image.command_line([], [])[1:] == ["-m", "trainer", "--epochs", "3"]
    assert (image.folder, image.python) == (tmp_path, tmp_path / ".venv" / "bin" / "python")
    assert image.environment == {"DATA": "small"}
