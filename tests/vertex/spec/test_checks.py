"""Each value is made plain or refused, with words that name it and say what would be right."""

from __future__ import annotations

import enum
import re
from collections import UserDict, UserList, UserString, deque
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import jinja2
import numpy as np
import pytest
from google.cloud import aiplatform_v1
from google.protobuf.duration_pb2 import Duration

from airflow_vertex_training.vertex.spec import Disk, Machine, NfsMount, Scheduling, WorkerPool
from airflow_vertex_training.vertex.spec.arguments import read_arguments
from airflow_vertex_training.vertex.spec.reader import Reader
from airflow_vertex_training.vertex.spec.table import JOB_ARGUMENTS, POOL_ARGUMENTS


class Accelerator(enum.IntEnum):
    """As Google's client library has them."""

    NVIDIA_L4 = 11


class Kind(str, enum.Enum):
    """A user's own."""

    SMALL = "n1-standard-4"
    GPU = "NVIDIA_L4"


class Undefined(jinja2.StrictUndefined):
    """What a template of native types makes of a name that is not there."""


def read(argument: str, value: Any) -> tuple[Any, list[str]]:
    """Return what an argument is read as, and what is wrong with it."""
    reader = Reader()
    layer = read_arguments({argument: value}, reader)
    fields = layer.pool if argument in POOL_ARGUMENTS else layer.job
    name = {**POOL_ARGUMENTS, **JOB_ARGUMENTS}[argument]
    return fields[name].value, [str(finding) for finding in reader.findings]


SAME: Any = object()
TAKEN: list[tuple[str, Any, Any]] = [
    ("image", " gcr.io/acme/digits\n", "gcr.io/acme/digits"),
    ("image", "europe-west4-docker.pkg.dev/acme.org/trainers/digits@sha256:0123", SAME),
    ("image", "docker.io/library/python:3.11", SAME),
    ("args", ["--epochs", 3, True, 0.5, "x"], ("--epochs", "3", "True", "0.5", "x")),
    ("args", [{"lr": 0.1}, [1, 2]], ('{"lr": 0.1}', "[1, 2]")),
    ("args", [datetime(2026, 3, 1, tzinfo=timezone.utc)], ("2026-03-01 00:00:00+00:00",)),
    ("args", [Path("/gcs/acme")], ("/gcs/acme",)),
    ("args", [], None),
    ("args", [np.int64(3), np.float32(0.1), np.bool_(True), np.str_("x")], ("3", "0.1", "True", "x")),
    (
        "args",
        [Decimal("0.10"), UUID(int=1), Kind.SMALL, UserString("x")],
        ("0.10", f"{UUID(int=1)}", "n1-standard-4", "x"),
    ),
    ("args", UserList(["a"]), ("a",)),
    ("args", deque(["a"]), ("a",)),
    ("args", [{"lr": np.float64(0.1), "day": date(2026, 3, 1)}], ('{"lr": 0.1, "day": "2026-03-01"}',)),
    (
        "args",
        [UserDict(lr=Decimal("0.1")), MappingProxyType({"n": np.int64(1)})],
        ('{"lr": 0.1}', '{"n": 1}'),
    ),
    ("args", '["--epochs", 3]', ("--epochs", "3")),
    ("args", "['it\\'s', \"x\"]", ("it's", "x")),
    ("args", ["[1", "{a}", " "], ("[1", "{a}", " ")),
    ("command", "", None),
    ("env", {"A": 1, "B": " x ", "C": {"a": "ü"}}, {"A": "1", "B": " x ", "C": '{"a": "ü"}'}),
    ("env", [{"name": "A", "value": "1"}, {"name": "B"}], {"A": "1", "B": ""}),
    ("env", "", {}),
    ("env", "{'A': True, 'B': 'x'}", {"A": "True", "B": "x"}),
    ("env", MappingProxyType({"A": Kind.SMALL}), {"A": "n1-standard-4"}),
    ("env", [{"name": "A", "value": None}, {"name": "A"}], {"A": ""}),
    ("labels", {"Team": "Vision/A", "n": 3}, {"team": "vision_a", "n": "3"}),
    ("labels", '{"team": "a"}', {"team": "a"}),
    ("labels", "{'team': 'a', 'n': 3}", {"team": "a", "n": "3"}),
    (
        "labels",
        UserDict(n=np.int64(3), d=Decimal("0.5"), k=Kind.SMALL),
        {"n": "3", "d": "0-5", "k": "n1-standard-4"},
    ),
    ("machine_type", Kind.SMALL, "n1-standard-4"),
    ("machine_type", UserString("n1-standard-4"), "n1-standard-4"),
    ("accelerator_type", Kind.GPU, "NVIDIA_L4"),
    ("accelerator_type", np.int64(11), "NVIDIA_L4"),
    ("accelerator_type", aiplatform_v1.AcceleratorType.NVIDIA_L4, "NVIDIA_L4"),
    ("accelerator_count", np.int64(4), 4),
    ("accelerator_count", Decimal(4), 4),
    ("accelerator_type", "ACCELERATOR_TYPE_UNSPECIFIED", None),
    ("accelerator_type", 0, None),
    ("accelerator_type", 11, "NVIDIA_L4"),
    ("accelerator_type", Accelerator.NVIDIA_L4, "NVIDIA_L4"),
    ("accelerator_type", "", None),
    ("accelerator_count", "4", 4),
    ("accelerator_count", " 4 ", 4),
    ("accelerator_count", 4.0, 4),
    ("accelerator_count", 0, None),
    ("accelerator_count", "", None),
    ("boot_disk_size_gb", "1e3", 1000),
    ("maximum_run_time", 3600, timedelta(hours=1)),
    ("maximum_run_time", "3600", timedelta(hours=1)),
    ("maximum_run_time", "3.6e3", timedelta(hours=1)),
    ("maximum_run_time", "3600s", timedelta(hours=1)),
    ("maximum_run_time", timedelta(hours=1), timedelta(hours=1)),
    ("maximum_run_time", {"seconds": 3600, "nanos": 500_000_000}, timedelta(seconds=3600.5)),
    ("maximum_run_time", Duration(seconds=3600), timedelta(hours=1)),
    ("maximum_run_time", "86400.5s", timedelta(days=1, seconds=0.5)),
    ("maximum_run_time", 0, None),
    ("service_account", "serviceAccount:a@b.iam.gserviceaccount.com\n", "a@b.iam.gserviceaccount.com"),
    ("base_output_directory", "file:///tmp/models", SAME),
    ("base_output_directory", "gs://acme-models/digits/2026", SAME),
    ("display_name", 2024, "2024"),
    ("region", "northamerica-northeast1", SAME),
    ("models", ["projects/p/locations/l/models/m@2"], ("projects/p/locations/l/models/m@2",)),
]


@pytest.mark.parametrize(
    ("argument", "value", "plain"), TAKEN, ids=[f"{n}-{row[0]}" for n, row in enumerate(TAKEN)]
)
def test_what_is_taken(argument: str, value: Any, plain: Any) -> None:
    """Text, and what a template with native types or Google's client make of it, becomes the plain value."""
    assert read(argument, value) == (value if plain is SAME else plain, [])


REFUSED: list[tuple[str, Any, str]] = [
    ("image", "python", "does not name its registry; write it out, such as 'docker.io/library/python'"),
    ("image", "acme/digits:1", "does not name its registry; write it out, such as 'docker.io/acme/digi"),
    (
        "image",
        "quay.io/acme/digits",
        "Vertex AI does not pull from 'quay.io'; push the image to Artifact",
    ),
    ("image", "localhost:5000/digits", "Vertex AI does not pull from 'localhost:5000'"),
    ("image", "us-docker.pkg.dev.evil.org/a/b", "Vertex AI does not pull from"),
    ("image", "gcr.io/", "'gcr.io/' is a registry: write the image in it, too"),
    ("image", "us-docker.pkg.dev", "'us-docker.pkg.dev' is a registry: write the image in it, too"),
    ("image", "https://gcr.io/a/b", "'https://gcr.io/a/b' is an address: write 'gcr.io/a/b'"),
    ("image", "gcr.io/a b", "has a space in it"),
    ("image", ["gcr.io/a"], "must be a string, got list ['gcr.io/a']"),
    ("command", "python -m trainer", 'got str \'python -m trainer\': write ["python", "-m", "trainer"]'),
    ("args", {"--epochs"}, "must be a list of strings, got set"),
    ("args", {"a": 1}, "must be a list of strings, got dict"),
    ("args", [b"x"], "args[0]: must be a string, got bytes; use .decode()"),
    ("args", [None], "args[0]: must be a string, got None: leave it out, or write ''"),
    ("args", [object], "args[0]: must be a string, got type; use str(...)"),
    ("args", [Undefined()], "args[0]: must be a string, got a template that names what is not there"),
    ("args", [{"a": b"x"}], "args[0]: must be a string, got dict that is no JSON"),
    ("args", ["a\0b"], r"args[0]: holds '\x00', which no program can be given: leave it out"),
    ("args", ["a\ud800"], r"args[0]: holds '\ud800', which no program can be given"),
    ("args", memoryview(b"x"), "must be a list of strings, got memoryview"),
    ("args", bytearray(b"x"), "must be a list of strings, got bytearray"),
    ("args", UserString("x"), "must be a list of strings, got UserString 'x'"),
    ("args", "[1, 2", "must be a list of strings, got str '[1, 2'"),
    ("args", (each for each in "ab"), "must be a list of strings, got generator"),
    ("env", ["A=1"], "must be a dict of strings, got list"),
    ("env", {"1": ""}, "env['1']: is no name for an environment variable"),
    ("env", {"A-B": ""}, "env['A-B']: is no name for an environment variable"),
    ("env", {"A.B": ""}, "env['A.B']: is no name"),
    ("env", {3: ""}, "env[3]: is no name"),
    ("env", {"A": {1, 2}}, "env['A']: must be a string, got set"),
    ("env", {"A": "\0"}, r"env['A']: holds '\x00', which no program can be given"),
    (
        "env",
        [{"name": "A", "value": "1"}, {"name": "A"}],
        "env['A']: is said twice and differently: say it once",
    ),
    ("env", [{"name": "A", "from": 1}], "env[0].from: is no field of a variable: it has name and value"),
    ("env", [{"value": "1"}], "env[0].name: must be a string, got NoneType None"),
    ("env", [{"name": []}], "env[0].name: must be a string, got list []"),
    ("machine_type", 4, "'4' is not of the right form: write a machine type such as"),
    (
        "accelerator_type",
        "nvidia-tesla-t4",
        "'nvidia-tesla-t4' is not known, did you mean 'NVIDIA_TESLA_T4'?",
    ),
    ("accelerator_type", 0.5, "'0.5' is not known: write a type such as 'NVIDIA_L4'"),
    (
        "machine_type",
        "N1 Standard",
        "'N1 Standard' is not of the right form: write a machine type such as",
    ),
    ("accelerator_count", True, "must be a whole number, got bool True"),
    ("accelerator_count", "4.5", "must be a whole number, got str '4.5'"),
    ("accelerator_count", "four", "must be a whole number, got str 'four'"),
    ("accelerator_count", float("nan"), "must be a whole number, got float nan"),
    ("accelerator_count", -1, "must be at least 1, got -1"),
    (
        "boot_disk_type",
        "pd-sdd",
        "'pd-sdd' is not known, did you mean 'pd-ssd'? Write 'pd-ssd', 'pd-standard' or 'hyperdisk-balanced'",
    ),
    ("boot_disk_size_gb", 10, "must be at least 100 GB, got 10"),
    ("boot_disk_size_gb", 10**12, "must be at most 64,000 GB, got 1000000000000"),
    ("maximum_run_time", "an hour", "must be a timedelta or seconds, got str 'an hour'"),
    ("maximum_run_time", "1e300", "must be a timedelta or seconds, got str '1e300'"),
    ("maximum_run_time", "inf", "must be a timedelta or seconds"),
    ("maximum_run_time", 0.5, "must be at least a second, got 0.5"),
    ("maximum_run_time", -1, "must not be less than 0, got -1"),
    ("maximum_run_time", 10**9, "must be at most 3650 days"),
    ("network", "default", "write projects/NUMBER/global/networks/NAME, with the project's number"),
    ("network", "projects/acme/global/networks/a", "with the project's number, not its id"),
    ("reserved_ip_ranges", "range", "must be a list of strings, got str 'range'"),
    (
        "service_account",
        "trainer",
        "'trainer' is no e-mail address of a service account: write one such as",
    ),
    (
        "base_output_directory",
        "s3://acme",
        "'s3://acme' is no folder in Cloud Storage; write gs://BUCKET",
    ),
    ("base_output_directory", "my-bucket/out", "is no folder in Cloud Storage; write gs://my-bucket/out"),
    ("base_output_directory", "gs://", "'gs://' is no folder in Cloud Storage"),
    (
        "base_output_directory",
        "/gcs/my-bucket/out",
        "is no folder in Cloud Storage; write gs://my-bucket/out",
    ),
    ("base_output_directory", "gs:/my-bucket/out", "is no folder in Cloud Storage; write gs://my-bucket/out"),
    (
        "base_output_directory",
        "https://storage.googleapis.com/my-bucket/out",
        "is no folder in Cloud Storage; write gs://my-bucket/out",
    ),
    ("reserved_ip_ranges", ["a", ""], "reserved_ip_ranges[1]: is empty: leave it out"),
    ("persistent_resource_id", "projects/p/locations/l/persistentResources/r", "write the id alone"),
    ("kms_key_name", "my-key", "write projects/P/locations/L/keyRings/RING/cryptoKeys/KEY"),
    ("models", ["m"], "models[0]: 'm' is not of the right form: write projects/P/locations/L/models/ID"),
    ("display_name", "a\nb", "must be one line of text, got 'a\\nb'"),
    ("region", "us-central1-a", "'us-central1-a' is a zone; write 'us-central1'"),
    ("region", "us", "'us' is no region; write a region such as 'us-central1'"),
    ("region", "US-Central1", "is no region"),
    ("region", ["us"], "must be a string, got list ['us']"),
    ("labels", 3, 'must be a dict such as {"team": "vision"}, got int 3'),
    ("labels", "team=a", 'must be a dict such as {"team": "vision"}, got str \'team=a\''),
]


@pytest.mark.parametrize(
    ("argument", "value", "message"), REFUSED, ids=[f"{n}-{row[0]}" for n, row in enumerate(REFUSED)]
)
def test_what_is_refused(argument: str, value: Any, message: str) -> None:
    """The message names the argument, or the item of it, what is wrong and what would be right."""
    _, (found,) = read(argument, value)
    assert message in found
    assert re.match(rf"{argument}(\[.*?\](\.\w+)?)?: ", found)


OBJECTS: list[tuple[dict[str, Any], str]] = [
    ({"scheduling": 3}, "scheduling: must be a Scheduling or a dict, got int 3"),
    (
        {"scheduling": {"strateg": "SPOT"}},
        "scheduling.strateg: Scheduling has no such field: did you mean 'strategy'?",
    ),
    (
        {"scheduling": {"strategy": "SPT"}},
        "scheduling.strategy: 'SPT' is not known, did you mean 'SPOT'? Write 'STA",
    ),
    (
        {"scheduling": {"disable_retries": "maybe"}},
        "scheduling.disable_retries: must be True or False, got str",
    ),
    (
        {"tracking": {"tensorboard": "tb"}},
        "tracking.tensorboard: 'tb' is not of the right form: write projects/P/loc",
    ),
    (
        {"tracking": {"experiment": "e"}},
        "tracking.experiment: 'e' is not of the right form: write projects/P/loc",
    ),
    ({"access": {"enable_web_access": 2}}, "access.enable_web_access: must be True or False, got int 2"),
    ({"worker_pools": {"image": "a"}}, "worker_pools: must be a list of WorkerPool, got dict"),
    ({"worker_pools": ["a"]}, "worker_pools[0]: must be a WorkerPool or a dict, got str 'a'"),
    (
        {"worker_pools": [{"machine_type": "x"}]},
        "worker_pools[0].machine_type: WorkerPool has no such field: did you mean 'machine.machine_type'?",
    ),
    (
        {"worker_pools": [{"machine": {"reservation_affinity": {"values": ["r"]}}}]},
        "worker_pools[0].machine.reservation_affinity.values[0]: 'r' is not of the right form",
    ),
    (
        {"worker_pools": [{"nfs_mounts": [{"server": "10.0.0.2", "path": "/a"}]}]},
        "worker_pools[0].nfs_mounts[0].mount_point: is missing",
    ),
    (
        {"worker_pools": [{"nfs_mounts": [{"server": "nas", "path": "/a", "mount_point": "b"}]}]},
        "worker_pools[0].nfs_mounts[0].server: 'nas' is not of the right form",
    ),
    (
        {"worker_pools": [{"nfs_mounts": "a"}]},
        "worker_pools[0].nfs_mounts: must be a list of NfsMount, got str 'a'",
    ),
    (
        {"psc_interface_config": {"dns_peering_configs": [{"domain": "acme.corp", "target_project": "p"}]}},
        "psc_interface_config.dns_peering_configs[0].domain: 'acme.corp' is not of the right form",
    ),
    (
        {"worker_pools": [{"package_uris": ["s3://a"]}]},
        "worker_pools[0].package_uris[0]: 's3://a' is not of the right",
    ),
    (
        {"worker_pools": [{"package_uris": ["gs://a/b"] * 101}]},
        "worker_pools[0].package_uris: has 101 items: 100 at",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "message"), OBJECTS, ids=[f"{n}-{row[1].split(':')[0]}" for n, row in enumerate(OBJECTS)]
)
def test_what_is_refused_in_objects(arguments: dict[str, Any], message: str) -> None:
    """A wrong field of an object is named by its whole path."""
    reader = Reader()
    read_arguments(arguments, reader)
    assert str(reader.findings[0]).startswith(message)


@pytest.mark.parametrize(
    ("kind", "field", "offer"),
    [
        (WorkerPool, "machine_type", "did you mean machine=Machine(machine_type=...)?"),
        (WorkerPool, "bootDiskSizeGb", "did you mean disk=Disk(boot_disk_size_gb=...)?"),
        (WorkerPool, "comand", "did you mean command=...?"),
        (
            Machine,
            "reservations",
            "did you mean reservation_affinity=...?",
        ),
        (Scheduling, "max_wait", "did you mean max_wait_duration=...?"),
        (Disk, "xyzzy", "it has boot_disk_type or boot_disk_size_gb"),
    ],
)
def test_a_field_that_an_object_has_not(kind: type[Any], field: str, offer: str) -> None:
    """Python's own error comes with how to write what was meant."""
    with pytest.raises(TypeError) as raised:
        kind(**{field: "a"})
    assert str(raised.value) == f"{kind.__name__} has no field {field!r}: {offer}"


def test_other_mistakes_are_pythons() -> None:
    """Positions, and fields that are missing, are told of by Python."""
    for make in (lambda: Machine("n1-standard-4"), lambda: NfsMount(server="10.0.0.2")):  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=r"__init__\(\)"):
            make()


def test_each_finding_is_a_line() -> None:
    """What is told of an object of many lines is one."""
    job = aiplatform_v1.CustomJob(display_name="a", job_spec={"service_account": "b"})
    for argument in ("image", "display_name", "region"):
        _, (found,) = read(argument, job)
        assert len(found.splitlines()) == 1


def test_an_unknown_accelerator_is_a_warning() -> None:
    """Google adds types: one that we don't know is said once, with the nearest, and goes on."""
    reader = Reader()
    layer = read_arguments({"accelerator_type": "NVIDIA_L5"}, reader)
    assert layer.pool["machine.accelerator_type"].value == "NVIDIA_L5"
    assert not reader.findings
    (warning,) = reader.warnings
    assert str(warning).startswith("accelerator_type: 'NVIDIA_L5' is not known, did you mean 'NVIDIA_L4'?")


def test_no_secret_is_told() -> None:
    """A message about an environment variable does not hold its value."""
    secret = "s3cret"
    wrong = ({"A": secret.encode()}, {"1": secret}, [secret], {"A": [secret, object()]})
    found = [message for value in wrong for message in read("env", value)[1]]
    assert len(found) == len(wrong)
    assert secret not in str(found)
