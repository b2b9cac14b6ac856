"""What the emulator shows to a browser: its jobs, their states and their logs. It can't change them."""

from __future__ import annotations

import itertools
import re
from collections import deque
from datetime import datetime, timezone
from html import escape
from typing import TYPE_CHECKING

from airflow_vertex_training.emulator.api.messages import JobState
from airflow_vertex_training.emulator.api.names import JobName, Location, Projects
from airflow_vertex_training.emulator.logs.logbook import severity_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_vertex_training.emulator.api.messages import Message
    from airflow_vertex_training.emulator.jobs.store import Job, JobStore
    from airflow_vertex_training.emulator.logs.logbook import Entry, LogBook

__all__ = ["Page"]

_MAX_JOBS = 500
_MAX_LINES = 2000

_PROJECT = re.compile(r"/projects/([^/]+)")
_JOB = re.compile(r"/projects/([^/]+)/locations/([^/]+)/customJobs/([^/]+)")

# Colours and the like, which a browser can't show.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 80rem; padding: 0 1.5rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem 1rem .3rem 0; vertical-align: top; }
tr + tr { border-top: 1px solid #8884; } th { font-weight: 600; }
code, pre { font: 13px/1.5 ui-monospace, monospace; } pre { overflow-x: auto; white-space: pre-wrap; }
pre span { opacity: .6; } .error { color: #d33; } .good { color: #2a8a3e; } .busy { color: #b06f00; }
p { white-space: pre-wrap; }
"""

_CLASSES = {
    "JOB_STATE_SUCCEEDED": "good",
    "JOB_STATE_FAILED": "error",
    "JOB_STATE_CANCELLED": "error",
}


class Page:
    """Renders the pages.

    The list of all jobs is at `/`, a project's at `/projects/P`, and a job at its resource name.

    Args:
        store: The jobs.
        log: Their logs.
        projects: Ids and numbers of projects.
    """

    def __init__(self, store: JobStore, log: LogBook, projects: Projects) -> None:
        self._store = store
        self._log = log
        self._projects = projects

    def render(self, path: str) -> tuple[int, str] | None:
        """Return the HTTP status and the HTML of a page.

        Args:
            path: Its path.

        Returns:
            Both; None if the path is no page's.
        """
        if path == "/":
            return 200, self._list("Jobs", self._store.all())
        if found := _PROJECT.fullmatch(path):
            project = self._projects.canonical(Location(found[1], "")).project
            jobs = [job for job in self._store.all() if job.location.project == project]
            return 200, self._list(f"Jobs of project {project}", jobs)
        if found := _JOB.fullmatch(path):
            location = self._projects.canonical(Location(found[1], found[2]))
            job = self._store.get(JobName(location, found[3]))
            if job is None:
                text = f"<p>There is no job <code>{escape(path[1:])}</code>.</p>"
                return 404, _page("No such job", text)
            return 200, self._job(job)
        return None

    def _list(self, title: str, jobs: list[Job]) -> str:
        newest = sorted(jobs, key=lambda job: job.sequence, reverse=True)
        rows = [
            (
                f'<a href="/{escape(job.message.name)}">{escape(job.message.display_name)}</a>',
                _state(job.state_name),
                f'<a href="/projects/{escape(job.location.project)}">{escape(job.location.project)}</a>',
                escape(job.location.region),
                _time(job.history[0][1]),
                escape(job.message.error.message.partition("\n")[0]),
            )
            for job in newest[:_MAX_JOBS]
        ]
        table = _table(("name", "state", "project", "region", "created (UTC)", "error"), rows)
        left_out = f"<p>The newest {_MAX_JOBS} of {len(jobs)}.</p>" if len(jobs) > _MAX_JOBS else ""
        nothing = "" if jobs else "<p>There is no job yet.</p>"
        return _page(title, table + left_out + nothing, refresh=True)

    def _job(self, job: Job) -> str:
        message = job.message
        output = message.job_spec.base_output_directory.output_uri_prefix
        states = [(_state(JobState(state).name), _time(since)) for state, since in job.history]
        entries = deque(self._log.of_job(job.location.project, job.job_id), maxlen=_MAX_LINES)
        parts = [
            f"<p><code>{escape(message.name)}</code></p>",
            f'<p class="error">{escape(message.error.message)}</p>' if message.error.message else "",
            _table(("state", "since (UTC)"), states),
            "<h2>Worker pools</h2>",
            _table(("replicas", "machine", "image", "command", "environment"), _pools(message)),
            "<h2>Labels</h2>" if message.labels else "",
            _table(("label", "value"), [(escape(k), escape(v)) for k, v in sorted(message.labels.items())]),
            f'<h2 id="output">Output</h2><p><code>{escape(output)}</code></p>' if output else "",
            f'<h2 id="log">Log (the last {_MAX_LINES} lines, UTC)</h2>',
            f"<pre>{''.join(map(_line, entries))}</pre>",
        ]
        return _page(message.display_name, "".join(parts), refresh=not job.final)


def _pools(message: Message) -> Iterator[tuple[str, ...]]:
    for pool in message.job_spec.worker_pool_specs:
        spec = pool.machine_spec
        machine = spec.machine_type
        if spec.accelerator_count:
            kind = spec.DESCRIPTOR.fields_by_name["accelerator_type"].enum_type
            machine += f", {spec.accelerator_count} x {kind.values_by_number[spec.accelerator_type].name}"
        if pool.HasField("python_package_spec"):
            python = pool.python_package_spec
            image, command, env = (
                python.executor_image_uri,
                ["-m", python.python_module, *python.args],
                python.env,
            )
        else:
            container = pool.container_spec
            image, command, env = container.image_uri, [*container.command, *container.args], container.env
        names = ", ".join(variable.name for variable in env)  # the values may be secrets
        shown = (machine, image, " ".join(command), names)
        yield (str(pool.replica_count), *(f"<code>{escape(text)}</code>" for text in shown))


def _line(entry: Entry) -> str:
    severity = severity_name(entry.severity)
    kind = ' class="error"' if severity in ("ERROR", "CRITICAL", "ALERT", "EMERGENCY") else ""
    head = f"<span>{_time(entry.nanoseconds)} {escape(entry.task_name)}</span>"
    return f"<div{kind}>{head} {escape(_ESCAPES.sub('', entry.text))}</div>"


def _state(name: str) -> str:
    return f'<span class="{_CLASSES.get(name, "busy")}">{escape(name.removeprefix("JOB_STATE_"))}</span>'


def _time(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    cells = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    if not cells:
        return ""
    first = "".join(f"<th>{title}</th>" for title in head)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in itertools.chain([first], cells))}</table>"


def _page(title: str, content: str, *, refresh: bool = False) -> str:
    again = '<meta http-equiv="refresh" content="2">' if refresh else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}'
        f"<title>{escape(title)} - Vertex AI emulator</title><style>{_STYLE}</style></head><body>"
        f'<p><a href="/">Vertex AI emulator</a></p><h1>{escape(title)}</h1>{content}</body></html>\n'
    )
