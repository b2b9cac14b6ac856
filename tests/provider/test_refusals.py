"""What a task says where its job is refused."""

from __future__ import annotations

import pytest
from airflow.sdk import DAG

from airflow_vertex_training import compat
from airflow_vertex_training.operators import VertexCustomTrainingOperator
from airflow_vertex_training.vertex.exceptions import (
    InvalidJobError,
    PermissionDeniedError,
    UnreachableError,
)
from tests.provider.task_runs import run_task
from tests.provider.training_tasks import (
    IMAGE,
    REGION,
    make,
    private,
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": "{{ params.image }}"}, "image: 'quay' does not name its registry"),
        ({"service_account": "{{ 'bob' }}"}, "service_account: 'bob' is no e-mail address"),
        ({"labels": {"team": "{{ '🚀' }}"}}, "labels['team']: the value '🚀' holds"),
        (
            {"accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": "{{ 'two' }}"},
            "accelerator_count: must be a whole number, got str 'two'",
        ),
        (
            {
                "machine_type": "g9-standard-4",
                "accelerator_type": "{{ 'NVIDIA_L5' }}",
                "accelerator_count": 1,
            },
            "accelerator_type: 'NVIDIA_L5' is not known to google-cloud-aiplatform ",
        ),
    ],
    ids=["image", "account", "label", "count", "accelerator"],
)
def test_bad_rendered_input_ends_the_retries(on_emulator, project, supervisor, changes, message):
    """What a template makes is checked when the task runs, and no retry is wasted on it."""
    with DAG("digits", schedule=None, params={"image": "quay"}):
        base = {"task_id": "train", "region": REGION, "image": IMAGE, "retries": 3}
        operator = VertexCustomTrainingOperator(**{**base, **changes})

    outcome = run_task(operator)

    assert outcome.state == "failed"
    assert isinstance(outcome.error, compat.AirflowFailException)
    assert str(outcome.error).startswith(message)
    assert on_emulator.control.jobs(project) == []


def test_no_service_account_anywhere(monkeypatch, supervisor):
    """Without a service account the message names all three ways to set one."""
    private(monkeypatch, api_endpoint="localhost:1")

    outcome = run_task(make(retries=3))

    assert outcome.state == "failed"
    assert str(outcome.error) == (
        "service_account is not set: pass service_account='NAME@PROJECT.iam.gserviceaccount.com', or set it "
        "in the connection 'vertex_training_default', or let the connection use a service account's "
        "credentials"
    )


def test_unreachable_endpoint(monkeypatch, supervisor):
    """An endpoint that nobody answers at is named as such after a while, and a retry may find it up."""
    private(monkeypatch, api_endpoint="localhost:1", service_account="a@b.iam.gserviceaccount.com")
    monkeypatch.setattr("airflow_vertex_training.vertex.submit.create.CONNECT_SECONDS", 1.0)

    outcome = run_task(make(retries=3))

    assert outcome.state == "up_for_retry"
    assert type(outcome.error) is UnreachableError
    assert str(outcome.error).startswith("Nothing answers at the endpoint\n")
    assert str(outcome.error).endswith(f"\nCreating a job in {REGION} of project acme failed.")


def test_wrong_project(monkeypatch, supervisor):
    """A project that is not there, or not ours, is refused once and for all, with a word on what to check."""
    from airflow_vertex_training.emulator.control.process import launch

    with launch("--projects", "acme") as emulator:
        monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", emulator.address)
        outcome = run_task(make(project_id="acne", retries=3))

    assert outcome.state == "failed"
    assert isinstance(outcome.error, compat.AirflowFailException)
    assert isinstance(outcome.error, PermissionDeniedError)
    assert str(outcome.error).startswith("The account lacks the permission aiplatform.customJobs.create\n")
    assert str(outcome.error).endswith(f"\nCreating a job in {REGION} of project acne failed.")


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "PERMISSION_DENIED"])
def test_permanent_refusal_ends_the_retries(on_emulator, project, supervisor, code):
    """What Vertex refuses for good is not asked for again."""
    on_emulator.control.add_fault(project, "error", method="CreateCustomJob", code=code, message="no")

    outcome = run_task(make(retries=3))

    assert outcome.state == "failed"
    assert isinstance(outcome.error, compat.AirflowFailException)
    assert f"{code}: no" in str(outcome.error)
    assert on_emulator.control.requests(project)["CreateCustomJob"] == {code: 1}


def test_capacity_quota_leaves_the_retries(on_emulator, project, supervisor):
    """Capacity that is out now may be back at the next try."""
    message = "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_l4"
    settings = {"method": "CreateCustomJob", "code": "RESOURCE_EXHAUSTED", "message": message}
    on_emulator.control.add_fault(project, "error", **settings)

    assert run_task(make(retries=3)).state == "up_for_retry"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boot_disk_size_gb": "much"}, "boot_disk_size_gb: must be a whole number, got str 'much'"),
        ({"maximum_run_time": "P1D"}, "maximum_run_time: must be a timedelta or seconds, got str 'P1D'"),
        ({"poll_interval": 0}, "poll_interval: must be more than 0 seconds, got 0"),
        ({"submit_timeout": -1.0}, "submit_timeout: must be more than 0 seconds, got -1.0"),
    ],
    ids=["disk", "run-time", "poll-interval", "submit-timeout"],
)
def test_numbers_are_checked_at_parse_time(changes, message):
    """A number that is none, or can't be, is told when the DAG is parsed."""
    with pytest.raises(InvalidJobError) as raised:
        make(**changes)
    assert str(raised.value) == f"{message} (task 'train')"
