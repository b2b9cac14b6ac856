"""What this package adds to Airflow's command line: `airflow vertex-training`.

Airflow loads this module with each of its commands from 3.2 on, so it imports nothing. Airflow 3.1 takes no
commands of providers; `python -m airflow_vertex_training` does the same on all versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

NAME = "vertex-training"
HELP = "Training jobs on Vertex AI"


def preview(args: argparse.Namespace) -> None:
    """Print what a task would ask for."""
    from airflow_vertex_training import commands

    commands.preview(args)


def templates(_: argparse.Namespace) -> None:
    """List and check the job templates."""
    from airflow_vertex_training import commands

    commands.templates()


class Command(NamedTuple):
    """A command as `argparse` takes it, each argument as its flags and options."""

    name: str
    function: Callable[[argparse.Namespace], None]
    help: str
    description: str
    arguments: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = ()


COMMANDS = (
    Command(
        name="preview",
        function=preview,
        help="Print the job that a task would create",
        description=(
            "Print the create request of a task, without a call to Google. What only a run knows stays as it "
            "is written, and is listed at the end. Secrets are masked."
        ),
        arguments=(
            (("dag_id",), {"help": "The id of the DAG"}),
            (("task_id",), {"help": "The id of the task"}),
            (("--map-index",), {"type": int, "default": None, "help": "Which instance of a mapped task"}),
            (
                ("-o", "--output"),
                {
                    "choices": ("json", "yaml"),
                    "default": "json",
                    "help": "json: the API's request; yaml: a config file for gcloud (default: json)",
                },
            ),
        ),
    ),
    Command(
        name="templates",
        function=templates,
        help="List and check the job templates",
        description=(
            "List the job templates of the folder [vertex_training] job_templates, and check each. The exit "
            "status is 1 if one is wrong."
        ),
    ),
)


def get_cli_commands() -> list[Any]:
    """Return the commands for Airflow's command line."""
    from airflow.cli import cli_config

    config: Any = cli_config  # untyped
    subcommands = [
        config.ActionCommand(
            name=command.name,
            help=command.help,
            description=command.description,
            func=command.function,
            args=[config.Arg(flags, **options) for flags, options in command.arguments],
        )
        for command in COMMANDS
    ]
    return [config.GroupCommand(name=NAME, help=HELP, subcommands=subcommands)]
