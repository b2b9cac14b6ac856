"""What DAG files of our operator's cases and of Google's have in common."""

from __future__ import annotations

import textwrap

ANOTHER_TASK = textwrap.dedent("""
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    with DAG({dag_id!r}, schedule=None):
        EmptyOperator(task_id="another")
""")

FOREVER = ["python", "-c", "import time; time.sleep(3600)"]
