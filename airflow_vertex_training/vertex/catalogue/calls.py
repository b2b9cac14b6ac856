"""Failures of calls: what Vertex AI answers.

The codes: https://cloud.google.com/vertex-ai/docs/general/errors
"""

from __future__ import annotations

from airflow_vertex_training.vertex import exceptions as errors
from airflow_vertex_training.vertex.catalogue.access import ACCESS, PERMISSION
from airflow_vertex_training.vertex.catalogue.entries import Entry, Explained, Told, explain
from airflow_vertex_training.vertex.catalogue.shared import SHARED
from airflow_vertex_training.vertex.catalogue.unreached import UNREACHED

__all__ = ["CALLS", "explain_call", "lacks_permission"]

CALLS = (
    *ACCESS,
    *SHARED,
    Entry(
        title="A bucket is not in the job's region",
        explanation=(
            "Vertex AI reads and writes buckets of the job's own region only. A multi-region such as 'us' is "
            "no such region."
        ),
        remedy=(
            "use a bucket in the job's region: 'gcloud storage buckets describe gs://BUCKET "
            "--format=value(location)'."
        ),
        call=errors.BucketLocationError,
        pattern=r"must be in the same regional location",
        samples=(
            (
                "FAILED_PRECONDITION",
                (
                    "The Cloud Storage bucket of `gs://acme-models/digits` is in location `us`. It must be "
                    "in the same regional location as the service location `us-central1`."
                ),
            ),
        ),
        source="https://github.com/googleapis/python-aiplatform/issues/885",
    ),
    Entry(
        title="Vertex AI does not have the machine type {machine}",
        explanation="Not every region has every machine type, and not every machine type can train.",
        remedy=(
            "check the argument 'machine_type' and the region: "
            "https://cloud.google.com/vertex-ai/docs/training/configure-compute."
        ),
        call=errors.InvalidRequestError,
        codes=("INVALID_ARGUMENT",),
        pattern=r"machine type [\"'`]?(?P<machine>[\w-]+)[\"'`]? is not (?:supported|available)",
        samples=(("INVALID_ARGUMENT", 'Machine type "n9-standard-4" is not supported.'),),
        source="https://cloud.google.com/vertex-ai/docs/training/configure-compute",
    ),
    *PERMISSION,
    Entry(
        title="Too many requests were made in this project and region",
        explanation=(
            "Vertex AI takes 60 new jobs and 600 other requests a minute from a project in a region, "
            "unless it has more quota. Other programs' requests count, too."
        ),
        remedy=(
            "wait, start fewer tasks at once (an Airflow pool), or ask for more at "
            "https://console.cloud.google.com/iam-admin/quotas."
        ),
        call=errors.TooManyRequestsError,
        codes=("RESOURCE_EXHAUSTED",),
        samples=(
            (
                "RESOURCE_EXHAUSTED",
                (
                    "Quota exceeded for quota metric 'Resource management (CRUD) requests' and limit "
                    "'Resource management (CRUD) requests per minute per region' of service "
                    "'aiplatform.googleapis.com'."
                ),
            ),
        ),
        source="https://cloud.google.com/vertex-ai/docs/quotas",
    ),
    *UNREACHED,
    # What has no words of its own. What these codes mean for a create is in ``api/status.py``.
    Entry(
        title="",
        explanation="",
        remedy="",
        call=errors.VertexApiError,
        codes=(
            "UNAVAILABLE",
            "DEADLINE_EXCEEDED",
            "INTERNAL",
            "UNKNOWN",
            "ABORTED",
            "CANCELLED",
            "TransportError",
        ),
        samples=(("INTERNAL", "Internal error encountered."),),
        source="https://cloud.google.com/vertex-ai/docs/general/errors",
    ),
    Entry(
        title="",
        explanation="",
        remedy="",
        call=errors.InvalidRequestError,
        codes=(
            "INVALID_ARGUMENT",
            "FAILED_PRECONDITION",
            "OUT_OF_RANGE",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "UNIMPLEMENTED",
            "DATA_LOSS",
        ),
        samples=(
            (
                "INVALID_ARGUMENT",
                (
                    "List of found errors:\t1.Field: job_spec.worker_pool_specs[0].replica_count; Message: "
                    "Must be 1.\t"
                ),
            ),
        ),
        source="https://github.com/googleapis/python-aiplatform/issues/1684",
    ),
)


def explain_call(told: Told) -> Explained | None:
    """Return what the error of a call means, ``None`` where it is no error of Google's."""
    return explain(told, CALLS)


def lacks_permission(told: Told) -> bool:
    """Whether the account lacks a permission, and nothing more special is the matter."""
    explained = explain(told, PERMISSION)
    return explained is not None and explained == explain_call(told)
