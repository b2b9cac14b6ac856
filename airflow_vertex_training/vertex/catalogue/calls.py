"""Failures of calls: what Vertex AI answers.

The codes: https://cloud.google.com/vertex-ai/docs/general/errors
"""

from __future__ import annotations

from airflow_vertex_training.vertex import exceptions as errors
from airflow_vertex_training.vertex.catalogue.entries import Entry, Explained, Told, explain
from airflow_vertex_training.vertex.catalogue.shared import SHARED
from airflow_vertex_training.vertex.catalogue.unreached import UNREACHED

__all__ = ["CALLS", "explain_call"]

_IAM = "https://cloud.google.com/vertex-ai/docs/general/access-control"

CALLS = (
    Entry(
        title="The submitting account may not act as {account}",
        explanation=(
            "A job runs as a service account, and whoever submits the job needs the permission "
            "iam.serviceAccounts.actAs on that account."
        ),
        remedy=(
            "check that the account exists, and grant the submitting account the role Service Account "
            "User: 'gcloud iam service-accounts add-iam-policy-binding {account} "
            "--member=serviceAccount:SUBMITTER --role=roles/iam.serviceAccountUser'."
        ),
        call=errors.PermissionDeniedError,
        codes=("INVALID_ARGUMENT", "PERMISSION_DENIED"),
        pattern=(
            r"permission to act as service.?account:?\s*(?P<account>\S+@\S+)?"
            r"|actAs\b[^@]*?(?P<account_>[\w.-]+@[\w.-]+)|actAs\b"
        ),
        samples=(
            (
                "INVALID_ARGUMENT",
                (
                    "You do not have permission to act as service_account: "
                    "trainer@acme.iam.gserviceaccount.com. (or it may not exist)."
                ),
            ),
            (
                "PERMISSION_DENIED",
                (
                    "Permission 'iam.serviceaccounts.actAs' denied on service account "
                    "trainer@acme.iam.gserviceaccount.com (or it may not exist)."
                ),
            ),
        ),
        source="https://github.com/googleapis/python-aiplatform/issues/1073",
    ),
    Entry(
        title="The Vertex AI API is not enabled in project {project}",
        explanation="A project has to enable it once. That can take some minutes.",
        remedy="'gcloud services enable aiplatform.googleapis.com --project {project}'.",
        call=errors.ApiNotEnabledError,
        codes=("PERMISSION_DENIED",),
        pattern=r"has not been used in project (?P<project>\S+)",
        reasons=("SERVICE_DISABLED",),
        samples=(
            (
                "PERMISSION_DENIED",
                (
                    "Vertex AI API has not been used in project 123456789012 before or it is disabled. "
                    "Enable it by visiting "
                    "https://console.developers.google.com/apis/api/aiplatform.googleapis.com/overview?proj"
                    "ect=123456789012 then retry."
                ),
            ),
        ),
        source="https://cloud.google.com/vertex-ai/docs/start/cloud-environment",
    ),
    Entry(
        title="There is no project {project}, or the account may not use it",
        explanation=(
            "Vertex AI wants a project's id, such as acme-ml-4711. Its display name, such as Acme ML, does "
            "not do."
        ),
        remedy=(
            "look the id up ('gcloud projects list'), and give it as project_id or in the connection's "
            "field project."
        ),
        call=errors.ProjectNotFoundError,
        codes=("PERMISSION_DENIED", "INVALID_ARGUMENT", "NOT_FOUND"),
        pattern=r"permission denied on resource project (?P<project>[^\n]+)|invalid resource project",
        reasons=("CONSUMER_INVALID",),
        samples=(("PERMISSION_DENIED", "Permission denied on resource project My First Project."),),
        source="https://github.com/GoogleCloudPlatform/training-data-analyst/issues/1811",
    ),
    *SHARED,
    Entry(
        title="A bucket is not in the job's region",
        explanation=(
            "Vertex AI reads and writes buckets of the job's own region only; a multi-region such as 'us' "
            "is another."
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
        pattern=r"machine type \"?(?P<machine>[\w-]+)\"? is not (?:supported|available)",
        samples=(("INVALID_ARGUMENT", 'Machine type "n9-standard-4" is not supported.'),),
        source="https://cloud.google.com/vertex-ai/docs/training/configure-compute",
    ),
    Entry(
        title="The account lacks the permission {permission}",
        explanation="Google does not say whether the project, or the job, does not exist or may not be used.",
        remedy=(
            "check the project's id and the region, and grant the account that the connection uses the "
            "role Vertex AI User (roles/aiplatform.user) in that project."
        ),
        call=errors.PermissionDeniedError,
        codes=("PERMISSION_DENIED",),
        pattern=r"permission '(?P<permission>[\w.]+)' denied|$",
        reasons=("IAM_PERMISSION_DENIED",),
        samples=(
            (
                "PERMISSION_DENIED",
                (
                    "Permission 'aiplatform.customJobs.create' denied on resource "
                    "'//aiplatform.googleapis.com/projects/acme/locations/us-central1' (or it may not exist)."
                ),
            ),
        ),
        source=_IAM,
    ),
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
