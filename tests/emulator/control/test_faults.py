from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.api_core import exceptions

from airflow_vertex_training.emulator.control.faults import Fault

CREATE = "CreateCustomJob"


def test_error_before_the_commit_makes_nothing(client, emulator, project, parent, make_job):
    """An error before the commit is answered once, and no job is there; the next request passes."""
    emulator.control.add_fault(project, "error", method=CREATE, code="UNAVAILABLE", message="Try later.")
    with pytest.raises(exceptions.ServiceUnavailable, match=r"Try later\."):
        client.create_custom_job(parent=parent, custom_job=make_job("true"))
    assert emulator.control.jobs(project) == []
    client.create_custom_job(parent=parent, custom_job=make_job("true"))
    assert len(emulator.control.jobs(project)) == 1


def test_error_after_the_commit_has_made_the_job(client, emulator, project, parent, make_job):
    """An error after the commit hides a job that is there."""
    emulator.control.add_fault(project, "error", method=CREATE, when="after_commit", code="INTERNAL")
    with pytest.raises(exceptions.InternalServerError):
        client.create_custom_job(parent=parent, custom_job=make_job("true"))
    assert len(emulator.control.jobs(project)) == 1


def test_hang_after_the_commit_ends_with_the_deadline(client, emulator, project, parent, make_job):
    """An answer that never comes is DEADLINE_EXCEEDED at the client, and the job is there."""
    emulator.control.add_fault(project, "hang", method=CREATE, when="after_commit")
    with pytest.raises(exceptions.DeadlineExceeded):
        client.create_custom_job(parent=parent, custom_job=make_job("true"), timeout=0.3)
    assert len(emulator.control.jobs(project)) == 1
    assert emulator.control.requests(project) == {CREATE: {"CANCELLED": 1}}


def test_delay_changes_nothing_but_the_time(client, emulator, project, parent):
    """A delayed request is answered as ever."""
    fault = emulator.control.add_fault(project, "delay", method="ListCustomJobs", seconds=0.2)
    assert list(client.list_custom_jobs(parent=parent)) == []
    emulator.control.wait_fault(fault)


@pytest.mark.parametrize(("when", "jobs"), [("before_commit", 0), ("after_commit", 1)])
def test_hold_stops_a_request_at_its_point(client, emulator, project, parent, make_job, when, jobs):
    """A held request is on this or that side of its commit, known to be there, until it is released."""
    fault = emulator.control.add_fault(project, "hold", method=CREATE, when=when)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.create_custom_job, parent=parent, custom_job=make_job("true"))
        emulator.control.wait_fault(fault)
        assert len(emulator.control.jobs(project)) == jobs
        assert not answer.done()
        emulator.control.release_fault(fault)
        assert answer.result(timeout=20).name
    assert len(emulator.control.jobs(project)) == 1


def test_faults_are_used_up_in_order(client, emulator, project, parent):
    """Faults strike in the order in which they were added, each as often as it says, then no more."""
    emulator.control.add_fault(project, "error", method="ListCustomJobs", code="INTERNAL", times=2)
    emulator.control.add_fault(project, "error", method="*", code="ABORTED")
    for expected in (exceptions.InternalServerError, exceptions.InternalServerError, exceptions.Aborted):
        with pytest.raises(expected):
            client.list_custom_jobs(parent=parent)
    client.list_custom_jobs(parent=parent)
    assert emulator.control.requests(project)["ListCustomJobs"] == {"INTERNAL": 2, "ABORTED": 1, "OK": 1}


def test_fault_without_times_lasts_until_it_is_cleared(client, emulator, project, parent):
    """A fault with `times=None` strikes until the project's faults are cleared."""
    emulator.control.add_fault(project, "error", times=None)
    for _ in range(3):
        with pytest.raises(exceptions.ServiceUnavailable):
            client.list_custom_jobs(parent=parent)
    emulator.control.clear_faults(project)
    assert list(client.list_custom_jobs(parent=parent)) == []


def test_fault_strikes_only_what_it_matches(client, emulator, project, parent, make_job):
    """Project, region, method, display name, labels and `skip` choose which requests a fault strikes."""
    control = emulator.control
    control.add_fault(
        project,
        "error",
        method=CREATE,
        region="us-central1",
        display_name="train",
        labels={"try": "2"},
        skip=1,
        times=None,
    )
    europe = parent.replace("us-central1", "europe-west4")
    other = parent.replace(project, f"{project}-other")
    wanted = make_job("true", display_name="a-train-job", labels={"try": "2", "x": "y"})
    for location, job in (
        (europe, wanted),
        (other, wanted),
        (parent, make_job("true", display_name="a-train-job", labels={"try": "1"})),
        (parent, make_job("true", display_name="eval", labels={"try": "2"})),
        (parent, wanted),  # the one that is skipped
    ):
        client.create_custom_job(parent=location, custom_job=job)
    with pytest.raises(exceptions.ServiceUnavailable):
        client.create_custom_job(parent=parent, custom_job=wanted)


def test_capacity_quota_has_its_details(client, emulator, project, parent, make_job):
    """An injected error carries the text and the QuotaFailure that were asked for."""
    metric = "aiplatform.googleapis.com/custom_model_training_nvidia_l4_gpus"
    text = f"The following quota metrics exceed quota limits: {metric}"
    emulator.control.add_fault(
        project, "error", method=CREATE, code="RESOURCE_EXHAUSTED", message=text, details={metric: "too many"}
    )
    with pytest.raises(exceptions.ResourceExhausted, match=text) as caught:
        client.create_custom_job(parent=parent, custom_job=make_job("true"))
    assert caught.value.details[0].violations[0].subject == metric


@pytest.mark.parametrize("kind", ["stale", "late"])
def test_list_that_is_late_misses_new_jobs_that_get_knows(client, emulator, project, parent, kind):
    """A stale or late list misses a new job; a get of it works, and the next list is right again."""
    emulator.control.add_fault(project, kind, method="ListCustomJobs", seconds=60)
    (name,) = emulator.control.create_simulated(project, "us-central1", 1, run_seconds=600)
    assert list(client.list_custom_jobs(parent=parent)) == []
    assert client.get_custom_job(name=name).name == name
    assert [job.name for job in client.list_custom_jobs(parent=parent)] == [name]


def test_stale_list_shows_the_state_of_then(client, emulator, project, parent):
    """A stale list shows a job that has ended as it was before, without its end."""
    (name,) = emulator.control.create_simulated(project, "us-central1", 1, run_seconds=0.5)
    history = emulator.control.wait_job(name)["history"]
    since_running = (time.time_ns() - history[2]["nanoseconds"]) / 1e9
    emulator.control.add_fault(project, "stale", method="ListCustomJobs", seconds=since_running - 0.1)
    (job,) = client.list_custom_jobs(request={"parent": parent, "filter": 'state="JOB_STATE_RUNNING"'})
    assert (job.state.name, job.end_time) == ("JOB_STATE_RUNNING", None)
    assert client.get_custom_job(name=name).state.name == "JOB_STATE_SUCCEEDED"


def test_stockout_fails_the_job_not_the_request(client, emulator, project, parent, make_job):
    """With a stockout the job is made and then fails, code 8, in Vertex's words for its region."""
    emulator.control.add_fault(project, "job_error")
    name = client.create_custom_job(parent=parent, custom_job=make_job("true")).name
    job = emulator.control.wait_job(name)
    assert (job["state"], job["error_code"]) == ("JOB_STATE_FAILED", 8)
    assert job["error_message"] == (
        "Resources are insufficient in region: us-central1. "
        "Try a different region or use a different accelerator."
    )
    assert "JOB_STATE_RUNNING" not in [entry["state"] for entry in job["history"]]


def test_job_error_has_the_text_that_was_asked_for(client, emulator, project, parent, make_job):
    """A job's own error has the text asked for, and code 8 unless another is named."""
    text = "The following quota metrics exceed quota limits: aiplatform.googleapis.com/x"
    for settings, code in (({}, 8), ({"code": "INTERNAL"}, 13)):
        emulator.control.add_fault(project, "job_error", message=text, **settings)
        name = client.create_custom_job(parent=parent, custom_job=make_job("true")).name
        job = emulator.control.wait_job(name)
        assert (job["error_code"], job["error_message"]) == (code, text)


def test_scripted_preemption_restarts_the_replica(client, emulator, project, parent, make_job):
    """A `preempt` fault takes the replica away once; its second attempt ends the job."""
    fault = emulator.control.add_fault(project, "preempt")
    name = client.create_custom_job(parent=parent, custom_job=make_job("sleep", "0.5")).name
    emulator.control.wait_fault(fault)
    assert emulator.control.wait_job(name)["state"] == "JOB_STATE_SUCCEEDED"
    service = [line["text"] for line in emulator.control.log_lines(name, "service")]
    assert sum("restarted" in text for text in service) == 1


def test_dropped_connections_come_back(client, emulator, project, parent):
    """A client whose connection was cut connects again, and the server sees a second connection."""
    assert list(client.list_custom_jobs(parent=parent)) == []
    emulator.control.drop_connections()
    grpc.channel_ready_future(client.transport.grpc_channel).result(timeout=20)
    assert list(client.list_custom_jobs(parent=parent)) == []
    assert emulator.control.connections(project) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "explode"}, "kind: must be one of"),
        ({"kind": "error", "code": "OK"}, "code: must name a gRPC status code"),
        ({"kind": "error", "when": "later"}, "when: must be before_commit or after_commit"),
        ({"kind": "error", "colour": "red"}, "unknown settings colour"),
    ],
)
def test_wrong_fault_is_refused(settings, message):
    """A fault that can't be is refused when it is made."""
    with pytest.raises(ValueError, match=message):
        Fault.from_dict({"project": "p", **settings})


def test_name_that_the_emulator_does_not_know_is_refused(emulator, project):
    """A fault of an unknown method and a wait for an unknown state never come true, so they are refused."""
    with pytest.raises(grpc.RpcError, match=r"must be \* or one of CancelCustomJob, .* got 'CreateJob'"):
        emulator.control.add_fault(project, "error", method="CreateJob")
    for states in (["RUNNING"], "JOB_STATE_RUNNING"):
        with pytest.raises(grpc.RpcError, match="states: must be a list of names such as JOB_STATE_RUNNING"):
            emulator.control.wait_job("projects/p/locations/us-central1/customJobs/1", states)


def test_jobs_error_can_come_after_its_end(client, emulator, project, parent, make_job):
    """A `late_error` job is FAILED without an error until it is released; then the error is an update."""
    fault = emulator.control.add_fault(project, "late_error", seconds=600)
    name = client.create_custom_job(parent=parent, custom_job=make_job("sh", "-c", "exit 3")).name
    ended = emulator.control.wait_job(name)
    assert (ended["state"], ended["error_code"], ended["error_message"]) == ("JOB_STATE_FAILED", 0, "")
    emulator.control.release_fault(fault)
    deadline = time.monotonic() + 20
    while not (job := client.get_custom_job(name=name)).error.code:
        assert time.monotonic() < deadline
    assert "non-zero status of 3" in job.error.message
    assert job.update_time > job.end_time
