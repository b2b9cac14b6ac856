from __future__ import annotations

import os

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1


@pytest.fixture
def rest_client(vertex_emulator):
    """Google's client over REST, made of what the fixture says alone."""
    return aiplatform_v1.JobServiceClient(
        transport="rest",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": vertex_emulator.http_address},
    )


@pytest.fixture
def where(vertex_emulator):
    """A location of the test's own project."""
    return f"projects/{vertex_emulator.project}/locations/us-central1"


def test_jobs_logs_and_requests(vertex_emulator, rest_client, where, make_job):
    """The fixture shows the test's own jobs, what they printed, and what was asked for."""
    name = rest_client.create_custom_job(parent=where, custom_job=make_job("echo", "hello")).name
    assert vertex_emulator.wait(name)["state"] == "JOB_STATE_SUCCEEDED"
    assert [job["name"] for job in vertex_emulator.jobs()] == [name]
    assert vertex_emulator.log(name) == ["hello"]
    assert vertex_emulator.requests() == {"CreateCustomJob": {"OK": 1}}
    assert vertex_emulator.storage.is_dir()


@pytest.mark.parametrize(("after_commit", "made"), [(False, 0), (True, 1)])
def test_the_next_request_fails(vertex_emulator, rest_client, where, make_job, after_commit, made):
    """`fail_next` strikes one request of one kind, before or after it has made the job."""
    vertex_emulator.fail_next("CreateCustomJob", message="try later", after_commit=after_commit)
    assert list(rest_client.list_custom_jobs(parent=where)) == []
    with pytest.raises(exceptions.ServiceUnavailable, match="try later"):
        rest_client.create_custom_job(parent=where, custom_job=make_job("true"))
    assert len(vertex_emulator.jobs()) == made
    rest_client.create_custom_job(parent=where, custom_job=make_job("true"))
    assert len(vertex_emulator.jobs()) == made + 1


def test_other_faults(vertex_emulator, rest_client, where, make_job):
    """`fault` knows every kind: here a stockout."""
    vertex_emulator.fault("job_error")
    name = rest_client.create_custom_job(parent=where, custom_job=make_job("true")).name
    assert "Resources are insufficient in region" in vertex_emulator.wait(name)["error_message"]


def test_the_environment_names_the_emulator(vertex_emulator):
    """What this package's operator looks for is set while the test runs."""
    assert os.environ["VERTEX_AI_EMULATOR_HOST"] == vertex_emulator.address
    assert os.environ["GOOGLE_CLOUD_PROJECT"] == vertex_emulator.project


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_a_project_of_its_own(vertex_emulator, rest_client, where, make_job, number):
    """No test sees another one's jobs or faults."""
    assert vertex_emulator.jobs() == []
    rest_client.create_custom_job(parent=where, custom_job=make_job("true"))
    vertex_emulator.fail_next("ListCustomJobs", times=5)


def test_jobs_end_with_their_test(vertex_emulator, rest_client, where, make_job):
    """`clear`, which ends each test, cancels what still runs and lifts every fault."""
    names = [
        rest_client.create_custom_job(parent=where, custom_job=make_job(*command)).name
        for command in (["sleep", "600"], ["true"])
    ]
    vertex_emulator.wait(names[0], ["JOB_STATE_RUNNING"])
    vertex_emulator.wait(names[1])
    vertex_emulator.fail_next()
    vertex_emulator.clear()
    assert vertex_emulator.wait(names[0])["state"] == "JOB_STATE_CANCELLED"
    assert rest_client.get_custom_job(name=names[1]).state.name == "JOB_STATE_SUCCEEDED"
