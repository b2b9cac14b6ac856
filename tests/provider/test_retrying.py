"""A task's tries and their one job, as Airflow's task runner runs them."""

from __future__ import annotations

from typing import Any

import pytest
from airflow import __version__

from airflow_vertex_training import compat
from airflow_vertex_training.vertex.exceptions import (
    PermissionDeniedError,
    TryGivenUpError,
    UnclearSubmitError,
)
from tests.provider.task_runs import run_task
from tests.provider.training_tasks import FOREVER, make, only_job, submitted

LOST: dict[str, Any] = {"kind": "error", "method": "CreateCustomJob", "when": "after_commit"}
NO_LIST: dict[str, Any] = {
    "kind": "error",
    "method": "ListCustomJobs",
    "code": "PERMISSION_DENIED",
    "message": "no",
}

needs_store = pytest.mark.skipif(
    not compat.TRIGGERER_CALLS_ON_KILL, reason="Airflow keeps nothing over tries before 3.3"
)


@pytest.mark.parametrize("retries", [0, 1])
def test_an_unclear_create_keeps_the_retries_and_leaves_no_job(on_emulator, project, supervisor, retries):
    """Where an answer is lost and the look-up refused, the next try finds the job; the last one ends it."""
    on_emulator.control.add_fault(project, **LOST)
    on_emulator.control.add_fault(project, **NO_LIST)
    operator = make(program=FOREVER, retries=retries)

    outcome = run_task(operator)

    assert isinstance(outcome.error, UnclearSubmitError)
    name = only_job(on_emulator, project)["name"]
    if retries:
        assert outcome.state == "up_for_retry"
        assert run_task(operator, try_number=2).state == "deferred"
        assert supervisor.xcoms["job_name"] == name
        assert "CancelCustomJob" not in on_emulator.control.requests(project)
    else:
        assert outcome.state == "failed"
        on_emulator.control.wait_job(name, ["JOB_STATE_CANCELLED"])


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_retries_edited_between_tries(on_emulator, project, supervisor, before, after):
    """A retry is one, whatever `retries` says by now: it adopts the job that runs."""
    name = submitted(on_emulator, make(program=FOREVER, retries=before))

    outcome = run_task(make(program=FOREVER, retries=after), try_number=2, max_tries=before)

    assert outcome.state == "deferred"
    assert supervisor.xcoms["job_name"] == name
    assert len(on_emulator.control.jobs(project)) == 1


RETRY = {"try_number": 2, "max_tries": 2}
CLEARED = {"try_number": 2, "max_tries": 3, "clear_number": 1}
PROGRAMS = {"RUNNING": FOREVER, "SUCCEEDED": "print('trained')", "FAILED": "raise SystemExit(1)"}


@pytest.mark.parametrize(
    ("job", "ti", "operator", "state", "end"),
    [
        (None, {"try_number": 1, "max_tries": 3}, {"retries": 1}, "failed", None),
        (None, RETRY, {"retries": 2}, "failed", None),
        ("RUNNING", RETRY, {"retries": 2}, "up_for_retry", "RUNNING"),
        ("RUNNING", RETRY, {"retries": 1}, "up_for_retry", "RUNNING"),
        ("RUNNING", RETRY, {"retries": 5}, "up_for_retry", "RUNNING"),
        ("RUNNING", RETRY, {"reattach": False}, "failed", "CANCELLED"),
        ("SUCCEEDED", RETRY, {}, "up_for_retry", "SUCCEEDED"),
        ("FAILED", RETRY, {}, "failed", "FAILED"),
        ("RUNNING", CLEARED, {}, "failed", "CANCELLED"),
        ("RUNNING", CLEARED, {"retries": 1}, "failed", "CANCELLED"),
    ],
    ids=[
        "retries edited before the first try",
        "a retry, no try has made a job",
        "a retry, the job runs",
        "the same, retries edited: less",
        "the same, retries edited: more",
        "the same, reattach is off",
        "a retry, the job succeeded",
        "a retry, the job failed",
        "the task was cleared, its job runs",
        "the same, retries edited",
    ],
)
def test_an_error_that_no_retry_can_mend(on_emulator, project, supervisor, job, ti, operator, state, end):
    """It ends the retries, unless an earlier try has left a job that the next one can go on with."""
    name = ""
    if job:
        run_task(make(program=PROGRAMS[job], retries=2))
        name = only_job(on_emulator, project)["name"]
        on_emulator.control.wait_job(name, [f"JOB_STATE_{job}"])
    size = "{{ 100 if ti.try_number == 3 else 'much' }}"
    edited = make(**{"retries": 2, "boot_disk_size_gb": size, **operator})

    outcome = run_task(edited, **ti)

    assert "boot_disk_size_gb: must be a whole number" in str(outcome.error)
    assert outcome.state == state
    if job:
        assert on_emulator.control.wait_job(name, [f"JOB_STATE_{end}"])
    if state == "up_for_retry":
        assert run_task(edited, **{**ti, "try_number": 3}).state in {"deferred", "success"}
        assert only_job(on_emulator, project)["name"] == name


@pytest.mark.parametrize(
    ("ti", "state"),
    [
        ({"try_number": 1, "max_tries": 2}, "failed"),
        (RETRY, "up_for_retry"),
        (CLEARED, "failed"),
        ({"try_number": 3, "max_tries": 3, "clear_number": 1}, "up_for_retry"),
    ],
    ids=["first try", "its retry", "cleared", "the retry after a clear"],
)
def test_an_error_that_no_retry_can_mend_where_no_job_can_be_seen(
    on_emulator, project, supervisor, ti, state
):
    """Where lists are refused, too, the first try of a series ends the retries, and its retries do not."""
    on_emulator.control.add_fault(project, **NO_LIST, times=None)
    refused = {**NO_LIST, "method": "CreateCustomJob"}
    on_emulator.control.add_fault(project, **refused, times=None)

    outcome = run_task(make(retries=2), **ti)

    assert isinstance(outcome.error, PermissionDeniedError)
    assert outcome.state == state


@pytest.mark.skipif(__version__.startswith("3.1."), reason="Airflow 3.1 does not count clears of other tasks")
def test_another_task_of_the_run_was_cleared(on_emulator, project, supervisor, log_lines):
    """A clear of some task leaves a retry's job running, with a word of doubt."""
    operator = make(program=FOREVER, retries=1)
    name = submitted(on_emulator, operator)

    run_task(operator, try_number=2, clear_number=1)

    assert supervisor.xcoms["job_name"] == name
    doubt = (
        "WARNING The adopted job may be an old one: since it was made some task of the DAG run was cleared"
    )
    assert any(line.startswith(doubt) for line in log_lines)


def test_a_cleared_task_gets_a_job_of_its_own(on_emulator, project, supervisor):
    """A clear in a running DAG run shows in max_tries on all versions: the old job is cancelled."""
    operator = make(program=FOREVER, retries=1)
    name = submitted(on_emulator, operator)

    # Airflow 3.1 counts such a clear nowhere else.
    run_task(operator, try_number=2, max_tries=2, clear_number=0 if __version__.startswith("3.1.") else 1)

    assert on_emulator.control.wait_job(name, ["JOB_STATE_CANCELLED"])
    assert supervisor.xcoms["job_name"] != name


def test_a_process_that_wakes_up_late_makes_no_job(on_emulator, project, supervisor):
    """A try that Airflow has given up meets a later try's job, and leaves all as it is."""
    operator = make(program=FOREVER, retries=5)
    run_task(operator, try_number=5)
    name = only_job(on_emulator, project)["name"]
    on_emulator.control.wait_job(name, ["JOB_STATE_RUNNING"])

    outcome = run_task(operator, try_number=2)

    assert isinstance(outcome.error, TryGivenUpError)
    assert only_job(on_emulator, project)["state"] == "JOB_STATE_RUNNING"


def test_a_process_that_wakes_up_late_ends_no_earlier_job(
    on_emulator, project, supervisor, log_lines, monkeypatch
):
    """A series' last try that Airflow has given up ends nothing: the later try sees to what there was."""
    monkeypatch.setattr("airflow_vertex_training.vertex.submit.create.LOOKS", (0.1,))
    submitted(on_emulator, make(program=FOREVER, retries=1))
    on_emulator.control.add_fault(project, "late", method="ListCustomJobs", seconds=3600.0, times=2)
    assert run_task(make(program=FOREVER, retries=5), try_number=5).state == "deferred"

    outcome = run_task(make(program=FOREVER, retries=1), try_number=2)

    assert isinstance(outcome.error, TryGivenUpError)
    assert len(on_emulator.control.jobs(project)) == 2
    assert "CancelCustomJob" not in on_emulator.control.requests(project)


@needs_store
def test_each_try_may_ask_in_another_region(on_emulator, project, supervisor):
    """A retry that asks elsewhere adopts the job of the region where the try before it asked."""
    operator = make(
        program=FOREVER, region="{{ ['us-central1', 'europe-west4'][ti.try_number - 1] }}", retries=1
    )
    name = submitted(on_emulator, operator)

    outcome = run_task(operator, try_number=2)

    assert outcome.state == "deferred"
    assert supervisor.xcoms["job_name"] == name
    assert "/us-central1/" in name


@needs_store
def test_a_given_up_try_that_may_not_store_creates_nothing(on_emulator, project, supervisor):
    """Airflow refuses what a superseded try wants to store: it stops there."""
    supervisor.refuses_to_store = LookupError("404")

    outcome = run_task(make(program=FOREVER, retries=1))

    assert outcome.error is supervisor.refuses_to_store
    assert on_emulator.control.jobs(project) == []
