"""Train models on Google Cloud Vertex AI from Apache Airflow.

Airflow loads this module at provider discovery, so it holds the version and imports nothing.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
