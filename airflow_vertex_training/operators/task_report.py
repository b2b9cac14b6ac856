"""What a task tells of its job: in its log, its XComs and links, to Airflow's metrics, and to its outlets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from airflow_vertex_training import links, log_positions, metrics
from airflow_vertex_training.operators.masking import masked_command
from airflow_vertex_training.vertex import wire
from airflow_vertex_training.vertex.naming import identity

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_vertex_training.operators.execution import VertexJobOperator
    from airflow_vertex_training.vertex.api.calls import Jobs
    from airflow_vertex_training.vertex.spec.job import TrainingJob
    from airflow_vertex_training.vertex.states import JobSnapshot
    from airflow_vertex_training.vertex.submit.create import Submission

XCOM_MACHINES = "job_machines"
"""XCom that says what the job runs on: the process that tells of its end did not submit it."""

_RETURNED = ("name", "state", "create_time", "start_time", "end_time", "base_output_directory")


@dataclass(frozen=True)
class TaskReport:
    """Tells of the job of one task.

    Args:
        operator: the task.
        context: of its running process.
    """

    operator: VertexJobOperator
    context: Context

    def submitting(self, jobs: Jobs, wanted: TrainingJob) -> None:
        """Tell what is about to be paid for, and what it is to run.

        Args:
            jobs: of the region that the job is submitted to.
            wanted: what the task asks for.
        """
        log = self.operator.log
        log.info("Submitting to %s (project %s): %s", jobs.region, jobs.project, wanted.in_words())
        commands = {pool: masked_command(words) for pool, words in wanted.commands().items()}
        if len(set(commands.values())) == 1:
            log.info("Command: %s", *set(commands.values()))
        else:
            for pool, command in commands.items():
                log.info("Command of %s: %s", pool, command)

    def announce(self, submitted: Submission, wanted: TrainingJob) -> None:
        """Tell that the job is there.

        Args:
            submitted: the job.
            wanted: what the task asked for.
        """
        job, ti = submitted.job, self.context["ti"]
        ti.xcom_push(key=links.XCOM_JOB_NAME, value=job.name)
        as_wanted = _is_as_wanted(submitted, wanted)
        tracking = wanted.tracking if as_wanted else None
        found = links.addresses(
            job,
            tensorboard=tracking.tensorboard if tracking else None,
            experiment=tracking.experiment if tracking else None,
        )
        machines = {"machines": wanted.machines_in_words(), "accelerators": wanted.accelerators()}
        # Also what there is none of: Airflow logs an error for each XCom that is looked up and is not there.
        xcoms = {
            log_positions.KEY: None,
            **{link.xcom_key: "" for link in links.ALL_LINKS},
            **found,
            XCOM_MACHINES: machines if as_wanted else None,
        }
        for key, value in xcoms.items():
            ti.xcom_push(key=key, value=value)
        url = links.job_url(job.name)
        self.operator.log.info(
            "%s %s (%s).%s",
            submitted.outcome.value.capitalize(),
            job.name,
            job.display_name,
            f" Console: {url}" if url else "",
        )
        self._count(submitted)

    def cancelled(self, job_name: str) -> None:
        """Count a job that the task has cancelled while it submitted its own."""
        metrics.CANCELLED.tell(1, metrics.job_tags(job_name, self.context["ti"]))

    def ended(self, job: JobSnapshot) -> None:
        """Tell how a job that has ended spent its time; its link to the log ends where the job did."""
        from airflow_vertex_training.vertex.watch import progress

        ti = self.context["ti"]
        machines = ti.xcom_pull(key=XCOM_MACHINES, task_ids=ti.task_id, map_indexes=ti.map_index) or {}
        said = progress.summary(job, str(machines.get("machines", "")), int(machines.get("accelerators", 0)))
        self.operator.log.info("%s", said)
        metrics.measure_end(job, ti)
        if address := links.log_address(job):
            ti.xcom_push(key=links.VertexLogsLink().xcom_key, value=address)

    def result(self, job: JobSnapshot) -> dict[str, Any]:
        """Tell the outlets of a job that succeeded, and return the task's result."""
        data = wire.snapshot(job)
        result = {**{key: data[key] for key in _RETURNED}, "console_url": links.job_url(job.name)}
        self._tell_outlets(result)
        return result

    def _tell_outlets(self, result: dict[str, Any]) -> None:
        """Say in the events of the task's assets which job made them, and where its output is."""
        for outlet in self.operator.outlets:
            if isinstance(outlet, Asset):
                extra = self.context["outlet_events"][outlet].extra
                extra["job"] = result["name"]
                extra["base_output_directory"] = result["base_output_directory"]
                extra["console_url"] = result["console_url"]

    def _count(self, submitted: Submission) -> None:
        from airflow_vertex_training.vertex.submit.create import Outcome

        metric = {
            Outcome.CREATED: metrics.SUBMITTED,
            Outcome.ADOPTED: metrics.ADOPTED,
            Outcome.RESULT_TAKEN: metrics.RESULT_TAKEN,
        }[submitted.outcome]
        metric.tell(1, metrics.job_tags(submitted.job.name, self.context["ti"]))


def _is_as_wanted(submitted: Submission, wanted: TrainingJob) -> bool:
    """Whether a job runs on what this try asked for: an adopted one may have been asked for otherwise."""
    from airflow_vertex_training.vertex.api import protos
    from airflow_vertex_training.vertex.submit.create import Outcome

    if submitted.outcome is Outcome.CREATED:
        return True
    asked = protos.fingerprint(protos.to_custom_job(wanted))
    return submitted.job.labels.get(identity.SPEC) == asked
