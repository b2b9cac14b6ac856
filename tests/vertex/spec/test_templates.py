"""Job templates: what a file says, what it forbids and asks for, and what is written of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_vertex_training.vertex.spec.arguments import read_arguments
from airflow_vertex_training.vertex.spec.layers import Layer, merge
from airflow_vertex_training.vertex.spec.reader import Reader
from airflow_vertex_training.vertex.spec.resolve import build, complete, pending_all
from airflow_vertex_training.vertex.spec.table import ARGUMENTS
from airflow_vertex_training.vertex.spec.templates import JobTemplate, read_template, write_template
from airflow_vertex_training.vertex.spec.yaml_text import dump, load
from tests.vertex.spec.any_jobs import valid_jobs

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.job import TrainingJob

PLATFORM = """
description: GPU training of the vision team.
network: projects/1234/global/networks/training
service_account: trainer@acme.iam.gserviceaccount.com
image: us-docker.pkg.dev/acme/trainers/base:1.10
machine_type: g2-standard-8
accelerator_type: NVIDIA_L4
accelerator_count: 1
maximum_run_time: 3600
labels:
  team: vision
  version: 1.10
env:
  STAGE: no
scheduling: {strategy: SPOT}
fixed: [network, machine_type, labels.team]
required: [labels.cost_center, display_name]
"""


def is_jinja(value: Any) -> bool:
    """Whether a value is a template."""
    return isinstance(value, str) and "{{" in value


def read(text: str = PLATFORM) -> JobTemplate:
    """Return a template that is right."""
    reader = Reader()
    template = read_template("gpu", text, reader)
    template.check(reader)
    assert reader.findings == []
    return template


def used(template: JobTemplate, **arguments: Any) -> tuple[TrainingJob, list[str]]:
    """Return the job that a task with a template asks for, and what is wrong with that."""
    reader = Reader()
    task, own = read_arguments(arguments, reader), template.layer(reader)
    template.check_task(task, own, reader)
    whole = complete([task, own], reader)
    return build(whole), [str(finding) for finding in reader.findings]


NETWORK = "projects/1234/global/networks/training"
ASKED: dict[str, Any] = {"labels": {"cost_center": "7"}, "display_name": "digits"}


def test_it_says_what_the_task_leaves_open() -> None:
    """A task's arguments win; labels and variables come together; text stays as it is written."""
    job, wrong = used(read(), **ASKED, image="gcr.io/acme/mine", env={"A": "1"})
    assert wrong == []
    (pool,) = job.worker_pools
    assert (pool.image, pool.env) == ("gcr.io/acme/mine", {"STAGE": "no", "A": "1"})
    assert job.labels == {"team": "vision", "version": "1-10", "cost_center": "7"}
    assert job.in_words() == "1 x g2-standard-8 with 1 x NVIDIA_L4, gcr.io/acme/mine"


BROKEN = [
    ("network", {"network": "projects/1234/global/networks/mine"}, "network: is fixed to 'projects/1234/"),
    ("none", {"network": ""}, "network: is fixed to"),
    ("machine", {"machine_type": "n1-standard-8"}, "machine_type: is fixed to 'g2-standard-8' by job templ"),
    (
        "pools",
        {"worker_pools": [{"machine": {"machine_type": "n1-standard-8"}}]},
        "worker_pools[0].machine.machine_type: is fixed to 'g2-standard-8'",
    ),
    (
        "spec",
        {"job_spec": {"workerPoolSpecs": [{"machineSpec": {"machineType": "n1-standard-8"}}]}},
        "job_spec.workerPoolSpecs[0].machineSpec.machineType: is fixed to 'g2-standard-8'",
    ),
    ("in its place", {"psc_interface_config": {"network_attachment": "mine"}}, "network: is fixed to"),
    (
        "label",
        {"labels": {"team": "nlp", "cost_center": "7"}},
        "labels['team']: is fixed to 'vision' by job template",
    ),
]


@pytest.mark.parametrize(("changes", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_what_it_fixes(changes: dict[str, Any], message: str) -> None:
    """What a template fixes is in the job as the template says it, wherever a task says it otherwise."""
    _, wrong = used(read(), **{**ASKED, **changes})
    assert [each[: len(message)] for each in wrong] == [message]


def test_what_is_fixed_may_be_said_again() -> None:
    """To say what the template says is no mistake, nor to say more beside it."""
    assert used(read(), **ASKED, network=NETWORK, worker_pools=[{}, {"replica_count": 2}])[1] == []


def test_what_it_does_not_let_tasks_say() -> None:
    """What is fixed and not said can't be said at all; values of variables are not shown."""
    template = read("fixed: [persistent_resource_id, env.TOKEN]\nimage: gcr.io/a/b\nenv: {TOKEN: s3cret}")
    _, wrong = used(template, persistent_resource_id="mine", env={"TOKEN": "other"})
    assert wrong == [
        "persistent_resource_id: is fixed by job template 'gpu': leave it to that",
        "env['TOKEN']: is fixed by job template 'gpu': leave it to that",
    ]


def test_a_label_is_one_however_it_is_written() -> None:
    """A rule on a label holds for all ways to write its key: they are the same label."""
    template = read(
        "image: gcr.io/a/b\nlabels: {Team: vision}\nfixed: [labels.Team]\nrequired: [labels.Cost.Center]"
    )
    assert used(template, labels={"TEAM": "vision", "cost-center": "7"})[1] == []
    assert used(template, labels={"team": "nlp"})[1] == [
        "labels.Cost.Center: is missing: job template 'gpu' asks each task for it",
        "labels['team']: is fixed to 'vision' by job template 'gpu': leave it to that",
    ]


@pytest.mark.parametrize("value", ["yes", "on", "true", "True", "1", "'yes'"])
def test_flags_as_yaml_writes_them(value: str) -> None:
    """What YAML reads as true is true where a field is a flag, and text elsewhere."""
    template = read(f"image: gcr.io/a/b\naccess: {{enable_web_access: {value}}}\nenv: {{A: {value}}}")
    job, wrong = used(template)
    assert wrong == []
    assert job.access
    assert job.access.enable_web_access is True
    assert job.worker_pools[0].env == {"A": value.strip("'")}


def test_fixed_pools() -> None:
    """Of fixed pools a task can change what they leave open, and nothing else."""
    template = read(
        "image: gcr.io/a/b\nfixed: [worker_pools]\n"
        "worker_pools: [{machine: {machine_type: n1-standard-8}}, {replica_count: 2}]"
    )
    assert used(template, image="gcr.io/a/c", env={"A": "1"})[1] == []
    _, wrong = used(template, machine_type="n1-standard-4")
    assert wrong == ["machine_type: is fixed to 'n1-standard-8' by job template 'gpu': leave it to that"]
    assert used(template, worker_pools=[{}])[1] != []
    assert used(read("image: gcr.io/a/b\nfixed: [worker_pools]"), worker_pools=[{}])[1] != []


def test_what_it_asks_for() -> None:
    """What is required and missing is told, all of it; text that is a template says enough."""
    assert used(read())[1] == [
        "labels.cost_center: is missing: job template 'gpu' asks each task for it",
        "display_name: is missing: job template 'gpu' asks each task for it",
    ]
    reader = Reader(is_jinja)
    template = read()
    task = read_arguments({"labels": {"cost_center": "{{ params.c }}"}, "display_name": "{{ ds }}"}, reader)
    template.check_task(task, template.layer(reader), reader)
    assert reader.findings == []


WRONG = [
    (
        "machin_type: a",
        "job template 'gpu': machin_type: is no argument that a template can say: did you mean ",
    ),
    ("job_template: other", "job template 'gpu': job_template: is no argument that a template can say"),
    ("deferrable: false", "job template 'gpu': deferrable: is no argument that a template can say"),
    (
        "fixed: [netwrok]",
        "job template 'gpu': fixed: 'netwrok' is nothing that a task can say: did you mean 'n",
    ),
    ("fixed: network", "job template 'gpu': fixed: must be a list of arguments, got str 'network'"),
    ("required: [image]\nfixed: [image]", "job template 'gpu': required: 'image' is fixed as well"),
    ("- a", "job template 'gpu': must be a mapping with the operator's arguments, got list"),
    ("a: [", "job template 'gpu': is no YAML: line 1: "),
    (
        "image: gcr.io/a/b\nlabels: {{ x }}",
        "job template 'gpu': is no YAML: line 2: a list or dict can't be a key; a value",
    ),
    ("? [a]\n: b", "job template 'gpu': is no YAML: line 1: a list or dict can't be a key"),
    ("labels:\n\ta: b", "job template 'gpu': is no YAML: line 2: found character '\\t'"),
    (
        "image: a\0",
        "job template 'gpu': is no YAML: unacceptable character #x0000: special characters are not",
    ),
    ("labels: *team", "job template 'gpu': is no YAML: line 1: found undefined alias 'team'"),
    ("image: !image a", "job template 'gpu': is no YAML: line 1: could not determine a constructor"),
    ("image: a\n---\nimage: b", "job template 'gpu': is no YAML: line 2: but found another document"),
    (f"args: {'[' * 9000}{']' * 9000}", "job template 'gpu': is no YAML: it has too many lists or dicts"),
    (
        "fixed: [strategy]",
        "job template 'gpu': fixed: 'strategy' is nothing that a task can say: did you mean 'scheduling.str",
    ),
    (
        "fixed: [job_spec]",
        "job template 'gpu': fixed: 'job_spec' is nothing that a task can say: name what it says",
    ),
    ("env: {A: ~}", "job template 'gpu': env['A']: must be a string, got None: leave it out, or write ''"),
    ("image: gcr.io/a/b\nimage: gcr.io/a/c", "job template 'gpu': is no YAML: line 2: 'image' is said twice"),
    ("boot_disk_size_gb: 5", "job template 'gpu': boot_disk_size_gb: must be at least 100 GB, got '5'"),
    (
        "machine_type: n1-standard-4\naccelerator_type: NVIDIA_TESLA_T4\naccelerator_count: 3",
        "job template 'gpu': accelerator_count: 3 NVIDIA_TESLA_T4 do not fit n1-standard-4",
    ),
    (
        "worker_pools: [{machine: {machin: a}}]",
        "job template 'gpu': worker_pools[0].machine.machin: Machine has ",
    ),
]


@pytest.mark.parametrize(
    ("text", "message"), WRONG, ids=[row[0].split(":")[0] + str(i) for i, row in enumerate(WRONG)]
)
def test_a_wrong_template(text: str, message: str) -> None:
    """What is wrong with a template is told by its name and key, with the nearest right one."""
    reader = Reader()
    read_template("gpu", text, reader).check(reader)
    assert [str(finding)[: len(message)] for finding in reader.findings] == [message]


def test_an_empty_template() -> None:
    """A template that says nothing is one."""
    assert used(read(""), image="gcr.io/a/b")[1] == []


def written(arguments: dict[str, Any], *, is_open: Any = None) -> str:
    """Return the template of a task's arguments."""
    reader = Reader(is_open)
    text = write_template(read_arguments(arguments, reader), reader)
    assert reader.findings == []
    return text


def job_with(layer: Layer) -> TrainingJob:
    """Return the job that a layer describes."""
    return build(complete([layer], Reader()))


@settings(max_examples=150)
@given(valid_jobs)
def test_a_task_and_its_template_ask_for_the_same(arguments: dict[str, Any]) -> None:
    """A template that is written of a task says all that the task says: there and back is the same job."""
    reader = Reader()
    template = read_template("its", written(arguments), reader)
    assert reader.findings == []
    assert job_with(template.layer(Reader())) == job_with(read_arguments(arguments, Reader()))


@given(valid_jobs, valid_jobs)
def test_a_written_template_gives_way_as_the_task_would(low: dict[str, Any], high: dict[str, Any]) -> None:
    """Under another task's arguments, too, a written template says what its task's arguments would."""
    over = read_arguments({key: each for key, each in high.items() if key != "worker_pools"}, Reader())
    template = read_template("its", written(low), Reader()).layer(Reader())
    assert job_with(merge(over, template)) == job_with(merge(over, read_arguments(low, Reader())))


@settings(max_examples=200)
@given(valid_jobs, st.data())
def test_what_a_hidden_template_may_say_is_no_mistake(arguments: dict[str, Any], data: st.DataObject) -> None:
    """Where a template may say anything, nothing that is missing is wrong, and what is there goes with it."""
    (first, *others) = arguments["worker_pools"]
    if not any(others) and first["machine"].keys() <= set(ARGUMENTS):
        arguments |= {
            name: each for name, each in first.items() if name in ("image", "command", "args", "env")
        } | first["machine"]
        del arguments["worker_pools"]
    kept = data.draw(st.sets(st.sampled_from(sorted(arguments))))
    if "machine_type" in kept:
        kept |= first["machine"].keys()  # who names a machine means all of it anew
    reader = Reader()
    said = read_arguments({name: arguments[name] for name in kept & set(ARGUMENTS)}, reader)
    complete([said, pending_all("template")], reader)
    assert reader.findings == []


def test_it_says_what_was_set_only() -> None:
    """What nobody set, or what is the package's default, is not in it; what is a template stays one."""
    text = written(
        {
            "image": "gcr.io/acme/{{ params.image }}",
            "machine_type": "n1-standard-4",
            "boot_disk_size_gb": 100,
            "maximum_run_time": 7 * 24 * 3600,
            "labels": {"run": "{{ run_id }}"},
            "accelerator_count": "{{ params.n }}",
            "network": "",
            "scheduling": "{{ params.scheduling }}",
        },
        is_open=is_jinja,
    )
    assert load(text) == {
        "image": "gcr.io/acme/{{ params.image }}",
        "accelerator_count": "{{ params.n }}",
        "scheduling": "{{ params.scheduling }}",
        "labels": {"run": "{{ run_id }}"},
        "network": "",
    }


@pytest.mark.parametrize(
    "said",
    [
        {"worker_pools": [{"machine": "{{ m }}"}, "{{ p }}", {"disk": "{{ d }}"}, {"env": "{{ e }}"}]},
        {"scheduling": "{{ s }}", "tracking": "{{ t }}", "args": "{{ a }}", "maximum_run_time": "60s"},
        {
            "worker_pools": [
                {"disk": {"boot_disk_type": "{{ d }}"}},
                {"machine": {"accelerator_count": "{{ m }}"}},
            ]
        },
        {"scheduling": {"strategy": "{{ s }}", "disable_retries": "{{ s }}"}},
        {"worker_pools": [{"machine": {"machine_type": "{{ m }}", "reservation_affinity": "{{ m }}"}}]},
    ],
    ids=range(5),
)
def test_what_is_a_template_as_a_whole_is_written_as_such(said: dict[str, Any]) -> None:
    """A template that stands for an object comes back in its place, and for no more than that."""
    assert load(written(said, is_open=is_jinja)) == said


def test_a_spec_of_google_becomes_arguments() -> None:
    """A `job_spec` is written in the operator's words; what the table does not know stays a `job_spec`."""
    spec = {
        "workerPoolSpecs": [
            {"machineSpec": {"machineType": "n1-standard-8"}, "containerSpec": {"imageUri": "gcr.io/a/b"}}
        ],
        "newField": {"a": 1},
    }
    assert load(written({"job_spec": spec})) == {
        "worker_pools": [{"image": "gcr.io/a/b", "machine": {"machine_type": "n1-standard-8"}}],
        "job_spec": {"job_spec": {"new_field": {"a": "1"}}},
    }


def test_what_no_file_can_say() -> None:
    """Another task's result, or pools that are known only when the task runs, are told by name."""
    for arguments, message in (
        ({"image": object()}, "image: is object <object"),
        (
            {"worker_pools": "{{ params.pools }}"},
            "worker_pools: or job_spec are known only when the task runs",
        ),
        ({"job_spec": {"scheduling": "{{ x }}"}}, "job_spec.scheduling: can't be said in arguments"),
        (
            {"job_spec": {"workerPoolSpecs": [{"machineSpec": "{{ x }}"}]}},
            "job_spec.workerPoolSpecs[0].machineSpec: can't be said in arguments",
        ),
        (
            {"job_spec": {"workerPoolSpecs": [{"xyzzy": 1}]}},
            "job_spec.workerPoolSpecs[0].xyzzy: can't be said in arguments",
        ),
    ):
        reader = Reader(lambda value: is_jinja(value) or type(value) is object)
        assert write_template(read_arguments(arguments, reader), reader) == ""
        assert str(reader.findings[0]).startswith(message)


@given(
    st.recursive(
        st.text(st.characters(blacklist_categories=["Cs"])),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("abNy0~", min_size=1), inner, max_size=3)
        ),
        max_leaves=6,
    )
)
def test_text_is_written_and_read_as_it_is(data: Any) -> None:
    """Whatever text looks like to YAML (`no`, `1.10`, `0x1f`, `~`), it comes back as that text."""
    assert load(dump(data)) == data
