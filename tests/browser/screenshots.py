"""Take README's pictures from the real UI: `make screenshots`.

The example DAG `digits` runs on real Airflow processes and the emulator, as a new user sees it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from airflow_vertex_training.emulator.control.process import launch
from tests.airflow_processes.api import TaskKey
from tests.airflow_processes.installation import airflow_installation
from tests.browser import chromium
from tests.browser.airflow_ui import AirflowUi

PROJECT = Path(__file__).parents[2]
EXAMPLES = PROJECT / "airflow_vertex_training" / "example_dags"
IMAGES = PROJECT / "docs" / "images"
IMAGE = "us-docker.pkg.dev/acme/trainers/digits:1.0"


def main() -> None:
    """Write the pictures."""
    executable = chromium.installed()
    if executable is None:
        sys.exit(f"There is no browser: install one of {', '.join(chromium.NAMES)}.")
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        launch("--image", f"{IMAGE}={EXAMPLES / 'digits_image'}") as emulator,
        airflow_installation(
            Path(folder) / "airflow",
            environment={
                "VERTEX_AI_EMULATOR_HOST": emulator.address,
                "DIGITS_OUTPUT": (Path(folder) / "output").as_uri(),
            },
        ) as airflow,
        chromium.open_page(executable, width=1280, height=760) as page,
    ):
        ui = AirflowUi(page, airflow.api.url)
        form = ui.open_connection_form("vertex_training_default")
        form.locator("input[name=element_project]").fill("acme-ml")
        form.locator("input[name=element_region]").fill("us-central1")
        page.get_by_text("Who the training code runs as").first.wait_for()
        page.screenshot(path=IMAGES / "connection.png")

        airflow.write_dag("digits", (EXAMPLES / "digits.py").read_text())
        task = TaskKey("digits", airflow.api.trigger("digits", run_id="first"), "train")
        airflow.wait_for_task(task, "success", timeout=180)
        ui.open_log(task)
        ui.wait_for_text("Succeeded: ")
        page.screenshot(path=IMAGES / "log.png")
        ui.open_details(task)
        page.screenshot(path=IMAGES / "links.png")


if __name__ == "__main__":
    main()
