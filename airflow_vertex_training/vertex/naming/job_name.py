"""The resource name of a job."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_vertex_training.vertex.exceptions import InvalidJobError

__all__ = ["JobName"]


@dataclass(frozen=True)
class JobName:
    """The parts of ``projects/P/locations/L/customJobs/ID``."""

    project: str
    region: str
    custom_job_id: str

    @classmethod
    def parse(cls, job_name: str) -> JobName:
        """Take a full resource name apart.

        Raises:
            InvalidJobError: it is none.
        """
        # A user may have pulled it from an XCom that is not there: None is no name, either.
        match str(job_name).split("/"):
            case ["projects", project, "locations", region, "customJobs", custom_job_id] if (
                project and region and custom_job_id
            ):
                return cls(project, region, custom_job_id)
        form = "projects/PROJECT/locations/REGION/customJobs/ID"
        raise InvalidJobError("job_name", f"{job_name!r} is no full resource name; write {form}")

    @classmethod
    def is_one(cls, text: object) -> bool:
        """Whether a text is a full resource name."""
        try:
            cls.parse(str(text))
        except InvalidJobError:
            return False
        return True

    @property
    def parent(self) -> str:
        """Resource name of the project and region."""
        return f"projects/{self.project}/locations/{self.region}"
