"""Run containers or Python packages on Vertex AI as a CustomJob."""

from __future__ import annotations

import logging
import os
from functools import cache, reduce
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_vertex_training import compat, settings
from airflow_vertex_training.operators import job_templates
from airflow_vertex_training.operators.execution import VertexJobOperator
from airflow_vertex_training.operators.openness import how_written, openness
from airflow_vertex_training.operators.refusals import refused
from airflow_vertex_training.operators.task_try import airflow_variables, map_name, task_try
from airflow_vertex_training.vertex.naming import labels as names
from airflow_vertex_training.vertex.spec import alike, table, waiting
from airflow_vertex_training.vertex.spec.arguments import read_arguments
from airflow_vertex_training.vertex.spec.layers import PACKAGE, Layer, merge
from airflow_vertex_training.vertex.spec.objects import plain
from airflow_vertex_training.vertex.spec.reader import Reader, Said
from airflow_vertex_training.vertex.spec.resolve import (
    build,
    complete,
    pending_connection,
    said_as_written,
    with_airflows_own,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_vertex_training.operators.previewing import Preview
    from airflow_vertex_training.vertex.naming.identity import TaskTry
    from airflow_vertex_training.vertex.spec.job import (
        Access,
        PscInterfaceConfig,
        Scheduling,
        Tracking,
        TrainingJob,
    )
    from airflow_vertex_training.vertex.spec.pools import WorkerPool


logger = logging.getLogger(__name__)


WHOLE_JOB = "shown when the task runs"


class VertexCustomTrainingOperator(VertexJobOperator):
    """Run a CustomJob on Vertex AI to its end: one container on one machine, or many pools of them.

    The task submits the job exactly once, also through lost answers and retries, and gives its worker slot
    back while the job runs. Whatever ends the task (kill, mark, clear, timeout) cancels the job.

    It returns a dict with the job's ``name``, ``state``, ``create_time``, ``start_time``, ``end_time``,
    ``base_output_directory`` and ``console_url``. The XCom ``job_name`` is there as soon as the job is.

    Arguments that describe the job are ``None`` where nothing is said here, so that the connection or the
    package's default counts; ``""``, ``[]`` and ``0`` say that there is none. All of them may be templates.
    Each is checked when the DAG is parsed, templates when the task runs, before any call. The attribute
    ``custom_job_request`` is a template field, too: Airflow's Rendered Templates tab shows as it what all
    arguments, the job template and the connection ask for.

    Args:
        image: container image with its registry: Artifact Registry, Container Registry or Docker Hub.
            https://cloud.google.com/vertex-ai/docs/training/containers-overview
        region: such as ``us-central1``; default the connection's.
        project_id: default the connection's, else that of its credentials.
        command: replaces the image's entry point, default none.
        args: arguments of the command, default none. Numbers become text, lists and dicts JSON.
        env: environment variables, default none; values as in ``args``. Airflow's own (``AIRFLOW_CTX_DAG_ID``
            and so on) are added under them.
        labels: labels of the job, default none; made legal for Google Cloud, on top of the connection's.
        machine_type: default ``n1-standard-4``.
        accelerator_type: such as ``NVIDIA_L4``, default none.
        accelerator_count: accelerators on the machine, default none.
        boot_disk_type: ``pd-ssd``, ``pd-standard`` or ``hyperdisk-balanced``; default the machine type's own.
        boot_disk_size_gb: in GB, 100 to 64,000, default 100.
        maximum_run_time: running time after which Vertex ends the job, timedelta or seconds; default 7 days.
        worker_pools: the pools of a job with several, a list of ``WorkerPool`` or of dicts with its fields;
            default one pool. The arguments above fill what a pool leaves open; an empty pool skips a place.
        scheduling: ``Scheduling`` or a dict: strategy (``SPOT``, ``FLEX_START``), waiting, restarts; default
            Vertex's.
        network: VPC network to peer with, ``projects/NUMBER/global/networks/NAME``; default the connection's.
        reserved_ip_ranges: names of reserved ranges in that network, default any.
        psc_interface_config: ``PscInterfaceConfig`` or a dict: another way into your network, default none.
        service_account: the account that the training code runs as; default the connection's, else the one
            that the credentials are of.
        base_output_directory: ``gs://`` folder for the job's output, default the connection's.
        display_name: readable base of the job's name, default ``DAG_ID-TASK_ID``, with the name of the map
            index where there is a ``map_index_template``; a unique suffix is added.
        persistent_resource_id: persistent resource to run on, its id; default none.
        tracking: ``Tracking`` or a dict: TensorBoard, experiment and run; default none.
        access: ``Access`` or a dict: interactive shell and dashboard; default none.
        kms_key_name: key of yours that encrypts the job, default none.
        protected_artifact_location_id: where protected artifacts are kept; default with the job.
        models: models whose artifacts the job is told of, default none.
        job_template: a file in ``[vertex_training] job_templates`` that says what is not said here, its name
            without ``.yaml``; default the connection's. Its values win over the connection's other fields.
        job_spec: a ``CustomJobSpec`` or ``CustomJob`` as a dict, in snake or camel case, also the content of
            a gcloud config, an object of the client library, or text in JSON or YAML; default none. The
            other arguments fill what it leaves open. A field that this package does not know is a warning,
            and goes to the client library as it is.
        gcp_conn_id: Airflow connection, default ``vertex_training_default``.
        impersonation_chain: service account to act as, or a chain of them, default none.
        poll_interval: seconds (or timedelta) within which the job's end should be seen, default 5.0.
        deferrable: whether to wait on the triggerer (default) or in the worker. ``[operators]
            default_deferrable`` is not followed: it ships as "false", which can't be told from not set, and
            a worker slot for hours is hardly ever what is wanted.
        cancel_on_kill: whether the job is cancelled when the task is ended before it, default yes.
        reattach: whether a retry adopts the job that an earlier try of its series left, default yes.
        submit_timeout: seconds (or timedelta) for which a request quota may refuse the job, or answers may
            leave open whether it was created; default 1800.
        stream_logs: whether the job's log is shown in the task's while the job runs, default yes. The last
            lines of a replica that fails are shown in any case. Both take ``roles/logging.viewer``.
        **kwargs: of ``BaseOperator``.

    Raises:
        InvalidJobError: arguments are wrong, when the DAG is parsed; it tells all that is.
        TypeError: there is no argument of a name.
        AirflowFailException: arguments are wrong, or Vertex refuses the job for good, when the task runs.
            There are no retries then: they could not help.
        JobFailedError: the job failed; with Vertex's own message and code.
        JobCancelledError: the job was cancelled by somebody.
    """

    # The last one is no argument: it is rendered as what all others ask for.
    template_fields: Sequence[str] = (
        *(*table.ARGUMENTS, "gcp_conn_id", "impersonation_chain"),
        "custom_job_request",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        (
            *("command", "args", "env", "labels", "reserved_ip_ranges", "models"),
            *("worker_pools", "job_spec", *table.GROUPS, "custom_job_request"),
        ),
        "json",
    )
    custom_job_request: Any = WHOLE_JOB

    def __init__(  # noqa: PLR0913 - flat arguments are what a DAG author writes and reads
        self,
        *,
        image: str | None = None,
        region: str | None = None,
        project_id: str | None = None,
        command: Sequence[Any] | None = None,
        args: Sequence[Any] | None = None,
        env: Mapping[str, Any] | None = None,
        labels: Mapping[str, Any] | None = None,
        machine_type: str | None = None,
        accelerator_type: str | None = None,
        accelerator_count: int | str | None = None,
        boot_disk_type: str | None = None,
        boot_disk_size_gb: int | str | None = None,
        maximum_run_time: timedelta | float | str | None = None,
        worker_pools: Sequence[WorkerPool | Mapping[str, Any] | None] | None = None,
        scheduling: Scheduling | Mapping[str, Any] | None = None,
        network: str | None = None,
        reserved_ip_ranges: Sequence[str] | None = None,
        psc_interface_config: PscInterfaceConfig | Mapping[str, Any] | None = None,
        service_account: str | None = None,
        base_output_directory: str | None = None,
        display_name: str | None = None,
        persistent_resource_id: str | None = None,
        tracking: Tracking | Mapping[str, Any] | None = None,
        access: Access | Mapping[str, Any] | None = None,
        kms_key_name: str | None = None,
        protected_artifact_location_id: str | None = None,
        models: Sequence[str] | None = None,
        job_template: str | None = None,
        job_spec: Mapping[str, Any] | None = None,
        gcp_conn_id: str = settings.DEFAULT_CONNECTION_ID,
        impersonation_chain: str | Sequence[str] | None = None,
        poll_interval: timedelta | float | str | None = settings.DEFAULT_POLL_INTERVAL,
        deferrable: bool | str = True,
        cancel_on_kill: bool | str = True,
        reattach: bool | str = True,
        submit_timeout: timedelta | float | str | None = settings.DEFAULT_SUBMIT_TIMEOUT,
        stream_logs: bool | str = True,
        **kwargs: Any,
    ) -> None:
        reader = Reader()
        with refused(self, kwargs):
            super().__init__(**kwargs)
        waiting_for_it = {
            "gcp_conn_id": gcp_conn_id,
            "impersonation_chain": impersonation_chain,
            "poll_interval": _seconds("poll_interval", poll_interval, reader),
            "deferrable": _switch("deferrable", deferrable, reader),
            "cancel_on_kill": _switch("cancel_on_kill", cancel_on_kill, reader),
            "reattach": _switch("reattach", reattach, reader),
            "submit_timeout": _seconds("submit_timeout", submit_timeout, reader),
            "stream_logs": _switch("stream_logs", stream_logs, reader),
        }
        # Objects and lists of other kinds as dicts and lists: Airflow renders those and shows them.
        said = {
            "region": region,
            "project_id": project_id,
            "image": image,
            "command": plain(command),
            "args": plain(args),
            "env": plain(env),
            "labels": plain(labels),
            "machine_type": machine_type,
            "accelerator_type": accelerator_type,
            "accelerator_count": accelerator_count,
            "boot_disk_type": boot_disk_type,
            "boot_disk_size_gb": boot_disk_size_gb,
            "maximum_run_time": maximum_run_time,
            "worker_pools": plain(worker_pools),
            "scheduling": plain(scheduling),
            "network": network,
            "reserved_ip_ranges": plain(reserved_ip_ranges),
            "psc_interface_config": plain(psc_interface_config),
            "service_account": service_account,
            "base_output_directory": base_output_directory,
            "display_name": display_name,
            "persistent_resource_id": persistent_resource_id,
            "tracking": plain(tracking),
            "access": plain(access),
            "kms_key_name": kms_key_name,
            "protected_artifact_location_id": protected_artifact_location_id,
            "models": plain(models),
            "job_template": job_template,
            "job_spec": plain(job_spec),
        }
        # Not one by one: Airflow looks into each assignment, which would take longer than all else here.
        vars(self).update(said, **waiting_for_it)
        reader.is_open = self._is_open
        with refused(self, kwargs):
            self._check_what_is_known(said, reader)

    if TYPE_CHECKING:
        # The arguments are attributes by the table's names.
        def __getattr__(self, name: str) -> Any: ...

    @classmethod
    def partial(cls, *, task_id: str, **kwargs: Any) -> Any:
        """Return the operator with some arguments, to be mapped over others; those given here are checked.

        Raises:
            InvalidJobError: arguments are wrong.
            TypeError: there is no argument of a name.
        """
        kwargs.update({name: plain(kwargs[name]) for name in kwargs.keys() & _DESCRIBING})
        dag = kwargs.get("dag") or compat.current_dag()
        full_id = compat.id_in_group(task_id, dag, kwargs.get("task_group"))
        reader = Reader(openness(dag, cls.template_ext))
        for name, check in _WAITING.items():
            check(name, kwargs.get(name), reader)
        waiting.connection_id(
            kwargs.get("gcp_conn_id"), settings.DEFAULT_CONNECTION_ID, "gcp_conn_id", reader
        )
        waiting.impersonation_chain(kwargs.get("impersonation_chain"), "impersonation_chain", reader)
        read_arguments(kwargs, reader)
        reader.raise_findings(full_id)
        with refused(cls, {**kwargs, "task_id": full_id}):
            return super().partial(task_id=task_id, **kwargs)

    def render_template(self, content: Any, context: Context, *args: Any, **kwargs: Any) -> Any:
        """Render a template; text that is none stays as it is, also where the DAG renders native types."""
        if content is WHOLE_JOB:
            return self._request_for_the_tab(context)
        if isinstance(content, os.PathLike):
            content = str(content)
        elif not isinstance(content, _RENDERED):
            content = plain(content)
        if isinstance(content, str) and not self._is_open(content):
            return content
        return super().render_template(content, context, *args, **kwargs)

    def training_job(self, context: Context, this: TaskTry) -> TrainingJob:
        """Return the job that the rendered arguments, the job template and the connection describe.

        Raises:
            InvalidJobError: arguments, or fields of the template or connection, are wrong; it tells all that
                is.
        """
        reader = Reader()
        self._make_plain(reader)
        variables = airflow_variables(context)
        account = self.hook.resolve_service_account
        connection = self.hook.layer(reader)
        whole = self._whole(
            connection, account, reader, variables, lambda said: self.render_template(said, context)
        )
        # Where to submit, the template may say.
        self.region, self.project_id = (said_as_written(whole, name) for name in ("region", "project_id"))
        self._warn(reader)
        reader.raise_findings(self.task_id)
        return self._built(whole, variables, this, map_name(self, context))

    def preview(self, context: Context | None = None) -> Preview:
        """Return the create request, without any call to Google.

        ``print`` shows it; it has ``as_json()`` and, for gcloud, ``as_yaml()``. Values of environment
        variables whose names look like those of secrets are masked, as in Airflow's UI. A service account or
        project that only the credentials tell is left out. Without a context, so are the labels that Airflow
        gives each try; templates stay as written, and what only the run knows is listed in ``later``.

        Args:
            context: of a running task, default none.

        Raises:
            InvalidJobError: an argument is wrong.
        """
        from airflow_vertex_training.operators import previewing

        reader = Reader(None if context else self._is_open)
        connection = previewing.connection(self.gcp_conn_id, self.impersonation_chain, reader)
        job, whole = self._foreseen(context, connection, reader)
        self._warn(reader)
        return previewing.preview(job, whole, reader.is_open)

    def _request_for_the_tab(self, context: Context) -> Any:
        """Return the request for Airflow's Rendered Templates tab."""
        from airflow_vertex_training.operators import masking, previewing

        reader = Reader()
        try:
            job, whole = self._foreseen(context, self.hook.layer(reader), reader)
            return masking.masked_values(
                previewing.preview(job, whole, reader.is_open, by_client=False).request
            )
        except Exception as error:  # noqa: BLE001 - if it is wrong, execute says so; here it would be too early
            return f"not known: {error}"

    def _foreseen(
        self, context: Context | None, connection: Layer, reader: Reader
    ) -> tuple[TrainingJob, Layer]:
        """Return the job as far as it is known without the credentials, and all that is said of it."""
        from airflow_vertex_training.operators import previewing

        this = task_try(context) if context else None
        variables = airflow_variables(context) if context else {}

        def render(said: Any) -> Any:
            return self.render_template(said, context) if context else said

        whole = self._whole(connection, lambda: previewing.ACCOUNT_NOT_KNOWN, reader, variables, render)
        reader.raise_findings(self.task_id)
        return self._built(whole, variables, this, map_name(self, context) if context else None), whole

    def to_job_template(self) -> str:
        """Return the job template, as YAML, that says what this task says.

        It leaves out what is the package's default. A task with that template alone asks for the same job.

        Raises:
            InvalidJobError: an argument is wrong, or is what no file can say, such as another task's result.
        """
        from airflow_vertex_training.vertex.spec.templates import write_template

        reader = Reader(self._is_open)
        said = self._said(reader)
        template = job_templates.layers(said, Layer(), reader, lambda same: same)
        text = write_template(reduce(merge, [said, *template]), reader)
        reader.raise_findings(self.task_id)
        return text

    @property
    def _is_open(self) -> Callable[[Any], bool]:
        return openness(self._dag, self.template_ext)

    def _said(self, reader: Reader) -> Layer:
        """Return what the operator's own arguments say."""
        return read_arguments({name: getattr(self, name) for name in table.ARGUMENTS}, reader)

    def _check_what_is_known(self, said: Mapping[str, Any], reader: Reader) -> None:
        """Check the arguments that are no templates, when the DAG is parsed."""
        self._make_account_plain(reader)
        shape = None
        # A template's file may change.
        if said["job_template"] is None:
            shape = alike.shape(said, reader.is_open, settings.job_templates())
        if alike.were_right(shape) and not reader.findings:
            return
        task = read_arguments(said, reader)
        layers = [task, *job_templates.layers_at_parse(task, reader)]
        complete(layers, reader, _ALWAYS_IN_ENV, defaults=_LATER)
        self._warn(reader)
        reader.raise_findings(self.task_id)
        if not reader.warnings:
            alike.are_right(shape)

    def _make_plain(self, reader: Reader) -> None:
        """Make what a deferral stores such that it can be, also where a subclass or a template set it."""
        for name, check in _WAITING.items():
            setattr(self, name, check(name, getattr(self, name), reader))
        self._make_account_plain(reader)

    def _make_account_plain(self, reader: Reader) -> None:
        if self.gcp_conn_id is not settings.DEFAULT_CONNECTION_ID:
            self.gcp_conn_id = waiting.connection_id(
                self.gcp_conn_id, settings.DEFAULT_CONNECTION_ID, "gcp_conn_id", reader
            )
        if self.impersonation_chain is not None:
            self.impersonation_chain = waiting.impersonation_chain(
                self.impersonation_chain, "impersonation_chain", reader
            )

    def _whole(
        self,
        connection: Layer,
        account: Callable[[], str],
        reader: Reader,
        variables: Mapping[str, str],
        render: Callable[[Any], Any],
    ) -> Layer:
        """Return all that is said of the job; `account` says whose it is where nobody does."""
        said = self._said(reader)
        layers = [said, *job_templates.layers(said, connection, reader, render), connection]
        if not any("service_account" in layer.job for layer in layers):
            layers.append(Layer({"service_account": Said(account(), "service_account")}))
        return complete(layers, reader, variables.keys())

    def _built(
        self,
        whole: Layer,
        variables: Mapping[str, str],
        this: TaskTry | None,
        map_name: str | None = None,
    ) -> TrainingJob:
        own = "-".join(filter(None, [self.dag_id, self.task_id, map_name]))
        base = said_as_written(whole, "display_name", how_written) or own
        unique = "UNIQUE" if this is None else this.try_id.replace("-", "")[-12:]
        return build(
            with_airflows_own(
                whole,
                env=variables,
                labels={} if this is None else this.labels(),
                display_name=names.display_name(base, unique),
            )
        )

    def _warn(self, reader: Reader) -> None:
        for finding in reader.warnings:
            _warn_once(self.task_id, str(finding))


@cache
def _warn_once(task_id: str, text: str) -> None:
    """Say it once in a process: a task's process parses its DAG, too."""
    logger.warning("%s (task %r)", text, task_id)


def _seconds(name: str, value: Any, reader: Reader) -> float:
    return waiting.seconds(value, _DEFAULT_SECONDS[name], name, reader)


def _switch(name: str, value: Any, reader: Reader) -> bool:
    return waiting.switch(value, default=True, where=name, reader=reader)


_DEFAULT_SECONDS = {
    "poll_interval": settings.DEFAULT_POLL_INTERVAL,
    "submit_timeout": settings.DEFAULT_SUBMIT_TIMEOUT,
}
_WAITING: Mapping[str, Callable[[str, Any, Reader], Any]] = {
    **dict.fromkeys(_DEFAULT_SECONDS, _seconds),
    **dict.fromkeys(("deferrable", "cancel_on_kill", "reattach", "stream_logs"), _switch),
}
# What Airflow tells every task's processes; the others depend on DAG and run.
_ALWAYS_IN_ENV = tuple(
    f"AIRFLOW_CTX_{name}" for name in ("DAG_OWNER", "DAG_ID", "TASK_ID", "TRY_NUMBER", "DAG_RUN_ID")
)
# What the connection may say is not known when a DAG is parsed.
_LATER = merge(pending_connection(), PACKAGE)
_DESCRIBING = frozenset(table.ARGUMENTS)
# What Airflow looks into for templates.
_RENDERED = (str, list, tuple, dict, set)
