from __future__ import annotations

import ast
import builtins
import importlib
import importlib.util
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_vertex_training import links, metrics, operators
from airflow_vertex_training.emulator.__main__ import _parser
from airflow_vertex_training.emulator.testing import VertexEmulator
from airflow_vertex_training.provider_info import get_provider_info
from airflow_vertex_training.vertex import exceptions
from airflow_vertex_training.vertex.naming import identity
from airflow_vertex_training.vertex.spec import table as table_of_fields

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


def _code(text: str) -> set[str]:
    """Return what stands between backticks, outside of blocks."""
    return set(
        re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))
    )


ALL = "\n".join(document.read_text() for document in DOCUMENTS)
CODE = _code(ALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_arguments_of_our_classes_that_are_shown_exist(document: Path) -> None:
    """A Python sample passes only arguments that are there."""
    for block in _python_blocks(document):
        for node in ast.walk(ast.parse(block)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            kind = getattr(operators, node.func.id, None)
            if inspect.isclass(kind):
                makers = [vars(each)["__init__"] for each in kind.__mro__ if "__init__" in vars(each)]
                known = {name for maker in makers[:-1] for name in inspect.signature(maker).parameters}
                assert {keyword.arg for keyword in node.keywords} <= known, kind.__name__


def test_errors_that_are_named_exist_and_each_is_named() -> None:
    """An error class in the text is ours, or somebody else's that is known; none of ours is left out."""
    members = vars(exceptions).items()
    kinds = {name for name, kind in members if inspect.isclass(kind) and "Error" in name}
    named = {name for text in CODE for name in re.findall(r"\b[A-Z]\w+Error\b", text)}
    others = {"DefaultCredentialsError", "CancelledError", "TaskDeferralError", *vars(builtins)}
    assert named - kinds - others == set()
    page = (PROJECT / "docs" / "errors.md").read_text()
    told_in_the_reference = re.findall(r"\w+Error\b", str(exceptions.__doc__))
    assert {name for name in kinds if name not in page and name not in told_in_the_reference} == set()


def test_labels_that_are_named_exist_and_each_is_named() -> None:
    """The labels in the text are those of `identity`, and all of them."""
    named = {name for text in CODE for name in re.findall(r"\bairflow_[a-z_]+", text)}
    others = {"airflow_vertex_training", "airflow_", "airflow_x", "airflow_processes"}
    assert named - others == set(identity.OWN_LABELS)


def test_links_that_are_named_exist_and_each_is_named() -> None:
    """The page on jobs lists the links by the names that the UI shows."""
    page = (PROJECT / "docs" / "jobs.md").read_text()
    table = page.partition("| link | leads to | there |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| ([A-Z][^|]+) \|", table, flags=re.MULTILINE) == [
        "Vertex AI job",
        "Cloud Logging",
        "Output folder",
        "TensorBoard",
        "Experiment",
        "Interactive shell",
    ]
    assert {link.name for link in links.ALL_LINKS} == set(
        re.findall(r"^\| ([A-Z][^|]+) \|", table, flags=re.MULTILINE)
    )


def test_metrics_that_are_named_exist() -> None:
    """A metric in the text is one that is told; a page of its own lists them all."""
    named = {name for text in CODE for name in re.findall(r"\bvertex_training\.(?!emulator)[a-z_]+", text)}
    ours = {metric.name for metric in metrics.ALL}
    assert {name for name in named if f"airflow_{name}" not in ALL} <= ours


def test_readme_lists_our_fields_of_a_connection() -> None:
    """README has each field that Google's own form lacks, and `project`; a field in the text is there."""
    readme = (PROJECT / "README.md").read_text()
    table = readme.partition("| field | what | if empty |")[2].partition("\n\n")[0]
    listed = re.findall(r"^ *\| `(\w+)`", table, flags=re.MULTILINE)
    info: Any = get_provider_info()
    fields = list(info["connection-types"][0]["conn-fields"])
    assert listed == fields[: len(listed)]
    assert {*table_of_fields.CONNECTION, "api_endpoint", "logging_endpoint"} == set(listed)


def test_arguments_of_the_emulator_are_named_and_exist() -> None:
    """Each argument of the emulator is in the text, and none that is in the text is missing."""
    page = (PROJECT / "docs" / "emulator.md").read_text()
    section = page.partition("## The command line")[2].partition("\n## ")[0]
    shown = set(re.findall(r"`(--[a-z-]+)", section))
    known = {name for name in _parser()._option_string_actions if name.startswith("--")}
    assert {name for name in known if not name.startswith("--no-")} == shown


def test_the_fixture_is_described() -> None:
    """The page on tests has a row for everything that the fixture has."""
    page = (PROJECT / "docs" / "testing.md").read_text()
    table = page.partition("## What the fixture has")[2].partition("\n\n##")[0]
    rows = "\n".join(re.findall(r"^\| (`[^|]+) \|", table, flags=re.MULTILINE))
    members = {name for name in vars(VertexEmulator) if not name.startswith("_")} | {"project"}
    assert set(re.findall(r"`(\w+)", rows)) == members


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_tests_that_are_named_alone_exist(document: Path) -> None:
    """A test that is named without its file is in one."""
    known = {
        name
        for file in PROJECT.glob("tests/**/test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", file.read_text(), flags=re.MULTILINE)
    }
    # Arguments of Google's operators.
    known |= {"test_fraction_split", "test_filter_split"}
    assert set(re.findall(r"`(test_\w+)(?:\[[^`]*\])?`", document.read_text())) <= known


def test_the_registry_is_told_what_is_there() -> None:
    """`.airflow-registry.yaml` names this package, and classes that it has."""
    registry = yaml.safe_load((PROJECT / ".airflow-registry.yaml").read_text())
    assert registry["package-name"] == get_provider_info()["package-name"]
    classes = [entry["module"] for part in ("operators", "hooks", "triggers") for entry in registry[part]]
    for path in classes:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name), path
