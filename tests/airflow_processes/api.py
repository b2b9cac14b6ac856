"""Airflow's public REST API (v2), as far as tests ask it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import httpx

from tests.airflow_processes.waiting import NotReachableError

FIRST_SERVER_ERROR = 500

Json = dict[str, Any]


def as_time(text: str) -> datetime:
    """Return a time as Airflow writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class TaskKey(NamedTuple):
    """Names one task instance.

    Attributes:
        dag_id: Its DAG.
        run_id: Its DAG run.
        task_id: Its task.
        map_index: Which one of a mapped task; -1 where the task is not mapped.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


class AirflowApi:
    """A client that is every DAG's admin. Answers are dicts as Airflow's API reference describes them.

    https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html

    Each method raises `NotReachableError` where the server doesn't answer or has an error of its own (500 and
    up), and `httpx.HTTPStatusError`, with the server's own words, where it refuses.

    Args:
        url: Where the API server listens, such as `http://127.0.0.1:8080`.
    """

    def __init__(self, url: str):
        self.url = url
        # The environment's proxies have no business with 127.0.0.1.
        self._http = httpx.Client(base_url=url, timeout=30.0, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, method: str, path: str, **arguments: Any) -> Json:
        """Send one request and return the JSON of its answer, nothing where there is none."""
        try:
            if "Authorization" not in self._http.headers:
                token = self._http.get("/auth/token")
                token.raise_for_status()
                self._http.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
            answer = self._http.request(method, f"/api/v2{path}", **arguments)
        except httpx.TransportError as error:
            raise NotReachableError(f"{method} {path}: {error!r}") from error
        if answer.status_code >= FIRST_SERVER_ERROR:
            raise NotReachableError(f"{method} {path}: {answer.status_code} {answer.text}")
        if answer.is_error:
            raise httpx.HTTPStatusError(
                f"{method} {path}: {answer.status_code} {answer.text}",
                request=answer.request,
                response=answer,
            )
        body: Json = answer.json() if answer.content else {}
        return body

    # Airflow itself

    def health(self) -> Json:
        """Return each component's status and latest heartbeat."""
        return self.call("GET", "/monitor/health")

    def jobs(self, job_type: str, *, started_after: datetime | None = None) -> list[Json]:
        """Return the running processes of a kind that has heartbeats, oldest first.

        Args:
            job_type: `SchedulerJob`, `DagProcessorJob` or `TriggererJob`.
            started_after: Only those that began later.
        """
        params = {"job_type": job_type, "job_state": "running", "order_by": "id"}
        if started_after is not None:
            params["start_date_gt"] = started_after.isoformat()
        jobs: list[Json] = self.call("GET", "/jobs", params=params)["jobs"]
        return jobs

    # DAGs

    def dag(self, dag_id: str) -> Json | None:
        """Return a DAG, None where there is none."""
        try:
            return self.call("GET", f"/dags/{dag_id}")
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.NOT_FOUND:
                return None
            raise

    def import_errors(self) -> dict[str, str]:
        """Return the stack trace of each DAG file that can't be imported, by file name."""
        errors = self.call("GET", "/importErrors")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in errors}

    def delete_dag(self, dag_id: str) -> None:
        """Delete a DAG with all its runs. While its file is there, it comes back, empty."""
        self.call("DELETE", f"/dags/{dag_id}")

    # DAG runs

    def trigger(self, dag_id: str, conf: Json | None = None, run_id: str | None = None) -> str:
        """Start a run and return its id."""
        body: Json = {"logical_date": None, "conf": conf or {}}
        if run_id is not None:
            body["dag_run_id"] = run_id
        return str(self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> Json:
        """Return a DAG run."""
        return self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")

    def mark_run(self, dag_id: str, run_id: str, state: str) -> None:
        """Set a run's state to `success`, `failed` or `queued`; the first two end its unfinished tasks."""
        self.call("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", json={"state": state})

    def clear_run(self, dag_id: str, run_id: str) -> None:
        """Clear all tasks of a run: it runs again."""
        body = {"dry_run": False, "only_failed": False}
        self.call("POST", f"/dags/{dag_id}/dagRuns/{run_id}/clear", json=body)

    # Task instances

    def task_instances(self, dag_id: str, run_id: str) -> list[Json]:
        """Return the latest try of each task instance of a run, at most 1,000."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        answer = self.call("GET", path, params={"limit": 1000})
        return list(answer["task_instances"])

    def task_instance(self, task: TaskKey) -> Json:
        """Return the latest try of a task instance: `state`, `try_number`, `pid` and more."""
        return self.call("GET", self._path(task))

    def tries(self, task: TaskKey) -> list[Json]:
        """Return all tries of a task instance, in order."""
        answer = self.call("GET", f"{self._path(task)}/tries")["task_instances"]
        return sorted(answer, key=lambda one: one["try_number"])

    def mark_task(self, task: TaskKey, state: str) -> None:
        """Set a task instance's state to `success`, `failed` or `skipped`, as a user does who ends it."""
        self.call("PATCH", self._path(task), json={"new_state": state})

    def clear_task(
        self, task: TaskKey, *, run_on_latest_version: bool = False, downstream: bool = False
    ) -> None:
        """Clear a task instance, whatever its state: it runs again.

        Args:
            task: Which one; without a map index all of a mapped task.
            run_on_latest_version: With the DAG's newest version instead of the run's own.
            downstream: Also all that depends on it.
        """
        mapped = task.map_index >= 0
        body = {
            "dry_run": False,
            "only_failed": False,
            "dag_run_id": task.run_id,
            "task_ids": [[task.task_id, task.map_index] if mapped else task.task_id],
            "include_downstream": downstream,
            "run_on_latest_version": run_on_latest_version,
        }
        self.call("POST", f"/dags/{task.dag_id}/clearTaskInstances", json=body)

    def xcom(self, task: TaskKey, key: str = "return_value") -> Any:
        """Return one XCom value."""
        arguments = {"map_index": task.map_index, "deserialize": False, "stringify": False}
        path = f"{self._path(task, with_map_index=False)}/xcomEntries/{key}"
        return self.call("GET", path, params=arguments)["value"]

    def extra_links(self, task: TaskKey) -> dict[str, str | None]:
        """Return the addresses of a task instance's extra links, by their names."""
        path = f"{self._path(task, with_map_index=False)}/links"
        answer = self.call("GET", path, params={"map_index": task.map_index})
        return dict(answer["extra_links"])

    def task_log(self, task: TaskKey, try_number: int = 1) -> str:
        """Return the log of one try, the trigger's lines included, as the web page shows it without times.

        A line is `LEVEL message`; the frame of a stack trace is left out, the exceptions are not.
        """
        answer = self.call(
            "GET",
            f"{self._path(task, with_map_index=False)}/logs/{try_number}",
            params={"map_index": task.map_index, "full_content": True},
            headers={"Accept": "application/json"},
        )
        return "\n".join(line for entry in answer["content"] for line in _lines(entry))

    def _path(self, task: TaskKey, *, with_map_index: bool = True) -> str:
        path = f"/dags/{task.dag_id}/dagRuns/{task.run_id}/taskInstances/{task.task_id}"
        return f"{path}/{task.map_index}" if with_map_index else path


def _lines(entry: Json | str) -> list[str]:
    """Return the lines of one log entry, which is a structure, or text where Airflow couldn't parse it."""
    if isinstance(entry, str):
        return entry.splitlines()
    level = str(entry.get("level", "")).upper()
    lines = [f"{level} {line}".strip() for line in str(entry["event"]).splitlines() or [""]]
    details = entry.get("error_detail") or []
    return lines + [f"{level} {one['exc_type']}: {one['exc_value']}" for one in details]
