"""Train a model on Vertex AI as an Airflow task."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_vertex_training import compat
from airflow_vertex_training.links import XCOM_JOB_NAME, VertexJobLink, job_url
from airflow_vertex_training.triggers import VertexJobTrigger
from airflow_vertex_training.vertex import labels as label_rules
from airflow_vertex_training.vertex.exceptions import InvalidJobError, VertexApiError, VertexTrainingError
from airflow_vertex_training.vertex.labels import DEFAULT_DEPLOYMENT_ID, TaskTry
from airflow_vertex_training.vertex.spec import (
    DEFAULT_MAXIMUM_RUN_TIME,
    TrainingJob,
    check_accelerators,
    check_fields,
    duration,
    whole_number,
)
from airflow_vertex_training.vertex.states import JobSnapshot, ended_badly

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_vertex_training.hooks import VertexTrainingHook
    from airflow_vertex_training.vertex.submission import Submission


class VertexCustomTrainingOperator(BaseOperator):
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
    operator_extra_links = (VertexJobLink(),)
    ui_color = "#e8f0fe"

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
        gcp_conn_id: str = "vertex_training_default",
        impersonation_chain: str | Sequence[str] | None = None,
        poll_interval: float = 5.0,
        deferrable: bool = True,
        cancel_on_kill: bool = True,
        reattach: bool = True,
        submit_timeout: float = 1800.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image = image
        self.region = region
        self.project_id = project_id
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
        self.gcp_conn_id = gcp_conn_id
        self.impersonation_chain = impersonation_chain
        self.poll_interval = poll_interval
        self.deferrable = deferrable
        self.cancel_on_kill = cancel_on_kill
        self.reattach = reattach
        self.submit_timeout = submit_timeout
        self._try: TaskTry | None = None
        self._job_name: str | None = None
        self._check_what_is_known()

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit the job and wait for its end, here or on the triggerer."""
        self._try = this = _task_try(context)
        try:
            submitted = self._submit(context, this)
        except VertexTrainingError as error:
            # A later try of the series may still find a job of an earlier one, so only the first one ends it.
            if this.try_number == this.first_try and _will_not_pass(error):
                raise compat.AirflowFailException(str(error)) from error
            raise
        ended = submitted.job
        self._job_name = ended.name
        try:
            self._announce(context, submitted)
            self._stop_if_ended_meanwhile(context)
            if not ended.is_final:
                if self.deferrable:
                    self._defer(context, ended.name)
                ended = self._wait_here(ended.name)
        except Exception:
            self._cancel_if_nobody_will_wait(context, ended.name)
            raise
        return self._result(ended)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Return the result of the job that the trigger waited for, or raise what went wrong."""
        job = JobSnapshot.from_dict(event["job"])
        if not job.is_final:
            # The wait was given up, not the job.
            self._cancel_if_nobody_will_wait(context, job.name)
            raise VertexTrainingError(event["message"])
        return self._result(job)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the deferral; where it timed out or its trigger crashed, see to the job first."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except compat.TaskDeferralTimeout:
            self._cancel(self._submitted_job(context), "the deferral timed out")
            raise
        except compat.TaskDeferralError:
            self._cancel_if_nobody_will_wait(context, self._submitted_job(context))
            raise

    def on_kill(self) -> None:
        """Cancel the job of a task that is being killed while it runs."""
        self._killed.set()
        if self._job_name:
            self._cancel(self._job_name, "the task was killed")
        elif self._try is not None:
            # A create call may be under way: what it has made so far can be found by its label. What it makes
            # yet, execute cancels when the call returns.
            self._cancel_jobs_of(self._try)

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
        from airflow_vertex_training.vertex import protos

        hook = VertexTrainingHook(self.gcp_conn_id, self.impersonation_chain)
        account = self.service_account or hook.connection_default("service_account") or _ACCOUNT_NOT_KNOWN
        this = _task_try(context) if context else None
        variables = compat.airflow_variables(context) if context else {}
        message = protos.to_custom_job(self._training_job(hook, this, variables, account))
        for variable in message.job_spec.worker_pool_specs[0].container_spec.env:
            variable.value = compat.masked(variable.value, variable.name)
        if account == _ACCOUNT_NOT_KNOWN:
            message.job_spec.service_account = ""
        project = self.project_id or hook.connection_default("project") or "PROJECT"
        return protos.to_json(f"projects/{project}/locations/{hook.resolve_region(self.region)}", message)

    @cached_property
    def hook(self) -> VertexTrainingHook:
        """The hook of this task's connection."""
        from airflow_vertex_training.hooks import VertexTrainingHook

        return VertexTrainingHook(self.gcp_conn_id, self.impersonation_chain)

    @cached_property
    def _killed(self) -> threading.Event:
        # Made when the task runs: Airflow copies operators, and an event can't be copied.
        return threading.Event()

    def _check_what_is_known(self) -> None:
        """Check the arguments that are no templates, when the DAG is parsed."""
        known = {name: getattr(self, name) for name in self.template_fields}
        known = {name: value for name, value in known.items() if not _is_open(value)}
        for name in known.keys() & _NUMBERS.keys():
            known[name] = _NUMBERS[name](name, known[name])
        check_fields(known)
        for name in ("poll_interval", "submit_timeout"):
            if getattr(self, name) <= 0:
                raise InvalidJobError(name, f"must be more than 0 seconds, got {getattr(self, name)!r}")
        if known.get("labels"):
            label_rules.user_labels(known["labels"])
        if known.keys() >= {"accelerator_type", "accelerator_count"}:
            check_accelerators(known["accelerator_type"], known["accelerator_count"])

    def _training_job(
        self,
        hook: VertexTrainingHook,
        this: TaskTry | None,
        variables: Mapping[str, str],
        service_account: str,
    ) -> TrainingJob:
        own_labels = {**hook.connection_labels(), **label_rules.user_labels(self.labels or {})}
        check_fields({"env": self.env})
        unique = "UNIQUE" if this is None else this.try_id.replace("-", "")[-12:]
        base = self.display_name or f"{self.dag_id}-{self.task_id}"
        return TrainingJob(
            image=self.image,
            display_name=label_rules.display_name(base, unique),
            service_account=service_account,
            command=self.command,
            args=self.args,
            env={**variables, **(self.env or {})},
            labels=own_labels if this is None else label_rules.all_labels(this, own_labels),
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

    def _submit(self, context: Context, this: TaskTry) -> Submission:
        from airflow_vertex_training.vertex.submission import Submitter

        hook = self.hook
        region = hook.resolve_region(self.region)
        account = hook.resolve_service_account(self.service_account)
        job = self._training_job(hook, this, compat.airflow_variables(context), account)
        with hook.jobs(region, self.project_id) as jobs:
            jobs.sleep = self._sleep
            self.log.info(
                "Submitting to %s (project %s): %s, %s",
                region,
                jobs.project,
                job.machine_in_words(),
                job.image,
            )
            own_deployment = this.deployment_id != DEFAULT_DEPLOYMENT_ID
            submitter = Submitter(jobs, self.reattach, own_deployment, self.submit_timeout)
            return submitter.submit(job, this)

    def _sleep(self, seconds: float) -> None:
        # Wakes up when the task is killed, so that nothing is created after that.
        if self._killed.wait(seconds):
            msg = "the task was killed while its job was being submitted"
            raise VertexTrainingError(msg)

    def _announce(self, context: Context, submitted: Submission) -> None:
        job, ti = submitted.job, context["ti"]
        url = job_url(job.name)
        ti.xcom_push(key=XCOM_JOB_NAME, value=job.name)
        ti.xcom_push(key=VertexJobLink().xcom_key, value=url)
        self.log.info(
            "%s %s (%s). Console: %s", submitted.outcome.value.capitalize(), job.name, job.display_name, url
        )

    def _stop_if_ended_meanwhile(self, context: Context) -> None:
        """Cancel and stop where somebody ended the task while its job was being submitted."""
        if self._killed.is_set() or _is_ended(context):
            self._cancel(self._job_name, "the task was ended while the job was being submitted")
            msg = "the task was ended while its job was being submitted"
            raise VertexTrainingError(msg)

    def _defer(self, context: Context, job_name: str) -> None:
        trigger = VertexJobTrigger(
            job_name=job_name,
            gcp_conn_id=self.gcp_conn_id,
            impersonation_chain=self.impersonation_chain,
            poll_interval=self.poll_interval,
            cancel_on_kill=self.cancel_on_kill,
            deployment_id=_deployment_id(),
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=self._time_left(context))

    def _time_left(self, context: Context) -> timedelta | None:
        """Return what is left of ``execution_timeout``, which Airflow does not enforce on a deferred task."""
        started = context["ti"].start_date
        if self.execution_timeout is None or started is None:
            return None
        left = started + self.execution_timeout - datetime.now(tz=timezone.utc)
        return max(left, _SHORTEST_DEFERRAL)

    def _wait_here(self, job_name: str) -> JobSnapshot:
        import asyncio

        from airflow_vertex_training.vertex import progress

        async def wait() -> JobSnapshot:
            updates = self.hook.watch_job(
                job_name, poll_interval=self.poll_interval, deployment_id=_deployment_id()
            )
            return await progress.follow(updates, self.log)

        return asyncio.run(wait())

    def _result(self, job: JobSnapshot) -> dict[str, Any]:
        error = ended_badly(job)
        if error is not None:
            raise error
        from airflow_vertex_training.vertex import progress

        self.log.info("%s", progress.summary(job))
        wanted = ("name", "state", "create_time", "start_time", "end_time", "base_output_directory")
        data = job.to_dict()
        return {**{key: data[key] for key in wanted}, "console_url": job_url(job.name)}

    def _submitted_job(self, context: Context) -> str | None:
        """Return the name of this try's job in a process that did not submit it."""
        ti = context["ti"]
        name = ti.xcom_pull(task_ids=self.task_id, key=XCOM_JOB_NAME, map_indexes=ti.map_index)
        return str(name) if name else None

    def _cancel_jobs_of(self, this: TaskTry) -> None:
        hook = self.hook
        try:
            with hook.jobs(hook.resolve_region(self.region), self.project_id) as jobs:
                found = jobs.find(label_rules.TRY, this.try_id)
        except Exception:
            # Raised into what execute is just doing, it would hide the answer to the create call.
            self.log.exception("Could not look for a job of the killed task")
            return
        for job in found:
            if not job.is_final:
                self._cancel(job.name, "the task was killed")

    def _cancel_if_nobody_will_wait(self, context: Context, job_name: str | None) -> None:
        ti = context["ti"]
        # max_tries counts retries: the last try is number max_tries + 1.
        if ti.try_number > ti.max_tries:
            self._cancel(job_name, "the task failed and there is no try left to wait for it")
        elif _is_ended(context):
            self._cancel(job_name, "the task was ended or cleared")
        else:
            self.log.info("%s is left to the task's next try", job_name)

    def _cancel(self, job_name: str | None, why: str) -> None:
        if not job_name:
            return
        if not self.cancel_on_kill:
            self.log.warning("%s runs on, though %s: cancel_on_kill is off", job_name, why)
            return
        try:
            sent = self.hook.cancel_job(job_name)
        except Exception:
            # Whatever it is, such as missing credentials: why the task ends must not be lost over it.
            self.log.exception("Could not cancel %s. It may still run and cost money", job_name)
            return
        self.log.info("Cancelled %s: %s" if sent else "%s had ended already when %s", job_name, why)


# Airflow's scheduler fails a task that resumes within about five seconds of its deferral, before the task
# could cancel its job.
_SHORTEST_DEFERRAL = timedelta(seconds=10)
_ACCOUNT_NOT_KNOWN = "SERVICE_ACCOUNT@PROJECT.iam.gserviceaccount.com"


def _deployment_id() -> str:
    return compat.config("deployment_id", DEFAULT_DEPLOYMENT_ID)


def _task_try(context: Context) -> TaskTry:
    ti = context["ti"]
    return TaskTry(
        deployment_id=_deployment_id(),
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        try_number=ti.try_number,
        try_id=str(ti.id),
        # Airflow's own formula: a clear raises max_tries, a retry does not.
        first_try=ti.max_tries - (ti.task.retries or 0) + 1,
        run_start=context["dag_run"].start_date,
    )


def _will_not_pass(error: VertexTrainingError) -> bool:
    """Whether the same task would meet the same error at its next try."""
    from airflow_vertex_training.vertex import errors

    if isinstance(error, VertexApiError):
        return error.__cause__ is not None and not errors.is_transient(error.__cause__)
    return isinstance(error, InvalidJobError)


def _is_ended(context: Context) -> bool:
    """Whether somebody cleared, marked or deleted the task instance whose process still runs here."""
    return compat.task_state(context["ti"]) != "running"


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
