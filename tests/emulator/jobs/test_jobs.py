from __future__ import annotations

import sys

import pytest
from google.api_core import exceptions
from google.cloud.aiplatform_v1 import JobState


def test_job_goes_through_vertex_states(client, emulator, parent, make_job):
    """A job is QUEUED, PENDING, RUNNING, SUCCEEDED, in this order, with Vertex's times."""
    created = client.create_custom_job(parent=parent, custom_job=make_job("python", "-c", "pass"))
    seen = emulator.control.wait_job(created.name)
    job = client.get_custom_job(name=created.name)

    assert created.state == JobState.JOB_STATE_QUEUED
    assert created.name.rpartition("/")[2].isdecimal()
    states = [entry["state"].removeprefix("JOB_STATE_") for entry in seen["history"]]
    assert states == ["QUEUED", "PENDING", "RUNNING", "SUCCEEDED"]
    assert job.create_time <= job.start_time <= job.end_time == job.update_time
    assert not job.error.code


def test_exit_status_fails_the_job_in_vertex_words(client, emulator, parent, make_job):
    """An exit status other than 0 is code 3 and Vertex's sentence: replica, status, a link to the log."""
    name = client.create_custom_job(
        parent=parent, custom_job=make_job("python", "-c", "raise SystemExit(7)")
    ).name
    emulator.control.wait_job(name)
    job = client.get_custom_job(name=name)
    assert (job.state, job.error.code) == (JobState.JOB_STATE_FAILED, 3)
    link = f"{emulator.http_address}/{name}#log"
    assert job.error.message == (
        "The replica workerpool0-0 exited with a non-zero status of 7. "
        f"To find out more about why your job exited please check the logs: {link}"
    )


@pytest.mark.parametrize(
    ("command", "status"), [(("no-such-program",), 127), (("sh", "-c", "kill -9 $$"), 137)]
)
def test_replica_that_cannot_run_has_a_shells_status(client, emulator, parent, make_job, command, status):
    """A program that isn't there is status 127, one that a signal ended 128 and its number."""
    name = client.create_custom_job(parent=parent, custom_job=make_job(*command)).name
    assert f"status of {status}." in emulator.control.wait_job(name)["error_message"]


def test_cancel_ends_the_whole_process_group(client, emulator, parent, make_job):
    """A cancelled job is CANCELLING, then CANCELLED with code 1, and nothing that it started lives on."""
    script = "sleep 600 & echo $! ; wait"
    name = client.create_custom_job(parent=parent, custom_job=make_job("sh", "-c", script)).name
    child = int(emulator.control.wait_line(name))
    client.cancel_custom_job(name=name)
    job = emulator.control.wait_job(name)
    states = [entry["state"] for entry in job["history"]]
    assert states[-2:] == ["JOB_STATE_CANCELLING", "JOB_STATE_CANCELLED"]
    assert (job["error_code"], job["error_message"]) == (1, "CANCELED")
    assert not _alive(child)


STRAY = """
import subprocess, sys, time
child = subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 600"], start_new_session={own_session})
time.sleep({seconds})
print(child.pid, flush=True)
{end}
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="strays are found in /proc")
@pytest.mark.parametrize("own_session", [False, True])
@pytest.mark.parametrize("ending", ["exits", "is cancelled"])
def test_replica_ends_with_its_first_process(client, emulator, parent, make_job, own_session, ending):
    """As in a container: what the first process leaves behind delays no end and doesn't outlive it.

    That is so whether it holds the output open, ignores SIGTERM, or has a session of its own, as torchrun's
    workers have.
    """
    # So long that the emulator waits for the process already when it ends.
    end = "time.sleep(600)" if ending == "is cancelled" else ""
    script = STRAY.format(own_session=own_session, seconds=0.5, end=end)
    name = client.create_custom_job(parent=parent, custom_job=make_job("python", "-c", script)).name
    child = int(emulator.control.wait_line(name))
    if end:
        client.cancel_custom_job(name=name)
    state = "JOB_STATE_CANCELLED" if end else "JOB_STATE_SUCCEEDED"
    assert emulator.control.wait_job(name)["state"] == state
    assert not _alive(child)


@pytest.mark.parametrize(
    "container",
    [{"command": ["echo", "a\0b"]}, {"command": ["env"], "env": [{"name": "A", "value": "x\0y"}]}],
    ids=["command", "env"],
)
def test_what_no_system_takes_is_told(client, emulator, parent, make_job, container):
    """A command or a variable with a NUL character fails the job in words, not as an internal error."""
    job = make_job("true")
    job.job_spec.worker_pool_specs[0].container_spec = {"image_uri": "x/y", **container}
    name = client.create_custom_job(parent=parent, custom_job=job).name
    assert "null byte" in emulator.control.wait_job(name)["error_message"]


def test_long_lines_are_cut(client, emulator, parent, make_job):
    """No log entry is longer than Cloud Logging takes, whatever the pieces in which a line arrives."""
    script = "print('x' * 3_000_000)"
    name = client.create_custom_job(parent=parent, custom_job=make_job("python", "-c", script)).name
    assert emulator.control.wait_job(name)["state"] == "JOB_STATE_SUCCEEDED"
    lengths = [len(line["text"]) for line in emulator.control.log_lines(name)]
    assert (max(lengths) <= 200_000, sum(lengths)) == (True, 3_000_000)


def test_stubborn_process_is_killed(client, emulator, parent, make_job):
    """A process that ignores SIGTERM gets SIGKILL after the grace time."""
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(600)"
    name = client.create_custom_job(parent=parent, custom_job=make_job("python", "-c", script)).name
    emulator.control.wait_line(name, "up")
    client.cancel_custom_job(name=name)
    assert emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"


def test_queued_job_can_be_cancelled(client, emulator, project, parent, make_job):
    """A job that is cancelled while it is QUEUED never runs."""
    emulator.control.add_fault(project, "queue", seconds=600)
    name = client.create_custom_job(parent=parent, custom_job=make_job("python", "-c", "print('ran')")).name
    client.cancel_custom_job(name=name)
    found = emulator.control.wait_job(name)
    assert [entry["state"] for entry in found["history"]] == [
        "JOB_STATE_QUEUED",
        "JOB_STATE_CANCELLING",
        "JOB_STATE_CANCELLED",
    ]
    assert emulator.control.log_lines(name) == []


def test_timeout_ends_the_job(client, emulator, parent, make_job):
    """A job that runs longer than its `scheduling.timeout` is ended, and its error says so."""
    job = make_job("sleep", "600", spec={"scheduling": {"timeout": {"seconds": 1}}})
    name = client.create_custom_job(parent=parent, custom_job=job).name
    found = emulator.control.wait_job(name)
    assert found["state"] == "JOB_STATE_CANCELLED"
    assert "exceeded its timeout (scheduling.timeout) of 1 seconds" in found["error_message"]


def test_ended_job_cannot_be_cancelled(client, emulator, parent, make_job):
    """Cancelling a job that has ended is FAILED_PRECONDITION and changes nothing."""
    name = client.create_custom_job(parent=parent, custom_job=make_job("python", "-c", "pass")).name
    emulator.control.wait_job(name)
    with pytest.raises(exceptions.FailedPrecondition, match="in state JOB_STATE_SUCCEEDED"):
        client.cancel_custom_job(name=name)
    assert client.get_custom_job(name=name).state == JobState.JOB_STATE_SUCCEEDED


def test_running_job_cannot_be_deleted(client, emulator, parent, make_job):
    """Delete is FAILED_PRECONDITION while a job runs, and a finished operation afterwards."""
    name = client.create_custom_job(parent=parent, custom_job=make_job("sleep", "600")).name
    with pytest.raises(exceptions.FailedPrecondition, match="can't be deleted"):
        client.delete_custom_job(name=name)
    client.cancel_custom_job(name=name)
    emulator.control.wait_job(name)
    operation = client.delete_custom_job(name=name)
    assert operation.done()
    with pytest.raises(exceptions.NotFound, match="does not exist"):
        client.get_custom_job(name=name)


def test_list_is_newest_first_in_pages(client, emulator, project, parent):
    """Pages of a list follow each other, newest job first, each job once, at most 100 in a page."""
    names = emulator.control.create_simulated(project, "us-central1", 250, run_seconds=600)
    pages = list(client.list_custom_jobs(parent=parent).pages)
    assert [len(page.custom_jobs) for page in pages] == [100, 100, 50]
    assert [job.name for page in pages for job in page.custom_jobs] == names[::-1]
    small = client.list_custom_jobs(request={"parent": parent, "page_size": 7})
    assert len(next(iter(small.pages)).custom_jobs) == 7


def test_list_goes_on_where_it_was_when_jobs_are_added(client, emulator, project, parent):
    """A job that is made between two pages neither repeats nor hides another."""
    names = emulator.control.create_simulated(project, "us-central1", 20, run_seconds=600)
    first = client.list_custom_jobs(request={"parent": parent, "page_size": 10})
    token = first.next_page_token
    emulator.control.create_simulated(project, "us-central1", 5, run_seconds=600)
    second = client.list_custom_jobs(request={"parent": parent, "page_size": 10, "page_token": token})
    assert [job.name for job in second] == names[9::-1]


@pytest.mark.parametrize("token", ["nonsense", "WzEsIDJd"])
def test_wrong_page_token_is_refused(client, parent, token):
    """A page token that is not of this list is INVALID_ARGUMENT."""
    with pytest.raises(exceptions.InvalidArgument, match="page token"):
        client.list_custom_jobs(request={"parent": parent, "page_token": token})


def test_page_token_belongs_to_its_filter(client, emulator, project, parent):
    """A page token with another filter is INVALID_ARGUMENT."""
    emulator.control.create_simulated(project, "us-central1", 2, run_seconds=600)
    token = client.list_custom_jobs(request={"parent": parent, "page_size": 1}).next_page_token
    with pytest.raises(exceptions.InvalidArgument, match="page token"):
        client.list_custom_jobs(request={"parent": parent, "page_token": token, "filter": "labels.a:*"})


def test_list_filters_on_the_documented_fields(client, emulator, project, parent):
    """`display_name`, `state`, `create_time` and labels filter a list; other regions' jobs are not in it."""
    control = emulator.control
    (done,) = control.create_simulated(
        project, "us-central1", 1, display_name="quick", labels={"team": "a"}, run_seconds=0
    )
    control.wait_job(done)
    (running,) = control.create_simulated(
        project, "us-central1", 1, display_name="slow", labels={"team": "b"}, run_seconds=600
    )
    control.wait_job(running, ["JOB_STATE_RUNNING"])
    control.create_simulated(project, "europe-west4", 1, run_seconds=600)
    created = client.get_custom_job(name=running).create_time.rfc3339()

    def found(text: str) -> list[str]:
        return [job.name for job in client.list_custom_jobs(request={"parent": parent, "filter": text})]

    assert found("") == [running, done]
    assert found('state="JOB_STATE_RUNNING"') == [running]
    assert found('state!="JOB_STATE_RUNNING"') == [done]
    assert found('display_name:"qui*"') == [done]
    assert found('NOT display_name="quick-0"') == [running]
    assert found("labels.team=a OR labels.team=b") == [running, done]
    assert found("labels.team:*") == [running, done]
    assert found("labels.other:*") == []
    assert found(f'create_time>="{created}"') == [running]
    assert found(f'create_time<"{created}" AND labels.team="a"') == [done]


@pytest.mark.parametrize(
    ("request_field", "value", "message"),
    [
        ("filter", "state=RUNNING", "must be a JobState"),
        ("filter", "colour=red", "unknown field 'colour'"),
        ("filter", "create_time>yesterday", "RFC 3339"),
        ("page_size", -1, "page_size"),
        ("read_mask", {"paths": ["colour"]}, "Unknown field 'colour'"),
    ],
)
def test_wrong_list_request_names_its_field(client, parent, request_field, value, message):
    """A wrong filter, page size or read mask is INVALID_ARGUMENT in words that help."""
    with pytest.raises(exceptions.InvalidArgument, match=message):
        client.list_custom_jobs(request={"parent": parent, request_field: value})


def test_read_mask_leaves_the_rest_out(client, emulator, project, parent):
    """A list with a read mask has those fields and no others."""
    emulator.control.create_simulated(project, "us-central1", 1, labels={"a": "b"}, run_seconds=600)
    (job,) = client.list_custom_jobs(request={"parent": parent, "read_mask": "name,state,labels"})
    assert job.name
    assert job.state
    assert dict(job.labels) == {"a": "b"}
    assert not job.display_name
    assert not job.job_spec.worker_pool_specs


def test_project_number_and_id_are_the_same_project(client, emulator, project, parent, make_job):
    """Where a project has a number, answers name it, and requests may use either."""
    emulator.control.set_project_number(project, f"9{project.__hash__() % 10**11:011d}")
    created = client.create_custom_job(parent=parent, custom_job=make_job("python", "-c", "pass"))
    number = created.name.split("/")[1]
    assert number.isdecimal()
    assert client.get_custom_job(name=created.name.replace(number, project)).name == created.name
    assert client.get_custom_job(name=created.name).name == created.name
    for location in (parent, parent.replace(project, number)):
        assert [job.name for job in client.list_custom_jobs(parent=location)] == [created.name]


def test_preempted_replica_is_restarted(client, emulator, parent, make_job):
    """A replica that the infrastructure takes away starts again, and the job goes on RUNNING to its end."""
    script = (
        "import os, time, pathlib\n"
        "mark = pathlib.Path(os.environ['AIP_CHECKPOINT_DIR']) / 'mark'\n"
        "again = mark.exists(); mark.touch(); print('again' if again else 'first')\n"
        "time.sleep(0 if again else 600)"
    )
    output = {"base_output_directory": {"output_uri_prefix": f"gs://bucket/{parent}"}}
    name = client.create_custom_job(
        parent=parent, custom_job=make_job("python", "-c", script, spec=output)
    ).name
    emulator.control.wait_line(name)
    assert emulator.control.preempt(name)
    job = emulator.control.wait_job(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert [line["text"] for line in emulator.control.log_lines(name)] == ["first", "again"]
    assert any("restarted" in line["text"] for line in emulator.control.log_lines(name, "service"))


def test_lost_replica_without_retries_fails_the_job(client, emulator, parent, make_job):
    """With `disable_retries` a lost replica is an internal error of the job."""
    job = make_job("sh", "-c", "echo up; sleep 600", spec={"scheduling": {"disable_retries": True}})
    name = client.create_custom_job(parent=parent, custom_job=job).name
    emulator.control.wait_line(name)
    emulator.control.preempt(name)
    found = emulator.control.wait_job(name)
    assert (found["state"], found["error_code"]) == ("JOB_STATE_FAILED", 13)


def _alive(pid: int) -> bool:
    """A zombie that nobody has reaped yet has ended too."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
