"""Failures that are about what a job names: buckets, an account, images, networks, and the like."""

from __future__ import annotations

from airflow_vertex_training.vertex import exceptions as errors
from airflow_vertex_training.vertex.catalogue.entries import Entry

__all__ = ["RESOURCES"]

_MISSING = r"(?:(?:does not|doesn't) exist|(?:is |was |could )?not (?:be )?found)"


def _word(word: str) -> str:
    """Return the pattern of a word that is no part of a name or a path, such as ``gs://my-bucket/image``."""
    return rf"(?<![\w/.:-]){word}(?![\w/-]|\.\w)"


RESOURCES = (
    Entry(
        title="{account} may not use a bucket",
        explanation=(
            "The job's own account reads and writes its buckets, Vertex AI's service agent fetches Python "
            "packages and writes to the output folder."
        ),
        remedy=(
            "run 'gcloud storage buckets add-iam-policy-binding gs://BUCKET "
            "--member=serviceAccount:{account} --role=roles/storage.objectUser'."
        ),
        call=errors.PermissionDeniedError,
        job=errors.JobPermissionDeniedError,
        pattern=(
            r"(?P<account>[\w.-]{1,64}@[\w.-]{1,100}\w)[`'\"]? does not have "
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
        # Not what is not found in a bucket.
        pattern=rf"(?<!in )(?<!in the ){_word('bucket')}(?:\W+[\w./:-]+)?\W+{_MISSING}",
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
        pattern=rf"service account\W+(?P<account>[\w.-]+@[\w.-]+\w)\W+{_MISSING}",
        samples=(("NOT_FOUND", "Service account trainer@acme.iam.gserviceaccount.com does not exist."),),
        source="https://cloud.google.com/vertex-ai/docs/general/custom-service-account",
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
            r"(?:(?P<agent>service-\d+@[\w.-]{1,100}\w)[^@]{0,20}?)?"
            r"does not have permission to access (?:the )?"
            r"(?:artifact registry|container registry|image)"
            r"|artifactregistry\.\w+\.\w+\W+denied"
            rf"|{_word('(?:pull|image)')}[^\n]{{0,300}}?"
            r"(?:\bdenied\b|unauthorized|forbidden|failed to authorize)"
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
        pattern=(
            rf"{_word('image')}[^\n]{{0,300}}?\b(?:not found|does not exist|notfound)"
            r"|(?:manifest|name) unknown|make sure that the image exists"
        ),
        samples=(
            ("NOT_FOUND", "Image us-docker.pkg.dev/acme/trainers/digits:1.5 not found."),
            ("INVALID_ARGUMENT", "The image us-docker.pkg.dev/acme/trainers/digits:1.5 does not exist."),
        ),
        source="https://cloud.google.com/vertex-ai/docs/training/troubleshooting",
    ),
    Entry(
        title="Vertex AI can't use the network attachment",
        explanation=(
            "A job with 'psc_interface_config' joins a VPC network by a network attachment of its own "
            "region. Vertex AI's service agent uses it, not the submitting account: "
            "service-PROJECT_NUMBER@gcp-sa-aiplatform.iam.gserviceaccount.com."
        ),
        remedy=(
            "check the attachment's name and region, that its subnetwork has free addresses, and that the "
            "agent has the roles that https://cloud.google.com/vertex-ai/docs/general/vpc-psc-i-setup asks "
            "for."
        ),
        call=errors.NetworkError,
        job=errors.JobNetworkError,
        pattern=r"network.?attachment",
        samples=(
            (
                "NOT_FOUND",
                "The resource 'projects/acme/regions/us-central1/networkAttachments/vertex' was not found",
            ),
            (
                "PERMISSION_DENIED",
                (
                    "Required 'compute.networkAttachments.get' permission for "
                    "'projects/acme/regions/us-central1/networkAttachments/vertex'"
                ),
            ),
        ),
        source="https://cloud.google.com/vertex-ai/docs/training/psc-i-egress",
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
            rf"|{_word('network')}[^\n]{{0,200}}\b(?:not peered|peering|not found|does not exist)"
            r"|free blocks in allocated IP ranges|IP_SPACE_EXHAUSTED"
            rf"|reserved ip range\W+\S+ {_MISSING}"
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
        pattern=rf"{_word('reservation')}[^\n]{{0,200}}?\b(?:{_MISSING}|not shared)",
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
    Entry(
        title="The persistent resource does not take the job",
        explanation=(
            "It must be running, in the job's project and region. Machine and disk types of each worker pool "
            "must be exactly those of one of its resource pools, and network and key must be its own."
        ),
        remedy=(
            "check the argument 'persistent_resource_id', and compare the job with what 'gcloud ai "
            "persistent-resources describe ID --region=REGION' says."
        ),
        call=errors.InvalidRequestError,
        job=errors.JobFailedError,
        codes=("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"),
        # Google's words are not known: whatever is refused with its name is about it.
        pattern=r"persistent.?resource",
        samples=(
            (
                "NOT_FOUND",
                "PersistentResource projects/acme/locations/us-central1/persistentResources/l4 is not found.",
            ),
        ),
        source="https://cloud.google.com/vertex-ai/docs/training/persistent-resource-train",
    ),
    Entry(
        title="The job can't use the TensorBoard instance",
        explanation=(
            "The instance must be in the job's region, and the job must run as a service account of yours."
        ),
        remedy=(
            "check the argument 'tensorboard' ('gcloud ai tensorboards list --region=REGION'), and set "
            "'service_account' to an account with the roles Vertex AI User and Storage Admin."
        ),
        call=errors.InvalidRequestError,
        job=errors.JobFailedError,
        codes=("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"),
        pattern=(
            rf"tensorboards?(?: instance)?(?:\W+[\w/-]+)?\W+{_MISSING}|when uploading to tensorboard"
            r"|tensorboard\b[^\n]{0,120}\bsame (?:region|location)"
        ),
        samples=(
            (
                "INVALID_ARGUMENT",
                "custom_job.job_spec.service_account must be specified when uploading to TensorBoard",
            ),
            (
                "NOT_FOUND",
                "Tensorboard projects/acme/locations/us-central1/tensorboards/2 is not found.",
            ),
        ),
        source="https://cloud.google.com/vertex-ai/docs/experiments/tensorboard-training",
    ),
)
