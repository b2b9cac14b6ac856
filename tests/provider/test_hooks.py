"""The hook: credentials, defaults, the test of a connection, and the calls that a hook makes."""

from __future__ import annotations

import contextlib
import http.server
import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from airflow import __version__
from airflow.providers.common.compat.sdk import AirflowNotFoundException
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import compute_engine
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import RefreshError

from airflow_vertex_training import hooks
from airflow_vertex_training.hooks import VertexTrainingHook
from airflow_vertex_training.provider_info import get_provider_info
from airflow_vertex_training.vertex.api import status
from airflow_vertex_training.vertex.exceptions import (
    CredentialsError,
    InvalidJobError,
    VertexApiError,
    VertexTrainingError,
)
from airflow_vertex_training.vertex.spec.reader import Reader
from airflow_vertex_training.vertex.submit.places import Place
from tests.vertex.conftest import a_job, a_try

if TYPE_CHECKING:
    from collections.abc import Callable

REGION = "us-central1"
NOBODY = "127.0.0.1:1"


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., VertexTrainingHook]:
    """Make connections with these fields, and return a hook for each. No emulator is in force at first."""
    monkeypatch.delenv("VERTEX_AI_EMULATOR_HOST", raising=False)

    def make(conn_type: str = "vertex_training", **extra: Any) -> VertexTrainingHook:
        monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps({"conn_type": conn_type, "extra": extra}))
        return VertexTrainingHook("mine")

    return make


@pytest.fixture(scope="session")
def keyfile() -> dict[str, str]:
    """A service account's key that no Google has ever seen."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "type": "service_account",
        "project_id": "keys-project",
        "private_key_id": "1",
        "private_key": key.private_bytes(*form).decode(),
        "client_email": "keys@keys-project.iam.gserviceaccount.com",
        "token_uri": f"http://{NOBODY}/token",
    }


# Connections


@pytest.mark.parametrize("how", ["raises", "answers an error", "refuses the message"])
def test_no_other_credentials_serve_where_airflow_does_not_answer(supervisor, monkeypatch, how):
    """Airflow takes a connection that it could not ask for, for one that is not there. That is no default."""
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time import comms

    send = supervisor.send
    no_answer = comms.ErrorResponse(error=ErrorType.API_SERVER_ERROR)

    def answer(msg: Any) -> Any:
        if not isinstance(msg, comms.GetConnection):
            return send(msg)
        if how == "answers an error":
            return no_answer
        raise AirflowRuntimeError(no_answer) if how == "refuses the message" else ConnectionError("no server")

    monkeypatch.setattr(supervisor, "send", answer)
    with pytest.raises(
        VertexTrainingError, match=r"^Airflow did not say whether there is a connection 'vert"
    ):
        VertexTrainingHook()


def test_missing_default_connection_serves(supervisor, monkeypatch, log_lines):
    """A first DAG needs no connection, and the log says what serves instead."""
    hooks._say_what_serves.cache_clear()
    monkeypatch.delenv("VERTEX_AI_EMULATOR_HOST", raising=False)

    hook = VertexTrainingHook()
    assert not log_lines
    with contextlib.suppress(VertexTrainingError):  # there are some or not, on the machine of this test
        hook.get_credentials()

    # An older Google provider then says, too, where it looks for them.
    assert log_lines[:1] == [
        "INFO There is no connection 'vertex_training_default', so application default credentials serve"
    ]


def test_missing_named_connection_is_an_error(supervisor):
    """A connection that was named has to be there."""
    with pytest.raises(AirflowNotFoundException, match="no_such_connection"):
        VertexTrainingHook("no_such_connection")


def test_plain_google_connection_serves(connect):
    """A connection of Google's own type works, with our fields among its extras."""
    hook = connect("google_cloud_platform", project="acme", is_anonymous=True, region=REGION)

    assert hook.resolve_project() == "acme"
    assert hook.resolve_region() == REGION
    assert isinstance(hook.get_credentials(), AnonymousCredentials)


def test_emulator_is_warned_of_once_a_process(connect, monkeypatch, log_lines):
    """However many hooks are made, the warning is one line, so that a triggerer's log stays readable."""
    hooks._warn_of_emulator.cache_clear()
    monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", NOBODY)

    for _ in range(3):
        VertexTrainingHook().get_credentials()

    warning = (
        f"WARNING VERTEX_AI_EMULATOR_HOST is set: jobs run on the emulator at {NOBODY}, not on Vertex AI"
    )
    assert log_lines.count(warning) == 1


def test_emulator_needs_no_credentials(connect, keyfile, monkeypatch):
    """Credentials of a connection stay at home while the emulator is in force; its project counts."""
    hook = connect(project="acme", keyfile_dict=json.dumps(keyfile))
    monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", NOBODY)

    credentials, project = hook.get_credentials_and_project_id()

    assert isinstance(credentials, AnonymousCredentials)
    assert project == "acme"
    assert hook.resolve_service_account().endswith("@emulator.iam.gserviceaccount.com")


# Defaults


def test_project(connect, keyfile):
    """The argument wins over the connection's field, and that over the credentials' own project."""
    both = connect(project="acme", keyfile_dict=json.dumps(keyfile))
    assert both.resolve_project("mine") == "mine"
    assert both.resolve_project() == "acme"
    assert connect(keyfile_dict=json.dumps(keyfile)).resolve_project() == "keys-project"


def test_no_project_anywhere(connect):
    """Without a project the message names all the ways to set one."""
    with pytest.raises(InvalidJobError, match=r"^project_id is not set: .* connection 'mine', or use"):
        connect(is_anonymous=True).resolve_project()


def test_region(connect):
    """The argument wins over the connection's field, and both are checked."""
    hook = connect(region="europe-west4", is_anonymous=True)
    assert hook.resolve_region(REGION) == REGION
    assert hook.resolve_region() == "europe-west4"
    with pytest.raises(InvalidJobError, match=r"^connection 'mine': region: 'europe' is no region"):
        connect(region="europe", is_anonymous=True).resolve_region()


def test_service_account(connect, keyfile):
    """The argument wins over the connection's field, and that over the account of the credentials."""
    both = connect(service_account="c@acme.iam.gserviceaccount.com", keyfile_dict=json.dumps(keyfile))
    assert both.resolve_service_account("a@b.c") == "a@b.c"
    assert both.resolve_service_account() == "c@acme.iam.gserviceaccount.com"
    assert connect(keyfile_dict=json.dumps(keyfile)).resolve_service_account() == keyfile["client_email"]


def test_service_account_on_compute_engine(connect, monkeypatch):
    """On Compute Engine the credentials know their account's name only after they asked for it."""
    hook = connect()
    monkeypatch.setattr(hook, "get_credentials", compute_engine.Credentials)
    # Google's hook asks the metadata server here, of which there is none.
    monkeypatch.setitem(vars(hook), "_get_credentials_email", "vm@acme.iam.gserviceaccount.com")

    assert hook.resolve_service_account() == "vm@acme.iam.gserviceaccount.com"


@pytest.mark.parametrize("value", ['{"Cost.Center": "R/D"}', {"Cost.Center": "R/D"}], ids=["text", "object"])
def test_connection_labels_are_made_legal(connect, value):
    """Labels of a connection, typed into the form or given as JSON, obey the same rules as an operator's."""
    assert connect(labels=value).layer(Reader()).job["labels"].value == {"cost-center": "r_d"}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("labels", "team=vision", 'must be a dict such as {"team": "vision"}, got str '),
        ("labels", "{team: vision}", 'must be a dict such as {"team": "vision"}, got str '),
        ("labels", "[1]", 'must be a dict such as {"team": "vision"}, got list [1]'),
        (
            "base_output_directory",
            "my-bucket/out",
            "'my-bucket/out' is no folder in Cloud Storage; write gs://my",
        ),
        (
            "service_account",
            "bob",
            "'bob' is no e-mail address of a service account: write one such as NAME@",
        ),
        (
            "network",
            "default",
            "'default' is not of the right form: write projects/NUMBER/global/networks/NAME",
        ),
        ("region", "us-central1-a", "'us-central1-a' is a zone; write 'us-central1'"),
    ],
)
def test_bad_fields_of_a_connection(connect, field, value, message):
    """A connection's fields obey the rules of the arguments; the message names connection and field."""
    reader = Reader()
    connect(**{field: value}).layer(reader)
    (finding,) = reader.findings
    assert str(finding).startswith(f"connection 'mine': {field}: {message}")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("team", "🚀", "the value '🚀' holds '🚀'"),
        ("airflow_try", "1", "keys that start with 'airflow_'"),
    ],
)
def test_bad_label_of_a_connection(connect, key, value, message):
    """A label that has no legal form is named by its key."""
    reader = Reader()
    connect(labels=json.dumps({key: value})).layer(reader)
    (finding,) = reader.findings
    assert str(finding).startswith(f"connection 'mine': labels[{key!r}]: {message}")


@pytest.mark.parametrize(
    "value",
    ["a@x.iam, b@x.iam", '["a@x.iam", "b@x.iam"]', ["a@x.iam", "b@x.iam"]],
    ids=["commas", "json", "list"],
)
def test_impersonation_chain_of_a_connection(connect, value):
    """A chain may be written with commas or as JSON."""
    assert connect(impersonation_chain=value).impersonation_chain == ["a@x.iam", "b@x.iam"]


def test_bad_impersonation_chain_of_a_connection(connect):
    """An account that is none is told with the connection's name, before any call."""
    with pytest.raises(InvalidJobError, match=r"^connection 'mine': impersonation_chain: 'bob' is no e-mail"):
        connect(impersonation_chain="bob")


@pytest.mark.parametrize("field", ["api_endpoint", "logging_endpoint"])
def test_bad_endpoint_is_told_before_anything_is_called(connect, field):
    """An address with a scheme fails the test of the connection, and each task, by its field's name."""
    worked, message = connect(region=REGION, is_anonymous=True, **{field: "https://x.y"}).test_connection()
    assert not worked
    assert message.startswith(f"connection 'mine': {field}: 'https://x.y' is no address; write HOST or HOST:")


@pytest.mark.parametrize(
    ("written", "is_anonymous"),
    [
        ("vertex-training://?project=acme&is_anonymous=True", True),
        ("vertex-training://?project=acme&is_anonymous=False", False),
        ("vertex-training://?project=acme&is_anonymous=", False),
        ('{"conn_type": "vertex_training", "extra": {"project": "acme", "is_anonymous": true}}', True),
        ('{"conn_type": "vertex_training", "extra": {"project": "acme", "is_anonymous": false}}', False),
        ("google-cloud-platform://?extra__google_cloud_platform__project=acme&is_anonymous=1", True),
    ],
)
def test_no_is_no_however_a_connection_is_written(monkeypatch, written, is_anonymous):
    """A connection as a URI has texts only: one that says "False" gets no anonymous credentials."""
    monkeypatch.delenv("VERTEX_AI_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("AIRFLOW_CONN_MINE", written)
    # Without a way to find credentials of this machine's.
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
    hook = VertexTrainingHook("mine")
    assert hook.resolve_project() == "acme"
    if is_anonymous:
        assert isinstance(hook.get_credentials(), AnonymousCredentials)
    else:
        with pytest.raises(CredentialsError):
            hook.get_credentials()


from_airflow_3_2 = pytest.mark.skipif(
    __version__.startswith("3.1."), reason="Airflow 3.1 itself finds no connection in such a variable"
)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ('{"conn_type": "aws", "extra": {}}', "its type is 'aws'; it has to be vertex_training or google_cl"),
        ("postgres://me@host/db", "its type is 'postgres'; it has to be vertex_training or google_cloud_pl"),
        pytest.param(
            '{"conn_type": "vertex_training", "extra": "{region: x}"}',
            "its extra is no JSON object; write suc",
            marks=from_airflow_3_2,
        ),
        pytest.param(
            '{"conn_type": "vertex_training", "extra": "[1]"}',
            "its extra is no JSON object; write such as",
            marks=from_airflow_3_2,
        ),
    ],
)
def test_a_connection_that_would_do_nothing_is_refused(monkeypatch, written, problem):
    """Application default credentials don't serve by mistake in the place of what somebody named."""
    monkeypatch.setenv("AIRFLOW_CONN_MINE", written)
    with pytest.raises(InvalidJobError) as refused:
        VertexTrainingHook("mine")
    assert str(refused.value).startswith(f"connection 'mine': {problem}")


def test_a_field_that_nobody_reads_is_told(connect):
    """The test of a connection names the field that was meant; others' fields are their own matter."""
    hook = connect(project="acme", is_anonymous=True, regoin=REGION, something_else="x")
    worked, message = hook.test_connection()
    assert not worked
    first, second = message.splitlines()
    assert first.startswith("region is not set")
    assert second == "Nobody reads its field regoin: did you mean region?"


def test_bad_api_endpoint(connect):
    """An address with a scheme is refused before it is called."""
    hook = connect(api_endpoint="https://acme.p.googleapis.com", is_anonymous=True)
    with pytest.raises(InvalidJobError, match=r"^api_endpoint: .* is no address; write HOST or HOST:PORT"):
        hook.get_job_service_client(REGION)


# The test of a connection


def test_good_connection(on_emulator, project, connect, monkeypatch):
    """A connection that works says what it reached, and what of it the emulator did not look at."""
    hook = connect(
        region=REGION, api_endpoint="acme.p.googleapis.com", key_path="/key.json", labels='{"a": "b"}'
    )
    monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", on_emulator.address)

    worked, message = hook.test_connection()

    assert worked
    assert message == (
        f"The emulator at {on_emulator.address} answers, not Vertex AI (VERTEX_AI_EMULATOR_HOST is set): "
        f"jobs in {REGION} of project {project} can be listed. "
        "It ignores the connection's api_endpoint, key_path."
    )
    assert on_emulator.control.requests(project) == {"ListCustomJobs": {"OK": 1}}


def test_connection_with_fields_that_no_job_can_have(on_emulator, project, connect, monkeypatch):
    """Fields that would fail every task fail the test of the connection, all at once, before any call."""
    hook = connect(
        region=REGION,
        labels="{team: vision}",
        base_output_directory="my-bucket/out",
        service_account="bob",
        network="default",
    )
    monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", on_emulator.address)

    worked, message = hook.test_connection()

    assert not worked
    fields = ["labels", "service_account", "network", "base_output_directory"]
    assert [line.split(": ")[1] for line in message.splitlines()] == fields
    assert on_emulator.control.requests(project) == {}


@pytest.mark.parametrize(
    ("code", "text", "advice"),
    [
        (
            "PERMISSION_DENIED",
            "Vertex AI API has not been used in project 1 before or it is disabled.",
            "'gcloud services enable aiplatform.googleapis.com --project 1'",
        ),
        (
            "PERMISSION_DENIED",
            "Permission 'aiplatform.customJobs.list' denied on resource.",
            "the role Vertex AI User (roles/aiplatform.user)",
        ),
        ("UNAUTHENTICATED", "Request had invalid credentials.", "Google does not take the credentials"),
    ],
    ids=["api-disabled", "permission", "credentials"],
)
def test_refused_connection(on_emulator, project, connect, monkeypatch, code, text, advice):
    """What Vertex refuses is told with what to do, and in its own words."""
    hook = connect(region=REGION)
    monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", on_emulator.address)
    on_emulator.control.add_fault(project, "error", method="ListCustomJobs", code=code, message=text)

    worked, message = hook.test_connection()

    assert not worked
    assert text.rstrip(".") in message
    assert advice in message


def test_connection_without_region(connect):
    """A connection without a region can't be tried, and the message says so."""
    worked, message = connect(project="acme", is_anonymous=True).test_connection()
    assert not worked
    assert message.startswith("region is not set: pass region='us-central1', or set it in the")


def test_connection_to_a_region_that_is_none(connect):
    """A region whose endpoint does not exist leads to the region's spelling."""
    hook = connect(project="acme", is_anonymous=True, region=REGION, api_endpoint="nowhere.invalid")
    worked, message = hook.test_connection()
    assert not worked
    assert "check the region's spelling, the connection's field api_endpoint" in message


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ({"keyfile_dict": "{"}, "keyfile_dict"),
        ({"keyfile_dict": '{"type": 1}'}, "keyfile_dict"),
        ({"key_path": "/nowhere.json"}, "key_path"),
        ({"key_path": "/nowhere.p12"}, "key_path"),
        ({"key_path": "/nowhere.json", "keyfile_dict": "{}"}, "key_path and keyfile_dict"),
        ({"key_path": "/nowhere.json", "is_anonymous": True}, "key_path and is_anonymous"),
        ({"credential_config_file": "/nowhere.json"}, "credential_config_file"),
        ({"credential_config_file": "{"}, "credential_config_file"),
        ({"key_secret_name": "key"}, "key_secret_name"),
        ({"idp_issuer_url": "https://x.y"}, "idp_issuer_url"),
        ({"idp_extra_params": "{"}, "idp_extra_params"),
    ],
)
def test_connection_with_broken_credentials(connect, monkeypatch, broken, named):
    """What leads to no credentials is told by the fields that say it, with what to do, not in a traceback."""
    # Without a way to find credentials of this machine's.
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
    worked, message = connect(region=REGION, project="acme", **broken).test_connection()
    assert not worked
    assert message.startswith(f"The connection's {named} can't be used\n")
    assert "What to do: check its fields key_path" in message
    assert f"The error itself: {named}: " in message


def test_space_around_what_was_pasted_does_not_count(connect, keyfile, tmp_path):
    """A field's text is what stands between blanks, and blanks alone say nothing."""
    key = tmp_path / "key.json"
    key.write_text(json.dumps(keyfile))
    hook = connect(project=" acme\n", region=" us-central1 ", key_path=f" {key}\n", service_account="  ")
    assert (hook.resolve_project(), hook.resolve_region()) == ("acme", "us-central1")
    assert hook.resolve_service_account() == keyfile["client_email"]
    assert connect(project="  ", key_path=str(key)).resolve_project() == keyfile["project_id"]


# Calls


def test_get_and_cancel_are_repeated(on_emulator, project, supervisor):
    """Read and cancels, which do no harm twice, outlast a transient error."""
    (name,) = on_emulator.control.create_simulated(project, REGION, 1, run_seconds=600.0)
    for method in ("GetCustomJob", "CancelCustomJob"):
        on_emulator.control.add_fault(project, "error", method=method, code="UNAVAILABLE")

    hook = VertexTrainingHook()
    assert hook.get_job(name).name == name
    assert hook.cancel_job(name) is True

    assert on_emulator.control.wait_job(name)["state"] == "JOB_STATE_CANCELLED"
    assert on_emulator.control.requests(project) == {
        "GetCustomJob": {"UNAVAILABLE": 1, "OK": 1},
        "CancelCustomJob": {"UNAVAILABLE": 1, "OK": 1},
    }


def test_cancel_of_what_has_ended_or_is_gone_is_no_error(on_emulator, project, supervisor):
    """Cancelling is idempotent: it says that there was nothing to cancel."""
    (name,) = on_emulator.control.create_simulated(project, REGION, 1, run_seconds=0.0)
    on_emulator.control.wait_job(name)

    hook = VertexTrainingHook()
    assert hook.cancel_job(name) is False
    assert hook.cancel_job(name.replace(name.rpartition("/")[2], "404")) is False


def test_permanent_error_of_a_get(on_emulator, project, supervisor):
    """A job that is not there is told at once, by its name."""
    name = f"projects/{project}/locations/{REGION}/customJobs/404"
    with pytest.raises(VertexApiError, match=f"^NOT_FOUND: .*\nGetting {name} failed.$"):
        VertexTrainingHook().get_job(name)
    assert on_emulator.control.requests(project) == {"GetCustomJob": {"NOT_FOUND": 1}}


# The connection form


def test_a_key_that_google_refuses_is_told_before_anything_is_sent(connect, keyfile):
    """Google's refusal of a key comes as such, not as a call that may have got through."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(400)
            self.end_headers()
            self.wfile.write(b'{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}')

    this = a_try()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        key = {**keyfile, "token_uri": f"http://127.0.0.1:{server.server_port}/token"}
        hook = connect(keyfile_dict=json.dumps(key), api_endpoint=NOBODY)
        with hook.jobs(REGION) as jobs, pytest.raises(RefreshError, match="invalid_grant") as raised:
            jobs.create(a_job(this))
        server.shutdown()
        thread.join()
    assert not status.passes_soon(raised.value)
    assert not status.is_ambiguous(raised.value)


def test_where_an_earlier_try_asked(connect, monkeypatch):
    """Another try's place is reached by its own endpoint; beside an emulator, only that emulator is."""
    place = Place("acme", "europe-west4", "europe-west4-aiplatform.googleapis.com:443")
    hook = connect(is_anonymous=True, project="other", api_endpoint=NOBODY)
    with hook.jobs_at(place) as jobs:
        assert Place(jobs.project, jobs.region, jobs.address) == place

    monkeypatch.setenv("VERTEX_AI_EMULATOR_HOST", "localhost:8123")
    assert hook.jobs_at(place) is None
    with hook.jobs_at(Place("acme", "europe-west4", "localhost:8123")) as jobs:
        assert jobs.region == "europe-west4"


def test_form_of_airflow_3_1_has_the_fields_of_the_newer_ones():
    """Airflow 3.1 asks the hook for its form, and gets the same fields as newer versions read themselves."""
    program = (
        "import sys, types, json\n"
        "class Field:\n"
        "    def __init__(self, label, description='', default=None):\n"
        "        self.kind = type(self).__name__; self.label = label\n"
        "names = ('BooleanField', 'IntegerField', 'PasswordField', 'StringField')\n"
        "# What Airflow 3.1 puts in the place of wtforms, which is not installed there.\n"
        "fields = {each: type(each, (Field,), {}) for each in names}\n"
        "sys.modules['wtforms'] = types.SimpleNamespace(**fields)\n"
        "from airflow_vertex_training.hooks import VertexTrainingHook as Hook\n"
        "form = Hook.get_connection_form_widgets()\n"
        "print(json.dumps([{k: v.kind for k, v in form.items()}, Hook.get_ui_field_behaviour()]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    kinds, behaviour = json.loads(done.stdout.splitlines()[-1])

    info: Any = get_provider_info()
    (connection_type,) = info["connection-types"]
    assert kinds.keys() == connection_type["conn-fields"].keys()
    assert kinds["keyfile_dict"] == "PasswordField"
    assert kinds["num_retries"] == "IntegerField"
    assert kinds["is_anonymous"] == "BooleanField"
    assert kinds["region"] == "StringField"
    assert behaviour["hidden_fields"] == connection_type["ui-field-behaviour"]["hidden-fields"]
