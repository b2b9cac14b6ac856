"""Failures that a call can meet as well as a job that is there already."""

from __future__ import annotations

from airflow_vertex_training.vertex import exceptions as errors
from airflow_vertex_training.vertex.catalogue.entries import Entry

__all__ = ["SHARED"]

SHARED = (
    Entry(
        title="The project's quota is too small for this job: {metrics}",
        explanation=(
            "Each project has a quota of vCPUs and of each kind of accelerator in each region; many begin "
            "at 0, and other jobs that run now count. FLEX_START and SPOT have quotas of their own "
            "(preemptible)."
        ),
        remedy=(
            "wait until other jobs have ended, use another machine, accelerator or region, or ask for more "
            "at https://console.cloud.google.com/iam-admin/quotas."
        ),
        call=errors.QuotaExceededError,
        job=errors.JobQuotaExceededError,
        codes=("RESOURCE_EXHAUSTED",),
        pattern=(
            r"quota metrics exceed quota limits:\s*(?P<metrics>\S[^\n]*)"
            r"|following quotas are exceeded:?\s*(?P<metrics_>\S[^\n]*)"
            r"|custom_model_training"
        ),
        reasons=("RESOURCE_QUOTA_EXCEEDED",),
        samples=(
            (
                "RESOURCE_EXHAUSTED",
                (
                    "The following quota metrics exceed quota limits: "
                    "aiplatform.googleapis.com/custom_model_training_nvidia_l4_gpus"
                ),
            ),
            (
                "RESOURCE_EXHAUSTED",
                (
                    "The following quota metrics exceed quota limits: "
                    "aiplatform.googleapis.com/custom_model_training_cpus,"
                    "aiplatform.googleapis.com/custom_model_training_nvidia_t4_gpus"
                ),
            ),
        ),
        source="https://github.com/GoogleCloudPlatform/vertex-ai-samples/issues/700",
    ),
    Entry(
        title="Google has no such machines to give in {region} now",
        explanation=(
            "This is no quota of yours: all customers want the same machines. It passes, but when is not "
            "known."
        ),
        remedy=(
            "try again later (retry_policy=vertex_retry_policy() waits longer), use another region or "
            "accelerator, or strategy='FLEX_START', which queues for machines."
        ),
        call=errors.StockoutError,
        job=errors.JobStockoutError,
        codes=("RESOURCE_EXHAUSTED",),
        pattern=r"resources are insufficient(?: in region: (?P<region>[\w-]+))?",
        samples=(
            (
                "RESOURCE_EXHAUSTED",
                (
                    "Resources are insufficient in region: us-central1. Try a different region or use a "
                    "different accelerator."
                ),
            ),
        ),
        source="https://cloud.google.com/vertex-ai/docs/training/troubleshooting",
    ),
    Entry(
        title="Vertex AI may not read the container image",
        explanation=(
            "The image is pulled by Vertex AI's service agent, not by the job's service account: {agent}. "
            "In a repository that does not exist nobody may read, either."
        ),
        remedy=(
            "check the image's name and the repository's region, and grant that agent the role Artifact "
            "Registry Reader (roles/artifactregistry.reader) on the repository."
        ),
        call=errors.ImageError,
        job=errors.JobImageError,
        pattern=(
            r"(?P<agent>service-\d+@[\w.-]+\w)?[^@]*does not have permission to access (?:the )?"
            r"(?:artifact registry|container registry|image)"
        ),
        samples=(
            (
                "INVALID_ARGUMENT",
                (
                    "Vertex AI Service Agent "
                    "service-123456789012@gcp-sa-aiplatform-cc.iam.gserviceaccount.com does not have "
                    "permission to access Artifact Registry repository "
                    "projects/acme/locations/us/repositories/trainers."
                ),
            ),
        ),
        source="https://cloud.google.com/vertex-ai/docs/general/custom-service-account",
    ),
    Entry(
        title="The container image was not found",
        explanation="No image has this name and tag, or its repository is elsewhere.",
        remedy=(
            "check the argument 'image', letter by letter, and that the tag was pushed: "
            "'gcloud artifacts docker images list REPOSITORY --include-tags'."
        ),
        call=errors.ImageError,
        job=errors.JobImageError,
        pattern=r"\bimage\b[^\n]{0,300}?\b(?:not found|does not exist)|manifest unknown|failed to pull",
        samples=(
            ("NOT_FOUND", "Image us-docker.pkg.dev/acme/trainers/digits:1.5 not found."),
            ("INVALID_ARGUMENT", "The image us-docker.pkg.dev/acme/trainers/digits:1.5 does not exist."),
        ),
        source="https://cloud.google.com/vertex-ai/docs/training/troubleshooting",
    ),
    Entry(
        title="The VPC network is not connected to Vertex AI",
        explanation=(
            "A job joins a VPC network by private services access, which has to be set up once in that "
            "network."
        ),
        remedy=(
            "set up private services access and reserve an IP range that is large enough, see "
            "https://cloud.google.com/vertex-ai/docs/general/vpc-peering; or check the argument 'network', "
            "which wants the project's number: projects/NUMBER/global/networks/NAME."
        ),
        call=errors.NetworkError,
        job=errors.JobNetworkError,
        pattern=(
            r"NETWORK_NOT_(?:PEERED|FOUND)|private services? access|servicenetworking"
            r"|network\b[^\n]{0,200}\b(?:not peered|peering)"
        ),
        samples=(
            ("FAILED_PRECONDITION", "Error NETWORK_NOT_PEERED"),
            (
                "INVALID_ARGUMENT",
                (
                    "The network projects/123456789012/global/networks/vpc has no VPC peering to "
                    "servicenetworking.googleapis.com."
                ),
            ),
        ),
        source="https://github.com/GoogleCloudPlatform/vertex-ai-samples/issues/2611",
    ),
)
