from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
from urllib.parse import quote

import grpc
import httpx
import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1
from google.cloud.aiplatform_v1.services.job_service.transports import rest_base
from google.cloud.location import locations_pb2
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.emulator.api.routes import ROUTES
from airflow_vertex_training.emulator.control.process import launch

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="session")
def http(emulator):
    """A plain HTTP client of the session's emulator."""
    with httpx.Client(base_url=emulator.http_address) as client:
        yield client


@pytest.fixture
def jobs_path(parent):
    """Where the jobs of the test's location are."""
    return f"/v1/{parent}/customJobs"


@pytest.fixture
def body(make_job):
    """A valid job, as JSON, that runs a command."""

    def make(*command, **fields):
        return json_format.MessageToDict(aiplatform_v1.CustomJob.pb(make_job(*command, **fields)))

    return make


@pytest.mark.parametrize("route", [route for route in ROUTES if "/v1/" in route.template])
def test_paths_are_those_of_googles_client(route):
    """Every path of Vertex AI's, its verb and its body are what the client library was generated with."""
    base = getattr(rest_base._BaseJobServiceRestTransport, f"_Base{route.method}")
    known = {(way["method"], way["uri"], way.get("body", "")) for way in base._get_http_options()}
    assert (route.verb.lower(), route.template, route.body) in known


def test_a_jobs_life_over_http(http, emulator, jobs_path, body):
    """Create, get, list with filter, mask and pages, cancel, delete and its operation: in Google's JSON."""
    made = http.post(jobs_path, json=body("sleep", "600", labels={"team": "vision"})).json()
    assert made["state"] == "JOB_STATE_QUEUED"
    assert made["jobSpec"]["workerPoolSpecs"][0]["replicaCount"] == "1", "64 bits are text in JSON"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", made["createTime"])
    http.post(jobs_path, json=body("true"))
    name = made["name"]
    assert http.get(f"/v1/{name}").json()["labels"] == {"team": "vision"}
    asked = {"filter": 'labels.team="vision"', "readMask": "name,displayName", "pageSize": "1"}
    listed = http.get(jobs_path, params=asked).json()
    assert listed == {"customJobs": [{"name": name, "displayName": "job"}]}
    first = http.get(jobs_path, params={"pageSize": 1}).json()
    second = http.get(jobs_path, params={"page_size": 1, "pageToken": first["nextPageToken"]}).json()
    assert [job["name"] for job in second["customJobs"]] == [name]
    assert http.post(f"/v1/{name}:cancel", json={}).json() == {}
    emulator.control.wait_job(name)
    operation = http.delete(f"/v1/{name}").json()
    assert operation["done"]
    assert operation["response"] == {"@type": "type.googleapis.com/google.protobuf.Empty"}
    assert operation["metadata"]["genericMetadata"]["createTime"]
    assert operation["metadata"]["@type"].endswith("/google.cloud.aiplatform.v1.DeleteOperationMetadata")
    assert http.get(f"/v1/{operation['name']}").json() == operation
    assert http.get(f"/v1/{name}").status_code == 404


def test_logs_over_http(http, emulator, project, jobs_path, body):
    """`entries:list` of Cloud Logging answers as over gRPC."""
    name = http.post(jobs_path, json=body("echo", "hello")).json()["name"]
    emulator.control.wait_job(name)
    wanted = (
        f'resource.labels.job_id="{name.rpartition("/")[2]}" AND resource.labels.task_name="workerpool0-0"'
    )
    asked = {"resourceNames": [f"projects/{project}"], "filter": wanted, "orderBy": "timestamp asc"}
    (entry,) = http.post("/v2/entries:list", json=asked).json()["entries"]
    assert entry["jsonPayload"]["message"] == "hello"
    assert entry["severity"] == "INFO"


def test_numbers_for_enums_on_request(http, jobs_path, body):
    """`$alt=json;enum-encoding=int`, which Google's clients ask for, gives enums as numbers."""
    name = http.post(jobs_path, json=body("true")).json()["name"]
    assert isinstance(http.get(f"/v1/{name}", params={"$alt": "json;enum-encoding=int"}).json()["state"], int)


POOLS = "job_spec.worker_pool_specs"
WRONG_VALUES = [
    ({"displayName": 5}, "display_name': expected string"),
    ({"labels": {"a": 1}}, "labels': expected string"),
    ({"labels": ["a"]}, "labels': Map field labels must be in a dict"),
    ({"jobSpec": {"scheduling": {"timeout": "1h"}}}, "job_spec.scheduling.timeout': Duration must end with"),
    ({"jobSpec": {"scheduling": {"strategy": "CHEAP"}}}, "job_spec.scheduling.strategy': Invalid enum value"),
    ({"jobSpec": {"enableWebAccess": "true"}}, "job_spec.enable_web_access': Expected true or false"),
    ({"jobSpec": {"workerPoolSpecs": [{"replicaCount": 1.5}]}}, f"{POOLS}[0].replica_count': Couldn't parse"),
    ({"jobSpec": {"workerPoolSpecs": [{"replicaCount": "x"}]}}, f"{POOLS}.replica_count': invalid literal"),
    ({"jobSpec": {"workerPoolSpecs": {}}}, f"{POOLS}': repeated field workerPoolSpecs must be in []"),
    ({"jobSpec": {"workerPoolSpecs": [{"containerSpec": {}, "pythonPackageSpec": {}}]}}, f"{POOLS}[0]': "),
]

ERRORS = [
    ("GET", "", {"params": {"foo": "1"}}, 400, "INVALID_ARGUMENT", 'Unknown name "foo": Cannot bind query'),
    ("GET", "", {"params": {"pageSize": "many"}}, 400, "INVALID_ARGUMENT", "Invalid value at 'page_size'"),
    ("GET", "/1", {}, 404, "NOT_FOUND", "The CustomJob does not exist"),
    (
        "POST",
        "",
        {"content": "{", "headers": JSON},
        400,
        "INVALID_ARGUMENT",
        "Invalid JSON payload received.",
    ),
    ("POST", "", {"json": []}, 400, "INVALID_ARGUMENT", "Root element must be a message."),
    (
        *("POST", "", {"json": {"jobSpec": {"workerPoolSpecs": [{"machine": 1}]}}}, 400, "INVALID_ARGUMENT"),
        "Unknown name \"machine\" at 'custom_job.job_spec.worker_pool_specs[0]': Cannot find field.",
    ),
    *(
        ("POST", "", {"json": json_}, 400, "INVALID_ARGUMENT", f"Invalid value at 'custom_job.{text}")
        for json_, text in WRONG_VALUES
    ),
    ("POST", "", {"json": {}}, 400, "INVALID_ARGUMENT", "List of found errors:"),
    ("PUT", "", {}, 501, "UNIMPLEMENTED", "The Vertex AI emulator lacks PUT /v1/projects/"),
]


@pytest.mark.parametrize(("verb", "path", "request_", "status", "code", "text"), ERRORS)
def test_errors_in_googles_shape(http, jobs_path, verb, path, request_, status, code, text):
    """Every error is an object of Google's: HTTP status, name of the code, and a message."""
    answer = http.request(verb, jobs_path + path, **request_)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (status, status, code)
    assert text in error["message"]
    if named := re.search(r" at '(.*?)'", error["message"]):
        (violation,) = error["details"][0]["fieldViolations"]
        assert violation == {"field": named[1], "description": error["message"]}


def test_error_details_are_there(http, emulator, project, jobs_path):
    """What gRPC has in its trailing metadata stands in the error, with each message's type."""
    (details,) = http.post(jobs_path, json={}).json()["error"]["details"]
    assert details["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert "display_name" in json.dumps(details["fieldViolations"])
    emulator.control.set_quotas(project, {"resource_requests": 0})
    answer = http.get(jobs_path)
    assert answer.status_code == 429
    assert answer.json()["error"]["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"


TEXTS = st.one_of(
    st.text(max_size=8), st.sampled_from(["name", "customJob", "filter", "pageSize", "readMask"])
)
PATHS = st.sampled_from(
    [
        "v1/projects/p/locations/us-central1/customJobs",
        "v1/projects/p/locations/us-central1/customJobs/1:cancel",
        "v1/projects/p/locations/us-central1",
        "v1/projects/p/locations",
        "v2/entries:list",
    ]
)
BODIES = st.one_of(
    st.binary(max_size=20),
    st.just(b"[" * 100_000),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    ).map(lambda value: json.dumps(value).encode()),
)


@given(
    verb=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.one_of(PATHS, st.text(max_size=20)),
    query=st.dictionaries(st.one_of(TEXTS, st.just("extraLocationTypes")), TEXTS, max_size=3),
    body=BODIES,
)
def test_nothing_a_client_sends_breaks_it(http, verb, path, query, body):
    """Whatever is sent is answered as the client's error or as what the emulator lacks, never as a fault."""
    url = f"/{quote(path.encode(errors='replace'))}"
    answer = http.request(verb, url, params=query, content=body, headers=JSON)
    assert answer.status_code in (200, 400, 404, 501), answer.text


REFUSED = [
    {"Origin": "http://localhost:3000"},
    {"Origin": "null"},
    {"Host": "evil.example:80"},
    {"Host": "localhost.evil.example"},
    {"Host": "10.0.0.1"},
    {"Host": "[::"},
    {"Host": ""},
]


@pytest.mark.parametrize("headers", REFUSED, ids=str)
@pytest.mark.parametrize("path", ["/", "/v1/projects/p/locations"])
def test_websites_are_refused(http, headers, path):
    """No request that a website can make is answered, be it for the API or the page."""
    answer = http.get(path, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"]["status"] == "PERMISSION_DENIED"
    assert "runs the commands that it is sent" in answer.json()["error"]["message"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "127.9.9.9", "[::1]:80"])
def test_names_of_this_machine_are_taken(http, host):
    """Each loopback name may stand in `Host`."""
    assert http.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_says_that_it_is_json(http, emulator, project, jobs_path, body, kind):
    """What a form or a script can send without asking first makes no job."""
    answer = http.post(jobs_path, content=json.dumps(body("true")), headers={"Content-Type": kind})
    assert answer.status_code == 400
    assert "'Content-Type: application/json'" in answer.json()["error"]["message"]
    assert emulator.control.jobs(project) == []


def test_faults_strike_http_too(http, emulator, project, jobs_path, body):
    """Faults, counters and quotas know one way in: a job whose answer is lost is there nevertheless."""
    emulator.control.add_fault(project, "error", method="CreateCustomJob", when="after_commit")
    assert http.post(jobs_path, json=body("true")).status_code == 503
    assert len(http.get(jobs_path).json()["customJobs"]) == 1
    requests = emulator.control.requests(project)
    assert requests == {"CreateCustomJob": {"UNAVAILABLE": 1}, "ListCustomJobs": {"OK": 1}}
    assert emulator.control.connections(project) == 1


def test_a_client_that_gives_up_ends_its_request(http, emulator, project, jobs_path):
    """A request that hangs is over when its client closes the connection."""
    fault = emulator.control.add_fault(project, "hang", method="ListCustomJobs", times=2)
    for _ in range(2):
        with pytest.raises(httpx.ReadTimeout):
            http.get(jobs_path, timeout=0.3)
    emulator.control.wait_fault(fault, 2)
    assert http.get(jobs_path).json() == {}
    assert emulator.control.requests(project)["ListCustomJobs"] == {"CANCELLED": 2, "OK": 1}


def test_cut_connections_cut_http(tmp_path):
    """A pause closes open HTTP connections, answers nobody, and ends at the same address."""
    with launch("--storage", str(tmp_path)) as running, httpx.Client(base_url=running.http_address) as client:
        running.control.add_fault("p", "hang")
        hung = threading.Thread(target=_get_and_fail, args=(client,))
        hung.start()
        running.control.wait_fault("fault-1")
        running.control.pause_serving()
        hung.join(10)
        assert not hung.is_alive()
        with pytest.raises(httpx.ConnectError):
            client.get("/")
        running.control.resume_serving()
        assert client.get("/").status_code == 200


def _get_and_fail(client: httpx.Client) -> None:
    with contextlib.suppress(httpx.TransportError):
        client.get("/v1/projects/p/locations/us-central1", timeout=30)


def test_a_taken_http_port_is_said(emulator):
    """An emulator whose next port is taken does not start, and names that port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"127.0.0.1:{port}, for HTTP, can't be bound"):
            launch("--port", str(port - 1))


def test_googles_rest_transport(emulator, make_job, parent):
    """`JobServiceClient` over REST works unchanged: it takes a URL with `http` as its endpoint."""
    client = aiplatform_v1.JobServiceClient(
        transport="rest",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": emulator.http_address},
    )
    name = client.create_custom_job(parent=parent, custom_job=make_job("sleep", "600")).name
    request = {"parent": parent, "filter": 'display_name="job"', "read_mask": "name,displayName"}
    assert [job.name for job in client.list_custom_jobs(request=request)] == [name]
    with pytest.raises(exceptions.BadRequest, match="Cancel it first"):
        client.delete_custom_job(name=name)
    client.cancel_custom_job(name=name)
    assert emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"
    client.delete_custom_job(name=name).result(timeout=10)
    with pytest.raises(exceptions.NotFound):
        client.get_custom_job(name=name)


def test_https_with_the_emulators_certificate(tls_emulator, tls_files):
    """With a certificate HTTP is served over TLS."""
    assert tls_emulator.http_address.startswith("https://localhost:")
    trusted = ssl.create_default_context(cafile=tls_files.ca)
    answer = httpx.get(f"{tls_emulator.http_address}/v1/projects/p/locations", verify=trusted)
    assert answer.status_code == 200


def test_the_page_shows_jobs_and_logs(http, emulator, jobs_path, body):
    """The page shows a job's states, log and error, escaped, and of its environment only the names."""
    red = "printf '\\033[31m<b>step 1</b>\\033[0m\\n'"
    made = body("sh", "-c", f"{red}; exit 3", display_name="<i>digits</i>")
    made["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"] = [{"name": "TOKEN", "value": "s3cret"}]
    name = http.post(jobs_path, json=made).json()["name"]
    emulator.control.wait_job(name)
    for path in ("/", f"/{name.partition('/locations/')[0]}"):
        assert f'<a href="/{name}">&lt;i&gt;digits&lt;/i&gt;</a>' in http.get(path).text
    answer = http.get(f"/{name}")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for text in (
        "RUNNING",
        "FAILED",
        "&lt;b&gt;step 1&lt;/b&gt;",
        "exited with a non-zero status of 3",
        "TOKEN",
    ):
        assert text in answer.text
    assert "s3cret" not in answer.text
    assert "\x1b" not in answer.text
    missing = http.get(f"/{name}0")
    assert (missing.status_code, "There is no job" in missing.text) == (404, True)


@pytest.fixture
def channel(emulator):
    """A gRPC channel for calls that no client of Google's makes here."""
    with grpc.insecure_channel(emulator.address) as opened:
        yield opened


@pytest.mark.parametrize(
    "method",
    [
        "google.cloud.aiplatform.v1.JobService/CreateBatchPredictionJob",
        "google.cloud.aiplatform.v1beta1.JobService/GetCustomJob",
        "google.cloud.aiplatform.v1.PredictionService/StreamingPredict",
    ],
)
def test_other_methods_say_who_lacks_them(channel, method):
    """A call that the emulator doesn't know is UNIMPLEMENTED, and says that the emulator lacks it."""
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{method}")(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert f"The Vertex AI emulator lacks {method}" in str(caught.value.details())


def test_locations(client, project):
    """Locations are got and listed, page by page; one that isn't is NOT_FOUND."""
    got = client.get_location(locations_pb2.GetLocationRequest(name=f"projects/{project}/locations/us-east1"))
    assert got.location_id == "us-east1"
    with pytest.raises(exceptions.NotFound):
        client.get_location(locations_pb2.GetLocationRequest(name=f"projects/{project}/locations/moon1"))
    listed: list[str] = []
    token = ""
    while token or not listed:
        request = locations_pb2.ListLocationsRequest(
            name=f"projects/{project}", page_size=20, page_token=token
        )
        page = client.list_locations(request)
        listed += [location.location_id for location in page.locations]
        token = page.next_page_token
    assert listed == sorted(set(listed))
    assert "europe-west4" in listed


def test_operations_outlive_a_restart(connect, make_job, parent, tmp_path):
    """The operation of a delete is answered over gRPC, too, and after a restart with a state file."""
    arguments = (
        "--state",
        str(tmp_path / "state.sqlite"),
        "--queue-seconds",
        "0",
        "--provision-seconds",
        "0",
    )
    with launch(*arguments) as first:
        client = connect(first.address)
        name = client.create_custom_job(parent=parent, custom_job=make_job("true")).name
        first.control.wait_job(name)
        operation = client.delete_custom_job(name=name).operation
    with launch(*arguments) as second:
        client = connect(second.address)
        assert client.get_operation({"name": operation.name}) == operation
        with pytest.raises(exceptions.NotFound, match="The operation does not exist"):
            client.get_operation({"name": f"{operation.name}0"})
