"""Failures that a call can meet as well as a job that is there already."""

from __future__ import annotations

from airflow_vertex_training.vertex import exceptions as errors
from airflow_vertex_training.vertex.catalogue.entries import Entry

__all__ = ["SHARED"]

SHARED = (
    Entry(
        title="The project's quota is too small for this job: {metrics}",
        explanation=(
            "Each project has a quota of vCPUs and of each kind of accelerator in each region; many begin at "
            "0, and other jobs that run now count. FLEX_START and SPOT have quotas of their own "
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
            r"|quota metric '(?P<metrics__>custom model training[^']*)'"
            r"|custom.?model.?training"
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
        title="A service perimeter (VPC Service Controls) forbids this",
        explanation=(
            "Airflow's account or network, the project, or one of the job's buckets and images is on the "
            "other side of the perimeter. Roles change nothing about that."
        ),
        remedy=(
            "give the identifier in Google's words to who manages the perimeter: it finds the rule in the "
            "audit log (https://cloud.google.com/vpc-service-controls/docs/troubleshooting)."
        ),
        call=errors.PolicyError,
        job=errors.JobPolicyError,
        pattern=(
            r"vpcServiceControlsUniqueIdentifier|VPC Service Controls"
            r"|prohibited by organi[sz]ation'?s policy"
        ),
        reasons=("SECURITY_POLICY_VIOLATED",),
        samples=(
            (
                "PERMISSION_DENIED",
                (
                    "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: "
                    "D8SdsrmBFJTz1i6JrSXtjaRXRe0r04aq"
                ),
            ),
        ),
        source="https://cloud.google.com/vpc-service-controls/docs/troubleshooting",
    ),
    Entry(
        title="An organization policy forbids this: {constraint}",
        explanation="Whoever manages the organization has limited what its projects may make, and where.",
        remedy=(
            "do what the policy asks for, such as 'kms_key_name' for gcp.restrictNonCmekServices or another "
            "region for gcp.resourceLocations, or ask for an exception: "
            "https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints."
        ),
        call=errors.PolicyError,
        job=errors.JobPolicyError,
        pattern=(
            r"(?P<constraint>constraints/[\w.]*\w)|denied by org(?:anization)? policy"
            r"|violated .{0,40}org policies"
        ),
        samples=(
            (
                "FAILED_PRECONDITION",
                (
                    "Constraint constraints/gcp.restrictNonCmekServices violated for projects/acme "
                    "attempting to create a resource without a CMEK key."
                ),
            ),
        ),
        source="https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints",
    ),
    Entry(
        title="Vertex AI may not use the encryption key",
        explanation=(
            "A job with 'kms_key_name' is encrypted by Vertex AI's service agent, not by the submitting "
            "account: {agent}."
        ),
        remedy=(
            "grant that agent the role Cloud KMS CryptoKey Encrypter/Decrypter "
            "(roles/cloudkms.cryptoKeyEncrypterDecrypter) on the key, and check that the key is enabled and "
            "in the job's region."
        ),
        call=errors.PermissionDeniedError,
        job=errors.JobPermissionDeniedError,
        pattern=r"cloudkms\.\w+\.\w+",
        samples=(
            (
                "PERMISSION_DENIED",
                (
                    "Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on resource "
                    "'projects/acme/locations/us-central1/keyRings/training/cryptoKeys/jobs' (or it may not "
                    "exist)."
                ),
            ),
        ),
        source="https://cloud.google.com/vertex-ai/docs/general/cmek",
    ),
    Entry(
        title="{account} may not use a bucket",
        explanation=(
            "The job's own account reads and writes its buckets, Vertex AI's service agent fetches Python "
            "packages and writes to the output folder."
        ),
        remedy=(
            "'gcloud storage buckets add-iam-policy-binding gs://BUCKET --member=serviceAccount:{account} "
            "--role=roles/storage.objectUser'."
        ),
        call=errors.PermissionDeniedError,
        job=errors.JobPermissionDeniedError,
        pattern=(
            r"(?P<account>[\w.-]+@[\w.-]+\w)[`'\"]? does not have "
            r"(?:storage\.\w+\.\w+ access|permission to access (?:the )?(?:bucket"
            r"|(?:Google )?Cloud Storage|gs:))"
        ),
        samples=(
            (
                "PERMISSION_DENIED",
                (
                    "trainer@acme.iam.gserviceaccount.com does not have storage.objects.get access to the "
                    "Google Cloud Storage object. Permission 'storage.objects.get' denied on resource (or it "
                    "may not exist)."
                ),
            ),
        ),
        source="https://cloud.google.com/storage/docs/troubleshooting",
    ),
    Entry(
        title="There is no such bucket",
        explanation="Names of buckets are the same for all of Google Cloud: no project has one of this name.",
        remedy=(
            "check the 'gs://' addresses of the task, the job template and the connection, letter by letter."
        ),
        call=errors.InvalidRequestError,
        job=errors.JobFailedError,
        pattern=r"\bbucket\b[^\n]{0,120}?\b(?:does not exist|not found)",
        samples=(("NOT_FOUND", "The specified bucket does not exist."),),
        source="https://cloud.google.com/storage/docs/troubleshooting",
    ),
    Entry(
        title="There is no service account {account}",
        explanation="A job runs as a service account, and this one does not exist, or was deleted.",
        remedy=(
            "check the argument 'service_account', or the connection's field, letter by letter: "
            "'gcloud iam service-accounts list --project=PROJECT'."
        ),
        call=errors.InvalidRequestError,
        job=errors.JobFailedError,
        pattern=(
            r"service account\W+(?P<account>[\w.-]+@[\w.-]+\w)\W+(?:does not exist|(?:was |is "
            r"|could )?not (?:be )?found)"
        ),
        samples=(("NOT_FOUND", "Service account trainer@acme.iam.gserviceaccount.com does not exist."),),
        source="https://cloud.google.com/vertex-ai/docs/general/custom-service-account",
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
            r"|artifactregistry\.\w+\.\w+\W+denied"
            r"|\b(?:pull|image)\b[^\n]{0,300}?(?:\bdenied\b|unauthorized|forbidden|failed to authorize)"
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
            (
                "INVALID_ARGUMENT",
                (
                    'Failed to pull image "us-docker.pkg.dev/acme/trainers/digits:1.4": denied: Permission '
                    '"artifactregistry.repositories.downloadArtifacts" denied on resource '
                    '"projects/acme/locations/us/repositories/trainers" (or it may not exist)'
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
        pattern=r"\bimage\b[^\n]{0,300}?\b(?:not found|does not exist|notfound)|manifest unknown",
        samples=(
            ("NOT_FOUND", "Image us-docker.pkg.dev/acme/trainers/digits:1.5 not found."),
            ("INVALID_ARGUMENT", "The image us-docker.pkg.dev/acme/trainers/digits:1.5 does not exist."),
        ),
        source="https://cloud.google.com/vertex-ai/docs/training/troubleshooting",
    ),
    Entry(
        title="Vertex AI can't use the VPC network",
        explanation=(
            "A job joins a VPC network by private services access, which has to be set up once in that "
            "network, with an IP range that is large enough."
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
            r"|\bnetwork\b[^\n]{0,200}\b(?:not peered|peering|not found|does not exist)"
            r"|free blocks in allocated IP ranges"
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
            ("NOT_FOUND", "The network projects/123456789012/global/networks/vpc was not found."),
        ),
        source="https://github.com/GoogleCloudPlatform/vertex-ai-samples/issues/2611",
    ),
    Entry(
        title="The reservation can't be used",
        explanation=(
            "It does not exist, is in a zone of another region, or is not shared with this project and with "
            "Vertex AI."
        ),
        remedy=(
            "check 'reservation_affinity', whose values are projects/PROJECT/zones/ZONE/reservations/NAME, "
            "and how the reservation is shared: "
            "https://cloud.google.com/vertex-ai/docs/training/use-reservations."
        ),
        call=errors.InvalidRequestError,
        job=errors.JobFailedError,
        pattern=r"\breservation\b[^\n]{0,200}?\b(?:not found|does not exist|not shared)",
        samples=(
            (
                "NOT_FOUND",
                (
                    "The resource 'projects/acme/zones/us-central1-a/reservations/gpus': reservation was not "
                    "found."
                ),
            ),
        ),
        source="https://cloud.google.com/vertex-ai/docs/training/use-reservations",
    ),
)
