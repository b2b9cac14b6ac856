"""Resource names: `projects/P/locations/L` and `projects/P/locations/L/customJobs/ID`."""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple

import grpc

from airflow_vertex_training.emulator.api.errors import ApiError, invalid_argument

__all__ = ["REGIONS", "JobName", "Location", "Projects", "parse_job_name", "parse_parent"]

_PARENT = re.compile(r"projects/([^/]+)/locations/([^/]+)")
_JOB = re.compile(r"projects/([^/]+)/locations/([^/]+)/customJobs/([^/]+)")

# https://cloud.google.com/vertex-ai/docs/general/locations
REGIONS = frozenset(
    {
        "africa-south1",
        "asia-east1",
        "asia-east2",
        "asia-northeast1",
        "asia-northeast2",
        "asia-northeast3",
        "asia-south1",
        "asia-south2",
        "asia-southeast1",
        "asia-southeast2",
        "australia-southeast1",
        "australia-southeast2",
        "europe-central2",
        "europe-north1",
        "europe-north2",
        "europe-southwest1",
        "europe-west1",
        "europe-west2",
        "europe-west3",
        "europe-west4",
        "europe-west6",
        "europe-west8",
        "europe-west9",
        "europe-west12",
        "me-central1",
        "me-central2",
        "me-west1",
        "northamerica-northeast1",
        "northamerica-northeast2",
        "southamerica-east1",
        "southamerica-west1",
        "us-central1",
        "us-east1",
        "us-east4",
        "us-east5",
        "us-east7",
        "us-south1",
        "us-west1",
        "us-west2",
        "us-west3",
        "us-west4",
        "us-west8",
    }
)


class Location(NamedTuple):
    """A project and a region, as the client wrote them."""

    project: str
    region: str

    def __str__(self) -> str:
        return f"projects/{self.project}/locations/{self.region}"


class JobName(NamedTuple):
    """Where a job lies, and its id."""

    location: Location
    job_id: str

    def __str__(self) -> str:
        return f"{self.location}/customJobs/{self.job_id}"


class Projects:
    """Ids and numbers of projects, which of them may be used, and what answers call them.

    Args:
        numbers: Project numbers by id. The names in answers have the number; a project that is not in here
            keeps the id that the client used.
        permitted: The ids that the caller may use; None permits all.
    """

    def __init__(self, numbers: dict[str, str], permitted: frozenset[str] | None = None) -> None:
        self._numbers = numbers
        self._permitted = permitted

    def set_number(self, project: str, number: str) -> None:
        """Give a project its number."""
        self._numbers[project] = number

    def number(self, project: str) -> str:
        """Return a project's number: the one it was given, else one made of its id, always the same."""
        return self._numbers.get(project) or str(100_000_000_000 + zlib.crc32(project.encode()))

    def canonical(self, location: Location) -> Location:
        """Return the location with the project's id, whether the client wrote its id or its number."""
        for project, number in self._numbers.items():
            if location.project == number:
                return location._replace(project=project)
        return location

    def answered(self, location: Location) -> Location:
        """Return the location as answers name it: with the project's number if it was given one."""
        return location._replace(project=self._numbers.get(location.project, location.project))

    def check(self, location: Location, permission: str) -> None:
        """Refuse projects that the caller may not use.

        Args:
            location: What is asked for, with the project's id.
            permission: What it takes, such as `aiplatform.customJobs.list`.

        Raises:
            ApiError: PERMISSION_DENIED, in Vertex's words: it doesn't say whether the project exists.
        """
        if self._permitted is not None and location.project not in self._permitted:
            raise ApiError(
                grpc.StatusCode.PERMISSION_DENIED,
                f"Permission '{permission}' denied on resource '//aiplatform.googleapis.com/{location}' "
                "(or it may not exist).",
            )


def parse_parent(parent: str, field: str = "parent") -> Location:
    """Take a parent apart.

    Args:
        parent: `projects/P/locations/L`.
        field: The field that it stands in, for the error.

    Raises:
        ApiError: INVALID_ARGUMENT, if it is anything else or names no region.
    """
    found = _PARENT.fullmatch(parent)
    if found is None:
        raise invalid_argument([(field, f"must be projects/PROJECT/locations/LOCATION, got {parent!r}.")])
    return _checked(Location(found[1], found[2]), field)


def parse_job_name(name: str) -> JobName:
    """Take a job's name apart.

    Args:
        name: `projects/P/locations/L/customJobs/ID`.

    Raises:
        ApiError: INVALID_ARGUMENT, if it is anything else or names no region.
    """
    found = _JOB.fullmatch(name)
    if found is None:
        raise invalid_argument(
            [("name", f"must be projects/PROJECT/locations/LOCATION/customJobs/JOB, got {name!r}.")]
        )
    return JobName(_checked(Location(found[1], found[2]), "name"), found[3])


def _checked(location: Location, field: str) -> Location:
    # These are Vertex's words when a region's endpoint is asked for another location.
    if location.region not in REGIONS:
        problem = (
            f"The provided location ID doesn't match the endpoint. There is no region {location.region!r}."
        )
        raise invalid_argument([(field, problem)])
    return location
