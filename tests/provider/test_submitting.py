"""What a task submits, and how it comes by its job."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest
from airflow import __version__

from tests.provider.task_runs import RUN_START, run_task, task_instance
from tests.provider.training_tasks import (
    FOREVER,
    make,
    on_the_server,
    only_job,
    submitted,
)


def test_defaults_reach_the_server(on_emulator, project, supervisor):
    """What is not set is what the seed system had: machine, disk and running time."""
    run_task(make())

    job = on_the_server(on_emulator, project)
    (pool,) = job.job_spec.worker_pool_specs
    assert job.display_name.startswith("digits-train-")
    assert pool.machine_spec.machine_type == "n1-standard-4"
    assert (pool.disk_spec.boot_disk_type, pool.disk_spec.boot_disk_size_gb) == ("pd-ssd", 100)
    assert job.job_spec.scheduling.timeout == timedelta(days=7)


def test_labels_tell_the_try(on_emulator, project, supervisor):
    """A job carries the labels by which what comes later finds it, on a retry of a mapped task too."""
    operator = make(retries=3)
    ti = task_instance(operator, try_number=2, max_tries=4, map_index=7, clear_number=1)

    run_task(operator, ti)

    labels = only_job(on_emulator, project)["labels"]
    microseconds = int(RUN_START.timestamp()) * 1_000_000 + RUN_START.microsecond
    assert len(labels.pop("airflow_task_instance")) == 40
    assert len(labels.pop("airflow_spec")) == 40
    assert labels == {
        "airflow_deployment": "airflow",
        "airflow_try": str(ti.id),
        "airflow_run_start": str(microseconds),
        "airflow_max_tries": "4",
        # Airflow 3.1 does not count all clears.
        "airflow_clear_number": "4" if __version__.startswith("3.1.") else "1",
        "airflow_try_number": "2",
        "airflow_dag_id": "digits",
        "airflow_task_id": "train",
        "airflow_run_id": "manual__2026-03-01t12-30-00-00-00",
        "airflow_map_index": "7",
    }


def test_templates_are_rendered(on_emulator, project, supervisor):
    """Templates work also where the API wants numbers: what they make is text."""
    operator = make(
        image="us-docker.pkg.dev/acme/{{ dag.dag_id }}:1",
        args=["{{ params.n }}"],
        env={"RUN": "{{ run_id }}"},
        machine_type="g2-standard-24",
        accelerator_type="NVIDIA_L4",
        accelerator_count="{{ params.n }}",
        boot_disk_size_gb="{{ params.n * 100 }}",
        maximum_run_time="{{ params.n * 3600 }}",
    )

    run_task(operator)

    job = on_the_server(on_emulator, project)
    (pool,) = job.job_spec.worker_pool_specs
    assert pool.container_spec.image_uri == "us-docker.pkg.dev/acme/digits:1"
    assert pool.container_spec.args == ["2"]
    assert {"RUN": "manual__2026-03-01T12:30:00+00:00"}.items() <= {
        each.name: each.value for each in pool.container_spec.env
    }.items()
    assert pool.machine_spec.accelerator_count == 2
    assert pool.disk_spec.boot_disk_size_gb == 200
    assert job.job_spec.scheduling.timeout == timedelta(hours=2)


def test_job_name_is_pushed_at_once(on_emulator, project, supervisor):
    """While the job runs its name is an XCom of the task."""
    run_task(make(program=FOREVER))

    name = only_job(on_emulator, project)["name"]
    assert supervisor.xcoms["job_name"] == name
    on_emulator.control.wait_job(name, ["JOB_STATE_RUNNING"])


def test_reattach_off_cancels_and_creates(on_emulator, project, supervisor):
    """With reattach=False a retry ends the job that it finds and runs its own."""
    operator = make(program=FOREVER, retries=1, reattach=False)
    name = submitted(on_emulator, operator)

    run_task(operator, try_number=2)

    assert len(on_emulator.control.jobs(project)) == 2
    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


def test_cleared_while_submitting_cancels(on_emulator, project, supervisor):
    """A task that was cleared meanwhile does not defer: it ends its job."""
    supervisor.state = "restarting"

    outcome = run_task(make(program=FOREVER))

    assert outcome.state == "failed"
    name = only_job(on_emulator, project)["name"]
    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


@pytest.mark.parametrize(
    ("retries", "state"), [(0, "JOB_STATE_CANCELLED"), (1, "JOB_STATE_RUNNING")], ids=["last", "not last"]
)
def test_airflow_fails_while_submitting(on_emulator, project, supervisor, retries, state):
    """A task that can't learn its own state fails, and leaves its job to the next try where one is left."""
    supervisor.state = ConnectionError("no server")

    outcome = run_task(make(program=FOREVER, retries=retries))

    assert outcome.error is supervisor.state
    job = only_job(on_emulator, project)
    assert on_emulator.control.wait_job(job["name"], [state])["state"] == state


@pytest.mark.parametrize(
    ("retries", "state"), [(1, "JOB_STATE_CANCELLED"), (2, "JOB_STATE_RUNNING")], ids=["last", "not last"]
)
def test_a_try_that_fails_before_it_looks(on_emulator, project, supervisor, log_lines, retries, state):
    """The last try ends what an earlier one left even where it fails before it looks; others leave it."""
    size = "{{ 100 if ti.try_number == 1 else 'much' }}"
    operator = make(program=FOREVER, retries=retries, boot_disk_size_gb=size)
    name = submitted(on_emulator, operator)

    outcome = run_task(operator, try_number=2)

    assert "boot_disk_size_gb: must be a whole number" in str(outcome.error)
    assert on_emulator.control.wait_job(name, [state])["state"] == state
    told = f"INFO Cancelled: the task failed and there is no try left to wait for the job. {name}"
    assert (told in log_lines) is (retries == 1)


def test_operators_can_be_copied():
    """Airflow copies operators, to run part of a DAG."""
    assert copy.deepcopy(make()).task_id == "train"
