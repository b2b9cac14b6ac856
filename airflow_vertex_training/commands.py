"""What the commands do; see `cli`."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_vertex_training import compat, settings
from airflow_vertex_training.operators import VertexCustomTrainingOperator, job_templates
from airflow_vertex_training.operators.openness import openness
from airflow_vertex_training.operators.previewing import LATER
from airflow_vertex_training.vertex.exceptions import VertexTrainingError
from airflow_vertex_training.vertex.spec.reader import Reader
from airflow_vertex_training.vertex.spec.words import nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping


def preview(args: argparse.Namespace) -> None:
    """Print what a task would ask for."""
    compat.read_connections_of_the_server()
    with _log_on_stderr():
        try:
            shown = _task(args.dag_id, args.task_id, args.map_index).preview()
        except (VertexTrainingError, compat.AirflowFailException) as error:
            sys.exit(str(error))
    sys.stdout.write(shown.as_yaml() if args.output == "yaml" else f"{shown.as_json()}\n")
    if args.output == "json":
        sys.stdout.flush()
        sys.stderr.writelines(f"{LATER}: {each}\n" for each in shown.later)


@contextmanager
def _log_on_stderr() -> Iterator[None]:
    """Send to stderr what Airflow logs to stdout, so that a preview can be written to a file."""
    sys.stdout.flush()
    stdout, stderr = 1, 2
    kept = os.dup(stdout)
    os.dup2(stderr, stdout)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, stdout)
        os.close(kept)


def templates() -> None:
    """List the job templates and check them."""
    folder = settings.job_templates()
    if folder is None:
        sys.exit("There is no folder of job templates: set [vertex_training] job_templates")
    names = job_templates.names()
    if not names:
        sys.exit(f"There is no job template in {folder}: write one, such as {folder / 'gpu.yaml'}")
    if [name for name in names if not _is_right(name)]:
        sys.exit(1)


def _is_right(name: str) -> bool:
    """Print a template and what is wrong with it."""
    reader = Reader(openness(None))
    template = job_templates.load(name, reader)
    if template is not None:
        template.check(reader)
        _print(name, template.description)
        for word, parts in (("fixed", template.fixed), ("required", template.required)):
            if parts:
                _print(f"  {word}:", ", ".join(part.name for part in parts))
    for finding in reader.findings:
        _print("  wrong:", str(finding))
    return not reader.findings


def _print(*words: str) -> None:
    sys.stdout.write(" ".join(word for word in words if word) + "\n")


def _task(dag_id: str, task_id: str, map_index: int | None) -> VertexCustomTrainingOperator:
    dag, errors = compat.find_dag(dag_id)
    if dag is None:
        told = "".join(f"\n{file}: {error.strip()}" for file, error in errors.items())
        sys.exit(f"There is no DAG {dag_id!r} in the DAG bundles here{told}")
    task = dag.task_dict.get(task_id)
    if task is None:
        # In a task group the id is longer than what the DAG's author wrote.
        short = {each.rpartition(".")[2]: each for each in dag.task_dict}
        right = short.get(task_id) or nearest(task_id, dag.task_dict)
        offer = f"did you mean {right!r}?" if right else f"it has {', '.join(sorted(dag.task_dict))}"
        sys.exit(f"DAG {dag_id!r} has no task {task_id!r}: {offer}")
    mapped = compat.is_mapped(task)
    if not issubclass(task.operator_class if mapped else type(task), VertexCustomTrainingOperator):
        sys.exit(f"Task {task_id!r} is a {task.task_type}: only a VertexCustomTrainingOperator has a preview")
    if not mapped and map_index is not None:
        sys.exit(f"Task {task_id!r} is not mapped: leave --map-index out")
    if map_index is not None and map_index < 0:
        sys.exit(f"--map-index {map_index} is no instance of the task: they are counted from 0")
    if mapped:
        task = task.unmap(dict(_mapped(compat.mapped_arguments(task), map_index)))
    one: VertexCustomTrainingOperator = task
    return one


class _Later:
    """What an instance of a mapped task gets, and only the run knows."""

    # What Airflow resolves in the run has it, and so is not known yet. Nobody does it here.
    resolve = None

    def __init__(self, argument: str, index: int | None) -> None:
        self._words = f"{argument} of map index {'N' if index is None else index}"

    def __str__(self) -> str:
        return self._words


def _mapped(said: Any, index: int | None) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of one instance of a mapped task; what only the run knows as a template would be.

    Args:
        said: what `expand` was given by name, or `expand_kwargs`.
        index: which instance; `None` where it was not said.
    """
    if not isinstance(said, dict):
        yield from _one_of(said, index).items()
        return
    rest = index
    found: dict[str, Any] = {}
    # As Airflow counts: the last argument changes fastest.
    for name, values in reversed(said.items()):
        literal = list(values.items()) if isinstance(values, dict) else values
        if rest is None or not isinstance(literal, (list, tuple)):
            if name in VertexCustomTrainingOperator.template_fields:
                found[name] = _Later(name, index)
            rest = None
        elif not literal:
            sys.exit(f"--map-index {index} is too much: the task has 0 instances")
        else:
            found[name] = literal[rest % len(literal)]
            rest //= len(literal)
    if rest:
        sys.exit(f"--map-index {index} is too much: the task has not so many instances")
    yield from found.items()


def _one_of(said: Any, index: int | None) -> Mapping[str, Any]:
    if index is None:
        sys.exit("The task is mapped by expand_kwargs: say which instance with --map-index")
    if not isinstance(said, (list, tuple)):
        sys.exit(f"What the task is mapped over is known only when it runs: {said}")
    if index >= len(said):
        sys.exit(f"--map-index {index} is too much: the task has {len(said)} instances")
    one: Mapping[str, Any] = said[index]
    return one
