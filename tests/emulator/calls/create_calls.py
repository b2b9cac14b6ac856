"""Calls of `CreateCustomJob`: what is taken and what is refused."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from google.cloud import aiplatform_v1

from tests.emulator.calls.world import UNDOCUMENTED, Call, Refused, proto

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.calls.world import World

__all__ = ["CALLS"]

DOCS = "https://cloud.google.com/vertex-ai/docs"
MACHINES = f"{DOCS}/training/configure-compute"
FLEX = f"{DOCS}/training/schedule-jobs-dws#requirements"
TENSORBOARD = f"{DOCS}/experiments/tensorboard-training"
IMAGES = f"{DOCS}/training/containers-overview"
RESERVATIONS = f"{DOCS}/training/use-reservations"
SPOT = f"{DOCS}/training/use-spot-vms"
PEERING = f"{DOCS}/training/psc-i-egress"
SETTINGS = f"{DOCS}/training/configure-container-settings"
DISTRIBUTED = f"{DOCS}/training/distributed-training"
LABELS = "https://cloud.google.com/resource-manager/docs/labels-overview#requirements"
SEEN_PAIR = "seen: https://github.com/prefect-archive/prefect-gcp/issues/175"
SEEN_MACHINE = "seen: https://github.com/GoogleCloudPlatform/vertex-ai-samples/issues/213"

TAKEN = "taken"
POOL = "job_spec.worker_pool_specs[0]"

CPU = {"machine_type": "n1-standard-4"}
L4 = {"machine_type": "g2-standard-8", "accelerator_type": "NVIDIA_L4", "accelerator_count": 1}
T4 = {"machine_type": "n1-standard-8", "accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1}
TPU = {"machine_type": "cloud-tpu", "accelerator_type": "TPU_V3", "accelerator_count": 8}
V5E = {"machine_type": "ct5lp-hightpu-4t", "tpu_topology": "2x2"}
RESERVED = {
    "reservation_affinity_type": "SPECIFIC_RESERVATION",
    "key": "compute.googleapis.com/reservation-name",
    "values": ["projects/p/zones/us-central1-a/reservations/r"],
}
CONTAINER = {"image_uri": "us-docker.pkg.dev/acme/trainers/calls:1", "command": ["true"]}
WORKERS = {"machine_spec": CPU, "replica_count": 2, "container_spec": CONTAINER}
CONTEXT = "projects/1/locations/us-central1/metadataStores/default/contexts"
BOARD = {
    "spec.tensorboard": "projects/1/locations/us-central1/tensorboards/2",
    "spec.service_account": "trainer@acme.iam.gserviceaccount.com",
    "spec.base_output_directory": {"output_uri_prefix": "gs://acme/out"},
}
KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"


def _wrong(field: str, text: str = "") -> Refused:
    return Refused(f"Field: {field}; Message: {text}")


def _machine(**fields: Any) -> dict[str, Any]:
    return {"pool.machine_spec": fields}


def _scheduled(machine: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"pool.machine_spec": machine, "spec.scheduling": fields}


def _gpus(machine_type: str, kind: str, count: int) -> dict[str, Any]:
    return _machine(machine_type=machine_type, accelerator_type=kind, accelerator_count=count)


def _package(**fields: Any) -> dict[str, Any]:
    package = {
        "executor_image_uri": "us-docker.pkg.dev/acme/executors/x:1",
        "package_uris": ["gs://acme/x.tar.gz"],
        "python_module": "trainer.task",
        **fields,
    }
    return {"pool.container_spec": None, "pool.python_package_spec": package}


# What is asked, how it differs from a valid job, the answer, and its source.
CREATES: list[tuple[str, dict[str, Any], Any, str]] = [
    ("the smallest valid job", {}, TAKEN, proto("CustomJob.job_spec")),
    ("no display name", {"job.display_name": ""}, _wrong("display_name", "Required"),
     proto("CustomJob.display_name")),
    ("a name of 128 characters", {"job.display_name": "ü" * 128}, TAKEN, proto("CustomJob.display_name")),
    ("a name of 129", {"job.display_name": "x" * 129}, _wrong("display_name"),
     proto("CustomJob.display_name")),
    ("64 labels", {"job.labels": {f"key{n}": "v" for n in range(64)}}, TAKEN, LABELS),
    ("65 labels", {"job.labels": {f"key{n}": "v" for n in range(65)}}, _wrong("labels", "At most 64"),
     LABELS),
    ("international labels", {"job.labels": {"größe": "groß", "a1_-": ""}}, TAKEN, proto("CustomJob.labels")),
    ("a label in capitals", {"job.labels": {"Team": "a"}}, _wrong("labels"), proto("CustomJob.labels")),
    ("a label value with a dot", {"job.labels": {"team": "a.b"}}, _wrong("labels"),
     proto("CustomJob.labels")),
    ("a label key that begins with a digit", {"job.labels": {"1st": "a"}}, _wrong("labels"), LABELS),
    ("a label key of no character", {"job.labels": {"": "a"}}, _wrong("labels"), LABELS),
    ("a label value of 64 characters", {"job.labels": {"team": "x" * 64}}, _wrong("labels"), LABELS),
    ("a key", {"job.encryption_spec": {"kms_key_name": KEY}}, TAKEN, proto("EncryptionSpec.kms_key_name")),
    ("a key of another form", {"job.encryption_spec": {"kms_key_name": "k"}},
     _wrong("encryption_spec.kms_key_name"), proto("EncryptionSpec.kms_key_name")),
    ("a key of another region",
     {"job.encryption_spec": {"kms_key_name": KEY.replace("us-central1", "us-east1")}},
     _wrong("encryption_spec.kms_key_name", "The key needs"), proto("EncryptionSpec.kms_key_name")),
    ("no worker pool", {"spec.worker_pool_specs": []}, _wrong("job_spec.worker_pool_specs"),
     proto("CustomJobSpec.worker_pool_specs")),
    ("five worker pools", {"pools": [WORKERS] * 4}, _wrong("job_spec.worker_pool_specs", "At most 4"),
     DISTRIBUTED),
    ("an empty pool skips a place", {"pools": [{}, WORKERS]}, TAKEN,
     proto("CustomJobSpec.worker_pool_specs")),
    ("an empty first pool", {"pool.machine_spec": {}}, _wrong(f"{POOL}.machine_spec.machine_type"),
     proto("MachineSpec.machine_type")),
    ("two replicas of the chief", {"pool.replica_count": 2}, _wrong(f"{POOL}.replica_count"), DISTRIBUTED),
    ("no replica", {"pools": [{**WORKERS, "replica_count": 0}]},
     _wrong("job_spec.worker_pool_specs[1].replica_count"), UNDOCUMENTED),
    ("no task", {"pool.container_spec": None}, _wrong(f"{POOL}.container_spec", "Required"), UNDOCUMENTED),
    ("an accelerator without a count",
     _machine(machine_type="n1-standard-8", accelerator_type="NVIDIA_TESLA_T4"),
     _wrong(f"{POOL}.machine_spec.accelerator_type",
     "Both `accelerator_type` and `accelerator_count` should be"
            " specified or none."), SEEN_PAIR),
    ("a count without an accelerator", _machine(machine_type="n1-standard-8", accelerator_count=1),
     _wrong(f"{POOL}.machine_spec.accelerator_type"), SEEN_PAIR),
    ("n1-standard-2", _machine(machine_type="n1-standard-2"), Refused('Machine type "n1-standard-2" is not'),
     MACHINES),
    ("e2-standard-4", _machine(machine_type="e2-standard-4"), TAKEN, MACHINES),
    ("m1-megamem-96", _machine(machine_type="m1-megamem-96"), TAKEN, MACHINES),
    ("c2-standard-30", _machine(machine_type="c2-standard-30"), TAKEN, MACHINES),
    ("n1-typo-4", _machine(machine_type="n1-typo-4"), Refused('Machine type "n1-typo-4" is not supported'),
     MACHINES),
    ("a family of tomorrow", _machine(machine_type="z9-standard-4"), TAKEN, UNDOCUMENTED),
    ("a T4 on N1", {"pool.machine_spec": T4}, TAKEN, MACHINES),
    ("a K80", _gpus("n1-standard-4", "NVIDIA_TESLA_K80", 1),
     Refused('Accelerator "NVIDIA_TESLA_K80" is not supported for machine type "n1-standard-4"'),
     SEEN_MACHINE),
    ("a T4 on E2", _gpus("e2-standard-8", "NVIDIA_TESLA_T4", 1), Refused("is not supported for machine"),
     MACHINES),
    ("a T4 on 32 vCPUs", _gpus("n1-standard-32", "NVIDIA_TESLA_T4", 1), Refused("which takes 2, 4"),
     MACHINES),
    ("4 T4 on 96 vCPUs", _gpus("n1-standard-96", "NVIDIA_TESLA_T4", 4), TAKEN, MACHINES),
    ("3 T4", _gpus("n1-standard-8", "NVIDIA_TESLA_T4", 3), Refused("which takes 1, 2, 4"), MACHINES),
    ("a V100 on 16 vCPUs", _gpus("n1-highmem-16", "NVIDIA_TESLA_V100", 1), Refused("takes 2, 4, 8"),
     MACHINES),
    ("4 P100 on n1-highcpu-64", _gpus("n1-highcpu-64", "NVIDIA_TESLA_P100", 4), TAKEN, MACHINES),
    ("4 P100 on n1-standard-64", _gpus("n1-standard-64", "NVIDIA_TESLA_P100", 4), Refused("not supported"),
     MACHINES),
    ("an L4 on G2", {"pool.machine_spec": L4}, TAKEN, MACHINES),
    ("2 L4 on a machine with one", _gpus("g2-standard-8", "NVIDIA_L4", 2), Refused("which takes 1."),
     MACHINES),
    ("8 L4 on g2-standard-96", _gpus("g2-standard-96", "NVIDIA_L4", 8), TAKEN, MACHINES),
    ("an A100 on A2", _gpus("a2-highgpu-1g", "NVIDIA_TESLA_A100", 1), TAKEN, MACHINES),
    ("an A100 of 80 GB on A2 highgpu", _gpus("a2-highgpu-1g", "NVIDIA_A100_80GB", 1), Refused("not supp"),
     MACHINES),
    ("8 H200 on A3 ultra", _gpus("a3-ultragpu-8g", "NVIDIA_H200_141GB", 8), TAKEN, MACHINES),
    ("8 B200 on A4", _gpus("a4-highgpu-8g", "NVIDIA_B200", 8), TAKEN, MACHINES),
    ("A4X without a reservation", _gpus("a4x-highgpu-4g", "NVIDIA_GB200", 4),
     _wrong(f"{POOL}.machine_spec.reservation_affinity", "Required"), MACHINES),
    ("a GPU machine without its GPUs", _machine(machine_type="a2-highgpu-1g"), TAKEN, UNDOCUMENTED),
    ("a persistent disk on A3 ultra", {
        **_gpus("a3-ultragpu-8g", "NVIDIA_H200_141GB", 8), "pool.disk_spec": {"boot_disk_type": "pd-ssd"}},
     TAKEN, UNDOCUMENTED),
    ("a partition with two GPUs", _machine(**{**T4, "accelerator_count": 2}, gpu_partition_size="1g.10gb"),
     _wrong(f"{POOL}.machine_spec.accelerator_count"), proto("MachineSpec.gpu_partition_size")),
    ("a cloud-tpu with 8 cores", {"pool.machine_spec": TPU}, TAKEN, MACHINES),
    ("a cloud-tpu with 64 cores", {"pool.machine_spec": {**TPU, "accelerator_count": 64}}, TAKEN, MACHINES),
    ("a cloud-tpu with 16", {"pool.machine_spec": {**TPU, "accelerator_count": 16}}, Refused("8, 32, 64"),
     MACHINES),
    ("a cloud-tpu alone", _machine(machine_type="cloud-tpu"),
     _wrong(f"{POOL}.machine_spec.accelerator_type"), MACHINES),
    ("a TPU v5e with a topology", {"pool.machine_spec": V5E}, TAKEN, MACHINES),
    ("a TPU v5e without", _machine(machine_type="ct5lp-hightpu-4t"),
     _wrong(f"{POOL}.machine_spec.tpu_topology"), MACHINES),
    ("a topology that the machine hasn't", _machine(machine_type="ct5lp-hightpu-1t", tpu_topology="2x2"),
     _wrong(f"{POOL}.machine_spec.tpu_topology", "Must be one of 1x1"), MACHINES),
    ("TPUs and a second pool", {"pool.machine_spec": V5E, "pools": [WORKERS]},
     _wrong("job_spec.worker_pool_specs", "A job with TPUs"), MACHINES),
    ("100 GB of disk", {"pool.disk_spec": {"boot_disk_size_gb": 100}}, TAKEN, MACHINES),
    ("64,000 GB", {"pool.disk_spec": {"boot_disk_size_gb": 64_000}}, TAKEN, MACHINES),
    ("99 GB", {"pool.disk_spec": {"boot_disk_size_gb": 99}}, _wrong(f"{POOL}.disk_spec.boot_disk_size_gb"),
     MACHINES),
    ("64,001 GB", {"pool.disk_spec": {"boot_disk_size_gb": 64_001}},
     _wrong(f"{POOL}.disk_spec.boot_disk_size_gb"), MACHINES),
    ("a pd-standard disk", {"pool.disk_spec": {"boot_disk_type": "pd-standard"}}, TAKEN,
     proto("DiskSpec.boot_disk_type")),
    ("a hyperdisk", {"pool.disk_spec": {"boot_disk_type": "hyperdisk-balanced"}}, TAKEN,
     proto("DiskSpec.boot_disk_type")),
    ("another disk", {"pool.disk_spec": {"boot_disk_type": "pd-extreme"}},
     _wrong(f"{POOL}.disk_spec.boot_disk_type"),
     proto("DiskSpec.boot_disk_type")),
    ("a share without a leading slash",
     {"pool.nfs_mounts": [{"server": "10.0.0.1", "path": "x", "mount_point": "y"}]},
     _wrong(f"{POOL}.nfs_mounts[0].path", "Must start with '/'"), proto("NfsMount.path")),
    ("a share without a server", {"pool.nfs_mounts": [{"path": "/x", "mount_point": "y"}]},
     _wrong(f"{POOL}.nfs_mounts[0].server"), proto("NfsMount.server")),
    ("a Lustre mount without its volume", {"pool.lustre_mounts": [
        {"instance_ip": "10.0.0.1", "filesystem": "f", "mount_point": "y"}]},
     _wrong(f"{POOL}.lustre_mounts[0].volume_handle"), proto("LustreMount.volume_handle")),
    ("no image", {"container.image_uri": ""}, _wrong(f"{POOL}.container_spec.image_uri"),
     proto("ContainerSpec.image_uri")),
    ("an image of Docker Hub", {"container.image_uri": "tensorflow/tensorflow:2.15.0"}, TAKEN, IMAGES),
    ("an image of another registry", {"container.image_uri": "quay.io/acme/x:1"},
     _wrong(f"{POOL}.container_spec.image_uri"), IMAGES),
    ("100,000 characters of args", {"container.args": ["x" * 50_000] * 2}, TAKEN, SETTINGS),
    ("100,001", {"container.args": ["x" * 100_001]}, _wrong(f"{POOL}.container_spec.args"), SETTINGS),
    ("100 variables", {"container.env": [{"name": f"N{n}", "value": ""} for n in range(100)]}, TAKEN,
     proto("ContainerSpec.env")),
    ("101 variables", {"container.env": [{"name": f"N{n}"} for n in range(101)]},
     _wrong(f"{POOL}.container_spec.env"),
     proto("ContainerSpec.env")),
    ("a variable that is no C identifier", {"container.env": [{"name": "1 A"}]},
     _wrong(f"{POOL}.container_spec.env"),
     proto("EnvVar.name")),
    ("a variable twice", {"container.env": [{"name": "A"}, {"name": "A"}]},
     _wrong(f"{POOL}.container_spec.env"),
     UNDOCUMENTED),
    ("an image alone", {"container.command": []}, TAKEN, proto("ContainerSpec.command")),
    ("args alone", {"container.command": [], "container.args": ["--epochs", "1"]}, TAKEN,
     proto("ContainerSpec.args")),
    ("a package", _package(), TAKEN, proto("PythonPackageSpec")),
    ("a package's variable that is no C identifier", _package(env=[{"name": "1 A"}]),
     _wrong(f"{POOL}.python_package_spec.env"), proto("EnvVar.name")),
    ("a package of no file", _package(package_uris=[]), _wrong(f"{POOL}.python_package_spec.package_uris"),
     proto("PythonPackageSpec.package_uris")),
    ("a package that is in no bucket", _package(package_uris=["x.tar.gz"]),
     _wrong(f"{POOL}.python_package_spec.package_uris", "Must be gs://"),
     proto("PythonPackageSpec.package_uris")),
    ("a package without an executor", _package(executor_image_uri=""),
     _wrong(f"{POOL}.python_package_spec.executor_image_uri"), proto("PythonPackageSpec.executor_image_uri")),
    ("a package without a module", _package(python_module=""),
     _wrong(f"{POOL}.python_package_spec.python_module"), proto("PythonPackageSpec.python_module")),
    ("101 packages", _package(package_uris=["gs://acme/x"] * 101),
     _wrong(f"{POOL}.python_package_spec.package_uris"), proto("PythonPackageSpec.package_uris")),
    ("a timeout of a second", {"spec.scheduling": {"timeout": {"seconds": 1}}}, TAKEN,
     proto("Scheduling.timeout")),
    ("a timeout of nothing", {"spec.scheduling": {"timeout": {}}}, _wrong("job_spec.scheduling.timeout"),
     UNDOCUMENTED),
    ("FLEX_START with an L4", _scheduled(L4, strategy="FLEX_START"), TAKEN, FLEX),
    ("FLEX_START without a GPU", _scheduled(CPU, strategy="FLEX_START"),
     _wrong("job_spec.scheduling.strategy"), FLEX),
    ("FLEX_START with a T4", _scheduled(T4, strategy="FLEX_START"), _wrong("job_spec.scheduling.strategy"),
     FLEX),
    ("FLEX_START for 8 days", _scheduled(L4, strategy="FLEX_START", timeout={"seconds": 8 * 86_400}),
     _wrong("job_spec.scheduling.timeout", "Must be at most 7 days"), FLEX),
    ("FLEX_START with two machines", {**_scheduled(L4, strategy="FLEX_START"), "pools": [
        {**WORKERS, "machine_spec": {**L4, "machine_type": "g2-standard-16"}}]},
     _wrong("job_spec.scheduling.strategy", "FLEX_START needs the same machine configuration"), FLEX),
    ("FLEX_START with a reservation",
     _scheduled({**L4, "reservation_affinity": RESERVED}, strategy="FLEX_START"),
     _wrong("job_spec.scheduling.strategy", "FLEX_START can't"), RESERVATIONS),
    ("FLEX_START that waits for ever", _scheduled(L4, strategy="FLEX_START", max_wait_duration={}), TAKEN,
     proto("Scheduling.max_wait_duration")),
    ("SPOT with a GPU", _scheduled(T4, strategy="SPOT"), TAKEN, proto("Scheduling.Strategy.SPOT")),
    ("SPOT with a TPU Pod", _scheduled({**V5E, "tpu_topology": "4x4"}, strategy="SPOT"),
     _wrong("job_spec.scheduling.strategy", "SPOT has no TPU Pods"), SPOT),
    ("SPOT with a TPU machine of 8 chips", _scheduled(
        {"machine_type": "ct5lp-hightpu-8t", "tpu_topology": "2x4"}, strategy="SPOT"), TAKEN, SPOT),
    ("a reservation", _machine(**L4, reservation_affinity=RESERVED), TAKEN, RESERVATIONS),
    ("a reservation of no type", _machine(**L4, reservation_affinity={"key": "k"}),
     _wrong(f"{POOL}.machine_spec.reservation_affinity.reservation_affinity_type"),
     proto("ReservationAffinity.reservation_affinity_type")),
    ("a specific reservation without a name", _machine(
        **L4, reservation_affinity={"reservation_affinity_type": "SPECIFIC_RESERVATION", "key": "k"}),
     _wrong(f"{POOL}.machine_spec.reservation_affinity.values"), proto("ReservationAffinity.Type")),
    ("a reservation's short name", _machine(**L4, reservation_affinity={**RESERVED, "values": ["r"]}),
     _wrong(f"{POOL}.machine_spec.reservation_affinity.values"), proto("ReservationAffinity.values")),
    ("a reservation on a persistent resource", {
        "pool.machine_spec": {**L4, "reservation_affinity": RESERVED}, "spec.persistent_resource_id": "mine"},
     _wrong("job_spec.persistent_resource_id"), RESERVATIONS),
    ("a persistent resource's full name", {"spec.persistent_resource_id": "projects/p/x"},
     _wrong("job_spec.persistent_resource_id"),
     proto("CreatePersistentResourceRequest.persistent_resource_id")),
    ("an output directory", {"spec.base_output_directory": {"output_uri_prefix": "gs://acme-models/x"}},
     TAKEN,
     proto("GcsDestination.output_uri_prefix")),
    ("an output directory elsewhere", {"spec.base_output_directory": {"output_uri_prefix": "s3://x"}},
     _wrong("job_spec.base_output_directory.output_uri_prefix"), proto("GcsDestination.output_uri_prefix")),
    ("a network", {"spec.network": "projects/123/global/networks/net"}, TAKEN,
     proto("CustomJobSpec.network")),
    ("a network's short name", {"spec.network": "default"}, _wrong("job_spec.network"),
     proto("CustomJobSpec.network")),
    ("a network of a project id", {"spec.network": "projects/acme/global/networks/net"},
     _wrong("job_spec.network"),
     proto("CustomJobSpec.network")),
    ("a network and an interface", {"spec.network": "projects/123/global/networks/net",
                                    "spec.psc_interface_config": {"network_attachment": "a"}},
     _wrong("job_spec.network", "Can't be used together"), PEERING),
    ("a peered domain without a dot", {"spec.psc_interface_config": {"dns_peering_configs": [
        {"domain": "corp", "target_project": "p", "target_network": "n"}]}},
     _wrong("job_spec.psc_interface_config.dns_peering_configs[0].domain"), proto("DnsPeeringConfig.domain")),
    ("a TensorBoard", BOARD, TAKEN, TENSORBOARD),
    ("a TensorBoard's id",
     {**BOARD, "spec.tensorboard": "2"},
     _wrong("job_spec.tensorboard"), proto("CustomJobSpec.tensorboard")),
    ("a TensorBoard of another region", {
        **BOARD, "spec.tensorboard": "projects/1/locations/us-east1/tensorboards/2"},
     _wrong("job_spec.tensorboard", "Must be in the job's region"), TENSORBOARD),
    ("a TensorBoard without a service account", {**BOARD, "spec.service_account": ""},
     _wrong("job_spec.service_account"), TENSORBOARD),
    ("a TensorBoard without an output directory", {**BOARD, "spec.base_output_directory": None},
     _wrong("job_spec.base_output_directory"), TENSORBOARD),
    ("an experiment and a run", {"spec.experiment": f"{CONTEXT}/e", "spec.experiment_run": f"{CONTEXT}/e-1"},
     TAKEN,
     proto("CustomJobSpec.experiment_run")),
    ("an experiment's short name", {"spec.experiment": "e"}, _wrong("job_spec.experiment"),
     proto("CustomJobSpec.experiment")),
    ("a run of another experiment",
     {"spec.experiment": f"{CONTEXT}/e", "spec.experiment_run": f"{CONTEXT}/f-1"},
     _wrong("job_spec.experiment_run"), proto("CustomJobSpec.experiment_run")),
    ("no job", {"job": None}, _wrong("display_name"), proto("CreateCustomJobRequest.custom_job")),
]  # fmt: skip


def _job(changes: dict[str, Any]) -> aiplatform_v1.CustomJob:
    """Return a valid job with some fields replaced, of the job, its spec, its pool or the container."""
    if changes.get("job", ...) is None:
        return aiplatform_v1.CustomJob()
    container: dict[str, Any] = deepcopy(CONTAINER)
    pool: dict[str, Any] = {"machine_spec": CPU, "replica_count": 1, "container_spec": container}
    spec: dict[str, Any] = {"worker_pool_specs": [pool, *changes.get("pools", ())]}
    levels: dict[str, dict[str, Any]] = {
        "job": {"display_name": "job", "job_spec": spec},
        "spec": spec,
        "pool": pool,
        "container": container,
    }
    for path, value in changes.items():
        level, _, field = path.partition(".")
        if field:
            levels[level][field] = value
    return aiplatform_v1.CustomJob(levels["job"])


def _creating(changes: dict[str, Any]) -> Callable[[World], str]:
    def create(world: World) -> str:
        world.jobs.create_custom_job(parent=world.parent(world.empty), custom_job=_job(changes))
        return TAKEN

    return create


CALLS = [
    Call(f"create: {name}", _creating(changes), expected, source)
    for name, changes, expected, source in CREATES
]
