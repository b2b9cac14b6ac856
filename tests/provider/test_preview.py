"""What a task shows of its job before it pays for it."""

from __future__ import annotations

import json
import shlex
import socket
from typing import Any

import pytest
import yaml
from airflow.sdk import DAG, task
from airflow.sdk.log import mask_secret
from google.cloud import aiplatform_v1
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings

from airflow_vertex_training.operators import VertexCustomTrainingOperator
from airflow_vertex_training.vertex.api import protos
from airflow_vertex_training.vertex.spec import table
from tests.emulator.clients.commands import Gcloud, run_gcloud
from tests.emulator.clients.story import Place
from tests.provider.task_runs import run_task, task_instance
from tests.provider.training_tasks import (
    IMAGE,
    REGION,
    make,
    on_the_server,
)
from tests.vertex.conftest import job_of
from tests.vertex.spec.any_jobs import valid_jobs


def test_preview_is_the_request_that_is_sent(on_emulator, project, supervisor):
    """In a task, preview shows the job that is then on the server, but for the secrets."""
    operator = make(
        env={"API_KEY": "geheim", "TEAM": "vision"}, service_account="a@b.iam.gserviceaccount.com"
    )
    ti = task_instance(operator)
    preview = operator.preview(ti.get_template_context())
    shown = json.loads(preview.as_json())
    assert preview.later == [f"parent = projects/PROJECT/locations/{REGION}"]
    run_task(operator, ti)

    created = aiplatform_v1.CustomJob.to_dict(on_the_server(on_emulator, project))
    made = shown["customJob"]
    assert shown["parent"] == f"projects/PROJECT/locations/{REGION}"
    assert made["displayName"] == created["display_name"]
    assert made["labels"] == created["labels"]
    assert made["jobSpec"]["serviceAccount"] == created["job_spec"]["service_account"]
    assert made["jobSpec"]["scheduling"] == {"timeout": "604800s"}
    env = {
        each["name"]: each["value"] for each in made["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"]
    }
    sent = {
        each["name"]: each["value"]
        for each in created["job_spec"]["worker_pool_specs"][0]["container_spec"]["env"]
    }
    assert (env.pop("API_KEY"), sent.pop("API_KEY")) == ("***", "geheim")
    assert env == sent


def test_a_preview_says_what_only_the_run_knows(supervisor):
    """Templates and other tasks' results stay as written, whatever their type, and are listed."""
    with DAG("digits", schedule=None):

        @task
        def choose():
            """Choose."""

        operator = VertexCustomTrainingOperator(
            task_id="train",
            region="{{ params.region }}",
            image="gcr.io/acme/{{ params.image }}",
            machine_type="g2-standard-8",
            accelerator_type="NVIDIA_L4",
            accelerator_count="{{ params.n }}",
            labels={"run": "{{ run_id }}"},
            args=["--c", choose()],
            scheduling="{{ params.scheduling }}",  # type: ignore[arg-type]
            env={"DB_PASSWORD": "geheim"},
        )
    preview = operator.preview()
    (pool,) = preview.custom_job["jobSpec"]["workerPoolSpecs"]
    assert pool["machineSpec"]["acceleratorCount"] == "{{ params.n }}"
    assert pool["containerSpec"]["env"] == [{"name": "DB_PASSWORD", "value": "***"}]
    assert preview.custom_job["jobSpec"]["scheduling"] == "{{ params.scheduling }}"
    listed = "\n".join(preview.later)
    for place in (
        "labels.run = {{ run_id }}",
        "jobSpec.workerPoolSpecs[0].containerSpec.imageUri = gcr.io/acme/{{ params.image }}",
        "jobSpec.workerPoolSpecs[0].machineSpec.acceleratorCount = {{ params.n }}",
        "jobSpec.workerPoolSpecs[0].containerSpec.args[1] = {{ task_instance.xcom_pull(task_ids='choose'",
        "jobSpec.scheduling = {{ params.scheduling }}",
        "serviceAccount is that of the credentials",
        "parent = projects/PROJECT/locations/{{ params.region }}",
    ):
        assert place in listed
    assert preview.later[0] in str(preview)


@pytest.mark.parametrize("in_task", [False, True])
def test_a_connection_that_is_not_known_is_left_out(supervisor, in_task):
    """A preview on a machine that has not the connection shows what else is said."""
    operator = make(gcp_conn_id="missing")
    context = task_instance(operator).get_template_context() if in_task else None
    assert "e2-highmem-4" not in str(operator.preview(context))
    assert '"machineType": "n1-standard-4"' in str(operator.preview(context))


@pytest.mark.parametrize("name", sorted(set(table.ARGUMENTS) - {"job_template"}))
def test_any_argument_may_be_a_template_as_a_whole(supervisor, name):
    """A preview shows or lists a template that stands for a whole argument, whichever it is."""
    assert "{{ params.it }}" in str(make(**{name: "{{ params.it }}"}).preview()) or name in {
        "worker_pools",
        "job_spec",
    }


def test_templates_that_stand_for_objects_are_shown_in_their_places(supervisor):
    """A template is shown where it stands, for a whole pool or machine or for a field, and listed once."""
    with DAG("digits", schedule=None):

        @task
        def choose():
            """Choose."""

        operator = VertexCustomTrainingOperator(
            task_id="train",
            region=REGION,
            image=IMAGE,
            worker_pools=[{"machine": choose()}, "{{ x }}"],  # type: ignore[list-item]
            scheduling={"timeout": "{{ y }}", "max_wait_duration": "{{ y }}", "strategy": "{{ y }}"},
            job_spec={"pscInterfaceConfig": "{{ x }}"},
        )
    preview = operator.preview()
    spec = preview.custom_job["jobSpec"]
    first, second = spec["workerPoolSpecs"]
    assert first["machineSpec"].startswith("{{ task_instance.xcom_pull(task_ids='choose'")
    assert second == spec["pscInterfaceConfig"] == "{{ x }}"
    y = "{{ y }}"
    assert spec["scheduling"] == {"timeout": y, "maxWaitDuration": y, "strategy": y}
    assert [each.partition(" = ")[0] for each in preview.later[:-2]] == [
        *(f"jobSpec.scheduling.{name}" for name in ("timeout", "strategy", "maxWaitDuration")),
        "jobSpec.pscInterfaceConfig",
        "jobSpec.workerPoolSpecs[0].machineSpec",
        "jobSpec.workerPoolSpecs[1]",
    ]


def test_what_is_no_text_is_shown_as_a_template(supervisor):
    """Params, mapped results and functions are shown by their names, and listed, whatever they stand for."""
    with DAG("digits", schedule=None, params={"it": 1}) as dag:

        @task
        def choose():
            """Choose."""

        it = dag.param("it")
        operator = VertexCustomTrainingOperator(
            task_id="train",
            region=it,  # type: ignore[arg-type]
            image=IMAGE,
            display_name=it,  # type: ignore[arg-type]
            labels={"it": it},
            maximum_run_time=it,  # type: ignore[arg-type]
            command=made_later,  # type: ignore[arg-type]
            args=["a", choose().map(str)],
        )
    preview = operator.preview()
    assert preview.parent == "projects/PROJECT/locations/{{ params.it }}"
    assert preview.custom_job["labels"] == {"it": "{{ params.it }}"}
    assert preview.custom_job["jobSpec"]["scheduling"] == {"timeout": "{{ params.it }}"}
    listed = dict(each.partition(" = ")[::2] for each in preview.later)
    container = "jobSpec.workerPoolSpecs[0].containerSpec"
    assert listed["displayName"] == "{{ params.it }}-UNIQUE"
    assert listed[f"{container}.command"] == "{{ made_later }}"
    assert (
        listed[f"{container}.args[1]"] == "{{ XComArg(<Task(_PythonDecoratedOperator): choose>).map(str) }}"
    )


def made_later(context: Any, jinja_env: Any) -> list[str]:
    """Return a command."""
    return ["python"]


def test_the_yaml_stays_yaml(supervisor):
    """Names and templates of any form leave the config one that can be read, and the command one to copy."""
    operator = make(
        display_name="my model; $(rm -rf)",
        labels="{{ params.labels }}",
        args=["first\nsecond {{ ds }}", f"{{{{ {'very ' * 30}long }}}}"],
        env={"A": "a\nb"},
    )
    text = operator.preview().as_yaml()
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert shlex.split(comments[0])[1:] == operator.preview().gcloud_command()
    place = "jobSpec.workerPoolSpecs[0].containerSpec.args[0]"
    assert f"# Known when the task runs: {place} = 'first\\nsecond {{{{ ds }}}}'" in comments
    (pool,) = yaml.safe_load(text)["workerPoolSpecs"]
    assert pool["containerSpec"]["args"] == operator.args
    assert operator.args[1] in text


def test_secrets_of_variables_that_are_not_all_known_are_masked(supervisor):
    """Beside a variable that is a template as a whole, others stay what they are."""
    env = ["{{ x }}", {"name": "API_KEY", "value": "geheim"}, {"name": "{{ y }}", "value": "1"}]
    container = {"imageUri": IMAGE, "env": env}
    preview = make(
        image=None, command=None, job_spec={"workerPoolSpecs": [{"containerSpec": container}]}
    ).preview()
    assert "geheim" not in str(preview)
    assert preview.custom_job["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"][0] == "{{ x }}"


def test_secrets_of_all_pools_are_masked(supervisor):
    """Variables whose names look like secrets' are masked in each pool, also in those of Python packages."""
    package = {"package_uris": ["gs://acme/a.tar.gz"], "python_module": "a"}
    preview = make(
        command=None,
        worker_pools=[{"env": {"API_KEY": "geheim"}}, {"env": {"API_KEY": "geheim"}, **package}],
    ).preview()
    assert "geheim" not in preview.as_json() + preview.as_yaml() + str(preview)
    assert preview.as_json().count('"***"') == 2


def test_gcloud_makes_the_same_job(on_emulator, project, tmp_path, supervisor):
    """The YAML is a config that gcloud takes, with the command above it: the job is the previewed one."""
    if missing := Gcloud.missing():
        pytest.skip(missing)
    operator = make(
        project_id=project,
        service_account="a@b.iam.gserviceaccount.com",
        labels={"team": "vision"},
        env={"A": "1", "B": "no"},
        machine_type="n1-standard-8",
        scheduling={"restart_job_on_worker_restart": True},
        maximum_run_time=90,
        worker_pools=[{}, {"replica_count": 2}],
    )
    preview = operator.preview()
    config = tmp_path / "job.yaml"
    config.write_text(preview.as_yaml())
    run_gcloud(Place(on_emulator, tmp_path, project), *preview.gcloud_command(str(config)))

    made = aiplatform_v1.CustomJob()
    json_format.Parse(json.dumps(preview.custom_job), aiplatform_v1.CustomJob.pb(made))
    there = on_the_server(on_emulator, project)
    assert protos.settings(there) == protos.settings(made)
    assert (there.display_name, dict(there.labels)) == (made.display_name, {"team": "vision"})
    assert config.read_text().startswith(
        f"# gcloud ai custom-jobs create --project={project} --region={REGION}"
    )


def test_gclouds_command_of_what_is_a_template(supervisor):
    """Where project and region are known only when the task runs, they are shown as they were written."""
    project, region = "{{ var.value['ml/project'] }}", "{{ params.regions // 2 }}"
    command = make(project_id=project, region=region).preview().gcloud_command()
    assert command[4:6] == [f"--project={project}", f"--region={region}"]


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(valid_jobs)
def test_a_preview_is_the_exact_message(supervisor, arguments):
    """For any job, what is shown, read by the API's own rules, is the message that would be sent."""
    for pool in arguments["worker_pools"]:
        pool.get("env", {}).pop("API_KEY", None)  # its value would be masked
    preview = make(**{"image": None, "command": None, **arguments}).preview()
    shown = aiplatform_v1.CustomJob()
    json_format.Parse(json.dumps(preview.custom_job), aiplatform_v1.CustomJob.pb(shown))
    job = job_of(**{**arguments, "region": REGION})
    assert protos.settings(shown) == protos.settings(protos.to_custom_job(job))


def test_preview_makes_no_call(monkeypatch, supervisor):
    """Preview opens no connection, also where application default credentials serve."""
    monkeypatch.delenv("VERTEX_AI_EMULATOR_HOST", raising=False)

    def no_network(*_: Any) -> None:
        raise AssertionError("preview opened a connection")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr("google.auth.default", no_network)
    monkeypatch.setattr("grpc.secure_channel", no_network)

    shown = json.loads(make().preview().as_json())

    assert shown["customJob"]["displayName"] == "digits-train-UNIQUE"
    assert "serviceAccount" not in shown["customJob"]["jobSpec"]


def shown_in_the_tab(operator: Any, **changes: Any) -> Any:
    """Return what the Rendered Templates tab shows as the job that a task asks for."""
    from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields

    ti = task_instance(operator, **changes)
    run_task(operator, ti)
    return _serialize_rendered_fields(ti.task)["custom_job_request"]


def test_the_rendered_templates_tab_masks_what_airflow_knows_as_secret(on_emulator, supervisor):
    """A password that a template has looked up is shown nowhere in the request, however deep it lies."""
    mask_secret("geheim-12345")
    program = {
        "command": ["echo", "geheim-12345"],
        "args": ["--key=geheim-12345"],
        "env": {"X": "geheim-12345"},
    }
    package = {"package_uris": ["gs://acme/a.tar.gz"], "python_module": "a", "args": ["geheim-12345"]}
    shown = shown_in_the_tab(make(command=None, worker_pools=[program, package]))
    assert "geheim" not in json.dumps(shown)
    assert json.dumps(shown).count("***") == 4


@pytest.mark.parametrize("mapped", [False, True])
def test_the_rendered_templates_tab_shows_the_whole_job(
    on_emulator, project, supervisor, monkeypatch, tmp_path, mapped
):
    """What task, template and connection ask for together is there as the server has it, but for secrets."""
    connection = {"extra": {"region": REGION, "project": project, "labels": {"cost": "ml"}}}
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps({"conn_type": "vertex_training", **connection}))
    monkeypatch.setenv("AIRFLOW__VERTEX_TRAINING__JOB_TEMPLATES", str(tmp_path))
    (tmp_path / "gpu.yaml").write_text(
        "service_account: a@b.iam.gserviceaccount.com\nmachine_type: e2-highmem-4\n"
    )
    arguments: dict[str, Any] = {
        "gcp_conn_id": "mine",
        "job_template": "gpu",
        "command": ["python", "-c", "pass"],
        "env": {"API_KEY": "geheim", "RUN": "{{ run_id }}"},
    }
    image = "us-docker.pkg.dev/acme/trainers/digits:1.0"
    with DAG("digits", schedule=None):
        if mapped:
            partial = VertexCustomTrainingOperator.partial(
                task_id="train", map_index_template="{{ task.image[-3:] }}", **arguments
            )
            operator, changes = partial.expand(image=[image]), {"map_index": 0}
        else:
            operator, changes = VertexCustomTrainingOperator(task_id="train", image=image, **arguments), {}
    shown = shown_in_the_tab(operator, **changes)

    there = on_the_server(on_emulator, project)
    made = aiplatform_v1.CustomJob()
    json_format.ParseDict(shown["customJob"], aiplatform_v1.CustomJob.pb(made))
    assert shown["parent"] == f"projects/{project}/locations/{REGION}"
    assert made.display_name == there.display_name
    assert dict(made.labels).items() <= dict(there.labels).items()
    env = {each.name: each.value for each in made.job_spec.worker_pool_specs[0].container_spec.env}
    assert env["API_KEY"] == "***"
    for each in there.job_spec.worker_pool_specs[0].container_spec.env:
        each.value = env[each.name]
    assert protos.settings(there) == protos.settings(made)


def test_the_rendered_templates_tab_fails_no_task(on_emulator, project, supervisor):
    """What can't be shown is said there; the task itself tells what is wrong, once."""
    shown = shown_in_the_tab(make(gcp_conn_id="missing"))
    assert shown == "not known: The conn_id `missing` isn't defined"
