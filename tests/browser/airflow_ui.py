"""Airflow's pages as a user goes through them. Names of buttons and fields are those of Airflow 3.3."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.airflow_processes.api import TaskKey


class AirflowUi:
    """Clicks through Airflow.

    Args:
        page: The browser's page.
        url: Where Airflow is, such as `http://127.0.0.1:8080`.
    """

    def __init__(self, page: Page, url: str):
        self.page = page
        self._url = url

    def open_connection_form(self, connection_id: str) -> Locator:
        """Open the form of a new connection of our type, and return it."""
        self.page.goto(f"{self._url}/connections")
        self.page.get_by_role("button", name="Add Connection").click()
        form = self.page.get_by_role("dialog")
        form.locator("input[name=connection_id]").fill(connection_id)
        form.get_by_role("combobox").fill("Vertex AI")
        self.page.get_by_role("option", name="Vertex AI training").click()
        form.get_by_role("button", name="Extra Fields", exact=True).click()
        return form

    def add_connection(self, connection_id: str, **fields: str) -> None:
        """Make a connection of our type.

        Args:
            connection_id: Its id.
            fields: What to write into which field.
        """
        form = self.open_connection_form(connection_id)
        for name, value in fields.items():
            form.locator(f"input[name=element_{name}]").fill(value)
        form.get_by_role("button", name="Save").click()
        form.wait_for(state="detached")
        self.page.get_by_text(connection_id).first.wait_for()

    def trigger(self, dag_id: str) -> None:
        """Start a run of a DAG."""
        self.page.goto(f"{self._url}/dags/{dag_id}")
        self.page.get_by_role("button", name="Trigger Dag").click()
        form = self.page.get_by_role("dialog")
        form.get_by_role("button", name="Trigger").last.click()
        form.wait_for(state="detached")

    def open_log(self, task: TaskKey) -> None:
        """Open the log of a task instance."""
        self.page.goto(self._address(task))

    def open_details(self, task: TaskKey) -> dict[str, str | None]:
        """Open a task instance's details, and return where its extra links lead, by their names."""
        self.page.goto(f"{self._address(task)}/details")
        self.page.get_by_text("Extra Links").wait_for()
        self.page.get_by_role("link", name="Vertex AI job").wait_for()
        links = self.page.locator('a[target="_blank"]').all()
        return {link.inner_text(): link.get_attribute("href") for link in links if link.inner_text()}

    def mark_failed(self) -> None:
        """Mark the task instance that is open as failed."""
        self.page.get_by_role("button", name="Mark Task Instance as...").click()
        self.page.get_by_role("menuitem", name="Failed").click()
        self.page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
        self.page.get_by_role("dialog").wait_for(state="detached")

    def wait_for_text(self, text: str) -> None:
        """Wait until the page that is open shows a text, without loading it again."""
        self.page.get_by_text(text).first.wait_for()

    def lines(self, text: str) -> int:
        """Return how many lines of the open log end in a text."""
        return self.page.get_by_text(re.compile(rf"{re.escape(text)}$")).count()

    def _address(self, task: TaskKey) -> str:
        mapped = f"/mapped/{task.map_index}" if task.map_index >= 0 else ""
        return f"{self._url}/dags/{task.dag_id}/runs/{task.run_id}/tasks/{task.task_id}{mapped}"
