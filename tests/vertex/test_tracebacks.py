"""What a program says of its failure is found among its lines, in the words of Python and of others."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex.tracebacks import Tracebacks, exception_in

if TYPE_CHECKING:
    from collections.abc import Callable

BEGIN = "Traceback (most recent call last):\n"
FRAME = '  File "train.py", line 1, in <module>\n    fit()\n'


class Outer:
    """A class of a training's own."""

    class lower(Exception):  # noqa: N801, N818 - nobody makes users follow conventions
        """An exception whose name says nothing."""


def chained() -> None:
    """Raise one exception from another."""
    try:
        _ = {"a": 1}['it\'s "q"']
    except KeyError as error:
        msg = "no such column"
        raise RuntimeError(msg) from error


def local() -> None:
    """Raise an exception that was made in a function."""

    class Mine(Exception):  # noqa: N818
        pass

    raise Mine("local")


def noted() -> None:
    """Raise an exception with a note."""
    error = ValueError("noted")
    if hasattr(error, "add_note"):
        error.add_note("a note")
    raise error


def empty_first_line() -> None:
    """Raise an exception whose text begins with a new line."""
    raise ValueError("\nsecond line\nthird")


def nested_class() -> None:
    """Raise an exception of a class within a class."""
    raise Outer.lower("x")


def bad_syntax() -> None:
    """Compile what is no Python."""
    compile("x = = 1", "train.py", "exec")


def no_message() -> None:
    """Raise an exception without words."""
    raise ValueError


@pytest.mark.parametrize(
    ("fail", "exception"),
    [
        (chained, "RuntimeError: no such column"),
        (local, "test_tracebacks.local.<locals>.Mine: local"),
        (noted, "ValueError: noted"),
        (empty_first_line, "ValueError: second line"),
        (nested_class, "test_tracebacks.Outer.lower: x"),
        (bad_syntax, "SyntaxError: invalid syntax"),
        (no_message, "ValueError"),
    ],
)
def test_what_python_itself_writes(fail: Callable[[], None], exception: str) -> None:
    """Whatever Python prints for an exception that nothing caught, its own line is found."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each its own
        fail()
    lines = "".join(traceback.format_exception(caught.value)).splitlines()
    found = exception_in([*lines, "bye"])
    assert found.removeprefix("tests.vertex.") == exception


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1))
def test_any_message(message: str) -> None:
    """The exception's line is whole, whatever its message."""
    lines = [BEGIN.strip(), *FRAME.splitlines(), f"ValueError: {message}", "the job goes on"]
    found = exception_in(lines)
    whole = f"ValueError: {message}".rstrip()
    assert found.startswith(whole[:500])
    assert found == whole[:500] or whole.endswith(":")


GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "<string>", line 2, in <module>
  | ExceptionGroup: several (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Exception Group Traceback (most recent call last):
    |   File "<string>", line 2, in <module>
    | ExceptionGroup: inner (1 sub-exception)
    +-+---------------- 1 ----------------
      | Traceback (most recent call last):
      |   File "x", line 3, in f
      | TypeError: no number
      +------------------------------------
    +---------------- 2 ----------------
    | ValueError: no data
    +------------------------------------"""
TORCHRUN = f"""[rank0]: {BEGIN}[rank0]:   File "/app/train.py", line 1, in <module>
[rank0]: ValueError: no data
W1126 12:39:35.165000 140 torch/distributed/elastic/multiprocessing/api.py:897] Sending process 141 closing
{BEGIN}{FRAME}torch.distributed.elastic.multiprocessing.errors.ChildFailedError:\x20
============================================================
train.py FAILED
Root Cause (first observed failure):
[0]:
  time      : 2026-11-26_12:39:35
============================================================"""
TENSORFLOW = f"""{BEGIN}{FRAME}tf.ResourceExhausted: Graph execution error:

Detected at node 'model/dense/MatMul' defined at (most recent call last):
    File "x.py", line 1, in <module>
Node: 'model/dense/MatMul'
OOM when allocating tensor with shape[9] on GPU:0
\t [[{{{{node model/dense/MatMul}}}}]]"""
SPAWN = f"""{BEGIN}{FRAME}torch.multiprocessing.spawn.ProcessRaisedException:\x20

-- Process 0 terminated with the following error:
{BEGIN}{FRAME}ValueError: no data"""
DATALOADER = f"""{BEGIN}{FRAME}RuntimeError: Caught ValueError in DataLoader worker process 0.
Original {BEGIN}{FRAME}ValueError: no data"""
RAY = f"""{BEGIN}{FRAME}ray.exceptions.RayTaskError(ValueError): ray::f() (pid=1)
{FRAME}ValueError: no data"""
ACCELERATE = f"""{BEGIN}{FRAME}ValueError: no data
{BEGIN}{FRAME}subprocess.CalledProcessError: Command '['x']' returned non-zero exit status 1."""
FAILED = f"{BEGIN}{FRAME}ValueError: no data"
DESTRUCTOR = f"Exception ignored in: <function Loader.__del__ at 0x7f>\n{BEGIN}{FRAME}"
CHAINED = "\nDuring handling of the above exception, another exception occurred:\n\n"
RUST = "thread 'main' panicked at src/main.rs:2:5:"
RICH = "╭─── Traceback (most recent call last) ───╮\n│ train.py:3 │\n╰────────────╯\nValueError: no data"


WRITERS = (
    "nothing",
    "printed",
    "warning",
    "interrupt",
    "begun once more",
    "torchrun rank",
    "ray prefix",
    "two ranks",
    "others between",
    "group",
    "torchrun",
    "tensorflow",
    "spawn",
    "dataloader",
    "ray",
    "rich",
    "accelerate",
    "subprocess",
    "go",
    "java",
    "r",
    "r library",
    "sitecustomize",
    "rust",
    "c++",
    "faulthandler",
    "destructor",
    "exit handler",
    "destructor in a chain",
    "destructor of one rank",
    "logging",
    "destructor alone",
    "destructor before",
    "excepthook",
    "syntax",
)


@pytest.mark.parametrize(
    ("text", "exception"),
    [
        ("", ""),
        ("ValueError: printed, not raised", ""),
        ("train.py:3: UserWarning: slow", ""),
        (f"{BEGIN}{FRAME}KeyboardInterrupt", "KeyboardInterrupt"),
        (f"{BEGIN}{FRAME}A: 1\n{BEGIN}", "A: 1"),
        (f"[rank0]: {BEGIN}[rank0]:   File x\n[rank0]: OSError: no", "OSError: no"),
        (f"(f pid=1, ip=1.1.1.1) {BEGIN}(f pid=1, ip=1.1.1.1)   File x\n(f pid=1, ip=1.1.1.1) A: b", "A: b"),
        (
            f"[rank0]: {BEGIN}[rank1]: {BEGIN}[rank0]:   File x\n[rank1]:   File x\n[rank1]: A: b",
            "A: b",
        ),
        (f"{BEGIN}{FRAME}another process says so\nValueError: no data", "ValueError: no data"),
        (GROUP, "ExceptionGroup: several (2 sub-exceptions): TypeError: no number"),
        (TORCHRUN, "ValueError: no data"),
        (
            TENSORFLOW,
            "tf.ResourceExhausted: Graph execution error: OOM when allocating tensor with shape[9] on GPU:0",
        ),
        (SPAWN, "ValueError: no data"),
        (DATALOADER, "ValueError: no data"),
        (RAY, "ValueError: no data"),
        (RICH, "ValueError: no data"),
        (ACCELERATE, "ValueError: no data"),
        (
            f"{BEGIN}{FRAME}subprocess.CalledProcessError: Command 'x' returned non-zero exit status 1.",
            "subprocess.CalledProcessError: Command 'x' returned non-zero exit status 1.",
        ),
        ("panic: no data\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:8 +0x1d", "panic: no data"),
        (
            'Exception in thread "main" java.io.IOException: no data\n\tat a.B.c(B.java:5)',
            'Exception in thread "main" java.io.IOException: no data',
        ),
        ("Error in f(x) : object 'y' not found\nExecution halted", "Error in f(x) : object 'y' not found"),
        ("Error in library(x) :\n  there is no package 'x'", "Error in library(x) : there is no package 'x'"),
        ("Error in sitecustomize; set PYTHONVERBOSE for traceback:\nModuleNotFoundError: no x", ""),
        (
            f"{RUST}\nno data",
            f"{RUST} no data",
        ),
        (
            "terminate called after throwing an instance of 'std::runtime_error'\n  what():  no data",
            "terminate called after throwing an instance of 'std::runtime_error' what():  no data",
        ),
        (
            'Fatal Python error: Segmentation fault\n\nThread 0x1 (most recent call first):\n  File "x"',
            "Fatal Python error: Segmentation fault",
        ),
        (f"{FAILED}\n{DESTRUCTOR}OSError: cleaning up", "ValueError: no data"),
        (
            f"{FAILED}\nException ignored in atexit callback: <function f at 0x7f>\n{BEGIN}{FRAME}OSError: x",
            "ValueError: no data",
        ),
        (f"{FAILED}\n{DESTRUCTOR}KeyError: 1\n{CHAINED}{BEGIN}{FRAME}OSError: x", "ValueError: no data"),
        (
            "\n".join(f"[rank0]: {line}" for line in f"{FAILED}\n{DESTRUCTOR}OSError: x".splitlines()),
            "ValueError: no data",
        ),
        (f"--- Logging error ---\n{BEGIN}{FRAME}TypeError: not all\nCall stack:\n{FRAME}Message: 'x'", ""),
        (f"{DESTRUCTOR}OSError: cleaning up", ""),
        (f"{DESTRUCTOR}OSError: cleaning up\n{FAILED}", "ValueError: no data"),
        (
            f"Error in sys.excepthook:\n{BEGIN}{FRAME}A: b\n\nOriginal exception was:\n{FAILED}",
            "ValueError: no data",
        ),
        (
            '  File "/app/train.py", line 3\n    x = = 1\n        ^\nSyntaxError: invalid',
            "SyntaxError: invalid",
        ),
    ],
    ids=WRITERS,
)
def test_what_launchers_and_others_write(text: str, exception: str) -> None:
    """The exception is told that says what went wrong, whoever passes it on."""
    assert exception_in(text.splitlines()) == exception


def test_a_text_of_several_lines() -> None:
    """A structured log entry may hold a whole traceback."""
    assert exception_in([f"it failed\nexc_info:\n{BEGIN}{FRAME}ValueError: no data"]) == "ValueError: no data"


@pytest.mark.parametrize(("later", "is_told"), [(100, True), (300, False)])
def test_an_exception_that_the_program_got_over(later: int, is_told: bool) -> None:
    """Who prints hundreds of lines after an exception does not fail of it."""
    lines = [*f"{BEGIN}{FRAME}ImportError: no x".splitlines(), *[f"step {number}" for number in range(later)]]
    assert bool(exception_in(lines)) == is_told


def test_endless_beginnings_take_no_memory() -> None:
    """A program may begin as many tracebacks as it likes, each with another prefix."""
    tracebacks = Tracebacks()
    for number in range(10_000):
        tracebacks.take(f"[{number}]: {BEGIN.strip()}")
    assert len(tracebacks._open) <= 64
