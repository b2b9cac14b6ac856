"""Templates in any place, and in containers of any kind, are rendered; what they make becomes the job."""

from __future__ import annotations

import enum
from collections import UserDict, UserList, deque
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task
from airflow.sdk.definitions.template import literal
from google.cloud import aiplatform_v1

from airflow_vertex_training import compat
from airflow_vertex_training.operators import Machine, Scheduling, VertexCustomTrainingOperator, WorkerPool
from airflow_vertex_training.vertex.exceptions import InvalidJobError
from tests.provider.task_runs import run_task, task_instance
from tests.provider.training_tasks import IMAGE, REGION, make, on_the_server

if TYPE_CHECKING:
    from collections.abc import Mapping


class Size(str, enum.Enum):
    """A user's own."""

    LARGE = "n1-standard-8"


POOL = {"containerSpec": {"imageUri": IMAGE, "args": ["{{ params.n }}"]}}
TWO: list[dict[str, Any]] = [
    {"args": UserList(["{{ params.n }}"])},
    {"args": deque(["{{ params.n }}"])},
    {"args": [Path("{{ params.n }}")]},
    {"args": lambda context, jinja_env: [context["params"]["n"]]},
    {"args": "{{ [params.n] }}"},
    {"args": "{{ [params.n] | tojson }}"},
    {"worker_pools": UserList([MappingProxyType({"args": ["{{ params.n }}"]})])},
    {"worker_pools": (WorkerPool(args=("{{ params.n }}",)),)},
    {"worker_pools": '{{ [{"args": [params.n]}] }}'},
    {"worker_pools": ['{{ {"args": [params.n]} }}']},
    {"image": None, "job_spec": UserDict(workerPoolSpecs=[POOL])},
    {
        "image": None,
        "job_spec": aiplatform_v1.CustomJobSpec(
            {"worker_pool_specs": [{"container_spec": {"image_uri": IMAGE, "args": ["{{ params.n }}"]}}]}
        ),
    },
    {"image": None, "job_spec": {"workerPoolSpecs": "{{ [params.pool] }}"}},
    {"image": None, "job_spec": {"workerPoolSpecs": ["{{ params.pool | tojson }}"]}},
    {"image": None, "job_spec": "{{ {'workerPoolSpecs': [params.pool]} }}"},
    {"image": None, "job_spec": {"workerPoolSpecs": [{"containerSpec": "{{ params.pool.containerSpec }}"}]}},
]


def in_a_dag(*, native: bool = False, **arguments: Any) -> VertexCustomTrainingOperator:
    """Return an operator of a DAG with params."""
    params = {"n": 2, "pool": {"containerSpec": {"imageUri": IMAGE, "args": [2]}}}
    base = {"task_id": "train", "region": REGION, "image": IMAGE, "poll_interval": 0.05}
    with DAG("digits", schedule=None, params=params, render_template_as_native_obj=native):
        return VertexCustomTrainingOperator(**{**base, **arguments})


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("arguments", TWO, ids=range(len(TWO)))
def test_the_rendered_value_is_sent(on_emulator, project, supervisor, arguments, native):
    """Whatever holds the template or is one, and whether the DAG renders native types or not."""
    outcome = run_task(in_a_dag(native=native, **arguments))
    assert (outcome.state, outcome.error) == ("deferred", None)
    (pool,) = on_the_server(on_emulator, project).job_spec.worker_pool_specs
    assert list(pool.container_spec.args) == ["2"]


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        (
            {"scheduling": "{{ {'disable_retries': True} }}"},
            lambda job: job.job_spec.scheduling.disable_retries,
        ),
        ({"env": MappingProxyType({"A": "{{ ds }}"})}, lambda job: env_of(job)["A"] == "2026-03-01"),
        ({"env": "{{ {'A': ds} }}"}, lambda job: env_of(job)["A"] == "2026-03-01"),
        ({"env": {"A": literal("{{ ds }}")}}, lambda job: env_of(job)["A"] == "{{ ds }}"),
        ({"labels": UserDict(Day="{{ ds }}")}, lambda job: job.labels["day"] == "2026-03-01"),
        ({"labels": "{{ {'day': ds} }}"}, lambda job: job.labels["day"] == "2026-03-01"),
        ({"machine_type": Size.LARGE}, lambda job: machine_of(job).machine_type == "n1-standard-8"),
        (
            {"worker_pools": [MappingProxyType({"machine": Machine(machine_type="{{ 'n1-standard-8' }}")})]},
            lambda job: machine_of(job).machine_type == "n1-standard-8",
        ),
        (
            {"worker_pools": [{"machine": "{{ {'machine_type': 'n1-standard-8'} }}"}]},
            lambda job: machine_of(job).machine_type == "n1-standard-8",
        ),
        (
            {
                "accelerator_type": "{#- L4s -#}NVIDIA_L4",
                "accelerator_count": "{%- if True -%} 1 {%- endif -%}",
                "machine_type": "{{- 'g2-standard-8' -}}",
            },
            lambda job: machine_of(job).accelerator_count == 1,
        ),
    ],
    ids=range(10),
)
def test_other_arguments(on_emulator, project, supervisor, arguments, read):
    """Each argument may be a template, or hold one."""
    assert run_task(in_a_dag(**arguments)).state == "deferred"
    assert read(on_the_server(on_emulator, project))


def env_of(job: Any) -> dict[str, str]:
    """Return the variables of a job's first pool."""
    return {each.name: each.value for each in job.job_spec.worker_pool_specs[0].container_spec.env}


def machine_of(job: Any) -> Any:
    """Return the machine of a job's first pool."""
    return job.job_spec.worker_pool_specs[0].machine_spec


def test_what_a_subclass_assigns_is_rendered(on_emulator, project, supervisor):
    """Objects and templates that a subclass sets after the constructor are as good as arguments."""

    class Mine(VertexCustomTrainingOperator):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.worker_pools = [WorkerPool(args=["{{ ds }}"])]
            self.scheduling = Scheduling(strategy="{{ 'SPOT' }}")

    with DAG("digits", schedule=None):
        operator = Mine(task_id="train", region=REGION, image=IMAGE, poll_interval=0.05)
    assert run_task(operator).state == "deferred"
    spec = on_the_server(on_emulator, project).job_spec
    assert spec.worker_pool_specs[0].container_spec.args == ["2026-03-01"]
    assert spec.scheduling.strategy.name == "SPOT"


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        ("json", '{"workerPoolSpecs": [{"containerSpec": {"imageUri": "%s", "args": ["{{ params.n }}"]}}]}'),
        ("yaml", "workerPoolSpecs:\n- containerSpec:\n    imageUri: %s\n    args: ['{{ params.n }}']\n"),
    ],
)
def test_a_template_file(on_emulator, project, supervisor, tmp_path, ending, content):
    """A subclass that has Airflow read files gives the name of one as its spec, in JSON or YAML."""
    (tmp_path / f"job.{ending}").write_text(content % IMAGE)

    class Mine(VertexCustomTrainingOperator):
        template_ext = (".json", ".yaml")

    with DAG("digits", schedule=None, params={"n": 2}, template_searchpath=str(tmp_path)) as dag:
        operator = Mine(task_id="train", region=REGION, job_spec=f"job.{ending}", poll_interval=0.05)  # type: ignore[arg-type]
    dag.resolve_template_files()
    outcome = run_task(operator)
    assert (outcome.state, outcome.error) == ("deferred", None)
    (pool,) = on_the_server(on_emulator, project).job_spec.worker_pool_specs
    assert list(pool.container_spec.args) == ["2"]


@pytest.mark.parametrize("container", [UserList, deque, tuple])
def test_a_task_comes_after_those_whose_results_it_takes(container):
    """Another task's result makes that one come first, in whatever kind of list it stands."""
    with DAG("digits", schedule=None):

        @task
        def choose():
            """Choose."""

        operator = VertexCustomTrainingOperator(task_id="train", image=IMAGE, args=container([choose()]))
        spec = VertexCustomTrainingOperator(task_id="spec", job_spec=UserDict(workerPoolSpecs=choose()))
    assert operator.upstream_task_ids == {"choose"}
    assert spec.upstream_task_ids == {"choose__1"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scheduling": "{{ 'SPOT' }}"}, "scheduling: must be a Scheduling or a dict, got str 'SPOT'"),
        ({"args": "{{ '[1, 2' }}"}, "args: must be a list of strings, got str '[1, 2'"),
        ({"args": lambda context, jinja_env: 3}, "args: must be a list of strings, got int 3"),
        ({"args": [lambda context, jinja_env: 3]}, "args[0]: must be a string, got function; use str(...)"),
        ({"args": ["{{ '\\0' }}"]}, "args[0]: holds '\\x00', which no program can be given: leave it out"),
    ],
    ids=range(5),
)
def test_what_is_wrong_once_it_is_rendered(on_emulator, project, supervisor, arguments, message):
    """It is told by its name, before any call."""
    outcome = run_task(make(**arguments))
    assert isinstance(outcome.error, compat.AirflowFailException)
    assert str(outcome.error).startswith(message)
    assert on_emulator.control.requests(project) == {}


def test_an_argument_that_a_mapped_task_gets_and_there_is_not(on_emulator, project, supervisor):
    """A wrong name in `expand_kwargs` is not tried again, and the nearest is named."""
    with DAG("digits", schedule=None):
        mapped = VertexCustomTrainingOperator.partial(task_id="train", image=IMAGE, retries=3).expand_kwargs(
            [{"regoin": REGION}]
        )
    outcome = run_task(mapped, task_instance(mapped, map_index=0, max_tries=3))
    assert outcome.state == "failed"
    assert "regoin: did you mean region=...?" in str(outcome.error)


@pytest.mark.parametrize(
    "arguments",
    [{"image": "python"}, {"gcp_conn_id": ["a"]}, {"regoin": "a"}],
    ids=["value", "connection", "name"],
)
def test_partial_tells_the_whole_id(arguments: Mapping[str, Any]):
    """A mapped task in a task group is told by the id that the UI shows."""
    from airflow.sdk import TaskGroup

    with (
        DAG("digits", schedule=None),
        TaskGroup("group"),
        pytest.raises((InvalidJobError, TypeError), match=r"\(task 'group\.train'\)"),
    ):
        VertexCustomTrainingOperator.partial(task_id="train", **arguments)
