"""Programs that really fail, each in its own way: the first line of the task's error says why."""

from __future__ import annotations

import pytest

from airflow_vertex_training.vertex.exceptions import OutOfMemoryError
from tests.provider.task_runs import run_task
from tests.provider.training_tasks import make

ARGPARSE = """
import argparse
parser = argparse.ArgumentParser(prog="train.py")
parser.add_argument("--epochs", type=int)
parser.parse_args(["--epochs", "x"])
"""
WORKER = """
import multiprocessing
def work(number):
    raise ValueError("no data")
if __name__ == "__main__":
    multiprocessing.get_context("fork").Pool(1).map(work, [1])
"""
GOES_ON = """
import os, signal, traceback
try:
    import nowhere
except ImportError:
    traceback.print_exc()
"""
STEPS = "import sys\nfor step in range(300): print('step', step, file=sys.stderr, flush=True)"
CUDA = """
class OutOfMemoryError(RuntimeError):
    __module__ = "torch"
raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
"""
NO_CORE = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))"


@pytest.mark.parametrize(
    ("command", "first_line"),
    [
        ("import sys; sys.exit('no gs://x/y')", "exited with status 1, its last words: no gs://x/y"),
        (ARGPARSE, "exited with status 2, its last words: train.py: error: argument --epochs: invalid int"),
        (WORKER, "exited with status 1: ValueError: no data"),
        (f"{GOES_ON}\nos._exit(3)", "exited with status 3: ModuleNotFoundError: No module named 'nowhere'"),
        (f"{GOES_ON}\n{STEPS}\nos._exit(4)", "exited with status 4, its last words: step 299"),
        (f"{GOES_ON}\nos.kill(0, signal.SIGKILL)", "exited with status 137"),
        (
            CUDA,
            "ran out of accelerator memory: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate",
        ),
        ("import os; os._exit(5)", "exited with status 5"),
        (["python", "-m", "nowhere"], "exited with status 1, its last words: "),
        (
            ["bash", "-ec", "cp /nowhere /tmp; echo never"],
            "exited with status 1, its last words: cp: cannot stat",
        ),
        (["bash", "-c", "nowhere --x"], "exited with status 127, its last words: bash: "),
        (["nowhere"], "exited with status 127, its last words: 'nowhere' can't be started in"),
        (["/etc/passwd"], "exited with status 126, its last words: '/etc/passwd' can't be started"),
        (f"{NO_CORE}; import os; os.abort()", "exited with status 134"),
    ],
    ids=range(14),
)
def test_why(on_emulator, project, supervisor, log_lines, command, first_line):
    """What the program itself says is told where it can be the reason, and is left out where it can't."""
    if isinstance(command, str):
        command = ["python", "-c", command]

    outcome = run_task(make(deferrable=False, command=command))

    assert outcome.state == "failed"
    told = str(outcome.error).partition("\n")[0].removeprefix("workerpool0-0 ")
    assert told.startswith(first_line)
    assert told == first_line or first_line[-1] not in "0123456789"
    assert ("accelerator" in first_line) == isinstance(outcome.error, OutOfMemoryError)


@pytest.mark.parametrize(
    "line",
    [
        '{"message": "x", "loss": NaN}',
        '{"message": "x", "loss": 1e999}',
        '{"message": "x", "loss": 1' + "0" * 400 + "}",
        '{"message": "half of a pair: \\\\ud800"}',
        '{"message": "x", "deep": ' + '{"a":' * 60 + "1" + "}" * 61,
        '{"message": ' + "[" * 100_000,
        "\\x00\\x1b[2J\\x08",
    ],
    ids=["nan", "inf", "int", "surrogate", "deep", "unclosed", "controls"],
)
def test_no_line_keeps_others_from_being_told(on_emulator, project, supervisor, log_lines, line):
    """Whatever a program prints, its other lines are in the log, to the last one."""
    run_task(make(deferrable=False, program=f"print('first')\nprint('{line}')\nprint('last')"))

    assert "INFO first" in log_lines
    assert "INFO last" in log_lines
    assert not [text for text in log_lines if "could not be read" in text or "failed" in text]
