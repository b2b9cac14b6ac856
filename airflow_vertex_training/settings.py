"""The options of Airflow's configuration section ``[vertex_training]``, and defaults of signatures."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from airflow.configuration import conf

from airflow_vertex_training.provider_info import get_provider_info
from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.naming.labels import legal

DEFAULT_CONNECTION_ID = "vertex_training_default"
DEFAULT_POLL_INTERVAL = 5.0
DEFAULT_SUBMIT_TIMEOUT = 1800.0

SECTION = "vertex_training"
# Cloud Logging allows 60 reads a minute and project, for all processes together:
# https://cloud.google.com/logging/quotas
_READS_OF_TRIGGERER, _READS_OF_WORKER = 20, 4
ORPHANS = ("cancel", "report", "ignore")


def check() -> None:
    """Read all options, so that a wrong one is found before a job is made.

    Raises:
        InvalidJobError: one is wrong.
    """
    deployment_id()
    requests_per_minute()
    orphans()
    orphan_grace_period()
    log_reads_per_minute(in_triggerer=True)
    log_lines_per_minute()
    log_lines_in_all()


def deployment_id() -> str:
    """Return the name of this Airflow installation.

    Raises:
        InvalidJobError: it is no legal label.
    """
    value = _text("deployment_id")
    if not value or value != legal(value):
        raise _invalid("deployment_id", value, f"a legal label, such as {legal(value) or 'airflow'!r}")
    return value


def deployment_is_configured() -> bool:
    """Whether an administrator has named this installation, so that its jobs can be told from another's."""
    return deployment_id() != _default("deployment_id")


def requests_per_minute() -> int:
    """Return how many requests a minute one process may send to watch jobs, for each project and region.

    Raises:
        InvalidJobError: it is no whole number of at least 1.
    """
    return _positive("requests_per_minute")


def orphans() -> str:
    """Return what becomes of jobs that nobody waits for: ``cancel``, ``report`` or ``ignore``.

    Raises:
        InvalidJobError: it is none of them.
    """
    value = _text("orphans")
    if not value:
        return "cancel" if deployment_is_configured() else "report"
    if value not in ORPHANS:
        raise _invalid("orphans", value, "'cancel', 'report' or 'ignore'")
    return value


def orphan_grace_period() -> int:
    """Return the seconds for which a job without a watcher is left alone.

    Raises:
        InvalidJobError: it is no whole number of at least 1.
    """
    return _positive("orphan_grace_period")


def log_reads_per_minute(*, in_triggerer: bool) -> int:
    """Return how often a minute one process may read the logs of one project.

    Args:
        in_triggerer: whether the process waits for many jobs, or for one.

    Raises:
        InvalidJobError: it is no whole number of at least 1.
    """
    if not _text("log_reads_per_minute"):
        return _READS_OF_TRIGGERER if in_triggerer else _READS_OF_WORKER
    return _positive("log_reads_per_minute")


def log_lines_per_minute() -> int:
    """Return how many lines of one job's log are shown in a minute.

    Raises:
        InvalidJobError: it is no whole number of at least 1.
    """
    return _positive("log_lines_per_minute")


def log_lines_in_all() -> int:
    """Return how many lines of one job's log are shown in all.

    Raises:
        InvalidJobError: it is no whole number of at least 1.
    """
    return _positive("log_lines_in_all")


def job_templates() -> Path | None:
    """Return the folder of job templates, ``None`` where there is none."""
    return _folder("job_templates", os.environ.get(f"AIRFLOW__{SECTION}__JOB_TEMPLATES".upper()))


# Airflow takes longer to look an option up than a task takes to be checked, and each task of a DAG asks.
@cache
def _folder(option: str, _in_environment: str | None) -> Path | None:
    value = _text(option)
    return Path(value).expanduser() if value else None


def _positive(option: str) -> int:
    value = _text(option)
    if not value.isdecimal() or int(value) < 1:
        raise _invalid(option, value, f"a whole number of at least 1, such as {_default(option) or 20}")
    return int(value)


def _text(option: str) -> str:
    return str(conf.get(SECTION, option, fallback=_default(option))).strip()


@cache
def _default(option: str) -> str:
    info: Any = get_provider_info()
    return str(info["config"][SECTION]["options"][option]["default"])


def _invalid(option: str, value: str, right: str) -> InvalidJobError:
    return InvalidJobError(f"[{SECTION}] {option}", f"{value!r} is wrong; write {right}")
