from __future__ import annotations

import pytest
from google.api_core import exceptions

from airflow_vertex_training.emulator.api.errors import ApiError
from airflow_vertex_training.emulator.api.quotas import RESOURCE_REQUESTS, SUBMISSIONS, Quotas
from airflow_vertex_training.emulator.config import QuotaLimits


def granted(quotas: Quotas, quota=RESOURCE_REQUESTS, region: str = "r", project: str = "p") -> int:
    """How many requests pass until one is refused."""
    passed = 0

    def spend() -> None:
        nonlocal passed
        while passed < 10_000:
            quotas.charge(quota, project, region, "12")
            passed += 1

    with pytest.raises(ApiError, match="RESOURCE_EXHAUSTED"):
        spend()
    return passed


def test_defaults_are_vertex_quotas():
    """By default 600 resource requests and 60 submissions pass in a minute."""
    quotas = Quotas(QuotaLimits(), clock=lambda: 0.0)
    assert granted(quotas) == 600
    assert granted(quotas, SUBMISSIONS) == 60


def test_quota_is_by_project_and_region():
    """What one region or project uses up is not missing in another."""
    quotas = Quotas(QuotaLimits(resource_requests=5), clock=lambda: 0.0)
    assert granted(quotas) == 5
    assert granted(quotas, region="other") == 5
    assert granted(quotas, project="other") == 5
    assert granted(quotas) == 0


def test_window_slides():
    """A request is forgotten when it is older than the window; refused ones never counted."""
    now = [0.0]
    quotas = Quotas(QuotaLimits(resource_requests=3), clock=lambda: now[0])
    quotas.charge(RESOURCE_REQUESTS, "p", "r", "12")
    now[0] = 30.0
    assert granted(quotas) == 2
    now[0] = 59.0
    assert granted(quotas) == 0
    now[0] = 60.0
    assert granted(quotas) == 1


def test_no_quota_is_the_default(client, emulator, project, parent):
    """An emulator that wasn't told to enforce quotas refuses nothing."""
    for _ in range(70):
        client.list_custom_jobs(parent=parent)
    assert emulator.control.requests(project) == {"ListCustomJobs": {"OK": 70}}


def test_request_over_the_quota_has_googles_text(client, emulator, project, parent, make_job):
    """Over its quota a project gets RESOURCE_EXHAUSTED in Google's words and details, and no job."""
    emulator.control.set_quotas(project, {"submissions": 1, "resource_requests": 2})
    client.create_custom_job(parent=parent, custom_job=make_job("true"))
    with pytest.raises(exceptions.ResourceExhausted) as caught:
        client.create_custom_job(parent=parent, custom_job=make_job("true"))
    assert caught.value.message.startswith(
        "Quota exceeded for quota metric 'Job submission requests' and limit "
        "'Job submission requests per minute per region' of service 'aiplatform.googleapis.com' "
        "for consumer 'project_number:"
    )
    assert caught.value.reason == "RATE_LIMIT_EXCEEDED"
    assert len(emulator.control.jobs(project)) == 1
    for _ in range(2):
        client.list_custom_jobs(parent=parent)
    with pytest.raises(exceptions.ResourceExhausted, match="Resource management requests"):
        client.list_custom_jobs(parent=parent)
    emulator.control.set_quotas(project, None)
    client.list_custom_jobs(parent=parent)
