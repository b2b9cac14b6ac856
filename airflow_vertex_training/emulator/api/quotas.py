"""Request quotas: so many a minute, by project and region, as Vertex has them."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import grpc
from google.rpc import error_details_pb2

from airflow_vertex_training.emulator.api.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_vertex_training.emulator.config import QuotaLimits

__all__ = ["LOG_READS", "RESOURCE_REQUESTS", "SUBMISSIONS", "Quota", "Quotas"]


class Quota(NamedTuple):
    """A kind of request that is counted.

    Args:
        limit: The attribute of `QuotaLimits`.
        service: The API.
        metric: The metric's name in that API.
        title: What Google's error text calls it.
    """

    limit: str
    service: str
    metric: str
    title: str


RESOURCE_REQUESTS = Quota(
    "resource_requests",
    "aiplatform.googleapis.com",
    "resource_management_requests",
    "Resource management requests",
)
SUBMISSIONS = Quota(
    "submissions", "aiplatform.googleapis.com", "job_submission_requests", "Job submission requests"
)
LOG_READS = Quota("log_reads", "logging.googleapis.com", "read_requests", "Read requests")


class Quotas:
    """Counts requests and refuses those over the limit. A refused request doesn't count.

    Args:
        default: The limits of a project that has none of its own; None enforces none.
        clock: Seconds that only go forward.
    """

    def __init__(self, default: QuotaLimits | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._default = default
        self._clock = clock
        self._limits: dict[str, QuotaLimits | None] = {}
        self._granted: dict[tuple[str, str, Quota], deque[float]] = {}

    def set_limits(self, project: str, limits: QuotaLimits | None) -> None:
        """Give a project limits of its own; None enforces none. What it used so far is forgotten."""
        self._limits[project] = limits
        for key in [key for key in self._granted if key[0] == project]:
            del self._granted[key]

    def charge(self, quota: Quota, project: str, region: str, consumer: str) -> None:
        """Count a request.

        Args:
            quota: What kind it is.
            project: The project's id.
            region: The region; empty for a quota that has none.
            consumer: The project's number, for the error's text.

        Raises:
            ApiError: RESOURCE_EXHAUSTED: the limit was reached within the window.
        """
        limits = self._limits.get(project, self._default)
        limit: int | None = getattr(limits, quota.limit) if limits is not None else None
        if limits is None or limit is None:
            return
        now = self._clock()
        granted = self._granted.setdefault((project, region, quota), deque())
        while granted and granted[0] <= now - limits.window_seconds:
            granted.popleft()
        if len(granted) >= limit:
            raise _exceeded(quota, limit, region, consumer)
        granted.append(now)


def _exceeded(quota: Quota, limit: int, region: str, consumer: str) -> ApiError:
    """Google's text and details for a rate quota: https://cloud.google.com/docs/quotas/troubleshoot."""
    per = "per minute per region" if region else "per minute"
    info = error_details_pb2.ErrorInfo(
        reason="RATE_LIMIT_EXCEEDED",
        domain="googleapis.com",
        metadata={
            "service": quota.service,
            "quota_metric": f"{quota.service}/{quota.metric}",
            "quota_location": region or "global",
            "quota_limit_value": str(limit),
            "consumer": f"projects/{consumer}",
        },
    )
    return ApiError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        f"Quota exceeded for quota metric '{quota.title}' and limit '{quota.title} {per}' of service "
        f"'{quota.service}' for consumer 'project_number:{consumer}'.",
        [info],
    )
