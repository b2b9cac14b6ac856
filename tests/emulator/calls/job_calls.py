"""Calls of the job service but create: lists and their filters, get, cancel, delete."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tests.emulator.calls.world import UNDOCUMENTED, Call, Refused, proto

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.calls.world import World

__all__ = ["CALLS"]

FILTER = proto("ListCustomJobsRequest.filter")
AIP_160 = "https://google.aip.dev/160"
AIP_158 = "https://google.aip.dev/158"
AIP_161 = "https://google.aip.dev/161"
A, B, OTHER = "train_a", "train_b", "other"
ALL = [OTHER, A, B]

FILTERS: list[tuple[str, Any, str]] = [
    ("", ALL, FILTER),
    ('display_name="train_a"', [A], FILTER),
    ("display_name=train_a", [A], AIP_160),
    ('display_name!="train_a"', [OTHER, B], FILTER),
    ('display_name:"train_*"', [A, B], FILTER),
    ('display_name:"*b"', [B], FILTER),
    ("display_name:*", ALL, FILTER),
    ('display_name:"rain"', [A, B], UNDOCUMENTED),
    ('display_name="train_*"', [], UNDOCUMENTED),
    ('NOT display_name="train_a"', [OTHER, B], FILTER),
    ('-display_name="train_a"', [OTHER, B], AIP_160),
    ('state="JOB_STATE_SUCCEEDED"', [A], FILTER),
    ('state!="JOB_STATE_FAILED"', [OTHER, A], FILTER),
    ('state="JOB_STATE_SUCCEEDED" AND display_name:"train_*"', [A], FILTER),
    ('state!="JOB_STATE_FAILED" OR display_name="train_b"', ALL, FILTER),
    ('state="JOB_STATE_RUNNING" OR state="JOB_STATE_PENDING"', [OTHER], FILTER),
    ('state=("JOB_STATE_RUNNING" OR "JOB_STATE_FAILED")', [OTHER, B], UNDOCUMENTED),
    ('create_time>"2021-05-18T00:00:00Z"', ALL, FILTER),
    ('create_time>="2021-05-18T00:00:00+02:00"', ALL, AIP_160),
    ('create_time<"2021-05-18T00:00:00Z"', [], FILTER),
    ('create_time<="2021-05-18T00:00:00Z"', [], FILTER),
    ('create_time!="2021-05-18T00:00:00Z"', ALL, FILTER),
    ("labels.team=vision", [A], FILTER),
    ('labels.team="vision"', [A], FILTER),
    ("labels.team:*", [A, B], FILTER),
    ("labels.none:*", [A], AIP_160),
    ('labels.none=""', [A], AIP_160),
    ("labels:team", [A, B], AIP_160),
    ("labels:none", [A], AIP_160),
    ("labels.team:vision", [A], AIP_160),
    ('labels.team:"vision"', [A], AIP_160),
    ('labels.team="vision*"', [A, B], AIP_160),
    ('labels.team!="vision"', [OTHER, B], AIP_160),
    ("NOT labels.team:*", [OTHER], AIP_160),
    ('labels.team="Vision"', [], UNDOCUMENTED),
    ('state="JOB_STATE_RUNNING" OR labels:team AND display_name="train_a"', [A], AIP_160),
    ('(state="JOB_STATE_RUNNING" OR labels:team) display_name="other"', [OTHER], AIP_160),
    ('create_time>"yesterday"', Refused("RFC 3339"), FILTER),
    ('state="RUNNING"', Refused("must be a JobState"), AIP_160),
    ('state="job_state_running"', Refused("must be a JobState"), AIP_160),
    ('state>"JOB_STATE_RUNNING"', Refused("state: supports = !="), FILTER),
    ('display_name>"a"', Refused("display_name: supports = != :"), FILTER),
    ('colour="red"', Refused("unknown field 'colour'"), AIP_160),
    ('end_time>"2021-05-18T00:00:00Z"', Refused("unknown field 'end_time'"), FILTER),
    ('labels="a"', Refused("labels: supports :"), UNDOCUMENTED),
    ("train_a", Refused("expected a comparison"), UNDOCUMENTED),
    ('(display_name="a"', Refused("expected a closing parenthesis"), AIP_160),
    ('display_name="a" AND', Refused("expected a field"), AIP_160),
    ("display_name=", Refused("expected a value"), AIP_160),
]


def _pages(world: World, size: int) -> list[int]:
    request = {"parent": world.parent(), "page_size": size}
    return [len(page.custom_jobs) for page in world.jobs.list_custom_jobs(request=request).pages]


def _other_filter(world: World) -> list[str]:
    first = world.jobs.list_custom_jobs(request={"parent": world.parent(), "page_size": 1})
    return world.listed("labels:team", page_token=next(first.pages).next_page_token)


def _masked(world: World, *paths: str) -> list[str]:
    """Which top-level fields a list with a mask shows."""
    request = {"parent": world.parent(), "filter": 'display_name="train_a"', "read_mask": {"paths": paths}}
    (job,) = world.jobs.list_custom_jobs(request=request)
    return sorted(descriptor.name for descriptor, _ in type(job).pb(job).ListFields())


def _fresh(world: World) -> str:
    return world.create("sleep", "600", project=world.empty)


def _cancelled(world: World, times: int) -> str:
    """Cancel a running job that takes its time to end."""
    name = world.create("sh", "-c", "trap '' TERM; echo ready; sleep 600", project=world.empty)
    world.emulator.control.wait_line(name, "ready")
    for _ in range(times):
        world.jobs.cancel_custom_job(name=name)
    world.emulator.control.wait_job(name)
    job = world.jobs.get_custom_job(name=name)
    return f"{job.state.name} {job.error.code}"


def _deleted(world: World) -> bool:
    name = _fresh(world)
    world.jobs.cancel_custom_job(name=name)
    world.emulator.control.wait_job(name)
    return bool(world.jobs.delete_custom_job(name=name).done())


def _get(world: World, field: str) -> Any:
    return getattr(world.jobs.get_custom_job(name=world.names[A]), field)


def _ended(world: World, method: str) -> Any:
    return getattr(world.jobs, method)(name=world.names[A])


def _unknown(world: World, method: str) -> Any:
    return getattr(world.jobs, method)(name=f"{world.parent()}/customJobs/1")


def _output_only(world: World) -> bool:
    name = world.create("true", project=world.empty, state="JOB_STATE_FAILED", error={"code": 3})
    return bool(world.jobs.get_custom_job(name=name).error.code == 0)


STATE = proto("CustomJob.state")
MASK = proto("ListCustomJobsRequest.read_mask")
CANCEL = proto("JobService.CancelCustomJob")
NAME = proto("GetCustomJobRequest.name")
DELETE = proto("JobService.DeleteCustomJob")
GONE = Refused("does not exist", "NOT_FOUND")

OTHERS = [
    Call("list: an empty location", lambda w: list(w.jobs.list_custom_jobs(parent=w.parent("none"))), []),
    Call("list: pages of 2", partial(_pages, size=2), [2, 1], AIP_158),
    Call("list: a page size of 0 is the default", partial(_pages, size=0), [3], AIP_158),
    Call("list: a page size over the cap is cut", partial(_pages, size=100_000), [3], AIP_158),
    Call("list: a negative page size", partial(_pages, size=-1), Refused("page_size"), AIP_158),
    Call("list: a made-up page token", lambda w: w.listed(page_token="x"), Refused("page_token"), AIP_158),
    Call("list: a page token of another filter", _other_filter, Refused("page_token"), AIP_158),
    Call("list: a mask of a field", lambda w: _masked(w, "create_time"), ["create_time"], MASK),
    Call("list: a mask of two", lambda w: _masked(w, "name", "labels"), ["labels", "name"], MASK),
    Call(
        "list: a mask of a nested field",
        lambda w: _masked(w, "job_spec.worker_pool_specs"),
        ["job_spec"],
        AIP_161,
    ),
    Call("list: a mask of *", lambda w: "job_spec" in _masked(w, "*"), True, AIP_161),
    Call("list: a mask of no field", lambda w: _masked(w, "colour"), Refused("Unknown field"), AIP_161),
    Call("list: no parent", lambda w: w.jobs.list_custom_jobs(parent=""), Refused("parent"), FILTER),
    Call(
        "list: no such region",
        lambda w: w.jobs.list_custom_jobs(parent="projects/p/locations/moon"),
        Refused("doesn't match the endpoint"),
    ),
    Call(
        "get: the end time is set at the end",
        lambda w: _get(w, "end_time") is not None,
        True,
        proto("CustomJob.end_time"),
    ),
    Call("get: the state", lambda w: _get(w, "state").name, "JOB_STATE_SUCCEEDED", STATE),
    Call(
        "get: no error of a job that succeeded", lambda w: _get(w, "error").code, 0, proto("CustomJob.error")
    ),
    Call("get: no such job", lambda w: _unknown(w, "get_custom_job"), GONE),
    Call(
        "get: no job's name",
        lambda w: w.jobs.get_custom_job(name="projects/p/customJobs/1"),
        Refused("customJobs/JOB"),
        NAME,
    ),
    Call("create: output only fields of a request don't count", _output_only, True, proto("CustomJob.error")),
    Call("cancel: a running job", lambda w: _cancelled(w, 1), "JOB_STATE_CANCELLED 1", CANCEL),
    Call("cancel: twice", lambda w: _cancelled(w, 2), "JOB_STATE_CANCELLED 1"),
    Call(
        "cancel: a job that has ended",
        lambda w: _ended(w, "cancel_custom_job"),
        Refused("can't be canceled", "FAILED_PRECONDITION"),
    ),
    Call("cancel: no such job", lambda w: _unknown(w, "cancel_custom_job"), GONE),
    Call("delete: a job that has ended", _deleted, True, DELETE),
    Call(
        "delete: a running job",
        lambda w: w.jobs.delete_custom_job(name=w.names[OTHER]),
        Refused("can't be deleted", "FAILED_PRECONDITION"),
    ),
    Call("delete: no such job", lambda w: _unknown(w, "delete_custom_job"), GONE),
]


def _listing(text: str) -> Callable[[World], list[str]]:
    return lambda world: world.listed(text)


CALLS = [
    *(
        Call(f"list: {text or 'no filter'}", _listing(text), expected, source)
        for text, expected, source in FILTERS
    ),
    *OTHERS,
]
