"""A wrong argument fails when the DAG is parsed, with a message that names it; a template is left alone."""

from __future__ import annotations

import inspect
import json
from collections import UserList
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_vertex_training import compat
from airflow_vertex_training.operators import Machine, Scheduling, VertexCustomTrainingOperator, WorkerPool
from airflow_vertex_training.vertex.exceptions import InvalidJobError

GOOD: dict[str, Any] = {"task_id": "train", "image": "us-docker.pkg.dev/acme/trainers/digits:1.4"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": "python:3.11"}, "image: 'python:3.11' does not name its registry; write it out, such as"),
        ({"image": None}, "image: is missing: name the container image"),
        ({"region": "us-central1-a"}, "region: 'us-central1-a' is a zone; write 'us-central1'"),
        (
            {"command": "python train.py"},
            "command: must be a list of strings, got str 'python train.py': write [",
        ),
        ({"env": {"1A": "x"}}, "env['1A']: is no name for an environment variable"),
        ({"labels": ["a"]}, "labels: must be a dict such as"),
        ({"display_name": ["a"]}, "display_name: must be a string, got list ['a']"),
        (
            {"labels": {"a.b": "1", "a-b": "2"}},
            "labels['a-b']: becomes the same label as 'a.b': 'a-b'; rename",
        ),
        (
            {"accelerator_type": "NVIDIA_TESLA_T4"},
            "accelerator_count: must be at least 1 with accelerator_type",
        ),
        ({"accelerator_count": 1}, "accelerator_type: is missing, such as 'NVIDIA_L4'"),
        ({"accelerator_count": "two"}, "accelerator_count: must be a whole number, got str 'two'"),
        ({"service_account": "trainer"}, "service_account: 'trainer' is no e-mail address"),
        (
            {"scheduling": Scheduling(strategy="SPT")},
            "scheduling.strategy: 'SPT' is not known, did you mean 'SPOT'",
        ),
        (
            {"job_spec": {"workerPoolSpecs": 3}},
            "job_spec.workerPoolSpecs: must be a list of dicts, got int 3",
        ),
        ({"deferrable": "no thanks"}, "deferrable: must be True or False, got str 'no thanks'"),
        ({"poll_interval": float("nan")}, "poll_interval: must be a timedelta or seconds, got float nan"),
        ({"submit_timeout": "{{ x }}"}, "submit_timeout: must be a timedelta or seconds, got str '{{ x }}'"),
        ({"impersonation_chain": [3]}, "impersonation_chain: '3' is no e-mail address"),
        (
            {"impersonation_chain": object()},
            "impersonation_chain: must be a service account or a list of them",
        ),
        ({"gcp_conn_id": ["a"]}, "gcp_conn_id: must be a string, got list"),
    ],
)
def test_mistakes_fail_at_parse(arguments: dict[str, Any], message: str) -> None:
    """Each mistake gets one clear message that names the argument and the task."""
    with pytest.raises(InvalidJobError) as raised:
        VertexCustomTrainingOperator(**{**GOOD, **arguments})
    assert str(raised.value).startswith(message)
    assert str(raised.value).endswith("(task 'train')")


def test_all_mistakes_are_told_at_once() -> None:
    """A DAG author mends a task in one go."""
    with pytest.raises(InvalidJobError) as raised:
        VertexCustomTrainingOperator(
            **{**GOOD, "image": "python"},
            poll_interval=0,
            scheduling={"strategy": "SPT"},
            boot_disk_size_gb=10**12,
        )
    assert [finding.field for finding in raised.value.findings] == [
        "poll_interval",
        "image",
        "boot_disk_size_gb",
        "scheduling.strategy",
    ]


def test_a_secret_value_is_not_told() -> None:
    """The message about an environment variable tells its value's type only."""
    secret: Any = b"s3cret"
    with pytest.raises(InvalidJobError) as raised:
        VertexCustomTrainingOperator(**GOOD, env={"TOKEN": secret})
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {
            "image": "{{ params.image }}",
            "accelerator_type": "NVIDIA_TESLA_T4",
            "accelerator_count": "{{ params.n }}",
        },
        {"region": "{{ var.value.region }}", "env": {"A": "{{ ds }}"}, "labels": {"run": "{{ run_id }}"}},
        {"worker_pools": [{"replica_count": 1}, "{{ x }}"]},
        {"scheduling": "{{ x }}", "job_spec": "{% if x %}{% endif %}"},
        {"worker_pools": "{{ x }}"},
        {"command": []},
        {"accelerator_count": 0},
        {"accelerator_type": "ACCELERATOR_TYPE_UNSPECIFIED", "accelerator_count": 0},
        {"impersonation_chain": "{{ x }}", "gcp_conn_id": "{{ x }}"},
    ],
)
def test_good_arguments_and_templates_pass(arguments: dict[str, Any]) -> None:
    """A template is checked when it is rendered; nothing may be said in the words for none."""
    VertexCustomTrainingOperator(**{**GOOD, **arguments})


@pytest.mark.parametrize(
    ("argument", "value", "plain"),
    [
        ("poll_interval", timedelta(seconds=5), 5.0),
        ("poll_interval", "2.5", 2.5),
        ("poll_interval", None, 5.0),
        ("poll_interval", Fraction(1, 2), 0.5),
        ("poll_interval", Decimal("0.5"), 0.5),
        ("submit_timeout", timedelta(minutes=1), 60.0),
        ("submit_timeout", "60", 60.0),
        ("submit_timeout", None, 1800.0),
        ("deferrable", "false", False),
        ("cancel_on_kill", "True", True),
        ("reattach", 0, False),
        ("gcp_conn_id", None, "vertex_training_default"),
        ("impersonation_chain", "a@x.iam,b@x.iam", ["a@x.iam", "b@x.iam"]),
        ("impersonation_chain", "serviceAccount:a@x.iam\n", "a@x.iam"),
        ("impersonation_chain", '["a@x.iam", "b@x.iam"]', ["a@x.iam", "b@x.iam"]),
        ("impersonation_chain", UserList(["a@x.iam", "b@x.iam"]), ["a@x.iam", "b@x.iam"]),
        ("impersonation_chain", ("a@x.iam",), "a@x.iam"),
        ("impersonation_chain", [], None),
    ],
)
def test_what_a_deferral_stores_is_made_plain(argument: str, value: Any, plain: Any) -> None:
    """Whatever form it is given in, what a trigger takes along is text, a list, a number or a flag."""
    made = getattr(VertexCustomTrainingOperator(**GOOD, **{argument: value}), argument)
    assert (made, type(made)) == (plain, type(plain))


@pytest.mark.parametrize(
    ("unknown", "offer"),
    [
        ("replica_count", "did you mean worker_pools=[WorkerPool(replica_count=...)]?"),
        ("strategy", "did you mean scheduling=Scheduling(strategy=...)?"),
        ("imageUri", "did you mean image=...?"),
        ("machine_typ", "did you mean machine_type=...?"),
        ("retrys", "did you mean retries=...?"),
        ("xyzzy", "there is nothing like it"),
    ],
)
def test_an_argument_that_is_not_there(unknown: str, offer: str) -> None:
    """The error names the task, and how to write what is most like it, for a mapped task too."""
    arguments: dict[str, Any] = {**GOOD, unknown: "x"}
    with pytest.raises(
        TypeError, match=r"VertexCustomTrainingOperator \(task 'train'\) takes no such"
    ) as raised:
        VertexCustomTrainingOperator(**arguments)
    assert str(raised.value).endswith(f"{unknown}: {offer}")
    with pytest.raises(TypeError) as raised:
        VertexCustomTrainingOperator.partial(**arguments)
    assert str(raised.value).endswith(f"{unknown}: {offer}")


@pytest.mark.parametrize(
    "arguments",
    [
        {"image": "python"},
        {"deferrable": "maybe"},
        {"impersonation_chain": "bob"},
        {"worker_pools": [WorkerPool(machine=Machine(accelerator_count="two"))]},
    ],
)
def test_partial_checks_what_it_is_given(arguments: dict[str, Any]) -> None:
    """A mapped task's common arguments are checked when the DAG is parsed."""
    with pytest.raises(InvalidJobError, match=r"\(task 'train'\)$"):
        VertexCustomTrainingOperator.partial(**{**GOOD, **arguments})


def test_partial_leaves_what_is_mapped_open() -> None:
    """What the mapped arguments may say is not missing yet, and templates are left alone."""
    with DAG("digits", schedule=None):
        mapped = VertexCustomTrainingOperator.partial(
            task_id="train", accelerator_count=1, labels={"a": "{{ ds }}"}, worker_pools=[WorkerPool()]
        ).expand(image=["{{ x }}"])
    assert mapped.partial_kwargs["worker_pools"] == [{}]


def test_a_mapped_instance_is_refused_for_good() -> None:
    """A wrong argument of one instance of a mapped task is not tried again: that could not help."""
    with pytest.raises(compat.AirflowFailException, match=r"^image: 'python' does not name its registry"):
        VertexCustomTrainingOperator(task_id="train", image="python", _airflow_from_mapped=True)


def test_delimiters_of_the_dags_own() -> None:
    """A DAG that writes its templates in another way is understood; braces are no template there."""
    own = {"variable_start_string": "<<", "variable_end_string": ">>"}
    with DAG("digits", schedule=None, jinja_environment_kwargs=own):
        VertexCustomTrainingOperator(task_id="one", image="<< params.image >>")
        with pytest.raises(InvalidJobError, match=r"^image: '\{\{ params.image \}\}' does not name"):
            VertexCustomTrainingOperator(task_id="two", image="{{ params.image }}")
        with pytest.raises(InvalidJobError, match=r"^region: "):
            VertexCustomTrainingOperator.partial(task_id="three", region="{{ x }}")


def test_a_subclass_may_have_fields_of_its_own() -> None:
    """A subclass that adds a template field and sets it after the constructor can be made."""

    class Mine(VertexCustomTrainingOperator):
        template_fields = (*VertexCustomTrainingOperator.template_fields, "epochs")

        def __init__(self, *, epochs: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.epochs = epochs

    assert Mine(**GOOD, epochs="{{ params.epochs }}").epochs == "{{ params.epochs }}"


def test_unknown_types_are_warned_of_once(log_lines: list[str]) -> None:
    """A machine that Google has and we don't know passes, with one line for the task."""
    for _ in range(2):
        VertexCustomTrainingOperator(**{**GOOD, "task_id": "newest"}, machine_type="z9-standard-4")
    (line,) = log_lines
    assert line.startswith("WARNING machine_type: 'z9-standard-4' is not in this package's table")
    assert line.endswith("(task 'newest')")


def test_every_argument_is_documented_and_rendered() -> None:
    """The docstring tells each argument, and none hides one of Airflow's own."""
    operator = VertexCustomTrainingOperator
    arguments = set(inspect.signature(vars(operator)["__init__"]).parameters) - {"self", "kwargs"}
    documented = inspect.getdoc(operator) or ""
    assert [name for name in arguments if f"\n    {name}: " not in documented] == []
    # What all of them ask for is shown beside them.
    assert set(operator.template_fields) - {"custom_job_request"} <= arguments
    own = vars(BaseOperator(task_id="bare"))
    assert [name for name in arguments if name in own] == []


def test_objects_are_shown_as_dicts() -> None:
    """Airflow's page of rendered templates shows pools and scheduling as they are, not as Python objects."""
    operator = VertexCustomTrainingOperator(
        **GOOD,
        worker_pools=[WorkerPool(machine=Machine(machine_type="n1-standard-8"))],
        scheduling=Scheduling(strategy="SPOT"),
    )
    assert operator.worker_pools == [{"machine": {"machine_type": "n1-standard-8"}}]
    assert operator.scheduling == {"strategy": "SPOT"}
    assert json.dumps(operator.worker_pools)
