"""What a task shows of its job before it pays for it."""

from __future__ import annotations

import json
import socket
from typing import Any

from google.cloud import aiplatform_v1

from tests.provider.task_runs import run_task, task_instance
from tests.provider.training_tasks import (
    REGION,
    make,
    on_the_server,
)


def test_preview_is_the_request_that_is_sent(on_emulator, project, supervisor):
    """In a task, preview shows the job that is then on the server, but for the secrets."""
    operator = make(
        env={"API_KEY": "geheim", "TEAM": "vision"}, service_account="a@b.iam.gserviceaccount.com"
    )
    ti = task_instance(operator)
    shown = json.loads(operator.preview(ti.get_template_context()))
    run_task(operator, ti)

    created = aiplatform_v1.CustomJob.to_dict(on_the_server(on_emulator, project))
    made = shown["customJob"]
    assert shown["parent"] == f"projects/PROJECT/locations/{REGION}"
    assert made["displayName"] == created["display_name"]
    assert made["labels"] == created["labels"]
    assert made["jobSpec"]["serviceAccount"] == created["job_spec"]["service_account"]
    assert made["jobSpec"]["scheduling"] == {"timeout": "604800s"}
    env = {
        each["name"]: each["value"] for each in made["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"]
    }
    sent = {
        each["name"]: each["value"]
        for each in created["job_spec"]["worker_pool_specs"][0]["container_spec"]["env"]
    }
    assert (env.pop("API_KEY"), sent.pop("API_KEY")) == ("***", "geheim")
    assert env == sent


def test_preview_makes_no_call(monkeypatch, supervisor):
    """Preview opens no connection, also where application default credentials serve."""
    monkeypatch.delenv("VERTEX_AI_EMULATOR_HOST", raising=False)

    def no_network(*_: Any) -> None:
        raise AssertionError("preview opened a connection")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr("google.auth.default", no_network)
    monkeypatch.setattr("grpc.secure_channel", no_network)

    shown = json.loads(make().preview())

    assert shown["customJob"]["displayName"] == "digits-train-UNIQUE"
    assert "serviceAccount" not in shown["customJob"]["jobSpec"]
