"""Failures that a call can meet as well as a job that is there already."""

from __future__ import annotations

from airflow_vertex_training.vertex import exceptions as errors
from airflow_vertex_training.vertex.catalogue.entries import Entry
from airflow_vertex_training.vertex.catalogue.resources import RESOURCES

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
            # Without the service, so that the metric itself is among the first 100 characters.
            r"quota metrics exceed quota limits:\s*(?:aiplatform\.googleapis\.com/)?(?P<metrics>\S[^\n]*)"
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
            "give the identifier in Google's words to whoever manages the perimeter: it finds the rule in "
            "the audit log (https://cloud.google.com/vpc-service-controls/docs/troubleshooting)."
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
        title="Vertex AI can't use the encryption key",
        explanation=(
            "A job with 'kms_key_name' is encrypted by Vertex AI's service agent, not by the submitting "
            "account: service-PROJECT_NUMBER@gcp-sa-aiplatform.iam.gserviceaccount.com."
        ),
        remedy=(
            "grant that agent the role Cloud KMS CryptoKey Encrypter/Decrypter "
            "(roles/cloudkms.cryptoKeyEncrypterDecrypter) on the key, and check that the key is enabled and "
            "in the job's region."
        ),
        call=errors.PermissionDeniedError,
        job=errors.JobPermissionDeniedError,
        pattern=r"cloudkms|crypto.?key|\b(?:KMS|CMEK) key",
        samples=(
            (
                "INVALID_ARGUMENT",
                (
                    "Provided CryptoKey "
                    "projects/acme/locations/us-central1/keyRings/training/cryptoKeys/jobs cannot be used in "
                    "Vertex AI service. Please make sure the CryptoKey is enabled and Vertex AI service "
                    "account `service-123456789012@gcp-sa-aiplatform.iam.gserviceaccount.com` has Encryption "
                    "and Decryption access to the CryptoKey."
                ),
            ),
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
        title="Google has no such machines to give in {region} now",
        explanation=(
            "This is no quota of yours: all customers want the same machines. It passes, but nobody can say "
            "when."
        ),
        remedy=(
            "try again later (retry_policy=vertex_retry_policy() waits longer), use another region or "
            "accelerator, or strategy='FLEX_START', which queues for machines."
        ),
        call=errors.StockoutError,
        job=errors.JobStockoutError,
        pattern=(
            r"resources are insufficient(?: in region: (?P<region>[\w-]+))?"
            r"|does not have enough resources available|RESOURCE_POOL_EXHAUSTED"
        ),
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
    *RESOURCES,
)
