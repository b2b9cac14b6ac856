"""The extra links of a task: where they lead, and when they are there."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from urllib.parse import unquote

import pytest

from airflow_vertex_training import links, metrics
from airflow_vertex_training.hooks import VertexTrainingHook
from airflow_vertex_training.operators.task_report import TaskReport
from airflow_vertex_training.provider_info import get_provider_info
from airflow_vertex_training.vertex.api import protos
from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.spec.job import Access
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.submit.create import Outcome, Submission
from tests.provider.task_runs import run_task, task_instance
from tests.provider.test_triggers import first_event, trigger_for
from tests.provider.training_tasks import FOREVER, NAME, make, only_job, submitted
from tests.vertex.conftest import a_job, a_try

JOB = JobSnapshot(
    "projects/acme/locations/us-central1/customJobs/4711",
    create_time=datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc),
    base_output_directory="gs://acme-models/digits/run 1/",
)
TENSORBOARD = "projects/42/locations/us-central1/tensorboards/7"
EXPERIMENT = "projects/acme/locations/us-central1/metadataStores/default/contexts/digits"


@pytest.fixture
def no_emulator(monkeypatch):
    """Calls go to Vertex AI."""
    monkeypatch.delenv("VERTEX_AI_EMULATOR_HOST", raising=False)


def by_class(addresses):
    """Return addresses by the class of their link."""
    return {key.removeprefix("_link_"): address for key, address in addresses.items()}


def test_links_of_a_job(no_emulator):
    """Each leads to Google's page of the job, its log, its output, its TensorBoard and its experiment."""
    found = by_class(links.addresses(JOB, TENSORBOARD, EXPERIMENT))
    logs = found.pop("VertexLogsLink")
    console = "https://console.cloud.google.com"
    assert found == {
        "VertexJobLink": f"{console}/vertex-ai/locations/us-central1/training/4711/cpu?project=acme",
        "VertexTensorBoardLink": (
            "https://us-central1.tensorboard.googleusercontent.com/experiment/"
            "projects+42+locations+us-central1+tensorboards+7+experiments+4711"
        ),
        "VertexExperimentLink": (
            f"{console}/vertex-ai/experiments/locations/us-central1/experiments/digits?project=acme"
        ),
        "VertexOutputLink": f"{console}/storage/browser/acme-models/digits/run%201?project=acme",
    }
    assert logs.startswith(f"{console}/logs/query;query=")
    assert logs.endswith("?project=acme")
    assert unquote(logs).removesuffix("?project=acme").split("query;query=")[1].split("\n") == [
        'resource.type="ml_job"',
        'resource.labels.job_id="4711"',
        'timestamp>="2026-03-01T12:30:00.000Z"',
    ]


def test_what_a_job_has_not_has_no_link(no_emulator):
    """A job without output, TensorBoard and experiment links to its page and its log only."""
    assert set(by_class(links.addresses(JobSnapshot(NAME)))) == {"VertexJobLink", "VertexLogsLink"}


@pytest.mark.parametrize(
    ("outcome", "asked_for", "linked"),
    [
        (Outcome.CREATED, {}, True),
        (Outcome.ADOPTED, {}, True),
        (Outcome.ADOPTED, {"machine_type": "n1-standard-8"}, False),
    ],
)
def test_an_adopted_jobs_tensorboard_is_not_guessed(no_emulator, supervisor, outcome, asked_for, linked):
    """Where a retry asks for something else than its job has, it may be another TensorBoard, too."""
    tracking = {"tensorboard": TENSORBOARD}
    made = a_job(a_try(), base_output_directory="gs://acme/x", tracking=tracking)
    wanted = a_job(a_try(), base_output_directory="gs://acme/x", tracking=tracking, **asked_for)
    labels = dict(protos.with_fingerprint(protos.to_custom_job(made)).labels)
    operator = make()
    report = TaskReport(operator, task_instance(operator).get_template_context())

    report.announce(Submission(JobSnapshot(NAME, labels=labels), outcome), wanted)

    assert bool(supervisor.xcoms["_link_VertexTensorBoardLink"]) is linked


def test_links_on_the_emulator(monkeypatch):
    """They lead to the emulator's own page, at the port after its own, and to no cloud project."""
    monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", "localhost:8686")
    page = "http://localhost:8687/projects/acme/locations/us-central1/customJobs/4711"
    assert by_class(links.addresses(JOB, TENSORBOARD, EXPERIMENT)) == {
        "VertexJobLink": page,
        "VertexLogsLink": f"{page}#log",
        "VertexOutputLink": f"{page}#output",
    }


@pytest.mark.parametrize("address", ["unix:/run/emulator/socket", "emulator.invalid"])
def test_an_emulator_without_a_known_page_has_no_links(monkeypatch, address):
    """No browser reaches a Unix domain socket, and without a port nobody knows the next one."""
    monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", address)
    assert links.addresses(JOB, TENSORBOARD, EXPERIMENT) == {}
    assert links.job_url(JOB.name) == ""


@pytest.mark.parametrize("map_index", [-1, 2])
def test_links_are_there_while_the_job_runs(on_emulator, project, supervisor, map_index):
    """The task's links, a mapped one's too, are the job's as soon as it is submitted."""
    operator = make(program=FOREVER, base_output_directory="gs://acme-models/digits")
    run_task(operator, map_index=map_index)

    name = only_job(on_emulator, project)["name"]
    host, port = on_emulator.address.rsplit(":", 1)
    page = f"http://{host}:{int(port) + 1}/{name}"
    ti = task_instance(operator, map_index=map_index)
    shown = {link.name: link.get_link(operator, ti_key=ti) for link in operator.operator_extra_links}
    assert shown == {
        "Vertex AI job": page,
        "Cloud Logging": f"{page}#log",
        "Output folder": f"{page}#output",
        "TensorBoard": "",
        "Experiment": "",
        "Interactive shell": "",
    }
    on_emulator.control.wait_job(name, ["JOB_STATE_RUNNING"])


@pytest.mark.parametrize("deferrable", [True, False])
def test_no_xcom_is_looked_up_in_vain(on_emulator, project, supervisor, deferrable):
    """A task, its links and its trigger find every XCom they look up: Airflow logs an error for others."""
    operator = make(deferrable=deferrable, program="print('one')")
    ti = task_instance(operator)
    run_task(operator, ti)
    # As Airflow does when the task's process ends.
    assert len([link.get_link(operator, ti_key=ti) for link in operator.operator_extra_links]) == 6
    if deferrable:
        asyncio.run(first_event(trigger_for(only_job(on_emulator, project)["name"])))
    assert supervisor.missed_xcoms == []


def test_a_task_without_a_job_has_no_links(supervisor):
    """A task that made no job links to nothing."""
    operator = make()
    ti = task_instance(operator)
    assert {link.get_link(operator, ti_key=ti) for link in operator.operator_extra_links} == {""}


def test_the_log_of_a_job_that_has_ended_ends(no_emulator):
    """The link to its log then leads to its own time, and to what came late."""
    ended = JobSnapshot(NAME, end_time=datetime(2026, 3, 1, 13, tzinfo=timezone.utc))
    assert 'timestamp<="2026-03-01T13:10:00.000Z"' in unquote(links.logs_url(ended))


def test_shells_are_told_where_a_task_waits(on_emulator, project, supervisor, log_lines):
    """A task that waits itself tells the shells' addresses once, and links to the primary replica's."""
    run_task(
        make(deferrable=False, program="import time; time.sleep(1)", access=Access(enable_web_access=True))
    )

    lines = [line for line in log_lines if "Interactive shell" in line]
    assert len(lines) == 1
    assert lines[0].startswith("INFO Interactive shell in workerpool0-0: https://workerpool0-0-")
    assert supervisor.xcoms["_link_VertexShellLink"] == links.job_url(only_job(on_emulator, project)["name"])


async def test_shells_are_told_by_the_trigger(on_emulator, project, supervisor, log_lines):
    """So does a trigger."""
    operator = make(program="import time; time.sleep(1)", access=Access(enable_web_access=True))
    name = submitted(on_emulator, operator)
    await first_event(trigger_for(name))

    assert len([line for line in log_lines if "Interactive shell in workerpool0-0: " in line]) == 1


def test_the_primary_replicas_shell_is_linked(no_emulator):
    """Of many, the first one's."""
    shells = (("workerpool0-0", "https://a"), ("workerpool1-0", "https://b"))
    assert links.shell_address(NAME, shells) == {"_link_VertexShellLink": "https://a"}
    assert links.shell_address(NAME, ()) == {}


@pytest.mark.parametrize(
    "use",
    [
        links.job_url,
        lambda name: links.logs_url(JobSnapshot(name)),
        lambda name: links.addresses(JobSnapshot(name)),
        metrics.job_tags,
        lambda name: VertexTrainingHook().get_job(name),
        lambda name: VertexTrainingHook().cancel_job(name),
    ],
    ids=["job_url", "logs_url", "addresses", "job_tags", "get_job", "cancel_job"],
)
def test_what_is_no_full_name_of_a_job_is_refused(no_emulator, supervisor, use):
    """Whatever takes a job's name says what is wrong with it, in the same words."""
    with pytest.raises(InvalidJobError, match="job_name: '4711' is no full resource name; write projects/"):
        use("4711")


def test_airflow_is_told_of_all_links():
    """Airflow shows no link that the package's description does not list."""
    listed = [f"airflow_vertex_training.links.{type(link).__name__}" for link in links.ALL_LINKS]
    assert get_provider_info()["extra-links"] == listed
