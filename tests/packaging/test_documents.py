from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

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
