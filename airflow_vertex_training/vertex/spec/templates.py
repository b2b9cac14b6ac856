"""Job templates: defaults that a platform team sets once, in a YAML file, with rules for who uses them.

Its keys are the operator's arguments that describe a job, and besides:

    description: What it is for.
    fixed: [network, labels.team]   # what a task can't say otherwise
    required: [labels.cost_center]  # what each task has to say
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec.arguments import read_arguments
from airflow_vertex_training.vertex.spec.message import POOLS
from airflow_vertex_training.vertex.spec.reader import OpenPart
from airflow_vertex_training.vertex.spec.resolve import complete, pending_all
from airflow_vertex_training.vertex.spec.selecting import Part, part_named
from airflow_vertex_training.vertex.spec.table import ARGUMENTS
from airflow_vertex_training.vertex.spec.words import kind, nearest
from airflow_vertex_training.vertex.spec.writing import without_defaults, write_arguments
from airflow_vertex_training.vertex.spec.yaml_text import YamlError, dump, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_vertex_training.vertex.spec.layers import Layer
    from airflow_vertex_training.vertex.spec.reader import Reader

JOB_TEMPLATE = "job_template"

KEYS = tuple(name for name in ARGUMENTS if name != JOB_TEMPLATE)
"""Arguments that a template can say: it can't be made of another one."""

RULES = ("description", "fixed", "required")


@dataclass(frozen=True)
class JobTemplate:
    """A template as its file has it.

    Args:
        name: the file's, without its ending.
        description: what it is for.
        arguments: the operator's arguments that it gives defaults for.
        fixed: what a task can't say otherwise.
        required: what each task has to say.
    """

    name: str
    description: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    fixed: Sequence[Part] = ()
    required: Sequence[Part] = ()

    @property
    def where(self) -> str:
        """Return how messages name it."""
        return f"job template {self.name!r}"

    def layer(self, reader: Reader) -> Layer:
        """Return what it says of a job."""
        return read_arguments(self.arguments, reader, f"{self.where}: ")

    def rendered(self, render: Callable[[Any], Any]) -> JobTemplate:
        """Return it with its values rendered: they may be Jinja templates."""
        return replace(self, arguments=render(dict(self.arguments)))

    def check(self, reader: Reader) -> None:
        """Keep what is wrong with it, whatever a task says besides."""
        complete([self.layer(reader), pending_all("task")], reader)

    def check_task(self, task: Layer, own: Layer, reader: Reader) -> None:
        """Keep what a task says that it must not, and what it has to say and does not.

        Args:
            task: what the task's own arguments say.
            own: what the template says.
            reader: keeps what is wrong.
        """
        for part in self.required:
            if not part.is_said(task):
                reader.wrong(part.name, f"is missing: {self.where} asks each task for it")
        for part in self.fixed:
            for where, value in part.changed(task, own):
                to = "" if value is None or part.may_be_secret else f" to {value!r}"
                reader.wrong(where, f"is fixed{to} by {self.where}: leave it to that")


def read_template(name: str, text: str, reader: Reader) -> JobTemplate:
    """Return a template.

    Args:
        name: the template's.
        text: of its file.
        reader: keeps what is wrong.
    """
    template = JobTemplate(name)
    try:
        data = load(text)
    except YamlError as error:
        reader.wrong(template.where, f"is no YAML: {error}")
        return template
    if not isinstance(data, Mapping):
        if data is not None:
            reader.wrong(template.where, f"must be a mapping with the operator's arguments, got {kind(data)}")
        return template
    for key in data:
        if key not in (*KEYS, *RULES):
            right = nearest(str(key), (*KEYS, *RULES))
            offer = f": did you mean {right!r}?" if right else ": it says what describes a job, such as image"
            reader.wrong(f"{template.where}: {key}", f"is no argument that a template can say{offer}")
    fixed = _parts("fixed", data, template.where, reader)
    required = _parts("required", data, template.where, reader)
    for part in required:
        if part in fixed:
            reader.wrong(
                f"{template.where}: required", f"{part.name!r} is fixed as well: keep one of the two"
            )
    arguments = {key: data[key] for key in KEYS if key in data}
    return JobTemplate(name, str(data.get("description") or "").strip(), arguments, fixed, required)


def _parts(key: str, data: Mapping[str, Any], where: str, reader: Reader) -> list[Part]:
    names = data.get(key) or []
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        reader.wrong(f"{where}: {key}", f"must be a list of arguments, got {kind(names)}")
        return []
    found = []
    for name in names:
        part = part_named(name)
        if isinstance(part, Part):
            found.append(part)
        else:
            offer = f": did you mean {part!r}?" if part else ""
            offer = ": name what it says, such as network" if name == "job_spec" else offer
            reader.wrong(f"{where}: {key}", f"{name!r} is nothing that a task can say{offer}")
    return found


def write_template(layer: Layer, reader: Reader) -> str:
    """Return a template that says what a layer says, and leaves out what the package says anyway.

    Args:
        layer: of a task's arguments.
        reader: keeps what no template can say.
    """
    if layer.unknown:
        reader.wrong("worker_pools", "or job_spec are known only when the task runs: write them as they are")
    for where in _only_in_messages(layer):
        reader.wrong(where, "can't be said in arguments, which a template is made of: write it by hand")
    if reader.findings:
        return ""
    arguments = write_arguments(without_defaults(layer))
    arguments.pop(JOB_TEMPLATE, None)
    for name, value in arguments.items():
        _check_plain(value, name, reader)
    return dump(arguments) if arguments and not reader.findings else ""


def _only_in_messages(layer: Layer) -> Iterator[str]:
    """Yield where a layer says what only a message can: templates for parts of it, fields of its pools."""
    for fields in (layer.job, layer.pool, *(layer.pools or ())):
        yield from dict.fromkeys(said.where for said in fields.values() if isinstance(said.value, OpenPart))
    yield from (said.where for place, said in layer.other.items() if place.startswith(f"{POOLS}["))


def _check_plain(value: Any, where: str, reader: Reader) -> None:
    if isinstance(value, Mapping):
        for name, each in value.items():
            _check_plain(each, f"{where}.{name}", reader)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            _check_plain(each, f"{where}[{index}]", reader)
    elif not isinstance(value, (str, int, float, type(None))):
        reader.wrong(
            where, f"is {kind(value)}, which no file can say: write text, also with a template in it"
        )
