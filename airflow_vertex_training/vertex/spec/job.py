"""A training job in the user's terms."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.exceptions import InvalidJobError
from airflow_vertex_training.vertex.spec.checks import check_accelerators, check_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_MAXIMUM_RUN_TIME = timedelta(days=7)


@dataclass(frozen=True)
class TrainingJob:
    """One container on one machine, to be run to its end.

    The fields are those of ``CustomJobSpec``, where each is explained:
    https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec

    Args:
        image: container image, with its registry.
        command: replaces the image's entry point; ``None`` keeps it.
        args: arguments of the command.
        env: environment variables, strings to strings.
        machine_type: Compute Engine machine type, default ``n1-standard-4``.
        accelerator_type: such as ``NVIDIA_L4``, default none; needs ``accelerator_count``.
        accelerator_count: accelerators on the machine, default none; needs ``accelerator_type``.
        boot_disk_type: default ``pd-ssd``.
        boot_disk_size_gb: in GB, default 100.
        maximum_run_time: running time after which Vertex ends the job, default 7 days.
        network: full name of the VPC network to peer with, default none.
        reserved_ip_ranges: names of reserved ranges in ``network``, default any.
        service_account: the account that the training code runs as.
        base_output_directory: ``gs://`` folder for the job's output, default none.
        labels: labels that are legal on Google Cloud already.
        display_name: name shown in the Cloud console, up to 128 characters.

    Raises:
        InvalidJobError: a field is wrong; the message names it and says what would be right.
    """

    image: str
    display_name: str
    service_account: str
    command: Sequence[str] | None = None
    args: Sequence[str] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    machine_type: str = "n1-standard-4"
    accelerator_type: str | None = None
    accelerator_count: int | None = None
    boot_disk_type: str = "pd-ssd"
    boot_disk_size_gb: int = 100
    maximum_run_time: timedelta = DEFAULT_MAXIMUM_RUN_TIME
    network: str | None = None
    reserved_ip_ranges: Sequence[str] | None = None
    base_output_directory: str | None = None

    def __post_init__(self) -> None:
        """Check all fields, and those that need each other."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        check_fields(values)
        check_accelerators(self.accelerator_type, self.accelerator_count)
        if self.reserved_ip_ranges and not self.network:
            raise InvalidJobError("reserved_ip_ranges", "lie in a VPC network; set network as well")

    def machine_in_words(self) -> str:
        """Say what is about to be paid for, such as ``1 x g2-standard-8 with 1 x NVIDIA_L4``."""
        accelerators = (
            f" with {self.accelerator_count} x {self.accelerator_type}" if self.accelerator_type else ""
        )
        return f"1 x {self.machine_type}{accelerators}"
