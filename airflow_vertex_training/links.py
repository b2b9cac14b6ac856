"""Where a person sees more of a job: the task's extra links, and the addresses that they lead to.

Airflow looks an extra link up in an XCom. A task sets them all as soon as its job is there, so that they are
in the UI while it is deferred; Airflow's own push, when the task has ended, repeats what is there.
"""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from airflow_vertex_training.vertex.api.emulator import emulator_address
from airflow_vertex_training.vertex.naming.job_name import JobName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

    from airflow_vertex_training.vertex.states import JobSnapshot

    Shells = tuple[tuple[str, str], ...]

XCOM_JOB_NAME = "job_name"

_CONSOLE = "https://console.cloud.google.com"
# Entries arrive late: those of a job's last moments, some minutes after it.
_LATE = timedelta(minutes=10)


class _JobLink(BaseOperatorLink):
    """An extra link whose address a task has put into an XCom."""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the address, or an empty text where there is none.

        Args:
            operator: the task.
            ti_key: the task instance.
        """
        from airflow.providers.common.compat.sdk import XCom

        return str(XCom.get_value(key=self.xcom_key, ti_key=ti_key) or "")


class VertexJobLink(_JobLink):
    """Extra link of a task to its job in the Cloud console."""

    name = "Vertex AI job"


class VertexLogsLink(_JobLink):
    """Extra link of a task to its job's log in Logs Explorer."""

    name = "Cloud Logging"


class VertexTensorBoardLink(_JobLink):
    """Extra link of a task to the TensorBoard that its job writes to."""

    name = "TensorBoard"


class VertexExperimentLink(_JobLink):
    """Extra link of a task to the experiment that its job is part of."""

    name = "Experiment"


class VertexOutputLink(_JobLink):
    """Extra link of a task to the folder that its job writes to."""

    name = "Output folder"


class VertexShellLink(_JobLink):
    """Extra link of a task to the interactive shell in its job's primary replica, once that runs."""

    name = "Interactive shell"


ALL_LINKS = (
    VertexJobLink(),
    VertexLogsLink(),
    VertexTensorBoardLink(),
    VertexExperimentLink(),
    VertexOutputLink(),
    VertexShellLink(),
)


def job_url(job_name: str) -> str:
    """Return the address of a job's page, in the Cloud console or on the emulator.

    Args:
        job_name: full resource name, ``projects/P/locations/L/customJobs/ID``.

    Returns:
        The address; empty for an emulator at a Unix domain socket, whose page no browser reaches.

    Raises:
        InvalidJobError: ``job_name`` is no full resource name.
    """
    job = JobName.parse(job_name)
    page = _emulators_page(job_name)
    if page is not None:
        return page
    return (
        f"{_CONSOLE}/vertex-ai/locations/{job.region}/training/{job.custom_job_id}/cpu?project={job.project}"
    )


def addresses(
    job: JobSnapshot, tensorboard: str | None = None, experiment: str | None = None
) -> dict[str, str]:
    """Return the addresses of a job's links, each by the key of its XCom.

    Args:
        job: as it is now.
        tensorboard: ``projects/P/locations/L/tensorboards/ID``, default none.
        experiment: ``projects/P/locations/L/metadataStores/default/contexts/NAME``, default none.

    Returns:
        Those that lead somewhere. The emulator has no TensorBoard and no experiments.
    """
    found: dict[type[_JobLink], str] = {VertexJobLink: job_url(job.name), VertexLogsLink: log_address(job)}
    if job.base_output_directory:
        found[VertexOutputLink] = _output_address(job.name, job.base_output_directory)
    if emulator_address() is None:
        if tensorboard:
            found[VertexTensorBoardLink] = _tensorboard_url(tensorboard, job.custom_job_id)
        if experiment:
            found[VertexExperimentLink] = _experiment_url(experiment)
    return {link().xcom_key: address for link, address in found.items() if address}


def shell_address(job_name: str, shells: Shells) -> dict[str, str]:
    """Return the address of the shell in a job's primary replica, by the key of its XCom.

    Args:
        job_name: full resource name.
        shells: replica and address of each, in the order of the replicas.
    """
    page = _emulators_page(job_name)
    address = page if page is not None else next((address for _, address in shells), "")
    return {VertexShellLink().xcom_key: address} if address else {}


def keep(ti: Any, links: Mapping[str, str]) -> None:
    """Put links where Airflow looks them up; blocks. For tasks and triggers alike.

    Args:
        ti: the task instance.
        links: addresses, each by the key of its XCom.
    """
    from airflow.providers.common.compat.sdk import XCom

    for key, address in links.items():
        XCom.set(
            key=key,
            value=address,
            dag_id=ti.dag_id,
            task_id=ti.task_id,
            run_id=ti.run_id,
            map_index=-1 if ti.map_index is None else ti.map_index,
        )


def shells_keeper(ti: Any, job_name: str) -> Callable[[Shells], None]:
    """Return what makes the task's link to a shell of the addresses that Vertex AI answers; it blocks.

    Args:
        ti: the task instance.
        job_name: full resource name.
    """
    return lambda shells: keep(ti, shell_address(job_name, shells))


def log_address(job: JobSnapshot) -> str:
    """Return the address of a job's log, in Logs Explorer or on the emulator.

    Returns:
        The address; empty for an emulator at a Unix domain socket, whose page no browser reaches.
    """
    page = _emulators_page(job.name)
    if page is not None:
        return page and f"{page}#log"
    return logs_url(job)


def logs_url(job: JobSnapshot) -> str:
    """Return the address of a job's log in Logs Explorer: its lines of its own time."""
    lines = ['resource.type="ml_job"', f'resource.labels.job_id="{job.custom_job_id}"']
    if job.create_time:
        lines.append(f'timestamp>="{_rfc3339(job.create_time)}"')
    if job.end_time:
        lines.append(f'timestamp<="{_rfc3339(job.end_time + _LATE)}"')
    # A time in the query replaces the page's own choice, which is the last hour.
    query = quote("\n".join(lines), safe="")
    return f"{_CONSOLE}/logs/query;query={query}?project={JobName.parse(job.name).project}"


def _output_address(job_name: str, folder: str) -> str:
    """Return the address of a job's output folder; empty where no browser reaches it."""
    page = _emulators_page(job_name)
    if page is not None:
        return page and f"{page}#output"
    if not folder.startswith("gs://"):
        return ""
    path = quote(folder.removeprefix("gs://").rstrip("/"))
    return f"{_CONSOLE}/storage/browser/{path}?project={JobName.parse(job_name).project}"


def _tensorboard_url(tensorboard: str, custom_job_id: str) -> str:
    # As Google's own SDK makes it: Vertex names the experiment in it after the job.
    region = tensorboard.split("/")[3]
    path = f"{tensorboard}/experiments/{custom_job_id}".replace("/", "+")
    return f"https://{region}.tensorboard.googleusercontent.com/experiment/{path}"


def _experiment_url(experiment: str) -> str:
    _, project, _, region, *_, name = experiment.split("/")
    return f"{_CONSOLE}/vertex-ai/experiments/locations/{region}/experiments/{quote(name)}?project={project}"


def _emulators_page(job_name: str) -> str | None:
    """Return the emulator's page of a job; empty where it has none, ``None`` where there is no emulator."""
    address = emulator_address()
    if address is None:
        return None
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return ""
    # The emulator serves its page at the port after the one of gRPC.
    return f"http://{host}:{int(port) + 1}/{job_name}"


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
