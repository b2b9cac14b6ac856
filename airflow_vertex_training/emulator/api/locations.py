"""`google.cloud.location.Locations`: which regions there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import grpc
from google.cloud.location import locations_pb2

from airflow_vertex_training.emulator.api.errors import ApiError, invalid_argument
from airflow_vertex_training.emulator.api.gate import Call, Gate, Method
from airflow_vertex_training.emulator.api.names import REGIONS, Location, Projects
from airflow_vertex_training.emulator.api.paging import page_token, parse_page_token
from airflow_vertex_training.emulator.control.faults import Target

if TYPE_CHECKING:
    from airflow_vertex_training.emulator.api.messages import Message

__all__ = ["LocationsServicer"]

_MAX_PAGE_SIZE = 100

_PROJECT = re.compile(r"projects/([^/]+)")
_LOCATION = re.compile(r"projects/([^/]+)/locations/([^/]+)")


class LocationsServicer:
    """Answers `GetLocation` and `ListLocations`. Neither is charged to a quota.

    Args:
        gate: What every request passes.
        projects: Ids and numbers of projects.
    """

    def __init__(self, gate: Gate, projects: Projects) -> None:
        self._gate = gate
        self._projects = projects

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {
            "GetLocation": Method(locations_pb2.GetLocationRequest, self.GetLocation),
            "ListLocations": Method(locations_pb2.ListLocationsRequest, self.ListLocations),
        }

    async def GetLocation(self, request: Message, peer: str) -> Message:
        """Return a region."""

        def resolve() -> Target:
            found = _LOCATION.fullmatch(request.name)
            if found is None:
                problem = f"must be projects/PROJECT/locations/LOCATION, got {request.name!r}."
                raise invalid_argument([("name", problem)])
            location = self._projects.canonical(Location(found[1], found[2]))
            return Target(location.project, location.region, "GetLocation")

        def get(target: Target) -> Message:
            if target.region not in REGIONS:
                raise ApiError(grpc.StatusCode.NOT_FOUND, f"The location does not exist: {request.name}")
            return self._message(Location(target.project, target.region))

        return await self._gate.serve(Call("aiplatform.locations.get", None, resolve, get), peer)

    async def ListLocations(self, request: Message, peer: str) -> Message:
        """List the regions, by name."""

        def resolve() -> Target:
            found = _PROJECT.fullmatch(request.name)
            if found is None:
                raise invalid_argument([("name", f"must be projects/PROJECT, got {request.name!r}.")])
            return Target(self._projects.canonical(Location(found[1], "")).project, "", "ListLocations")

        def list_locations(target: Target) -> Message:
            if request.filter:
                raise invalid_argument([("filter", "The emulator filters no locations.")])
            size = min(request.page_size if request.page_size > 0 else _MAX_PAGE_SIZE, _MAX_PAGE_SIZE)
            begin = parse_page_token(request.page_token, request.name) or 0
            regions = sorted(REGIONS)
            shown = [self._message(Location(target.project, name)) for name in regions[begin : begin + size]]
            response = locations_pb2.ListLocationsResponse(locations=shown)
            if begin + size < len(regions):
                response.next_page_token = page_token(begin + size, request.name)
            return response

        return await self._gate.serve(Call("aiplatform.locations.list", None, resolve, list_locations), peer)

    def _message(self, location: Location) -> Message:
        name = str(self._projects.answered(location))
        return locations_pb2.Location(name=name, location_id=location.region)
