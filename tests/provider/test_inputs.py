"""Inputs as DAG authors write them and as templates make them: what reaches the server, and what is told."""

from __future__ import annotations

import inspect
from collections import UserDict, UserList, UserString, deque
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from airflow.sdk import DAG, Param
from google.cloud import aiplatform_v1
from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_vertex_training import compat
from airflow_vertex_training.operators import Machine, Scheduling, VertexCustomTrainingOperator, WorkerPool
from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.spec import alike
from tests.provider.task_runs import run_task, task_instance
from tests.provider.training_tasks import IMAGE, REGION, make, on_the_server

EPOCHS = {"epochs": 10, "lr": 0.1, "layers": [64, 32], "space": {"lr": 0.1}, "flag": True, "year": "2024"}


def native(**arguments: Any) -> VertexCustomTrainingOperator:
    """Return an operator of a DAG that renders native types."""
    with DAG("digits", schedule=None, params=EPOCHS, render_template_as_native_obj=True):
        base = {"task_id": "train", "region": REGION, "image": IMAGE, "poll_interval": 0.05}
        return VertexCustomTrainingOperator(**{**base, **arguments})


def test_native_types_become_text_again(on_emulator, project, supervisor):
    """A DAG that renders native types sends what others do: literals as they stand, values as text."""
    operator = native(
        command=["python", "-c", "pass"],
        args=[
            "--epochs",
            "10",
            "1e3",
            "007",
            '{"lr": 0.1}',
            "{{ params.epochs }}",
            "{{ params.layers }}",
            "{{ params.space }}",
        ],
        env={
            "EPOCHS": "{{ params.epochs }}",
            "FLAG": "{{ params.flag }}",
            "LITERAL": "1",
            "SPACE": "{{ params.space }}",
        },
        labels={"year": "{{ params.year }}", "n": "1"},
        display_name="{{ params.epochs }}",
        accelerator_type="NVIDIA_TESLA_T4",
        accelerator_count="{{ params.epochs - 8 }}",
        maximum_run_time="{{ params.epochs * 360 }}",
    )

    run_task(operator)

    job = on_the_server(on_emulator, project)
    container = job.job_spec.worker_pool_specs[0].container_spec
    assert container.args == ["--epochs", "10", "1e3", "007", '{"lr": 0.1}', "10", "[64, 32]", '{"lr": 0.1}']
    env = {each.name: each.value for each in container.env}
    assert {"EPOCHS": "10", "FLAG": "True", "LITERAL": "1", "SPACE": '{"lr": 0.1}'}.items() <= env.items()
    assert (job.labels["year"], job.labels["n"]) == ("2024", "1")
    assert job.display_name.startswith("10-")
    assert job.job_spec.worker_pool_specs[0].machine_spec.accelerator_count == 2
    assert job.job_spec.scheduling.timeout == timedelta(hours=1)


def test_pools_and_a_spec_reach_the_server(on_emulator, project, supervisor):
    """Several pools, scheduling and a spec beside them become one job."""
    operator = make(
        command=None,
        worker_pools=[
            WorkerPool(command=["python", "-c", "pass"]),
            WorkerPool(command=["sleep", "{{ params.n }}"], replica_count="{{ params.n }}"),
        ],
        scheduling=Scheduling(strategy="SPOT"),
        job_spec={"enableWebAccess": True},
        env={"A": "1"},
    )

    run_task(operator)

    spec = on_the_server(on_emulator, project).job_spec
    assert [pool.replica_count for pool in spec.worker_pool_specs] == [1, 2]
    assert spec.worker_pool_specs[1].container_spec.command == ["sleep", "2"]
    assert all(
        {"A", "AIRFLOW_CTX_DAG_ID"} <= {each.name for each in pool.container_spec.env}
        for pool in spec.worker_pool_specs
    )
    assert (spec.scheduling.strategy.name, spec.enable_web_access) == ("SPOT", True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"job_spec": {"fooBar": "{{ params.n }}"}}, "job_spec.foo_bar: google-cloud-aiplatform "),
        ({"worker_pools": "{{ params.n }}"}, "worker_pools: must be a list of WorkerPool, got str '2'"),
        ({"scheduling": "{{ params.n }}"}, "scheduling: must be a Scheduling or a dict, got str '2'"),
        ({"impersonation_chain": "{{ params.n }}"}, "impersonation_chain: '2' is no e-mail address"),
    ],
)
def test_what_only_the_run_knows(on_emulator, project, supervisor, arguments, message):
    """What a template makes is checked when the task runs, before any call, and no retry is wasted."""
    outcome = run_task(make(retries=3, **arguments))

    assert outcome.state == "failed"
    assert isinstance(outcome.error, compat.AirflowFailException)
    assert str(outcome.error).startswith(message)
    assert on_emulator.control.requests(project) == {}


def test_all_that_is_wrong_is_told_when_the_task_runs(on_emulator, supervisor):
    """Rendered values are told of all at once, with the task."""
    outcome = run_task(make(image="{{ 'python' }}", accelerator_count="{{ 'two' }}"))
    assert str(outcome.error).startswith("image: 'python' does not name its registry")
    assert "\naccelerator_count: must be a whole number, got str 'two' (task 'train')" in str(outcome.error)


def test_a_wrong_connection_is_named(on_emulator, monkeypatch, supervisor):
    """A connection's field that is wrong is told with the connection's name, beside the task's own faults."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_MINE", '{"conn_type": "vertex_training", "extra": {"network": "default"}}'
    )
    outcome = run_task(make(gcp_conn_id="mine", image="{{ 'python' }}"))
    told = [line for line in str(outcome.error).splitlines() if line.startswith("connection 'mine': network")]
    assert "'default' is not of the right form" in told[0]
    assert "image: 'python' does not name its registry" in str(outcome.error)


def test_a_wrong_mapped_instance_fails_at_once(on_emulator, project, supervisor):
    """One instance of a mapped task with a wrong argument fails without retries and asks for nothing."""
    with DAG("digits", schedule=None):
        mapped = VertexCustomTrainingOperator.partial(task_id="train", region=REGION, retries=3).expand(
            image=[IMAGE, "python"]
        )
    ti = task_instance(mapped, map_index=1, max_tries=3)
    outcome = run_task(mapped, ti)
    assert outcome.state == "failed"
    assert on_emulator.control.requests(project) == {}


_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4)
)
_more = (
    st.decimals()
    | st.fractions()
    | st.datetimes()
    | st.timedeltas()
    | st.builds(object)
    | st.sets(st.integers(), max_size=2)
    | st.uuids()
    | st.sampled_from(
        [
            *(np.int64(4), np.float32(0.1), np.bool_(True), np.datetime64("2026-03-01"), np.array([1, 2])),
            *(Path("a"), bytearray(b"a"), memoryview(b"a"), range(2), UserString("a"), Ellipsis, int, len),
            *(UserDict(a=1), UserList(["a"]), MappingProxyType({"a": 1}), deque(["a"])),
            *(WorkerPool(), Machine(machine_type="n1-standard-4"), Scheduling(strategy="SPOT")),
            *(aiplatform_v1.CustomJob(display_name="a"), aiplatform_v1.MachineSpec(), Duration(seconds=1)),
            *(aiplatform_v1.AcceleratorType.NVIDIA_L4, Param(1), "{{ x }}", "[1", "{'a': 1}", '{"a": [1]}'),
            *("a\0", "\ud800", 10**400, -0.0),
        ]
    )
)
_anything = st.recursive(
    _scalars | _more,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=5,
)
_arguments = sorted(
    set(inspect.signature(vars(VertexCustomTrainingOperator)["__init__"]).parameters) - {"self", "kwargs"}
)


_likely: dict[str, list[Any]] = {
    "image": [IMAGE, "python", "{{ image }}", "", None],
    "region": [REGION, "us-central1-a", "{{ region }}", "", 1],
    "machine_type": ["g2-standard-8", "n1-standard-4", "n1-standrad-4", "{{ machine }}", None],
    "accelerator_type": ["NVIDIA_L4", "NVIDIA_TESLA_T4", "{{ accelerator }}", "", None],
    "accelerator_count": [1, True, 1.0, "1", 3, 0, "{{ count }}", None],
    "command": [["python"], ["{{ x }}", "a"], [], [1], [object()], "python", None],
    "env": [{"A": "b"}, {"1A": "b"}, {"A": object()}, {"A": "{{ x }}"}, [{"name": "A"}], {}, None],
    "boot_disk_size_gb": [100, 100.0, 100.5, 99, True, None],
    "maximum_run_time": [60, 60.0, timedelta(seconds=60), timedelta(0), timedelta(days=9), -1, None],
    "network": ["default", "projects/1/global/networks/n", "{{ network }}", None],
    "labels": [{"a": "b"}, {"a": "C++"}, "a", None],
    "job_template": ["gpu", "{{ name }}", None],
}


def _outcome(arguments: dict[str, Any]) -> Any:
    try:
        VertexCustomTrainingOperator(task_id="train", **arguments)
    except InvalidJobError as error:
        return str(error)
    return None


@settings(max_examples=300)
@given(
    st.lists(st.fixed_dictionaries({name: st.sampled_from(_likely[name]) for name in _likely}), min_size=2)
)
def test_what_was_found_before_changes_nothing(all_arguments: list[dict[str, Any]]):
    """An operator that is like others made before is found right or wrong as it is by itself."""
    alike.forget()
    together = [_outcome(arguments) for arguments in all_arguments]
    alone = []
    for arguments in all_arguments:
        alike.forget()
        alone.append(_outcome(arguments))
    assert together == alone


@pytest.mark.parametrize("how", ["whole", "partial"])
@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(_arguments), _anything, max_size=4))
def test_any_input_is_taken_or_refused_by_name(how: str, arguments: dict[str, Any]):
    """No input of any type to any argument raises anything but the error that names it."""
    operator = VertexCustomTrainingOperator
    try:
        made = (operator if how == "whole" else operator.partial)(task_id="train", **arguments)
    except InvalidJobError as error:
        fields = [finding.field for finding in error.findings]
        told = error.task_id == "train" and all(field.startswith(tuple(_arguments)) for field in fields)
        told = told and len(str(error).splitlines()) == len(fields)
    else:
        # Airflow warns of a partial that nobody expands.
        made._expand_called = True
        told = True
    assert told


def _deep(wrap: Any) -> Any:
    found: Any = "a"
    for _ in range(3000):
        found = wrap(found)
    return found


@pytest.mark.parametrize("argument", _arguments)
@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}], ids=["lists", "dicts"])
def test_what_goes_on_for_ever_is_refused_by_name(argument: str, wrap: Any):
    """Lists and dicts that hold themselves, or many others in each other, end in the error, too."""
    endless: Any = wrap("a")
    if isinstance(endless, list):
        endless.append(endless)
    else:
        endless["b"] = endless
    for value in (endless, _deep(wrap), [_deep(wrap)], {"A": _deep(wrap)}):
        arguments: dict[str, Any] = {"image": IMAGE, argument: value}
        for how in (VertexCustomTrainingOperator, VertexCustomTrainingOperator.partial):
            with pytest.raises(InvalidJobError) as raised:
                how(task_id="train", **arguments)
            assert raised.value.field.startswith(argument)
