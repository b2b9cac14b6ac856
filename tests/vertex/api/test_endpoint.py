"""Where calls for a region go."""

from __future__ import annotations

import pickle

import pytest

from airflow_vertex_training.vertex.api.emulator import EmulatorVariableMissingError
from airflow_vertex_training.vertex.api.endpoint import Endpoint, endpoint
from airflow_vertex_training.vertex.exceptions import InvalidJobError


@pytest.mark.parametrize(
    ("api_endpoint", "environ", "where"),
    [
        (None, {}, Endpoint("us-central1-aiplatform.googleapis.com")),
        ("vertex.acme.internal", {}, Endpoint("vertex.acme.internal")),
        ("localhost:8443", {}, Endpoint("localhost:8443")),
        ("[::1]:8443", {}, Endpoint("[::1]:8443")),
        (None, {"VERTEX_AI_EMULATOR_HOST": "localhost:1"}, Endpoint("localhost:1", is_emulator=True)),
        (None, {"VERTEX_AI_EMULATOR_HOST": "unix:/a/b"}, Endpoint("unix:/a/b", is_emulator=True)),
        (
            "localhost:2",
            {"VERTEX_AI_EMULATOR_HOST": "localhost:1"},
            Endpoint("localhost:1", is_emulator=True),
        ),
        (None, {"VERTEX_AI_EMULATOR_HOST": ""}, Endpoint("us-central1-aiplatform.googleapis.com")),
    ],
)
def test_where_calls_go(api_endpoint: str | None, environ: dict[str, str], where: Endpoint) -> None:
    """The emulator's variable wins over the connection's endpoint, and that over the region's own."""
    assert endpoint("us-central1", api_endpoint, environ) == where


@pytest.mark.parametrize("wrong", ["https://vertex.acme.internal", "localhost:https", ":8443", "a/b"])
def test_what_is_no_address(wrong: str) -> None:
    """A URL or a broken port is refused, whichever of the two it was written in, with the form to write."""
    with pytest.raises(InvalidJobError, match=r"^api_endpoint: .* is no address; write HOST or HOST:PORT"):
        endpoint("us-central1", wrong, {})
    with pytest.raises(InvalidJobError, match=r"^VERTEX_AI_EMULATOR_HOST: .* is no address"):
        endpoint("us-central1", None, {"VERTEX_AI_EMULATOR_HOST": wrong})


@pytest.mark.parametrize("relative", ["unix:", "unix:vertex.sock", "unix:~/vertex.sock"])
def test_socket_is_an_absolute_path(relative: str) -> None:
    """Airflow's processes have working folders of their own, so the variable's socket is an absolute path."""
    with pytest.raises(InvalidJobError, match=r"^VERTEX_AI_EMULATOR_HOST: .* write unix:/FOLDER/FILE"):
        endpoint("us-central1", None, {"VERTEX_AI_EMULATOR_HOST": relative})


def test_a_missing_variable_can_be_pickled() -> None:
    """The error that says so comes back the same from another process."""
    error = EmulatorVariableMissingError()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301
