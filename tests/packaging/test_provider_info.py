from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
from importlib import resources
from typing import Any, cast

import airflow.providers.google.common.hooks.base_google
import jsonschema
import pytest
from airflow.providers.google.get_provider_info import get_provider_info as get_google_provider_info

from airflow_vertex_training.provider_info import get_provider_info

INFO = cast("dict[str, Any]", get_provider_info())
CONNECTION_TYPE = INFO["connection-types"][0]
OWN_FIELDS = {
    "region",
    "service_account",
    "network",
    "base_output_directory",
    "labels",
    "api_endpoint",
    "logging_endpoint",
    "job_template",
}


def _airflow_schema(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(resources.files("airflow").joinpath(name).read_text()))


def _dotted_paths() -> list[str]:
    modules: list[str] = [
        module
        for kind in ("operators", "hooks", "triggers")
        for entry in INFO[kind]
        for module in entry["python-modules"]
    ]
    classes: list[str] = [entry["hook-class-name"] for entry in INFO["connection-types"]] + INFO[
        "extra-links"
    ]
    commands: list[str] = INFO["cli"]
    return modules + classes + commands


def test_it_satisfies_airflows_schema() -> None:
    """Airflow's own schema accepts it."""
    jsonschema.validate(INFO, _airflow_schema("provider_info.schema.json"))


def test_the_connection_form_satisfies_airflows_schema() -> None:
    """The form satisfies the schema of `provider.yaml`, the only one that describes `conn-fields`."""
    jsonschema.validate(
        INFO["connection-types"],
        _airflow_schema("provider.yaml.schema.json")["properties"]["connection-types"],
    )


def test_there_is_no_unknown_key() -> None:
    """Keys that Airflow's schema does not know, and lets through, are not there."""
    schema = _airflow_schema("provider_info.schema.json")
    form = _airflow_schema("provider.yaml.schema.json")["properties"]["connection-types"]["items"]
    assert set(INFO) <= set(schema["properties"]) | {"cli"}  # which Airflow 3.1 does not know
    assert set(CONNECTION_TYPE) <= set(form["properties"])
    for kind in ("integrations", "operators", "hooks", "triggers"):
        for entry in INFO[kind]:
            assert set(entry) <= set(schema["properties"][kind]["items"]["properties"])
    for option in INFO["config"]["vertex_training"]["options"].values():
        assert set(option) <= set(schema["definitions"]["option"]["properties"])


def test_every_entry_belongs_to_the_integration() -> None:
    """Operators, hooks and triggers name an integration that the provider has."""
    names = {entry["integration-name"] for entry in INFO["integrations"]}
    assert {
        entry["integration-name"] for kind in ("operators", "hooks", "triggers") for entry in INFO[kind]
    } == names


@pytest.mark.parametrize("path", _dotted_paths())
def test_every_dotted_path_imports(path: str) -> None:
    """A module, class or function that Airflow is told about exists: else Airflow would only log it."""
    try:
        importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        module, _, name = path.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


def test_the_form_has_googles_fields_and_ours() -> None:
    """Every way to authenticate that Google's connection form offers is in our form."""
    google_form = next(
        entry
        for entry in get_google_provider_info()["connection-types"]
        if entry["connection-type"] == "google_cloud_platform"
    )
    # Google's form says idp_extra_parameters where its hook reads idp_extra_params; ours says what is read.
    google_fields = {
        name.replace("_extra_parameters", "_extra_params") for name in google_form["conn-fields"]
    }
    assert set(CONNECTION_TYPE["conn-fields"]) == google_fields | OWN_FIELDS


def test_the_form_explains_every_field() -> None:
    """Project and our own fields come first, and each field says what it is for and what empty means."""
    fields = CONNECTION_TYPE["conn-fields"]
    assert set(list(fields)[: len(OWN_FIELDS) + 1]) == OWN_FIELDS | {"project"}
    assert [name for name, field in fields.items() if len(field.get("description", "")) < 30] == []
    assert "ignores all other" not in str(fields)


@pytest.mark.parametrize("field", sorted(set(CONNECTION_TYPE["conn-fields"]) - OWN_FIELDS))
def test_googles_hook_reads_the_field(field: str) -> None:
    """A field that is not ours is one that Google's hook reads by that name."""
    source = inspect.getsource(airflow.providers.google.common.hooks.base_google.GoogleBaseHook)
    assert f'_get_field("{field}"' in source


def test_secrets_are_masked() -> None:
    """The form never shows a key or a secret in clear."""
    masked = {
        name
        for name, field in CONNECTION_TYPE["conn-fields"].items()
        if field["schema"].get("format") == "password"
    }
    assert masked == {"keyfile_dict", "client_secret"}


def test_the_default_of_a_number_is_one() -> None:
    """Airflow parses an option's default as it parses a user's value."""
    options = INFO["config"]["vertex_training"]["options"]
    assert options["deployment_id"]["default"] == "airflow"
    assert int(options["requests_per_minute"]["default"]) == 300


def test_it_imports_nothing() -> None:
    """Provider discovery, in every Airflow process, loads this module and the package's root, and no more."""
    probe = (
        "import sys; before = set(sys.modules); import airflow_vertex_training.provider_info;"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", probe], check=True, capture_output=True, text=True
    ).stdout.split()
    assert set(loaded) - {"__future__"} == {
        "airflow_vertex_training",
        "airflow_vertex_training.provider_info",
    }
