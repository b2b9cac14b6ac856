"""A browser on the one real Airflow of the session."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from tests.browser import chromium
from tests.browser.airflow_ui import AirflowUi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.airflow_processes.installation import AirflowInstallation


@pytest.fixture
def ui(airflow: AirflowInstallation) -> Iterator[AirflowUi]:
    """Airflow in a browser; skips where there is none, and with an Airflow whose pages are others."""
    executable = chromium.installed()
    if executable is None:
        pytest.skip(f"there is no browser: none of {', '.join(chromium.NAMES)} is installed")
    if not metadata.version("apache-airflow-core").startswith("3.3."):
        pytest.skip("the pages of this Airflow are not those of 3.3")
    with chromium.open_page(executable) as page:
        yield AirflowUi(page, airflow.api.url)
