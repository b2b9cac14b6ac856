"""Where a person sees more of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

XCOM_JOB_NAME = "job_name"


def job_url(job_name: str) -> str:
    """Return the address of a job's page in the Cloud console.

    Args:
        job_name: full resource name, ``projects/P/locations/L/customJobs/ID``.
    """
    _, project, _, region, _, custom_job_id = job_name.split("/")
    page = f"locations/{region}/training/{custom_job_id}/cpu"
    return f"https://console.cloud.google.com/vertex-ai/{page}?project={project}"


class VertexJobLink(BaseOperatorLink):
    """Extra link of a task to its job in the Cloud console, there as soon as the job is."""

    name = "Vertex AI job"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the job's address, or an empty text where no job was made.

        Args:
            operator: the task.
            ti_key: the task instance.
        """
        from airflow.providers.common.compat.sdk import XCom

        job_name = XCom.get_value(key=XCOM_JOB_NAME, ti_key=ti_key)
        return job_url(job_name) if job_name else ""
