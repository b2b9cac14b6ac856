from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_vertex_training

PACKAGE = Path(airflow_vertex_training.__path__[0])
MODULES_WITH_ALL = [
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for file in sorted(PACKAGE.rglob("*.py"))
    if "\n__all__ = " in file.read_text()
]


@pytest.mark.parametrize("name", MODULES_WITH_ALL)
def test_all_lists_what_is_public(name: str) -> None:
    """`__all__` names each public class and function of its module, and nothing that is not there."""
    module = importlib.import_module(name)
    listed = set(module.__all__)
    assert {entry for entry in listed if not hasattr(module, entry)} == set()
    public = {
        entry
        for entry, value in vars(module).items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == name
        and not entry.startswith("_")
    }
    assert public - listed == set()


def test_the_operator_loads_no_client_library() -> None:
    """A DAG file that imports the operator loads nothing of Google's or gRPC's on top of `airflow.sdk`."""
    probe = (
        "import sys; from airflow.sdk import DAG, BaseOperator; before = set(sys.modules);"
        "import airflow_vertex_training.operators; print(*sorted(set(sys.modules) - before), sep='\\n')"
    )
    output = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True).stdout
    loaded = output.splitlines()
    assert "airflow_vertex_training.operators" in loaded
    assert [
        name for name in loaded if re.match(r"grpc|(google|airflow\.providers\.google)(\.|$)", name)
    ] == []


def test_the_pytest_plugin_loads_nothing() -> None:
    """Every pytest run loads the plugin where the package is installed: it adds no module beside its own."""
    probe = (
        "import pytest, sys, uuid; before = set(sys.modules);"
        "import airflow_vertex_training.emulator.pytest_plugin; print(*sorted(set(sys.modules) - before))"
    )
    output = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True).stdout
    assert output.split() == [
        "airflow_vertex_training",
        "airflow_vertex_training.emulator",
        "airflow_vertex_training.emulator.pytest_plugin",
    ]
