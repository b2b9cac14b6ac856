"""`google.cloud.aiplatform.v1.JobService`, as far as it is about custom jobs."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import grpc
from google.protobuf import empty_pb2, field_mask_pb2

from airflow_vertex_training.emulator.api import filters, quotas
from airflow_vertex_training.emulator.api.errors import ApiError, invalid_argument
from airflow_vertex_training.emulator.api.gate import Call, Gate, Method
from airflow_vertex_training.emulator.api.job_filters import job_test
from airflow_vertex_training.emulator.api.messages import (
    CancelCustomJobRequest,
    CreateCustomJobRequest,
    CustomJob,
    DeleteCustomJobRequest,
    GetCustomJobRequest,
    ListCustomJobsRequest,
    ListCustomJobsResponse,
    Message,
)
from airflow_vertex_training.emulator.api.names import (
    JobName,
    Location,
    Projects,
    parse_job_name,
    parse_parent,
)
from airflow_vertex_training.emulator.api.paging import page_token, parse_page_token
from airflow_vertex_training.emulator.control.faults import Target
from airflow_vertex_training.emulator.jobs.store import FINAL_STATES, Job, JobStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_vertex_training.emulator.api.operations import OperationStore
    from airflow_vertex_training.emulator.control.faults import FaultBook
    from airflow_vertex_training.emulator.jobs.lifecycle import Lifecycle

__all__ = ["JobServicer"]

_MAX_PAGE_SIZE = 100
"""Google doesn't say what Vertex's is; clients are to follow the token."""


class JobServicer:
    """Answers the five custom job methods.

    Args:
        gate: What every request passes.
        store: The jobs.
        lifecycle: Makes jobs, cancels and removes them.
        operations: Keeps what a delete returns.
        check: Refuses a wrong `CustomJob` for a region, with an `ApiError`.
        projects: Ids and numbers of projects.
        faults: Says when a list is stale.
    """

    def __init__(
        self,
        gate: Gate,
        store: JobStore,
        lifecycle: Lifecycle,
        operations: OperationStore,
        check: Callable[[Message, str], None],
        projects: Projects,
        faults: FaultBook,
    ) -> None:
        self._gate = gate
        self._store = store
        self._lifecycle = lifecycle
        self._operations = operations
        self._check = check
        self._projects = projects
        self._faults = faults

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {
            "CreateCustomJob": Method(CreateCustomJobRequest, self.CreateCustomJob),
            "GetCustomJob": Method(GetCustomJobRequest, self.GetCustomJob),
            "ListCustomJobs": Method(ListCustomJobsRequest, self.ListCustomJobs),
            "CancelCustomJob": Method(CancelCustomJobRequest, self.CancelCustomJob),
            "DeleteCustomJob": Method(DeleteCustomJobRequest, self.DeleteCustomJob),
        }

    async def CreateCustomJob(self, request: Message, peer: str) -> Message:
        """Make a job."""

        def resolve() -> Target:
            location = self._projects.canonical(parse_parent(request.parent))
            return _target("CreateCustomJob", location, request.custom_job)

        def create(target: Target) -> Message:
            self._check(request.custom_job, target.region)
            (job,) = self._lifecycle.create(Location(target.project, target.region), [request.custom_job])
            return job.message

        call = Call("aiplatform.customJobs.create", quotas.SUBMISSIONS, resolve, create)
        return await self._gate.serve(call, peer)

    async def ListCustomJobs(self, request: Message, peer: str) -> Message:
        """List a location's jobs, newest first."""

        def resolve() -> Target:
            return _target("ListCustomJobs", self._projects.canonical(parse_parent(request.parent)))

        def list_jobs(target: Target) -> Message:
            return self._list(request, target)

        call = Call("aiplatform.customJobs.list", quotas.RESOURCE_REQUESTS, resolve, list_jobs)
        return await self._gate.serve(call, peer)

    async def GetCustomJob(self, request: Message, peer: str) -> Message:
        """Return a job."""

        def get(job: Job) -> Message:
            return job.message

        return await self._serve_job("GetCustomJob", "aiplatform.customJobs.get", request.name, get, peer)

    async def CancelCustomJob(self, request: Message, peer: str) -> Message:
        """Start cancelling a job."""

        def cancel(job: Job) -> Message:
            self._lifecycle.cancel(job)
            return empty_pb2.Empty()

        permission = "aiplatform.customJobs.cancel"
        return await self._serve_job("CancelCustomJob", permission, request.name, cancel, peer)

    async def DeleteCustomJob(self, request: Message, peer: str) -> Message:
        """Delete a job that has ended; the operation that it returns is done at once."""

        def delete(job: Job) -> Message:
            if not job.final:
                raise ApiError(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"The CustomJob {job.message.name!r} can't be deleted: it is in state {job.state_name}. "
                    "Cancel it first.",
                )
            self._lifecycle.remove(job)
            return self._operations.deleted(job.name)

        permission = "aiplatform.customJobs.delete"
        return await self._serve_job("DeleteCustomJob", permission, request.name, delete, peer)

    async def _serve_job(
        self, method: str, permission: str, text: str, work: Callable[[Job], Message], peer: str
    ) -> Message:
        """Serve a request about one job."""

        def find() -> Job | None:
            name = parse_job_name(text)
            return self._store.get(JobName(self._projects.canonical(name.location), name.job_id))

        def resolve() -> Target:
            job = find()
            location = self._projects.canonical(parse_job_name(text).location)
            return _target(method, location, job.message if job else None)

        def find_and_work(_: Target) -> Message:
            job = find()
            if job is None:
                raise ApiError(grpc.StatusCode.NOT_FOUND, f"The CustomJob does not exist: {text}")
            return work(job)

        call = Call(permission, quotas.RESOURCE_REQUESTS, resolve, find_and_work)
        return await self._gate.serve(call, peer)

    def _list(self, request: Message, target: Target) -> Message:
        if request.page_size < 0:
            raise invalid_argument([("page_size", f"Must be 0 or more, got {request.page_size}.")])
        size = min(request.page_size or _MAX_PAGE_SIZE, _MAX_PAGE_SIZE)
        question = f"{request.parent} {request.filter}"
        before = parse_page_token(request.page_token, question)
        shown = _masked(request.read_mask)
        found = self._matching(request.filter, target)
        if before is not None:
            found = itertools.dropwhile(lambda pair: pair[0] >= before, found)
        page = list(itertools.islice(found, size + 1))
        response = ListCustomJobsResponse(custom_jobs=[shown(message) for _, message in page[:size]])
        if len(page) > size:
            response.next_page_token = page_token(page[size - 1][0], question)
        return response

    def _matching(self, text: str, target: Target) -> Iterator[tuple[int, Message]]:
        """Go through the jobs that a filter lets through, with their sequence numbers."""
        try:
            parsed = filters.parse(text)
            matches = parsed.compile(job_test)
        except filters.FilterError as error:
            raise invalid_argument([("filter", f"Invalid filter: {error}.")]) from error
        location = Location(target.project, target.region)
        view = self._faults.take("view", target)
        if view is not None:
            then = time.time_ns() - int(view.fault.seconds * 1e9)
            stale = view.fault.kind == "stale"
            jobs = self._store.newest_first(location)
            seen = ((job, job.as_of(then)) for job in jobs)
            past = ((job.sequence, old if stale else job.message) for job, old in seen if old is not None)
            return ((sequence, message) for sequence, message in past if matches(message))
        final_wanted = any(parsed.could_match({("state",): state.name}) for state in FINAL_STATES)
        jobs = self._store.newest_first(location, active_only=not final_wanted)
        return ((job.sequence, job.message) for job in jobs if matches(job.message))


def _target(method: str, location: Location, job: Message | None = None) -> Target:
    if job is None:
        return Target(location.project, location.region, method)
    return Target(location.project, location.region, method, job.display_name, dict(job.labels))


def _masked(mask: Message) -> Callable[[Message], Message]:
    """Return a function that shows of a job what a read mask names; all for an empty mask or `*`."""
    if not mask.paths or list(mask.paths) == ["*"]:
        return lambda message: message
    for path in mask.paths:
        if not field_mask_pb2.FieldMask(paths=[path]).IsValidForDescriptor(CustomJob.DESCRIPTOR):
            raise invalid_argument([("read_mask", f"Unknown field {path!r} of CustomJob.")])

    def show(message: Message) -> Message:
        shown = CustomJob()
        mask.MergeMessage(message, shown)
        return shown

    return show
