"""Sphinx settings: `make docs` builds the pages of this folder, and fails on a broken link or docstring."""

from __future__ import annotations

import airflow_vertex_training

project = "airflow-vertex-training"
author = "The airflow-vertex-training developers"
release = airflow_vertex_training.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme_options = {"description": "Training jobs on Vertex AI from Apache Airflow"}

# Docstrings say `name`, as Markdown does, and mean code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
myst_heading_anchors = 3
