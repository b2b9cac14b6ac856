"""Strategies for jobs that pass the checks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from airflow_vertex_training.vertex.spec import machines

REGION = "us-central1"
HERE = f"projects/acme/locations/{REGION}"

names = st.sampled_from(["a1", "digits", "a-b-c", "x" * 30])
texts = st.sampled_from(["", "1", " two words ", "--epochs=3", "ü\N{ROCKET}", '{"lr": 0.1}', "a\nb", "'\"\\"])
values = st.sampled_from(["", "vision", "Vision/Team", "2026-03-01T12:30:00+00:00", "C++", "ü" * 80])
env = st.dictionaries(st.sampled_from(["A", "_b", "API_KEY", "a1"]), texts)
folders = names.map(lambda name: f"gs://{name}-bucket/models")
durations = st.integers(1, 10**6).map(lambda milliseconds: timedelta(seconds=1) * milliseconds)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for dicts with some of these keys."""
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def machines_(draw: st.DrawFn) -> dict[str, Any]:
    """A machine of Google's tables, with accelerators that it takes."""
    machine_type = draw(
        st.sampled_from(
            [
                *sorted(set(machines.BUILT_IN) - machines.RESERVATION_REQUIRED),
                "n1-standard-8",
                "n1-highcpu-64",
                "e2-standard-4",
                *machines.TPU_TOPOLOGIES,
                "cloud-tpu",
            ]
        )
    )
    machine: dict[str, Any] = {"machine_type": machine_type}
    takes = machines.accelerators_of(machine_type)
    if takes and (machines.needs_accelerator(machine_type) or draw(st.booleans())):
        machine["accelerator_type"] = draw(st.sampled_from(sorted(takes)))
        counts: st.SearchStrategy[Any] = st.sampled_from(takes[machine["accelerator_type"]])
        machine["accelerator_count"] = draw(counts)
    if machine_type in machines.TPU_TOPOLOGIES:
        machine["tpu_topology"] = draw(st.sampled_from(machines.TPU_TOPOLOGIES[machine_type]))
    kind = draw(st.sampled_from([None, "NO_RESERVATION", "ANY_RESERVATION", "SPECIFIC_RESERVATION"]))
    if kind:
        machine["reservation_affinity"] = {"reservation_affinity_type": kind}
        if kind == "SPECIFIC_RESERVATION":
            machine["reservation_affinity"]["values"] = ["projects/acme/zones/us-central1-a/reservations/r"]
    return machine


programs = st.one_of(
    st.fixed_dictionaries(
        {
            "image": names.map(lambda name: f"gcr.io/acme/{name}"),
            "command": st.lists(texts.filter(bool), min_size=1, max_size=3),
        },
        optional={"args": st.lists(texts, max_size=3), "env": env},
    ),
    st.fixed_dictionaries(
        {
            "image": st.just("us-docker.pkg.dev/vertex-ai/training/scikit-learn-cpu.1-6:latest"),
            "package_uris": st.lists(
                names.map(lambda name: f"gs://acme/{name}.tar.gz"), min_size=1, max_size=3
            ),
            "python_module": st.just("trainer.task"),
        },
        optional={"args": st.lists(texts, max_size=3), "env": env},
    ),
)
mounts = st.fixed_dictionaries({"server": st.just("10.0.0.2"), "path": st.just("/a"), "mount_point": names})
lustre = st.fixed_dictionaries(
    {"instance_ip": st.just("10.0.0.2"), "volume_handle": names, "filesystem": names, "mount_point": names}
)


@st.composite
def pools_(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to four pools, some of them empty, as often on one machine as on several."""
    same = draw(machines_())
    found: list[dict[str, Any]] = []
    for index in range(draw(st.integers(1, 4))):
        if index and draw(st.booleans()):
            found.append({})
            continue
        disk = draw(optional(boot_disk_size_gb=st.integers(100, 64_000)))
        pool = {**draw(programs), "machine": draw(st.just(same) | machines_()), "disk": disk}
        pool.update(
            draw(
                optional(nfs_mounts=st.lists(mounts, max_size=2), lustre_mounts=st.lists(lustre, max_size=2))
            )
        )
        count: st.SearchStrategy[Any] = st.integers(1, 9) if index else st.just(1)
        pool["replica_count"] = draw(count)
        found.append(pool)
    return found


scheduling = optional(
    timeout=durations,
    strategy=st.sampled_from(["STANDARD", "SPOT", "FLEX_START", "ON_DEMAND"]),
    restart_job_on_worker_restart=st.booleans(),
    disable_retries=st.booleans(),
    max_wait_duration=st.just(timedelta(0)) | durations,
)
CONTEXT = f"{HERE}/metadataStores/default/contexts/digits"
jobs = st.fixed_dictionaries(
    {"display_name": names, "region": st.just(REGION), "worker_pools": pools_()},
    optional={
        "scheduling": scheduling,
        "labels": st.dictionaries(names, values),
        "service_account": names.map(lambda name: f"{name}@acme.iam.gserviceaccount.com"),
        "network": names.map(lambda name: f"projects/1234/global/networks/{name}"),
        "reserved_ip_ranges": st.lists(names, max_size=2),
        "psc_interface_config": optional(
            network_attachment=names,
            dns_peering_configs=st.lists(
                st.fixed_dictionaries(
                    {"domain": st.just("acme.corp."), "target_project": names, "target_network": names}
                ),
                max_size=2,
            ),
        ),
        "persistent_resource_id": names,
        "base_output_directory": folders,
        "tracking": optional(
            tensorboard=st.just(f"{HERE}/tensorboards/1"),
            experiment=st.just(CONTEXT),
            experiment_run=st.just(f"{CONTEXT}-1"),
        ),
        "access": optional(enable_web_access=st.booleans(), enable_dashboard_access=st.booleans()),
        "kms_key_name": st.just(f"{HERE}/keyRings/r/cryptoKeys/k"),
        "protected_artifact_location_id": st.just("us-east1"),
        "models": st.lists(names.map(lambda name: f"{HERE}/models/{name}@1"), max_size=2),
    },
)


def mended(said: dict[str, Any]) -> dict[str, Any]:
    """Return arguments without what does not go together, by Google's own rules."""
    pools = [pool for pool in said["worker_pools"] if pool]
    tpus = [pool for pool in pools if machines.is_tpu(pool["machine"]["machine_type"])]
    if tpus:
        said["worker_pools"] = pools = [{**tpus[0], "replica_count": 1}]
    how = said.get("scheduling", {})
    first = pools[0]["machine"]
    if (
        how.get("strategy") == "FLEX_START"
        and first.get("accelerator_type") in machines.FLEX_START_ACCELERATORS
    ):
        how["timeout"] = min(how.get("timeout", timedelta(days=1)), timedelta(days=7))
        for pool in pools:
            pool["machine"] = {name: each for name, each in first.items() if name != "reservation_affinity"}
    else:
        how.pop("max_wait_duration", None)
        how.pop("strategy" if how.get("strategy") == "FLEX_START" or tpus else "", None)
    if any("reservation_affinity" in pool["machine"] for pool in pools):
        said.pop("persistent_resource_id", None)
    if "network" in said:
        said.pop("psc_interface_config", None)
    else:
        said.pop("reserved_ip_ranges", None)
    if "experiment" not in said.get("tracking", {}):
        said.get("tracking", {}).pop("experiment_run", None)
    if "tensorboard" in said.get("tracking", {}):
        said.setdefault("service_account", "a@acme.iam.gserviceaccount.com")
        said.setdefault("base_output_directory", "gs://acme/models")
    return said


valid_jobs = jobs.map(mended)
