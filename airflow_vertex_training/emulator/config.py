"""What an emulator can be told when it starts."""

from __future__ import annotations

import ipaddress
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["UNKNOWN_MACHINES", "EmulatorConfig", "QuotaLimits", "check_host", "is_loopback"]

_HIGHEST_PORT = 65_535
UNKNOWN_MACHINES = ("accept", "refuse")


@dataclass(frozen=True)
class QuotaLimits:
    """How many requests a project may make in one region and time window.

    Vertex's defaults: https://cloud.google.com/vertex-ai/docs/quotas; Cloud Logging's:
    https://cloud.google.com/logging/quotas. None is no limit.

    Args:
        resource_requests: Get, list, cancel and delete requests.
        submissions: Create requests.
        log_reads: `ListLogEntries` requests, counted by project alone.
        window_seconds: The length of the window; Google's is a minute, tests may shorten it.
    """

    resource_requests: int | None = 600
    submissions: int | None = 60
    log_reads: int | None = 60
    window_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name in ("resource_requests", "submissions", "log_reads"):
            limit = getattr(self, name)
            if limit is not None and limit < 0:
                raise ValueError(f"{name}: must be 0 or more requests, got {limit}")


@dataclass(frozen=True)
class EmulatorConfig:
    """All settings of an emulator.

    Args:
        host: Where to listen: a loopback address or `localhost`. Anything else is refused.
        port: TCP port of the API; 0 takes a free one.
        control_port: TCP port of the control service (faults, counters); 0 takes a free one, None serves
            none.
        unix_socket: Serve the API at this Unix domain socket, not at a port. Its folder has to be one that
            only its owner may enter; one that is missing is made. The control service, if any, is served
            beside it, at the same path with `.control` after it.
        tls_cert: PEM file with the server's certificate chain. With `tls_key`: the API is served over TLS.
        tls_key: PEM file with its private key.
        state_file: SQLite file that keeps jobs and logs over a restart; None keeps them in memory.
        images: Which local folder stands for which image URI. A replica of it runs in that folder; what else
            is known of the image is in its `emulator.toml`, see `emulator.jobs.images`. A URI without a tag
            stands for all tags.
        pythons: Which interpreter, or which virtual environment, runs which image.
        any_image: Run the commands of jobs whose image nothing is known of in an empty folder each. Without
            it such a job fails.
        storage: The folder where `gs://BUCKET` lies, as `storage/BUCKET`; None takes a temporary one.
        queue_seconds: How long a job is QUEUED. The default, with the next, makes a job live longer than the
            five seconds within which Airflow's scheduler may fail a task that resumes.
        provision_seconds: How long it is PENDING then.
        stop_grace_seconds: From SIGTERM to SIGKILL when a job is cancelled or timed out.
        error_delay_seconds: How long after its final state a job's error is set. Google's troubleshooting
            page says that it takes Vertex about a minute.
        memory_limit_bytes: How much memory a replica may take before it is killed; None is no limit. Needs
            Linux.
        unknown_machines: Whether to `accept` or `refuse` machine types of a family that the emulator doesn't
            know: Google adds families faster than anyone releases.
        quotas: The limits to enforce; None enforces none.
        projects: The projects that the caller may use; None permits all.
        project_numbers: Project numbers by project id. Vertex answers resource names with the number; a
            project that is not in here keeps the id that the client used.
        max_log_lines: How many log entries of one job are kept; the oldest go first.
    """

    host: str = "127.0.0.1"
    port: int = 0
    control_port: int | None = None
    unix_socket: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    state_file: Path | None = None
    images: Mapping[str, Path] = field(default_factory=dict)
    pythons: Mapping[str, Path] = field(default_factory=dict)
    any_image: bool = False
    storage: Path | None = None
    queue_seconds: float = 2.0
    provision_seconds: float = 3.0
    stop_grace_seconds: float = 10.0
    error_delay_seconds: float = 0.0
    memory_limit_bytes: int | None = None
    unknown_machines: str = "accept"
    quotas: QuotaLimits | None = None
    projects: frozenset[str] | None = None
    project_numbers: Mapping[str, str] = field(default_factory=dict)
    max_log_lines: int = 10_000

    def __post_init__(self) -> None:
        self._check_serving()
        for name in ("queue_seconds", "provision_seconds", "stop_grace_seconds", "error_delay_seconds"):
            if not getattr(self, name) >= 0:  # not a number is neither
                raise ValueError(f"{name}: must be 0 or more seconds, got {getattr(self, name)}")
        if self.memory_limit_bytes is not None and not sys.platform.startswith("linux"):
            raise ValueError("memory_limit_bytes: needs Linux: it reads what processes take from /proc")
        if self.unknown_machines not in UNKNOWN_MACHINES:
            raise ValueError(f"unknown_machines: must be accept or refuse, got {self.unknown_machines!r}")
        if self.max_log_lines < 1:
            raise ValueError(f"max_log_lines: must be at least 1, got {self.max_log_lines}")
        for project, number in self.project_numbers.items():
            if not number.isdecimal():
                raise ValueError(f"project_numbers[{project!r}]: must be digits, got {number!r}")
        self._check_folders()

    def _check_folders(self) -> None:
        if self.storage is not None and self.storage.exists() and not self.storage.is_dir():
            raise ValueError(f"storage: must be a folder, got the file {str(self.storage)!r}")
        for uri, folder in self.images.items():
            if not folder.is_dir():
                raise ValueError(f"images[{uri!r}]: must be an existing folder, got {str(folder)!r}")

    def _check_serving(self) -> None:
        check_host(self.host)
        if not 0 <= self.port < _HIGHEST_PORT:
            limits = f"must be 0 to {_HIGHEST_PORT - 1}, since HTTP is served at the next one"
            raise ValueError(f"port: {limits}, got {self.port}")
        if self.control_port is not None and not 0 <= self.control_port <= _HIGHEST_PORT:
            raise ValueError(f"control_port: must be 0 to {_HIGHEST_PORT}, got {self.control_port}")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key: TLS needs both, only one was given")
        if self.unix_socket is not None and self.tls_cert is not None:
            raise ValueError(
                "unix_socket: can't be used with TLS, and needs none: leave out tls_cert and tls_key"
            )


def check_host(host: str) -> None:
    """Refuse every address that other machines could reach: whoever reaches the emulator runs commands here.

    Args:
        host: `localhost`, or an address.

    Raises:
        ValueError: The host is not a loopback address.
    """
    if not is_loopback(host):
        raise ValueError(
            f"host: must be a loopback address (127.0.0.0/8, ::1 or localhost), got {host!r}: "
            "the emulator runs the commands it is sent, so it must not be reachable from other machines"
        )


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine's own, which no other machine can reach.

    Args:
        host: A name or an address, an IPv6 one with or without its brackets.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
