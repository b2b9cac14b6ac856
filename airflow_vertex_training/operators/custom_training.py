"""Run one container on one machine as a CustomJob."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_vertex_training import compat, settings
from airflow_vertex_training.operators.execution import VertexJobOperator, task_try
from airflow_vertex_training.vertex.naming import identity, labels
from airflow_vertex_training.vertex.spec.checks import (
    check_accelerators,
    check_fields,
    duration,
    whole_number,
)
from airflow_vertex_training.vertex.spec.job import DEFAULT_MAXIMUM_RUN_TIME, TrainingJob

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_vertex_training.hooks import VertexTrainingHook
    from airflow_vertex_training.vertex.naming.identity import TaskTry


class VertexCustomTrainingOperator(VertexJobOperator):
    """Run one container on one Vertex AI machine to its end, as a CustomJob.

    The task submits the job exactly once, also through lost answers and retries, and gives its worker slot
    back while the job runs. Whatever ends the task (kill, mark, clear, timeout) cancels the job.

    It returns a dict with the job's ``name``, ``state``, ``create_time``, ``start_time``, ``end_time``,
    ``base_output_directory`` and ``console_url``. The XCom ``job_name`` is there as soon as the job is.

    Args:
        image: container image with its registry: Artifact Registry, Container Registry or Docker Hub.
            https://cloud.google.com/vertex-ai/docs/training/containers-overview
        region: such as ``us-central1``; default the connection's.
        project_id: default the connection's, else that of its credentials.
        command: replaces the image's entry point, default none.
        args: arguments of the command, default none.
        env: environment variables, strings to strings. Airflow's own (``AIRFLOW_CTX_DAG_ID`` and so on) are
            added under them.
        labels: labels of the job; made legal for Google Cloud, on top of the connection's.
        machine_type: default ``n1-standard-4``.
        accelerator_type: such as ``NVIDIA_L4``, default none.
        accelerator_count: accelerators on the machine, default none.
        boot_disk_type: default ``pd-ssd``.
        boot_disk_size_gb: in GB, default 100.
        maximum_run_time: running time after which Vertex ends the job, timedelta or seconds; default 7 days.
        network: full name of the VPC network to peer with, default the connection's.
        reserved_ip_ranges: names of reserved ranges in that network, default any.
        service_account: the account that the training code runs as; default the connection's, else the one
            that the credentials are of.
        base_output_directory: ``gs://`` folder for the job's output, default the connection's.
        display_name: readable base of the job's name, default ``DAG_ID-TASK_ID``; a unique suffix is added.
        gcp_conn_id: Airflow connection, default ``vertex_training_default``.
        impersonation_chain: service account to act as, or a chain of them, default none.
        poll_interval: seconds within which the job's end should be seen, default 5.0.
        deferrable: whether to wait on the triggerer (default) or in the worker.
        cancel_on_kill: whether the job is cancelled when the task is ended before it, default yes.
        reattach: whether a retry adopts the job that an earlier try of its series left, default yes.
        submit_timeout: seconds for which a request quota may refuse the job, default 1800.
        **kwargs: of ``BaseOperator``.

    Raises:
        InvalidJobError: an argument is wrong, when the DAG is parsed.
        AirflowFailException: an argument is wrong, or Vertex refuses the job for good, when the task runs.
            There are no retries then: they could not help.
        JobFailedError: the job failed; with Vertex's own message and code.
        JobCancelledError: the job was cancelled by somebody.
    """

    template_fields: Sequence[str] = (
        "image",
        "region",
        "project_id",
        "command",
        "args",
        "env",
        "labels",
        "machine_type",
        "accelerator_type",
        "accelerator_count",
        "boot_disk_type",
        "boot_disk_size_gb",
        "maximum_run_time",
        "network",
        "reserved_ip_ranges",
        "service_account",
        "base_output_directory",
        "display_name",
        "gcp_conn_id",
        "impersonation_chain",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "command": "json",
        "args": "json",
        "env": "json",
        "labels": "json",
        "reserved_ip_ranges": "json",
    }

    def __init__(  # noqa: PLR0913 - flat arguments are what a DAG author writes and reads
        self,
        *,
        image: str,
        region: str | None = None,
        project_id: str | None = None,
        command: Sequence[str] | None = None,
        args: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        machine_type: str = "n1-standard-4",
        accelerator_type: str | None = None,
        accelerator_count: int | str | None = None,
        boot_disk_type: str = "pd-ssd",
        boot_disk_size_gb: int | str = 100,
        maximum_run_time: timedelta | float | str = DEFAULT_MAXIMUM_RUN_TIME,
        network: str | None = None,
        reserved_ip_ranges: Sequence[str] | None = None,
        service_account: str | None = None,
        base_output_directory: str | None = None,
        display_name: str | None = None,
        gcp_conn_id: str = settings.DEFAULT_CONNECTION_ID,
        impersonation_chain: str | Sequence[str] | None = None,
        poll_interval: float = settings.DEFAULT_POLL_INTERVAL,
        deferrable: bool = True,
        cancel_on_kill: bool = True,
        reattach: bool = True,
        submit_timeout: float = settings.DEFAULT_SUBMIT_TIMEOUT,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            region=region,
            project_id=project_id,
            gcp_conn_id=gcp_conn_id,
            impersonation_chain=impersonation_chain,
            poll_interval=poll_interval,
            deferrable=deferrable,
            cancel_on_kill=cancel_on_kill,
            reattach=reattach,
            submit_timeout=submit_timeout,
            **kwargs,
        )
        self.image = image
        self.command = command
        self.args = args
        self.env = env
        self.labels = labels
        self.machine_type = machine_type
        self.accelerator_type = accelerator_type
        self.accelerator_count = accelerator_count
        self.boot_disk_type = boot_disk_type
        self.boot_disk_size_gb = boot_disk_size_gb
        self.maximum_run_time = maximum_run_time
        self.network = network
        self.reserved_ip_ranges = reserved_ip_ranges
        self.service_account = service_account
        self.base_output_directory = base_output_directory
        self.display_name = display_name
        self._check_what_is_known()

    def training_job(self, context: Context, this: TaskTry) -> TrainingJob:
        """Return the job that the rendered arguments and the connection describe."""
        account = self.hook.resolve_service_account(self.service_account)
        return self._training_job(self.hook, this, compat.airflow_variables(context), account)

    def preview(self, context: Context | None = None) -> str:
        """Return the create request as JSON text, without any call to Google.

        Values of environment variables whose names look like those of secrets are masked, as in Airflow's UI.
        A service account or project that only the credentials tell is left out. Without a context, so are the
        labels that Airflow gives each try, and templates stay as written.

        Args:
            context: of a running task, default none.

        Raises:
            InvalidJobError: an argument is wrong, or is a template where only its value can be checked, such
                as the image.
        """
        from airflow_vertex_training.hooks import VertexTrainingHook
        from airflow_vertex_training.vertex.api import protos

        hook = VertexTrainingHook(self.gcp_conn_id, self.impersonation_chain)
        account = self.service_account or hook.connection_default("service_account") or _ACCOUNT_NOT_KNOWN
        this = task_try(context) if context else None
        variables = compat.airflow_variables(context) if context else {}
        message = protos.with_fingerprint(
            protos.to_custom_job(self._training_job(hook, this, variables, account))
        )
        for variable in message.job_spec.worker_pool_specs[0].container_spec.env:
            variable.value = compat.masked(variable.value, variable.name)
        if account == _ACCOUNT_NOT_KNOWN:
            message.job_spec.service_account = ""
        project = self.project_id or hook.connection_default("project") or "PROJECT"
        return protos.to_json(f"projects/{project}/locations/{hook.resolve_region(self.region)}", message)

    def _check_what_is_known(self) -> None:
        """Check the arguments that are no templates, when the DAG is parsed."""
        known = {name: getattr(self, name) for name in self.template_fields}
        known = {name: value for name, value in known.items() if not _is_open(value)}
        for name in known.keys() & _NUMBERS.keys():
            known[name] = _NUMBERS[name](name, known[name])
        check_fields(known)
        if known.get("labels"):
            labels.user_labels(known["labels"])
        if known.keys() >= {"accelerator_type", "accelerator_count"}:
            check_accelerators(known["accelerator_type"], known["accelerator_count"])

    def _training_job(
        self,
        hook: VertexTrainingHook,
        this: TaskTry | None,
        variables: Mapping[str, str],
        service_account: str,
    ) -> TrainingJob:
        own_labels = {**hook.connection_labels(), **labels.user_labels(self.labels or {})}
        check_fields({"env": self.env})
        unique = "UNIQUE" if this is None else this.try_id.replace("-", "")[-12:]
        base = self.display_name or f"{self.dag_id}-{self.task_id}"
        return TrainingJob(
            image=self.image,
            display_name=labels.display_name(base, unique),
            service_account=service_account,
            command=self.command,
            args=self.args,
            env={**variables, **(self.env or {})},
            labels=own_labels if this is None else identity.all_labels(this, own_labels),
            machine_type=self.machine_type,
            accelerator_type=self.accelerator_type or None,
            accelerator_count=whole_number("accelerator_count", self.accelerator_count),
            boot_disk_type=self.boot_disk_type,
            boot_disk_size_gb=whole_number("boot_disk_size_gb", self.boot_disk_size_gb) or 0,
            maximum_run_time=duration("maximum_run_time", self.maximum_run_time),
            network=self.network or hook.connection_default("network"),
            reserved_ip_ranges=self.reserved_ip_ranges,
            base_output_directory=self.base_output_directory
            or hook.connection_default("base_output_directory"),
        )


_ACCOUNT_NOT_KNOWN = "SERVICE_ACCOUNT@PROJECT.iam.gserviceaccount.com"


def _is_open(value: object) -> bool:
    """Whether a value is known only when the task runs: a template, or another task's result."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(_is_open(each) for pair in value.items() for each in pair)
    if isinstance(value, (list, tuple)):
        return any(_is_open(each) for each in value)
    return hasattr(value, "iter_references") or hasattr(value, "resolve")


# Arguments that a template makes text of.
_NUMBERS: Mapping[str, Callable[[str, object], object]] = {
    "accelerator_count": whole_number,
    "boot_disk_size_gb": whole_number,
    "maximum_run_time": duration,
}
