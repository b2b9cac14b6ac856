"""`python -m airflow_vertex_training`: the same commands as `airflow vertex-training`."""

from __future__ import annotations

import argparse

from airflow_vertex_training.cli import COMMANDS, HELP


def main() -> None:
    """Run the command that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m airflow_vertex_training", description=HELP)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for each in COMMANDS:
        command = commands.add_parser(each.name, help=each.help, description=each.description)
        for flags, options in each.arguments:
            command.add_argument(*flags, **options)
        command.set_defaults(function=each.function)
    chosen = parser.parse_args()
    chosen.function(chosen)


if __name__ == "__main__":
    main()
