"""Who is heard: the operator, the template, the connection, the package; and what one of them says twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex.spec.arguments import read_arguments, read_connection
from airflow_vertex_training.vertex.spec.layers import Layer, merge
from airflow_vertex_training.vertex.spec.pools import WorkerPool
from airflow_vertex_training.vertex.spec.reader import Reader
from airflow_vertex_training.vertex.spec.resolve import build, complete

NETWORK = "projects/1234/global/networks/default"


def layer(**arguments: Any) -> Layer:
    """Return a layer of arguments that are right each on its own."""
    reader = Reader()
    made = read_arguments(arguments, reader)
    assert reader.findings == []
    return made


def job(*layers: Layer) -> Any:
    """Return the job that layers describe."""
    return build(complete(layers, Reader()))


def test_the_packages_defaults() -> None:
    """What nobody says is a small machine, its usual disk, and a week."""
    made = job(layer(image="gcr.io/a/b"))
    (pool,) = made.worker_pools
    assert repr(pool.machine) == "Machine(machine_type='n1-standard-4')"
    assert repr(pool.disk) == "Disk(boot_disk_type='pd-ssd', boot_disk_size_gb=100)"
    assert (pool.replica_count, made.scheduling.timeout) == (1, timedelta(days=7))


def test_the_first_is_heard_first() -> None:
    """The operator's argument wins over the connection's field, and that over the package's default."""
    reader = Reader()
    connection = read_connection({"service_account": "c@b.iam", "network": NETWORK}, "mine", reader)
    made = job(layer(service_account="a@b.iam", image="gcr.io/a/b"), connection)
    assert (made.service_account, made.network) == ("a@b.iam", NETWORK)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"network": ""}, "network"),
        ({"base_output_directory": ""}, "base_output_directory"),
        ({"models": []}, "models"),
    ],
)
def test_none_is_heard_too(said: dict[str, Any], name: str) -> None:
    """Empty text and an empty list say that there is none, whatever comes after."""
    low = layer(network=NETWORK, base_output_directory="gs://abc", models=["projects/p/locations/l/models/m"])
    assert getattr(job(layer(image="gcr.io/a/b", **said), low), name) is None


def test_labels_and_env_come_together() -> None:
    """Keys of several layers are all there; where two say one, the first is heard."""
    made = job(
        layer(image="gcr.io/a/b", labels={"a": "1"}, env={"A": "1"}),
        layer(labels={"a": "2", "b": "2"}, env={"A": "2", "B": "2"}),
    )
    assert made.labels == {"a": "1", "b": "2"}
    assert made.worker_pools[0].env == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("high", "low", "gone"),
    [
        (
            {"machine_type": "n1-standard-8"},
            {"machine_type": "g2-standard-8", "accelerator_type": "NVIDIA_L4", "accelerator_count": 1},
            "accelerator_type",
        ),
        ({"psc_interface_config": {"network_attachment": "a"}}, {"network": NETWORK}, "network="),
        (
            {"scheduling": {"strategy": "SPOT"}},
            {"scheduling": {"max_wait_duration": 60}},
            "max_wait_duration",
        ),
    ],
)
def test_what_belongs_together_is_not_mixed(high: dict[str, Any], low: dict[str, Any], gone: str) -> None:
    """Another machine does not inherit the accelerators of a template's, nor another network its ranges."""
    assert gone in repr(job(layer(image="gcr.io/a/b"), layer(**low)))
    assert gone not in repr(job(layer(image="gcr.io/a/b", **high), layer(**low)))


def test_accelerators_join_the_machine_below() -> None:
    """Who names accelerators only, means them for the machine that is there."""
    made = job(
        layer(image="gcr.io/a/b", accelerator_type="NVIDIA_TESLA_T4", accelerator_count=1),
        layer(machine_type="n1-standard-8"),
    )
    assert "n1-standard-8" in made.in_words()
    assert "1 x NVIDIA_TESLA_T4" in made.in_words()


def test_flat_arguments_fill_pools() -> None:
    """What a pool leaves open, the arguments beside it say; an empty one after the first stays empty."""
    made = job(
        layer(
            image="gcr.io/a/b",
            machine_type="n1-standard-8",
            worker_pools=[{}, {}, {"replica_count": 2}],
        )
    )
    assert made.in_words() == "1 x n1-standard-8 and 2 x n1-standard-8, gcr.io/a/b"
    assert repr(made.worker_pools[1]) == "WorkerPool()"


def test_a_pool_without_replicas_skips_its_place() -> None:
    """Where a template makes none of the workers, there are none; the first pool has its one replica."""
    pools = [{}, {"replica_count": "0", "args": ["a"]}, {"replica_count": 2}, {"replica_count": 0}, {}]
    made = job(layer(image="gcr.io/a/b", worker_pools=pools))
    assert [pool.replica_count for pool in made.worker_pools] == [1, None, 2]
    assert made.worker_pools[1] == WorkerPool()
    reader = Reader()
    complete(
        [read_arguments({"image": "gcr.io/a/b", "worker_pools": [{"replica_count": 0}]}, reader)], reader
    )
    assert [str(finding) for finding in reader.findings] == [
        "worker_pools[0].replica_count: must be 1 for the first pool, which holds the primary replica, got 0"
    ]


def test_the_operators_arguments_reach_a_templates_pools() -> None:
    """A template names pools; an operator's image is heard in all of them, its own pools in their place."""
    template = layer(image="gcr.io/a/b", worker_pools=[{"replica_count": 1}, {"replica_count": 2}])
    assert job(layer(image="gcr.io/c/d"), template).in_words().endswith(", gcr.io/c/d")
    assert (
        job(layer(worker_pools=[{"replica_count": 1}]), template).in_words()
        == "1 x n1-standard-4, gcr.io/a/b"
    )


SAID_TWICE: list[tuple[dict[str, Any], str]] = [
    (
        {"machine_type": "n1-standard-8", "worker_pools": [{"machine": {"machine_type": "n1-standard-4"}}]},
        "worker_pools[0].machine.machine_type: is 'n1-standard-4' here and 'n1-standard-8' in machine_type: ",
    ),
    (
        {"service_account": "a@b.iam", "job_spec": {"serviceAccount": "c@b.iam"}},
        "service_account: is 'a@b.iam' here and 'c@b.iam' in job_spec.serviceAccount: say it once",
    ),
    (
        {"maximum_run_time": 60, "scheduling": {"timeout": 61}},
        "maximum_run_time: is 0:01:00 here and 0:01:01 in scheduling.timeout: say it once",
    ),
    (
        {"labels": {"a": "1"}, "job_spec": {"labels": {"a": "2"}}},
        "labels['a']: is said differently in job_spec.labels: say it once",
    ),
    (
        {"worker_pools": [{"replica_count": 1}], "job_spec": {"worker_pool_specs": [{}]}},
        "worker_pools: are in job_spec as well: keep one of the two",
    ),
    (
        {"env": {"A": "s3cret"}, "worker_pools": [{"env": {"A": "other"}}]},
        "worker_pools[0].env['A']: is said differently in env: say it once",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "message"), SAID_TWICE, ids=[row[1].split(":")[0] for row in SAID_TWICE]
)
def test_one_thing_said_twice_and_differently(arguments: dict[str, Any], message: str) -> None:
    """It is told where both stand; the values of variables are not."""
    reader = Reader()
    read_arguments(arguments, reader)
    (finding,) = reader.findings
    assert str(finding).startswith(message)
    assert "s3cret" not in str(finding)


NFS = {"server": "{{ x }}", "path": "/a", "mount_point": "b"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"args": ["{{ x }}"], "worker_pools": [{"args": ["{{ x }}"]}]},
        {"args": ["a", "{{ x }}"], "worker_pools": [{"args": ["a", "{{ y }}"]}]},
        {"env": {"A": "{{ x }}"}, "worker_pools": [{"env": {"A": "b"}}]},
        {"env": {"A": "b"}, "worker_pools": [{"env": {"A": "{{ x }}"}}]},
        {"labels": {"a": "{{ x }}"}, "job_spec": {"labels": {"a": "b"}}},
        {"network": "{{ x }}", "job_spec": {"network": "projects/1/global/networks/a"}},
        {"job_spec": {"workerPoolSpecs": [{"nfsMounts": [NFS], "nfs_mounts": [{**NFS, "path": "/b"}]}]}},
    ],
    ids=range(7),
)
def test_what_is_not_known_yet_may_be_the_same(arguments: dict[str, Any]) -> None:
    """Two places are compared once all of both is known."""
    reader = Reader(lambda value: isinstance(value, str) and "{{" in value)
    read_arguments(arguments, reader)
    assert reader.findings == []


def test_one_thing_said_twice_in_other_words() -> None:
    """To say the same twice is no mistake, in whatever words."""
    layer(
        maximum_run_time=60,
        scheduling={"timeout": "60s"},
        job_spec={"scheduling": {"timeout": {"seconds": 60}}},
    )
    layer(
        accelerator_type="NVIDIA_L4", job_spec={"workerPoolSpecs": [{"machineSpec": {"acceleratorType": 11}}]}
    )


_flat = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(["gcr.io/a/b", "gcr.io/c/d", ""]),
        "machine_type": st.sampled_from(["n1-standard-4", "g2-standard-8"]),
        "accelerator_type": st.sampled_from(["NVIDIA_L4", "NVIDIA_TESLA_T4", ""]),
        "accelerator_count": st.integers(0, 2),
        "env": st.dictionaries(st.sampled_from("AB"), st.sampled_from("12")),
        "labels": st.dictionaries(st.sampled_from("ab"), st.sampled_from("12")),
        "network": st.sampled_from([NETWORK, ""]),
        "reserved_ip_ranges": st.just(["a"]),
        "psc_interface_config": st.just({"network_attachment": "a"}),
        "scheduling": st.fixed_dictionaries(
            {},
            optional={"strategy": st.sampled_from(["SPOT", "FLEX_START"]), "max_wait_duration": st.just(60)},
        ),
        "tracking": st.fixed_dictionaries(
            {},
            optional={
                "experiment": st.just("projects/p/locations/l/metadataStores/s/contexts/e"),
                "experiment_run": st.just("projects/p/locations/l/metadataStores/s/contexts/e-r"),
            },
        ),
        "worker_pools": st.lists(
            st.sampled_from([{}, {"replica_count": 1}, {"replica_count": 2}]), min_size=1, max_size=3
        ),
    },
)
_layers = _flat.map(lambda arguments: layer(**arguments))


def _values(made: Layer) -> Any:
    pools = (
        None
        if made.pools is None
        else [{name: said.value for name, said in pool.items()} for pool in made.pools]
    )
    return [{name: said.value for name, said in fields.items()} for fields in (made.job, made.pool)], pools


@given(_layers, _layers, _layers)
def test_merging_is_associative(one: Layer, two: Layer, three: Layer) -> None:
    """Whichever two are merged first, the three say the same."""
    assert _values(merge(merge(one, two), three)) == _values(merge(one, merge(two, three)))


@given(_layers, _layers)
def test_what_is_said_first_is_never_lost(high: Layer, low: Layer) -> None:
    """All that the first says is in what both say."""
    merged = merge(high, low)
    for name, said in high.job.items():
        assert name == "labels" or merged.job[name].value == said.value
        assert name != "labels" or said.value.items() <= merged.job[name].value.items()
    for pool, both in zip(high.pools or (), merged.pools or (), strict=bool(high.pools)):
        assert all(name == "env" or both[name] == said for name, said in pool.items())
