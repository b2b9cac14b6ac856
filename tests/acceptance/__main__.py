r"""Compares the emulator with a real project: one command.

    VERTEX_ACCEPTANCE_PROJECT=... VERTEX_ACCEPTANCE_REGION=... VERTEX_ACCEPTANCE_BUCKET=... \
    VERTEX_ACCEPTANCE_IMAGE=... python -m tests.acceptance [--yes] [--quota]

The image is any that has `sh`; the bucket lies in the region, and the jobs write nothing to it. Credentials
are the application default ones. It says first what it will create, and waits for Enter unless `--yes` is
given; it prints each answer and each difference, and deletes its jobs. `--quota` also uses up the project's
requests of a minute in the region, to see how that is answered. Without the variables an emulator is asked.
"""

from __future__ import annotations

import argparse
import os
import sys

from airflow_vertex_training.emulator.control.process import launch
from tests.acceptance.questions import QUESTIONS, QUOTA
from tests.acceptance.story import Story
from tests.acceptance.target import EMULATOR_ARGUMENTS, Target, emulator_target, real_target

_PLAN = """\
Project {0.project}, region {0.region}. This creates five jobs with the label run={0.run}, each on one
e2-standard-4 with {0.image}. Two end by themselves within seconds, three are cancelled; together they run for
a few minutes, after what they wait in the queue. Five more requests are meant to be refused; what is taken is
cancelled. All jobs are deleted at the end; their log entries stay as long as Cloud Logging keeps them."""


def compare(target: Target, *, with_quota: bool) -> int:
    """Ask all questions and print the answers; return how many are others than the emulator's."""
    differences = 0
    try:
        story = Story(target)
        for question in [*QUESTIONS, *([QUOTA] if with_quota else [])]:
            seen = question.answer(story)
            same = seen.value == question.expected
            differences += not same
            measured = f"  ({seen.measured})" if seen.measured else ""
            print(f"{'same     ' if same else 'DIFFERENT'}  {question.text}  {seen.value!r}{measured}")  # noqa: T201
            if not same:
                print(f"           the emulator: {question.expected!r}", flush=True)  # noqa: T201
    finally:
        for left in target.clean_up():
            print(f"NOT DELETED: {left}")  # noqa: T201
    print(f"{len(QUESTIONS) + with_quota} questions, {differences} different answers.")  # noqa: T201
    return differences


def main() -> int:
    """Return 0 if all answers are the emulator's, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance", description=__doc__)
    parser.add_argument("--yes", action="store_true", help="do not wait for Enter")
    parser.add_argument("--quota", action="store_true", help="use up the project's requests of a minute")
    arguments = parser.parse_args()
    if "VERTEX_ACCEPTANCE_PROJECT" not in os.environ:
        print("VERTEX_ACCEPTANCE_PROJECT is not set: this asks an emulator.")  # noqa: T201
        with launch(*EMULATOR_ARGUMENTS) as emulator:
            return min(1, compare(emulator_target(emulator.address), with_quota=True))
    target = real_target()
    print(_PLAN.format(target))  # noqa: T201
    if not arguments.yes:
        input("Enter to go on, Ctrl-C to leave: ")
    return min(1, compare(target, with_quota=arguments.quota))


if __name__ == "__main__":
    sys.exit(main())
