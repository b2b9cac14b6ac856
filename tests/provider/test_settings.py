"""The options of `[vertex_training]`."""

from __future__ import annotations

import pytest

from airflow_vertex_training import settings
from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.naming.identity import DEFAULT_DEPLOYMENT_ID
from tests.provider.task_runs import run_task
from tests.provider.training_tasks import make


@pytest.mark.parametrize(
    ("option", "value", "right"),
    [
        ("requests_per_minute", "0", "a whole number of at least 1, such as 300"),
        ("requests_per_minute", "many", "a whole number of at least 1, such as 300"),
        ("requests_per_minute", "60.5", "a whole number of at least 1, such as 300"),
        ("requests_per_minute", "-1", "a whole number of at least 1, such as 300"),
        ("orphan_grace_period", "soon", "a whole number of at least 1, such as 300"),
        ("orphans", "kill", "'cancel', 'report' or 'ignore'"),
        ("deployment_id", "Team A", "a legal label, such as 'team-a'"),
    ],
)
def test_a_wrong_option_is_told_before_a_job_is_made(
    on_emulator, project, supervisor, monkeypatch, option, value, right
):
    """The error names the option, what is wrong and what would be right; nothing was submitted."""
    monkeypatch.setenv(f"AIRFLOW__VERTEX_TRAINING__{option.upper()}", value)

    outcome = run_task(make())

    assert str(outcome.error) == f"[vertex_training] {option}: {value!r} is wrong; write {right}"
    assert on_emulator.control.jobs(project) == []


@pytest.mark.parametrize(
    ("deployment_id", "orphans", "policy"),
    [
        (None, None, "report"),
        ("prod", None, "cancel"),
        ("prod", "report", "report"),
        (None, "ignore", "ignore"),
    ],
)
def test_orphans_are_cancelled_only_where_the_installation_has_a_name(
    monkeypatch, deployment_id, orphans, policy
):
    """Without a name of its own, an installation can't tell its jobs from another's: it reports them."""
    for option, value in (("DEPLOYMENT_ID", deployment_id), ("ORPHANS", orphans)):
        if value:
            monkeypatch.setenv(f"AIRFLOW__VERTEX_TRAINING__{option}", value)

    assert settings.orphans() == policy


def test_surrounding_space_is_no_part_of_a_value(monkeypatch):
    """A value written with spaces around it, as configuration files invite to, is the same value."""
    monkeypatch.setenv("AIRFLOW__VERTEX_TRAINING__REQUESTS_PER_MINUTE", " 60 ")
    assert settings.requests_per_minute() == 60


def test_check_reads_every_option(monkeypatch):
    """What is checked before a job is made is all that can be set, but for a folder, whose name is free."""
    from airflow_vertex_training.provider_info import get_provider_info

    info = get_provider_info()
    for option in info["config"]["vertex_training"]["options"].keys() - {"job_templates"}:  # type: ignore[index]
        monkeypatch.setenv(f"AIRFLOW__VERTEX_TRAINING__{option.upper()}", "Not legal!")
        with pytest.raises(InvalidJobError, match=option):
            settings.check()
        monkeypatch.delenv(f"AIRFLOW__VERTEX_TRAINING__{option.upper()}")


def test_without_a_deployment_id_triggers_and_jobs_have_the_same():
    """What a trigger takes for the default is what Airflow is told that the default is."""
    assert settings.deployment_id() == DEFAULT_DEPLOYMENT_ID
