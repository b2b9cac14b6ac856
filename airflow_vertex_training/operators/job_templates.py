"""The folder of job templates: `[vertex_training] job_templates`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_vertex_training import settings
from airflow_vertex_training.vertex.spec.reader import Reader
from airflow_vertex_training.vertex.spec.resolve import pending_all
from airflow_vertex_training.vertex.spec.words import nearest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_vertex_training.vertex.exceptions import Finding
    from airflow_vertex_training.vertex.spec.layers import Layer
    from airflow_vertex_training.vertex.spec.templates import JobTemplate

ARGUMENT = "job_template"
_ENDING = ".yaml"
_ENDINGS = (_ENDING, ".yml")
# More names than a sentence should list.
_MANY = 20


def names() -> list[str]:
    """Return the names of the templates in the folder; of none where there is no folder."""
    folder = settings.job_templates()
    return sorted(each.stem for each in folder.glob(f"*{_ENDING}") if each.is_file()) if folder else []


def load(name: str, reader: Reader) -> JobTemplate | None:
    """Return a template, ``None`` where it can't be read.

    Args:
        name: the template's.
        reader: keeps what is wrong with it.
    """
    folder = settings.job_templates()
    if folder is None:
        reader.wrong(ARGUMENT, f"is {name!r}, but there is no folder: set [vertex_training] job_templates")
        return None
    path = folder / f"{name}{_ENDING}"
    try:
        status = path.stat()
        template, findings = _read(name, path, (status.st_mtime_ns, status.st_size))
    except (OSError, UnicodeDecodeError) as error:
        reader.wrong(ARGUMENT, _why_not(name, folder, error))
        return None
    for finding in findings:
        reader.wrong(*finding)
    return template


# Many tasks of a DAG file may name the same template.
@lru_cache(maxsize=32)
def _read(name: str, path: Path, _state: tuple[int, int]) -> tuple[JobTemplate, list[Finding]]:
    from airflow_vertex_training.vertex.spec.templates import read_template

    reader = Reader()
    return read_template(name, path.read_text(encoding="utf-8"), reader), reader.findings


def _why_not(name: str, folder: Path, error: Exception) -> str:
    if not isinstance(error, FileNotFoundError):
        return f"{name!r} can't be read from {folder}: {error}"
    if not folder.is_dir():
        return f"is {name!r}, but [vertex_training] job_templates, {folder}, is no folder here"
    there = names()
    for ending in _ENDINGS:
        if name.removesuffix(ending) in there:
            return f"{name!r} has an ending: write {name.removesuffix(ending)!r}"
        if (folder / f"{name}{ending}").is_file():
            return f"{name}{ending} in {folder} has another ending than {_ENDING}: rename it"
    right = nearest(name, there)
    known = ", ".join(there[:_MANY]) + (", and so on" if len(there) > _MANY else "")
    offer = f"did you mean {right!r}?" if right else f"it has {known or 'none'}"
    return f"there is no {name}{_ENDING} in {folder}: {offer}"


def layers(task: Layer, connection: Layer, reader: Reader, render: Callable[[Any], Any]) -> list[Layer]:
    """Return what the template says that the task, or else the connection, names: one layer, or none.

    Args:
        task: what the task's own arguments say.
        connection: what the connection says.
        reader: keeps what is wrong with the template, and with what the task says of it.
        render: makes the template's values plain, which may be Jinja templates.
    """
    said = task.job.get(ARGUMENT) or connection.job.get(ARGUMENT)
    if said is None or not isinstance(said.value, str):
        return []
    template = load(said.value, reader)
    return [] if template is None else [checked(template, task, reader, render)]


def checked(template: JobTemplate, task: Layer, reader: Reader, render: Callable[[Any], Any]) -> Layer:
    """Return what a template says, and keep what a task must not say beside it."""
    own = template.rendered(render).layer(reader)
    template.check_task(task, own, reader)
    return own


def layers_at_parse(task: Layer, reader: Reader) -> list[Layer]:
    """Return what is known of the task's template when its DAG is parsed.

    The DAG processor need not have the folder, and which template the connection names is not known: then
    it may say anything.
    """
    said = task.job.get(ARGUMENT)
    folder = settings.job_templates()
    if said is None:
        return [pending_all(ARGUMENT)] if folder else []
    if said.value is None:
        return []
    if not isinstance(said.value, str) or folder is None or not folder.is_dir():
        return [pending_all(ARGUMENT)]
    template = load(said.value, reader)
    return [pending_all(ARGUMENT) if template is None else checked(template, task, reader, lambda same: same)]
