"""A training job in the user's terms: all that a CustomJob can say.

Each field is a row of the table: its metadata say its check, its default, its place in the message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec import checks, machines, naming_rules, places, quantities
from airflow_vertex_training.vertex.spec.pools import WorkerPool
from airflow_vertex_training.vertex.spec.rows import Part, documented, group, row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@documented
@dataclass(frozen=True, kw_only=True, repr=False)
class Scheduling(Part):
    """How long a job waits and runs, and on what kind of capacity.

    https://cloud.google.com/vertex-ai/docs/training/schedule-jobs-dws
    """

    timeout: timedelta | float | str | None = field(
        default=None,
        metadata=row(
            "timeout",
            quantities.run_time,
            "running time after which Vertex ends the job, timedelta or seconds",
            default=timedelta(days=7),
            argument="maximum_run_time",
        ),
    )
    restart_job_on_worker_restart: bool | str | None = field(
        default=None,
        metadata=row(
            "restart_job_on_worker_restart",
            quantities.flag,
            "whether the whole job starts anew when one of its workers does",
        ),
    )
    strategy: str | None = field(
        default=None,
        metadata=row(
            "strategy",
            checks.one_of(machines.STRATEGIES, "'STANDARD', 'SPOT' or 'FLEX_START'"),
            "``STANDARD``, ``SPOT`` or ``FLEX_START``; default Vertex's, ``STANDARD``",
        ),
    )
    disable_retries: bool | str | None = field(
        default=None,
        metadata=row(
            "disable_retries", quantities.flag, "whether Vertex lets a job fail at its first internal error"
        ),
    )
    max_wait_duration: timedelta | float | str | None = field(
        default=None,
        metadata=row(
            "max_wait_duration",
            quantities.duration,
            "how long FLEX_START waits for machines, timedelta or seconds; 0 is for ever, "
            "default Vertex's, 24 hours",
            zero_counts=True,
        ),
    )


@documented
@dataclass(frozen=True, kw_only=True, repr=False)
class Tracking(Part):
    """Where Vertex keeps what training tells about itself."""

    tensorboard: str | None = field(
        default=None,
        metadata=row(
            "tensorboard",
            places.resource("tensorboards/[^/]+", "tensorboards/ID"),
            "TensorBoard instance, ``projects/P/locations/L/tensorboards/ID``; "
            "needs ``service_account`` and ``base_output_directory``",
        ),
    )
    experiment: str | None = field(
        default=None,
        metadata=row(
            "experiment",
            places.resource("metadataStores/[^/]+/contexts/[^/]+", "metadataStores/default/contexts/NAME"),
            "experiment, ``projects/P/locations/L/metadataStores/default/contexts/NAME``",
        ),
    )
    experiment_run: str | None = field(
        default=None,
        metadata=row(
            "experiment_run",
            places.resource(
                "metadataStores/[^/]+/contexts/[^/]+", "metadataStores/default/contexts/NAME-RUN"
            ),
            "run of the experiment, ``.../contexts/NAME-RUN``",
        ),
    )


@documented
@dataclass(frozen=True, kw_only=True, repr=False)
class Access(Part):
    """Who may look into the containers while they run.

    https://cloud.google.com/vertex-ai/docs/training/monitor-debug-interactive-shell
    """

    enable_web_access: bool | str | None = field(
        default=None,
        metadata=row("enable_web_access", quantities.flag, "whether there is an interactive shell in them"),
    )
    enable_dashboard_access: bool | str | None = field(
        default=None,
        metadata=row(
            "enable_dashboard_access",
            quantities.flag,
            "whether the primary replica's dashboard can be reached",
        ),
    )


@documented
@dataclass(frozen=True, kw_only=True, repr=False)
class DnsPeeringConfig(Part):
    """A domain that a network of yours resolves for the job."""

    domain: str = field(
        metadata=row(
            "domain",
            checks.named(r"\S+\.", "the domain with a dot at its end, such as 'acme.corp.'"),
            "DNS suffix, with a dot at its end",
        )
    )
    target_project: str = field(metadata=row("target_project", checks.text, "project of the DNS zone"))
    target_network: str = field(metadata=row("target_network", checks.text, "network in that project"))


@documented
@dataclass(frozen=True, kw_only=True, repr=False)
class PscInterfaceConfig(Part):
    """A way into your VPC network by Private Service Connect.

    https://cloud.google.com/vertex-ai/docs/training/psc-i-egress
    """

    network_attachment: str | None = field(
        default=None,
        metadata=row(
            "network_attachment",
            checks.named(
                r"(projects/[^/\s]+/regions/[^/\s]+/networkAttachments/)?[^/\s]+",
                "projects/P/regions/R/networkAttachments/NAME",
            ),
            "``projects/P/regions/R/networkAttachments/NAME``, or its name",
        ),
    )
    dns_peering_configs: Sequence[DnsPeeringConfig] | None = field(
        default=None,
        metadata=row(
            "dns_peering_configs",
            checks.items(DnsPeeringConfig),
            "domains that networks of yours resolve",
            items=DnsPeeringConfig,
        ),
    )


@documented
@dataclass(frozen=True, kw_only=True, repr=False)
class TrainingJob(Part):
    """What to run, complete and checked: see ``resolve.resolve``, which makes it of what was said.

    https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec
    """

    worker_pools: Sequence[WorkerPool]
    display_name: str | None = field(
        default=None,
        metadata=row(
            "display_name",
            checks.text,
            "readable base of the job's name",
            argument="display_name",
        ),
    )
    labels: Mapping[str, Any] | None = field(
        default=None,
        metadata=row(
            "labels",
            naming_rules.labels,
            "made legal for Google Cloud, on top of the connection's",
            argument="labels",
            connection="labels",
        ),
    )
    scheduling: Scheduling | None = field(
        default=None, metadata=group("job_spec.scheduling", Scheduling, "how long it waits and runs")
    )
    service_account: str | None = field(
        default=None,
        metadata=row(
            "job_spec.service_account",
            places.service_account,
            "the account that the training code runs as",
            argument="service_account",
            connection="service_account",
        ),
    )
    network: str | None = field(
        default=None,
        metadata=row(
            "job_spec.network",
            checks.named(
                r"projects/[0-9]+/global/networks/[^/\s]+",
                "projects/NUMBER/global/networks/NAME, with the project's number, not its id",
            ),
            "VPC network to peer with, ``projects/NUMBER/global/networks/NAME``",
            argument="network",
            connection="network",
        ),
    )
    reserved_ip_ranges: Sequence[str] | None = field(
        default=None,
        metadata=row(
            "job_spec.reserved_ip_ranges",
            checks.list_of(checks.text, at_most=100),
            "names of reserved ranges in that network, default any",
            argument="reserved_ip_ranges",
        ),
    )
    psc_interface_config: PscInterfaceConfig | None = field(
        default=None,
        metadata=group("job_spec.psc_interface_config", PscInterfaceConfig, "another way into your network"),
    )
    persistent_resource_id: str | None = field(
        default=None,
        metadata=row(
            "job_spec.persistent_resource_id",
            checks.named(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", "the id alone: small letters, digits and '-'"),
            "persistent resource to run on, its id",
            argument="persistent_resource_id",
        ),
    )
    base_output_directory: str | None = field(
        default=None,
        metadata=row(
            "job_spec.base_output_directory.output_uri_prefix",
            places.folder,
            "``gs://`` folder for the job's output",
            argument="base_output_directory",
            connection="base_output_directory",
        ),
    )
    tracking: Tracking | None = field(
        default=None, metadata=group("job_spec", Tracking, "where Vertex keeps what training tells")
    )
    access: Access | None = field(
        default=None, metadata=group("job_spec", Access, "who may look into the containers")
    )
    kms_key_name: str | None = field(
        default=None,
        metadata=row(
            "encryption_spec.kms_key_name",
            places.resource("keyRings/[^/]+/cryptoKeys/[^/]+", "keyRings/RING/cryptoKeys/KEY"),
            "key of yours that encrypts the job, ``projects/P/locations/L/keyRings/RING/cryptoKeys/KEY``",
            argument="kms_key_name",
        ),
    )
    protected_artifact_location_id: str | None = field(
        default=None,
        metadata=row(
            "job_spec.protected_artifact_location_id",
            places.region,
            "where protected artifacts are kept, if elsewhere than the job, such as ``us-central1``",
            argument="protected_artifact_location_id",
        ),
    )
    models: Sequence[str] | None = field(
        default=None,
        metadata=row(
            "job_spec.models",
            checks.list_of(places.resource("models/[^/]+", "models/ID"), at_most=100),
            "models whose artifacts the job is told of, ``projects/P/locations/L/models/ID`` each",
            argument="models",
        ),
    )
    other_fields: Mapping[str, Any] = field(default_factory=dict)

    def in_words(self) -> str:
        """Say what is about to be paid for, such as ``1 x g2-standard-8 with 1 x NVIDIA_L4, IMAGE``."""
        images = dict.fromkeys(str(pool.image) for pool in self._pools)
        return f"{self.machines_in_words()}, {', '.join(images)}"

    def machines_in_words(self) -> str:
        """Say what it runs on, such as ``1 x g2-standard-8 with 1 x NVIDIA_L4``."""
        return " and ".join(_machine_in_words(pool) for pool in self._pools)

    def commands(self) -> dict[str, list[str]]:
        """Return what each pool runs, by the pool's name; a pool that leaves it to its image is left out."""
        commands = {f"workerpool{index}": _command(pool) for index, pool in enumerate(self.worker_pools)}
        return {name: command for name, command in commands.items() if command}

    def accelerators(self) -> int:
        """Count the accelerators of all its machines."""
        counts = [(pool.replica_count, pool.machine) for pool in self._pools]
        return sum(
            int(replicas or 0) * int(machine.accelerator_count or 0)
            for replicas, machine in counts
            if machine
        )

    @property
    def _pools(self) -> list[WorkerPool]:
        return [pool for pool in self.worker_pools if pool != WorkerPool()]


def _command(pool: WorkerPool) -> list[str]:
    module = ["python", "-m", pool.python_module] if pool.python_module else []
    return [*module, *map(str, pool.command or ()), *map(str, pool.args or ())]


def _machine_in_words(pool: WorkerPool) -> str:
    machine = pool.machine
    if machine is None:
        return f"{pool.replica_count} x a machine of the persistent resource"
    accelerators = (
        f" with {machine.accelerator_count} x {machine.accelerator_type}" if machine.accelerator_type else ""
    )
    return f"{pool.replica_count} x {machine.machine_type}{accelerators}"
