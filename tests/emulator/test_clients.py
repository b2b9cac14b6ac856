from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_vertex_training.vertex.naming import identity
from tests.emulator.clients.commands import run_gcloud
from tests.emulator.clients.story import REGION, STEPS, Place

PROJECT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(300)  # Airflow, the SDK and gcloud take their time to start

# Which steps of the story each client has a call for.
CLIENTS = {
    "JobServiceClient, gRPC": {*STEPS} - {"logs"},
    "JobServiceAsyncClient, gRPC": {*STEPS} - {"logs"},
    "JobServiceClient, REST": {*STEPS} - {"logs"},
    "JobServiceAsyncClient, REST": {*STEPS} - {"logs"},
    "google.cloud.aiplatform, gRPC over TLS": {*STEPS} - {"logs"},
    "google.cloud.aiplatform, REST": {*STEPS} - {"logs"},
    "google.cloud.logging, gRPC over TLS": {"logs"},
    "google.cloud.logging, REST": {"logs"},
    "Google's Airflow operator, hook": {*STEPS} - {"logs"},
    "gcloud ai custom-jobs": {*STEPS} - {"delete"},
    "curl": {*STEPS},
}


@pytest.fixture(scope="module")
def rows() -> dict[str, str]:
    """What `python -m tests.emulator.clients` prints, by client."""
    command = [sys.executable, "-m", "tests.emulator.clients"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=280)
    first, *lines = re.sub(r"\n +", " ", done.stdout).splitlines()
    assert first.split() == ["client", *STEPS], done.stderr
    return {line[:40].strip(): line[40:] for line in lines}


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_gets_through_the_story(rows: dict[str, str], client: str) -> None:
    """Create, describe, list, logs, cancel and delete work with every client that has them."""
    if "not run" in rows[client]:
        pytest.skip(rows[client])
    assert rows[client].split() == ["ok" if step in CLIENTS[client] else "-" for step in STEPS]


def _commands_of_the_documentation() -> list[str]:
    blocks = re.findall(
        r"^```console\n(.*?)^```", (PROJECT / "docs" / "reliability.md").read_text(), re.MULTILINE | re.DOTALL
    )
    text = "\n".join(blocks).replace("\\\n", "")
    return re.findall(r"^\$ (gcloud ai custom-jobs .*)$", text, re.MULTILINE)


def _commands_of_the_messages() -> list[str]:
    """Find them in the code; `{expression}` stands where an f-string has one."""
    texts = []
    for file in (PROJECT / "airflow_vertex_training").rglob("*.py"):
        tree = ast.parse(file.read_text())
        nodes = list(ast.walk(tree))
        inner = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.JoinedStr):
                parts = [
                    str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"  # type: ignore[attr-defined]
                    for part in node.values
                ]
                texts.append("".join(parts))
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and node not in inner | docstrings
            ):
                texts.append(node.value)
    return [command for text in texts for command in re.findall(r"gcloud ai custom-jobs [^'\n]*", text)]


COMMANDS = [*_commands_of_the_documentation(), *_commands_of_the_messages()]


def test_commands_are_found() -> None:
    """The documentation and the messages tell how to list jobs and how to cancel one."""
    for commands in (_commands_of_the_documentation(), _commands_of_the_messages()):
        assert {command.split()[3] for command in commands} == {"list", "cancel"}


@pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not on this machine")
@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_that_are_told_work(client, emulator, project, parent, make_job, tmp_path, command):
    """Each `gcloud` command of the documentation and of the messages does what it is told for."""
    labels = {"airflow_dag_id": "digits", identity.TRY: "try-1"}
    job = make_job("sleep", "600", labels=labels)
    name = client.create_custom_job(parent=parent, custom_job=job).name
    emulator.control.wait_job(name, ["JOB_STATE_RUNNING"])
    client.create_custom_job(parent=parent, custom_job=make_job("true"))
    for placeholder, value in {
        "--region %s": f"--region {REGION}",
        "--project %s": f"--project {project}",
        "{jobs.region}": REGION,
        "{jobs.project}": project,
        "{identity.TRY}": identity.TRY,
        "{this.try_id}": "try-1",
        "%s": name,
        "projects/PROJECT/locations/us-central1/customJobs/ID": name,
    }.items():
        command = command.replace(placeholder, value)
    said = run_gcloud(Place(emulator, tmp_path, project), *shlex.split(command))
    if " list " in command:
        assert re.findall(r"^name: (.*)$", said, re.MULTILINE) == [name]
    else:
        assert emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"
