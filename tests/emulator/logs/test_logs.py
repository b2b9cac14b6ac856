from __future__ import annotations

import grpc
import pytest
from google.api_core import exceptions
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport

from airflow_vertex_training.emulator.control.process import launch


def job_filter(name: str, more: str = "") -> str:
    """Cloud Logging's filter for a job."""
    return f'resource.type="ml_job" AND resource.labels.job_id="{name.rpartition("/")[2]}"{more}'


@pytest.fixture
def run(client, emulator, parent, make_job):
    """Run a Python script as a job to its end; return the job's name."""

    def run_script(script: str) -> str:
        name: str = client.create_custom_job(parent=parent, custom_job=make_job("python", "-c", script)).name
        emulator.control.wait_job(name)
        return name

    return run_script


@pytest.fixture
def entries(log_client, project):
    """List the log entries of the test's project."""

    def list_entries(text: str, **request):
        request = {"resource_names": [f"projects/{project}"], "filter": text, "page_size": 1000, **request}
        return list(log_client.list_log_entries(request=request))

    return list_entries


def test_lines_become_entries(run, entries):
    """What a replica prints is in the log: stdout as INFO, stderr as ERROR, with the job's labels."""
    name = run("import sys; print('one'); print('two', file=sys.stderr); print('thrée', end='')")
    found = entries(job_filter(name, ' AND resource.labels.task_name="workerpool0-0"'))
    lines = {(entry.json_payload["message"], entry.severity) for entry in found}
    assert lines == {("one", 200), ("two", 500), ("thrée", 200)}
    for entry in found:
        assert entry.resource.type == "ml_job"
        assert entry.resource.labels["job_id"] == name.rpartition("/")[2]
        assert entry.resource.labels["task_name"] == "workerpool0-0"
        assert entry.log_name.endswith("/logs/workerpool0-0")


def test_vertex_writes_its_own_lines_as_text(run, entries):
    """Vertex's own lines have the task name `service` and are textPayload."""
    name = run("pass")
    found = entries(job_filter(name, ' AND resource.labels.task_name="service"'))
    assert [entry.text_payload for entry in found] == [
        "Waiting for job to be provisioned.",
        "Job is running.",
        "Job completed successfully.",
    ]


def test_json_line_becomes_the_payload(run, entries):
    """A line that is a JSON object with a message is the payload, and its severity counts."""
    name = run("""print('{"message": "loss", "severity": "WARNING", "loss": 0.5}'); print('{"x": 1}')""")
    loss, other = entries(job_filter(name, ' AND resource.labels.task_name="workerpool0-0"'))
    assert (loss.json_payload["message"], loss.json_payload["loss"], loss.severity) == ("loss", 0.5, 400)
    assert (other.json_payload["message"], other.severity) == ('{"x": 1}', 200)


def test_cursor_reads_every_line_once(run, entries):
    """Reading on from the last timestamp and insert id misses no line and repeats none."""
    name = run("for n in range(100): print(n)")
    base = job_filter(name, ' AND resource.labels.task_name="workerpool0-0"')
    read: list[str] = []
    cursor = ""
    while True:
        page = entries(base + cursor, page_size=7)[:7]
        if not page:
            break
        read.extend(entry.json_payload["message"] for entry in page)
        last = page[-1]
        stamp = last.timestamp.rfc3339()
        cursor = f' AND ((timestamp="{stamp}" AND insertId>"{last.insert_id}") OR timestamp>"{stamp}")'
    assert read == [str(n) for n in range(100)]


def test_pages_follow_each_other_in_both_orders(run, log_client, project):
    """Page tokens lead through all entries, oldest first or newest first."""
    name = run("for n in range(30): print(n)")
    text = job_filter(name, ' AND resource.labels.task_name="workerpool0-0"')
    expected = [str(n) for n in range(30)]
    for order, wanted in (("timestamp asc", expected), ("timestamp desc", expected[::-1])):
        request = {
            "resource_names": [f"projects/{project}"],
            "filter": text,
            "order_by": order,
            "page_size": 7,
        }
        pages = [page.entries for page in log_client.list_log_entries(request=request).pages]
        assert [len(page) for page in pages] == [7, 7, 7, 7, 2]
        assert [entry.json_payload["message"] for page in pages for entry in page] == wanted


def test_one_filter_reads_several_jobs(run, entries):
    """A filter with several job ids gives the entries of these jobs and of no other, by time."""
    first, _, third = [run(f"print({number})") for number in (1, 2, 3)]
    ids = " OR ".join(f'"{name.rpartition("/")[2]}"' for name in (first, third))
    text = f'resource.type="ml_job" resource.labels.job_id=({ids}) resource.labels.task_name="workerpool0-0"'
    assert [entry.json_payload["message"] for entry in entries(text)] == ["1", "3"]


def test_chatty_job_keeps_its_newest_lines(tmp_path):
    """Of a job that prints more than the limit the oldest lines are dropped, in memory and in the file."""
    from airflow_vertex_training.emulator.jobs.store import open_database
    from airflow_vertex_training.emulator.logs.logbook import LogBook

    database = open_database(tmp_path / "state")
    log = LogBook(database, max_lines=3)
    for number in range(10):
        log.write_line("p", "1", "workerpool0-0", str(number), "INFO")
    assert [entry.text for entry in log.of_job("p", "1")] == ["7", "8", "9"]
    assert [entry.text for entry in LogBook(database, 3).of_job("p", "1")] == ["7", "8", "9"]
    database.close()


def test_overlong_line_is_cut(run, emulator):
    """A line longer than Cloud Logging takes is several entries, and nothing of it is lost."""
    name = run("print('x' * 700_000)")
    lines = [line["text"] for line in emulator.control.log_lines(name)]
    assert len(lines) > 1
    assert max(map(len, lines)) < 300_000
    assert "".join(lines) == "x" * 700_000


def test_late_entries_are_missing_at_first(run, entries, emulator, project):
    """With a `late` fault entries that are too new are not listed yet."""
    name = run("print('now')")
    emulator.control.add_fault(project, "late", method="ListLogEntries", seconds=60)
    assert entries(job_filter(name)) == []
    assert entries(job_filter(name)) != []


def test_entry_that_comes_late_stands_where_its_time_is(log_client, entries, emulator, project):
    """A line that takes a while to come is not listed before; then it stands among those of its time."""
    prompt = ("1", "workerpool0-0", "first", "INFO", 0)
    late = ("1", "workerpool0-0", "late", "INFO", 0.2)
    emulator.control.write_log(project, [prompt, late])
    emulator.control.write_log(project, [("1", "workerpool0-0", "last", "INFO", 0)])
    text = 'resource.labels.job_id="1"'
    while len(found := entries(text)) < 3:
        assert [entry.json_payload["message"] for entry in found] == ["first", "last"]
    assert [entry.json_payload["message"] for entry in found] == ["first", "late", "last"]
    delays = [entry.receive_timestamp - entry.timestamp for entry in found]
    assert [delay.total_seconds() >= 0.2 for delay in delays] == [False, True, False]
    assert [entry.json_payload["message"] for entry in entries(text, page_size=1)] == [
        "first",
        "late",
        "last",
    ]


def test_every_project_of_a_request_needs_the_permission():
    """A request that names one project too many is PERMISSION_DENIED, whatever else it names."""
    with launch("--projects", "mine") as emulator, grpc.insecure_channel(emulator.address) as channel:
        client = LoggingServiceV2Client(transport=LoggingServiceV2GrpcTransport(channel=channel))
        assert list(client.list_log_entries(resource_names=["projects/mine"])) == []
        with pytest.raises(exceptions.PermissionDenied, match=r"logging\.logEntries\.list"):
            client.list_log_entries(resource_names=["projects/mine", "projects/yours"])


@pytest.mark.parametrize(
    ("request_fields", "message"),
    [
        ({"text": "resource.type=", "page_size": 10}, "Unparseable filter"),
        ({"text": "colour=red"}, "unknown field 'colour' of LogEntry"),
        ({"text": "", "page_size": 1001}, "page_size"),
        ({"text": "", "order_by": "severity"}, "order_by"),
        ({"text": "", "resource_names": ["folders/1"]}, "resource_names"),
        ({"text": " " * 20_001}, "at most 20000 characters"),
    ],
)
def test_wrong_request_names_its_field(entries, request_fields, message):
    """A wrong filter, page size, order or resource is INVALID_ARGUMENT."""
    with pytest.raises(exceptions.InvalidArgument, match=message):
        entries(**request_fields)
