"""Calls of `CreateCustomJob`: what is taken of a job, its spec and its task, and what is refused."""

from __future__ import annotations

from typing import Any

from tests.emulator.calls.creating import (
    CPU,
    DOCS,
    L4,
    POOL,
    T4,
    TAKEN,
    V5E,
    WORKERS,
    Create,
    calls,
    machine,
    scheduled,
    wrong,
)
from tests.emulator.calls.world import UNDOCUMENTED, proto

__all__ = ["CALLS"]

FLEX = f"{DOCS}/training/schedule-jobs-dws#requirements"
TENSORBOARD = f"{DOCS}/experiments/tensorboard-training"
IMAGES = f"{DOCS}/training/containers-overview"
RESERVATIONS = f"{DOCS}/training/use-reservations"
SPOT = f"{DOCS}/training/use-spot-vms"
PEERING = f"{DOCS}/training/psc-i-egress"
SETTINGS = f"{DOCS}/training/configure-container-settings"
DISTRIBUTED = f"{DOCS}/training/distributed-training"
LABELS = "https://cloud.google.com/resource-manager/docs/labels-overview#requirements"
RESERVED = {
    "reservation_affinity_type": "SPECIFIC_RESERVATION",
    "key": "compute.googleapis.com/reservation-name",
    "values": ["projects/p/zones/us-central1-a/reservations/r"],
}
CONTEXT = "projects/1/locations/us-central1/metadataStores/default/contexts"
BOARD = {
    "spec.tensorboard": "projects/1/locations/us-central1/tensorboards/2",
    "spec.service_account": "trainer@acme.iam.gserviceaccount.com",
    "spec.base_output_directory": {"output_uri_prefix": "gs://acme/out"},
}
KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"


def package(**fields: Any) -> dict[str, Any]:
    package = {
        "executor_image_uri": "us-docker.pkg.dev/acme/executors/x:1",
        "package_uris": ["gs://acme/x.tar.gz"],
        "python_module": "trainer.task",
        **fields,
    }
    return {"pool.container_spec": None, "pool.python_package_spec": package}


CREATES: list[Create] = [
    ("the smallest valid job", {}, TAKEN, proto("CustomJob.job_spec")),
    ("no display name", {"job.display_name": ""}, wrong("display_name", "Required"),
     proto("CustomJob.display_name")),
    ("a name of 128 characters", {"job.display_name": "ü" * 128}, TAKEN, proto("CustomJob.display_name")),
    ("a name of 129", {"job.display_name": "x" * 129}, wrong("display_name"),
     proto("CustomJob.display_name")),
    ("64 labels", {"job.labels": {f"key{n}": "v" for n in range(64)}}, TAKEN, LABELS),
    ("65 labels", {"job.labels": {f"key{n}": "v" for n in range(65)}}, wrong("labels", "At most 64"),
     LABELS),
    ("international labels", {"job.labels": {"größe": "groß", "a1_-": ""}}, TAKEN, proto("CustomJob.labels")),
    ("a label in capitals", {"job.labels": {"Team": "a"}}, wrong("labels"), proto("CustomJob.labels")),
    ("a label value with a dot", {"job.labels": {"team": "a.b"}}, wrong("labels"),
     proto("CustomJob.labels")),
    ("a label key that begins with a digit", {"job.labels": {"1st": "a"}}, wrong("labels"), LABELS),
    ("a label key of no character", {"job.labels": {"": "a"}}, wrong("labels"), LABELS),
    ("a label value of 64 characters", {"job.labels": {"team": "x" * 64}}, wrong("labels"), LABELS),
    ("a key", {"job.encryption_spec": {"kms_key_name": KEY}}, TAKEN, proto("EncryptionSpec.kms_key_name")),
    ("a key of another form", {"job.encryption_spec": {"kms_key_name": "k"}},
     wrong("encryption_spec.kms_key_name"), proto("EncryptionSpec.kms_key_name")),
    ("a key of another region",
     {"job.encryption_spec": {"kms_key_name": KEY.replace("us-central1", "us-east1")}},
     wrong("encryption_spec.kms_key_name", "The key needs"), proto("EncryptionSpec.kms_key_name")),
    ("no worker pool", {"spec.worker_pool_specs": []}, wrong("job_spec.worker_pool_specs"),
     proto("CustomJobSpec.worker_pool_specs")),
    ("five worker pools", {"pools": [WORKERS] * 4}, wrong("job_spec.worker_pool_specs", "At most 4"),
     DISTRIBUTED),
    ("an empty pool skips a place", {"pools": [{}, WORKERS]}, TAKEN,
     proto("CustomJobSpec.worker_pool_specs")),
    ("an empty first pool", {"pool.machine_spec": {}}, wrong(f"{POOL}.machine_spec.machine_type"),
     proto("MachineSpec.machine_type")),
    ("two replicas of the chief", {"pool.replica_count": 2}, wrong(f"{POOL}.replica_count"), DISTRIBUTED),
    ("no replica", {"pools": [{**WORKERS, "replica_count": 0}]},
     wrong("job_spec.worker_pool_specs[1].replica_count"), UNDOCUMENTED),
    ("no task", {"pool.container_spec": None}, wrong(f"{POOL}.container_spec", "Required"), UNDOCUMENTED),
    ("a share without a leading slash",
     {"pool.nfs_mounts": [{"server": "10.0.0.1", "path": "x", "mount_point": "y"}]},
     wrong(f"{POOL}.nfs_mounts[0].path", "Must start with '/'"), proto("NfsMount.path")),
    ("a share without a server", {"pool.nfs_mounts": [{"path": "/x", "mount_point": "y"}]},
     wrong(f"{POOL}.nfs_mounts[0].server"), proto("NfsMount.server")),
    ("a Lustre mount without its volume", {"pool.lustre_mounts": [
        {"instance_ip": "10.0.0.1", "filesystem": "f", "mount_point": "y"}]},
     wrong(f"{POOL}.lustre_mounts[0].volume_handle"), proto("LustreMount.volume_handle")),
    ("no image", {"container.image_uri": ""}, wrong(f"{POOL}.container_spec.image_uri"),
     proto("ContainerSpec.image_uri")),
    ("an image of Docker Hub", {"container.image_uri": "tensorflow/tensorflow:2.15.0"}, TAKEN, IMAGES),
    ("an image of another registry", {"container.image_uri": "quay.io/acme/x:1"},
     wrong(f"{POOL}.container_spec.image_uri"), IMAGES),
    ("100,000 characters of args", {"container.args": ["x" * 50_000] * 2}, TAKEN, SETTINGS),
    ("100,001", {"container.args": ["x" * 100_001]}, wrong(f"{POOL}.container_spec.args"), SETTINGS),
    ("100 variables", {"container.env": [{"name": f"N{n}", "value": ""} for n in range(100)]}, TAKEN,
     proto("ContainerSpec.env")),
    ("101 variables", {"container.env": [{"name": f"N{n}"} for n in range(101)]},
     wrong(f"{POOL}.container_spec.env"),
     proto("ContainerSpec.env")),
    ("a variable that is no C identifier", {"container.env": [{"name": "1 A"}]},
     wrong(f"{POOL}.container_spec.env"),
     proto("EnvVar.name")),
    ("a variable twice", {"container.env": [{"name": "A"}, {"name": "A"}]},
     wrong(f"{POOL}.container_spec.env"),
     UNDOCUMENTED),
    ("an image alone", {"container.command": []}, TAKEN, proto("ContainerSpec.command")),
    ("args alone", {"container.command": [], "container.args": ["--epochs", "1"]}, TAKEN,
     proto("ContainerSpec.args")),
    ("a package", package(), TAKEN, proto("PythonPackageSpec")),
    ("a package's variable that is no C identifier", package(env=[{"name": "1 A"}]),
     wrong(f"{POOL}.python_package_spec.env"), proto("EnvVar.name")),
    ("a package of no file", package(package_uris=[]), wrong(f"{POOL}.python_package_spec.package_uris"),
     proto("PythonPackageSpec.package_uris")),
    ("a package that is in no bucket", package(package_uris=["x.tar.gz"]),
     wrong(f"{POOL}.python_package_spec.package_uris", "Must be gs://"),
     proto("PythonPackageSpec.package_uris")),
    ("a package without an executor", package(executor_image_uri=""),
     wrong(f"{POOL}.python_package_spec.executor_image_uri"), proto("PythonPackageSpec.executor_image_uri")),
    ("a package without a module", package(python_module=""),
     wrong(f"{POOL}.python_package_spec.python_module"), proto("PythonPackageSpec.python_module")),
    ("101 packages", package(package_uris=["gs://acme/x"] * 101),
     wrong(f"{POOL}.python_package_spec.package_uris"), proto("PythonPackageSpec.package_uris")),
    ("a timeout of a second", {"spec.scheduling": {"timeout": {"seconds": 1}}}, TAKEN,
     proto("Scheduling.timeout")),
    ("a timeout of nothing", {"spec.scheduling": {"timeout": {}}}, wrong("job_spec.scheduling.timeout"),
     UNDOCUMENTED),
    ("FLEX_START with an L4", scheduled(L4, strategy="FLEX_START"), TAKEN, FLEX),
    ("FLEX_START without a GPU", scheduled(CPU, strategy="FLEX_START"),
     wrong("job_spec.scheduling.strategy"), FLEX),
    ("FLEX_START with a T4", scheduled(T4, strategy="FLEX_START"), wrong("job_spec.scheduling.strategy"),
     FLEX),
    ("FLEX_START for 8 days", scheduled(L4, strategy="FLEX_START", timeout={"seconds": 8 * 86_400}),
     wrong("job_spec.scheduling.timeout", "Must be at most 7 days"), FLEX),
    ("FLEX_START with two machines", {**scheduled(L4, strategy="FLEX_START"), "pools": [
        {**WORKERS, "machine_spec": {**L4, "machine_type": "g2-standard-16"}}]},
     wrong("job_spec.scheduling.strategy", "FLEX_START needs the same machine configuration"), FLEX),
    ("FLEX_START with a reservation",
     scheduled({**L4, "reservation_affinity": RESERVED}, strategy="FLEX_START"),
     wrong("job_spec.scheduling.strategy", "FLEX_START can't"), RESERVATIONS),
    ("FLEX_START that waits for ever", scheduled(L4, strategy="FLEX_START", max_wait_duration={}), TAKEN,
     proto("Scheduling.max_wait_duration")),
    ("SPOT with a GPU", scheduled(T4, strategy="SPOT"), TAKEN, proto("Scheduling.Strategy.SPOT")),
    ("SPOT with a TPU Pod", scheduled({**V5E, "tpu_topology": "4x4"}, strategy="SPOT"),
     wrong("job_spec.scheduling.strategy", "SPOT has no TPU Pods"), SPOT),
    ("SPOT with a TPU machine of 8 chips", scheduled(
        {"machine_type": "ct5lp-hightpu-8t", "tpu_topology": "2x4"}, strategy="SPOT"), TAKEN, SPOT),
    ("a reservation", machine(**L4, reservation_affinity=RESERVED), TAKEN, RESERVATIONS),
    ("a reservation of no type", machine(**L4, reservation_affinity={"key": "k"}),
     wrong(f"{POOL}.machine_spec.reservation_affinity.reservation_affinity_type"),
     proto("ReservationAffinity.reservation_affinity_type")),
    ("a specific reservation without a name", machine(
        **L4, reservation_affinity={"reservation_affinity_type": "SPECIFIC_RESERVATION", "key": "k"}),
     wrong(f"{POOL}.machine_spec.reservation_affinity.values"), proto("ReservationAffinity.Type")),
    ("a reservation's short name", machine(**L4, reservation_affinity={**RESERVED, "values": ["r"]}),
     wrong(f"{POOL}.machine_spec.reservation_affinity.values"), proto("ReservationAffinity.values")),
    ("a reservation on a persistent resource", {
        "pool.machine_spec": {**L4, "reservation_affinity": RESERVED}, "spec.persistent_resource_id": "mine"},
     wrong("job_spec.persistent_resource_id"), RESERVATIONS),
    ("a persistent resource's full name", {"spec.persistent_resource_id": "projects/p/x"},
     wrong("job_spec.persistent_resource_id"),
     proto("CreatePersistentResourceRequest.persistent_resource_id")),
    ("an output directory", {"spec.base_output_directory": {"output_uri_prefix": "gs://acme-models/x"}},
     TAKEN,
     proto("GcsDestination.output_uri_prefix")),
    ("an output directory elsewhere", {"spec.base_output_directory": {"output_uri_prefix": "s3://x"}},
     wrong("job_spec.base_output_directory.output_uri_prefix"), proto("GcsDestination.output_uri_prefix")),
    ("a network", {"spec.network": "projects/123/global/networks/net"}, TAKEN,
     proto("CustomJobSpec.network")),
    ("a network's short name", {"spec.network": "default"}, wrong("job_spec.network"),
     proto("CustomJobSpec.network")),
    ("a network of a project id", {"spec.network": "projects/acme/global/networks/net"},
     wrong("job_spec.network"),
     proto("CustomJobSpec.network")),
    ("a network and an interface", {"spec.network": "projects/123/global/networks/net",
                                    "spec.psc_interface_config": {"network_attachment": "a"}},
     wrong("job_spec.network", "Can't be used together"), PEERING),
    ("a peered domain without a dot", {"spec.psc_interface_config": {"dns_peering_configs": [
        {"domain": "corp", "target_project": "p", "target_network": "n"}]}},
     wrong("job_spec.psc_interface_config.dns_peering_configs[0].domain"), proto("DnsPeeringConfig.domain")),
    ("a TensorBoard", BOARD, TAKEN, TENSORBOARD),
    ("a TensorBoard's id",
     {**BOARD, "spec.tensorboard": "2"},
     wrong("job_spec.tensorboard"), proto("CustomJobSpec.tensorboard")),
    ("a TensorBoard of another region", {
        **BOARD, "spec.tensorboard": "projects/1/locations/us-east1/tensorboards/2"},
     wrong("job_spec.tensorboard", "Must be in the job's region"), TENSORBOARD),
    ("a TensorBoard without a service account", {**BOARD, "spec.service_account": ""},
     wrong("job_spec.service_account"), TENSORBOARD),
    ("a TensorBoard without an output directory", {**BOARD, "spec.base_output_directory": None},
     wrong("job_spec.base_output_directory"), TENSORBOARD),
    ("an experiment and a run", {"spec.experiment": f"{CONTEXT}/e", "spec.experiment_run": f"{CONTEXT}/e-1"},
     TAKEN,
     proto("CustomJobSpec.experiment_run")),
    ("an experiment's short name", {"spec.experiment": "e"}, wrong("job_spec.experiment"),
     proto("CustomJobSpec.experiment")),
    ("a run of another experiment",
     {"spec.experiment": f"{CONTEXT}/e", "spec.experiment_run": f"{CONTEXT}/f-1"},
     wrong("job_spec.experiment_run"), proto("CustomJobSpec.experiment_run")),
    ("no job", {"job": None}, wrong("display_name"), proto("CreateCustomJobRequest.custom_job")),
]  # fmt: skip

CALLS = calls(CREATES)
