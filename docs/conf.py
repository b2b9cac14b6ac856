"""Sphinx settings: `make docs` builds the pages of this folder, and fails on a broken link or docstring."""

from __future__ import annotations

from typing import Any

import airflow_vertex_training
from airflow_vertex_training.provider_info import get_provider_info

project = "airflow-vertex-training"
author = "The airflow-vertex-training developers"
release = airflow_vertex_training.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = project
html_show_copyright = False  # LICENSE says whose it is
html_use_index = False  # nobody looks for a page of all names: the reference and the search have them
html_domain_indices = False

# Docstrings say `name`, as Markdown does, and mean code.
default_role = "code"
# A block that does not name its language is a log or a folder, not Python.
highlight_language = "none"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
python_maximum_signature_line_length = 100
myst_heading_anchors = 3
myst_enable_extensions = ["substitution"]


def _options() -> str:
    """Return the table of options, as Airflow is told of them."""
    info: Any = get_provider_info()
    rows = [
        f"| `{name}` | {('`' + option['default'] + '`') if option['default'] else 'empty'} "
        f"| {option['description'].replace('``', '`')} |"
        for name, option in info["config"]["vertex_training"]["options"].items()
    ]
    return "\n".join(["| option | default | what |", "| --- | --- | --- |", *rows])


myst_substitutions = {"options": _options()}
