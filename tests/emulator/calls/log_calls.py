"""Calls of `ListLogEntries`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.emulator.calls.world import UNDOCUMENTED, Call, Refused, proto

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.calls.world import World

__all__ = ["CALLS"]

PAGE = "https://cloud.google.com/logging/docs/view/logging-query-language"
BOOLEAN = f"{PAGE}#boolean-operators"
COMPARISONS = f"{PAGE}#comparisons"
OPERATORS = f"{PAGE}#comparison-operators"
MISSING = f"{PAGE}#missing-fields"
VALUES = f"{PAGE}#values_conversions"
TIME = f"{PAGE}#searching-by-time"
GLOBAL = f"{PAGE}#global-restrictions"
FUNCTIONS = f"{PAGE}#functions"
PATHS = f"{PAGE}#field_path_identifiers"
ARRAYS = f"{PAGE}#object_array_types"
COMMENTS = f"{PAGE}#comments"
PATTERNS = f"{PAGE}#regular-expressions"
CLIENT = "google-cloud-logging adds it to every filter: google/cloud/logging_v2/_helpers.py"

HELLO, DISK, LOSS, SERVICE = "Hello World", "low disk", "loss", "service"
LINES = [HELLO, LOSS, DISK]
ALL = [*LINES, SERVICE]

QUERIES: list[tuple[str, Any, str]] = [
    ("", ALL, proto("ListLogEntriesRequest.filter")),
    ('resource.type="ml_job"', ALL, PATHS),
    ('resource.labels.job_id="{job}"', ALL, PATHS),
    ('resource.labels.task_name="workerpool0-0"', LINES, PATHS),
    ('resource.type="gce_instance"', [], PATHS),
    ('timestamp>="{yesterday}"', ALL, CLIENT),
    ('timestamp>="2014-10-02T15:01:23.045Z"', ALL, VALUES),
    ('timestamp>="2014-10-02T15:01:23+02:00"', ALL, VALUES),
    ('timestamp > "2016-11-29"', ALL, TIME),
    ('timestamp < "{tomorrow}"', ALL, TIME),
    ('timestamp <= "2016-11-29T23:30:00Z"', [], TIME),
    ('receiveTimestamp>="2016-11-29"', ALL, PATHS),
    ('timestamp>="yesterday"', Refused("ISO 8601"), UNDOCUMENTED),
    ("timestamp>=2016-11-29T23:00:00Z", Refused("got ':00:00Z'"), VALUES),
    ("severity>=WARNING", [LOSS, DISK], OPERATORS),
    ("severity>=warning", [LOSS, DISK], VALUES),
    ('severity="Error"', [DISK], VALUES),
    ("severity!=ERROR", [HELLO, LOSS, SERVICE], OPERATORS),
    ("severity=loud", Refused("must be one of"), UNDOCUMENTED),
    ('logName="projects/{project}/logs/workerpool0-0"', LINES, proto("LogEntry.log_name")),
    ("logName:workerpool0", LINES, OPERATORS),
    ('logName="projects/another/logs/workerpool0-0"', [], proto("ListLogEntriesRequest.filter")),
    ('log_id("workerpool0-0")', LINES, FUNCTIONS),
    ('NOT log_id("workerpool0-0")', [SERVICE], FUNCTIONS),
    ("log_name:workerpool0", LINES, UNDOCUMENTED),
    ("hello", [HELLO], GLOBAL),
    ('"HELLO WORLD"', [HELLO], GLOBAL),
    ("low disk", [DISK], f"{PAGE}#searching-examples"),
    ('(hello OR "low")', [HELLO, DISK], GLOBAL),
    ("dotted", [LOSS], GLOBAL),
    ("jsonPayload.message=hello", [], OPERATORS),
    ('jsonPayload.message="hello world"', [HELLO], OPERATORS),
    ("jsonPayload.message:WORLD", [HELLO], OPERATORS),
    ('jsonPayload.message!="hello world"', [LOSS, DISK], OPERATORS),
    ("jsonPayload.message:(low disk)", [DISK], f"{PAGE}#searching-examples"),
    ('jsonPayload.message=("loss" OR "low disk")', [LOSS, DISK], COMPARISONS),
    ('jsonPayload.message:("low" AND "disk")', [DISK], COMPARISONS),
    ("jsonPayload.message:*", LINES, MISSING),
    ("jsonPayload.loss<0.5", [LOSS], VALUES),
    ('jsonPayload.loss="2.5e-1"', [LOSS], VALUES),
    ("jsonPayload.loss>much", [], VALUES),
    ("jsonPayload.epoch=3", [LOSS], VALUES),
    ("jsonPayload.done=True", [LOSS], VALUES),
    ("jsonPayload.net.layer.units>=64", [LOSS], PATHS),
    ("jsonPayload.sizes<7", [LOSS], ARRAYS),
    ("jsonPayload.sizes<6", [], ARRAYS),
    ("jsonPayload.tags=cheap", [LOSS], ARRAYS),
    ('jsonPayload."a.b"=dotted', [LOSS], PATHS),
    ("jsonPayload.Case=x", [LOSS], PATHS),
    ("jsonPayload.case=x", [], PATHS),
    ("jsonPayload.nothing=NULL_VALUE", [LOSS], COMPARISONS),
    ("NOT jsonPayload.nothing=NULL_VALUE", [HELLO, DISK, SERVICE], COMPARISONS),
    ("jsonPayload:dotted", [LOSS], UNDOCUMENTED),
    ("jsonPayload.nearest_store=foo", [], MISSING),
    ("jsonPayload.nearest_store!=foo", [], MISSING),
    ("NOT jsonPayload.nearest_store=foo", ALL, MISSING),
    ("labels.nobody!=foo", [], MISSING),
    ('labels."ml.googleapis.com/task_name"=service', [SERVICE], PATHS),
    ("trace!=foo", ALL, MISSING),
    ("operation.id:*", [], MISSING),
    ("thud=1", Refused("unknown field 'thud'"), MISSING),
    ("operation.thud=1", Refused("unknown field 'operation.thud'"), MISSING),
    ("textPayload.thud=1", Refused("unknown field 'textPayload.thud'"), MISSING),
    ("textPayload:job", [SERVICE], OPERATORS),
    ('NOT textPayload:"job"', LINES, f"{PAGE}#searching-examples"),
    ('jsonPayload.message =~ "^H.*d$"', [HELLO], PATTERNS),
    ('jsonPayload.message =~ "^h"', [], PATTERNS),
    ('jsonPayload.message =~ "(?i)^h"', [HELLO], PATTERNS),
    ('jsonPayload.message !~ "o"', [], PATTERNS),
    ('jsonPayload.message !~ "World"', [LOSS, DISK], PATTERNS),
    ('jsonPayload.message =~ ("^H" OR "^low")', [HELLO, DISK], PATTERNS),
    ('jsonPayload.epoch =~ "3"', [], PATTERNS),
    ('jsonPayload.message =~ "(?=H)"', Refused("RE2 has no lookaround"), PATTERNS),
    ('jsonPayload.message =~ "("', Refused("is no regular expression"), PATTERNS),
    ('severity="ERROR" OR NOT severity="ERROR" AND NOT "low" OR "loss"', [HELLO, LOSS, SERVICE], BOOLEAN),
    ('severity="ERROR" OR jsonPayload.message:"o" AND "low"', [DISK], BOOLEAN),
    ("jsonPayload.message:o -severity=ERROR", [HELLO, LOSS], BOOLEAN),
    ("hello or low", [], BOOLEAN),
    ("severity>=WARNING\njsonPayload.message:o", [LOSS, DISK], COMPARISONS),
    ("-- all of it\nseverity=ERROR -- or not\n-- jsonPayload.message=loss", [DISK], COMMENTS),
    ('SEARCH("hello")', [HELLO], FUNCTIONS),
    ('SEARCH("hel")', [], FUNCTIONS),
    ('SEARCH("World hello")', [HELLO], FUNCTIONS),
    ('SEARCH("`world hello`")', [], FUNCTIONS),
    ('SEARCH(jsonPayload.message, "disk")', [DISK], FUNCTIONS),
    ("sample(insertId, 1)", ALL, FUNCTIONS),
    ("sample(jsonPayload.nearest_store, 1)", [], FUNCTIONS),
    ("sample(insertId, 2)", Refused("at most 1"), FUNCTIONS),
    ('ip_in_net(jsonPayload.ip, "10.1.2.0/24")', Refused("the emulator doesn't have"), UNDOCUMENTED),
    ("insertId = abc:def", Refused("got ':def'"), f"{PAGE}#troubleshooting"),
    ('(severity="ERROR"', Refused("expected a closing parenthesis"), BOOLEAN),
    (" " * 20_001, Refused("at most 20000 characters"), proto("ListLogEntriesRequest.filter")),
]  # fmt: skip


def _query(text: str) -> Callable[[World], list[str]]:
    return lambda world: world.lines(text)


def _request(world: World, **fields: Any) -> list[str]:
    return world.lines("severity>=DEFAULT", **fields)


def _pages(world: World, order: str) -> list[str]:
    job = world.names["train_a"].rpartition("/")[2]
    request = {
        "resource_names": [f"projects/{world.project}"],
        "filter": f'log_id("workerpool0-0") resource.labels.job_id="{job}"',
        "order_by": order,
        "page_size": 1,
    }
    pages = world.logs.list_log_entries(request=request).pages
    return [str(entry.json_payload["message"]) for page in pages for entry in page.entries]


def _rise(world: World, order: str) -> bool:
    """Say whether the entries come in the order in which they were written."""
    request = {"resource_names": [f"projects/{world.project}"], "order_by": order}
    ids = [str(entry.insert_id) for entry in world.logs.list_log_entries(request=request)]
    return ids == sorted(ids)


ORDER = proto("ListLogEntriesRequest.order_by")
SIZE = proto("ListLogEntriesRequest.page_size")
NAMES = proto("ListLogEntriesRequest.resource_names")
VIEW = "projects/{}/locations/global/buckets/_Default/views/_AllLogs"

REQUESTS = [
    Call("logs: oldest first by default", lambda w: _rise(w, ""), True, ORDER),
    Call("logs: timestamp asc", lambda w: _rise(w, "timestamp asc"), True, ORDER),
    Call("logs: timestamp desc", lambda w: _rise(w, "timestamp desc"), False, ORDER),
    Call(
        "logs: pages of one, newest first",
        lambda w: _pages(w, "timestamp desc") == _pages(w, "")[::-1],
        True,
        ORDER,
    ),
    Call("logs: another order", lambda w: _request(w, order_by="severity"), Refused("order_by"), ORDER),
    Call(
        "logs: order without a direction",
        lambda w: _request(w, order_by="timestamp"),
        Refused("order_by"),
        ORDER,
    ),
    Call("logs: page size of 1000", lambda w: _request(w, page_size=1000), ALL, SIZE),
    Call("logs: page size over 1000", lambda w: _request(w, page_size=1001), Refused("page_size"), SIZE),
    Call("logs: negative page size", lambda w: _request(w, page_size=-1), Refused("page_size"), SIZE),
    Call("logs: no resource", lambda w: _request(w, resource_names=[]), Refused("resource_names"), NAMES),
    Call(
        "logs: two projects",
        lambda w: _request(w, resource_names=[f"projects/{w.empty}", f"projects/{w.project}"]),
        ALL,
        NAMES,
    ),
    Call("logs: a view", lambda w: _request(w, resource_names=[VIEW.format(w.project)]), ALL, NAMES),
    Call(
        "logs: more than 100 resources",
        lambda w: _request(w, resource_names=[f"projects/p{n}" for n in range(101)]),
        Refused("1 to 100"),
        NAMES,
    ),
    Call(
        "logs: a folder",
        lambda w: _request(w, resource_names=["folders/1"]),
        Refused("the emulator has no other"),
    ),
]

CALLS = [
    *(
        Call(f"logs: {text.strip() or f'query of {len(text)} spaces'}", _query(text), found, source)
        for text, found, source in QUERIES
    ),
    *REQUESTS,
]
