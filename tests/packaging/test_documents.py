from __future__ import annotations

import ast
import importlib
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_vertex_training.emulator.__main__ import _parser
from airflow_vertex_training.provider_info import get_provider_info

PROJECT = Path(__file__).parents[2]
DOCUMENTS = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")])


def _prose(document: Path) -> str:
    return re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def _python_blocks(document: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.*)$", _prose(document), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    """A link to a file, and to a heading in it, finds both."""
    for link in re.findall(r"\]\(([^)\s]+)\)", _prose(document)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_python_samples_import_what_is_there(document: Path) -> None:
    """A Python sample is valid Python, and what it imports from this package exists."""
    for block in _python_blocks(document):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow_vertex_training"):
                module = importlib.import_module(str(node.module))
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_make_targets_exist(document: Path) -> None:
    """`make` is never told to make what the Makefile does not know."""
    targets = re.findall(r"^([a-z][\w.\- ]*):", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE)
    known = {target for line in targets for target in line.split()}
    assert set(re.findall(r"`make ([\w.\-]+)", document.read_text())) <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_tests_that_are_named_exist(document: Path) -> None:
    """A test that a document names as its proof is there."""
    for file, name in re.findall(r"`(\w+/test_\w+\.py)::(\w+)", document.read_text()):
        assert f"def {name}(" in (PROJECT / "tests" / file).read_text(), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_programs_that_are_named_exist(document: Path) -> None:
    """`python -m` is never told to run a module of this project that is not there."""
    modules = re.findall(
        r"python -m ((?:benchmarks|tests|airflow_vertex_training)[\w.]*\w)", document.read_text()
    )
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_options_that_are_named_exist(document: Path) -> None:
    """An option of `[vertex_training]` that a document names is one that Airflow is told of."""
    text = document.read_text()
    sections = re.findall(r"^ *\[vertex_training\]\n(.*?)^ *```", text, flags=re.MULTILINE | re.DOTALL)
    named = {
        *(name for section in sections for name in re.findall(r"^ *(\w+) =", section, flags=re.MULTILINE)),
        *re.findall(r"\[vertex_training\]\s(\w+)", text),
        *(name.lower() for name in re.findall(r"AIRFLOW__VERTEX_TRAINING__(\w+)", text)),
    }
    info: Any = get_provider_info()
    assert named <= set(info["config"]["vertex_training"]["options"])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_arguments_of_the_emulator_that_are_shown_exist(document: Path) -> None:
    """A command line of the emulator has only arguments that it takes."""
    known = set(_parser()._option_string_actions)
    for line in re.findall(r"airflow_vertex_training\.emulator (.*)", document.read_text()):
        assert set(re.findall(r"(?<!\S)--[a-z-]+", line)) <= known, line


def test_the_registry_is_told_what_is_there() -> None:
    """`.airflow-registry.yaml` names this package, and classes that it has."""
    registry = yaml.safe_load((PROJECT / ".airflow-registry.yaml").read_text())
    assert registry["package-name"] == get_provider_info()["package-name"]
    classes = [entry["module"] for part in ("operators", "hooks", "triggers") for entry in registry[part]]
    for path in classes:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name), path
