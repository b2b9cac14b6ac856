"""Failures in the many wordings that users report and Google documents, and what only looks like one."""

from __future__ import annotations

import time

import pytest
from google.api_core.exceptions import ResourceExhausted

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.api import status
from airflow_vertex_training.vertex.catalogue.calls import CALLS as ENTRIES
from airflow_vertex_training.vertex.catalogue.calls import explain_call
from airflow_vertex_training.vertex.catalogue.entries import Told
from airflow_vertex_training.vertex.catalogue.jobs import explain_job
from airflow_vertex_training.vertex.exceptions import TooManyRequestsError
from airflow_vertex_training.vertex.states import JobSnapshot

ATTACHMENT = "projects/p/regions/us-central1/networkAttachments/n"
KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
RESOURCE = "projects/1/locations/us-central1/persistentResources/gpus"
PLUGIN = "Getting metadata from plugin failed with error:"
API_IS_OFF = (
    "IAM Service Account Credentials API has not been used in project 1 before or it is disabled. Enable it "
    "by visiting https://console.developers.google.com/apis/api/iamcredentials.googleapis.com/overview?project=1"
)

CALLS = [
    (
        "PERMISSION_DENIED",
        "Project 'projects/acme' not found or deleted.",
        "ProjectNotFoundError",
        "There is no project acme",
    ),
    ("FAILED_PRECONDITION", f"{RESOURCE} is not in RUNNING state.", "InvalidRequestError", "The persistent"),
    (
        "INVALID_ARGUMENT",
        "No pool of persistent resource gpus matches.",
        "InvalidRequestError",
        "The persistent",
    ),
    (
        "NOT_FOUND",
        "Tensorboard instance is not found.",
        "InvalidRequestError",
        "The job can't use the Tensor",
    ),
    (
        "FAILED_PRECONDITION",
        f"{KEY}/cryptoKeyVersions/1 is not enabled.",
        "PermissionDeniedError",
        "Vertex AI can't",
    ),
    (
        "INVALID_ARGUMENT",
        "The KMS key is not in us-central1.",
        "PermissionDeniedError",
        "Vertex AI can't use the enc",
    ),
    (
        "INVALID_ARGUMENT",
        f"Network attachment {ATTACHMENT} not found.",
        "NetworkError",
        "Vertex AI can't use the network at",
    ),
    ("FAILED_PRECONDITION", "IP_SPACE_EXHAUSTED", "NetworkError", "Vertex AI can't use the VPC network"),
    (
        "INVALID_ARGUMENT",
        "Reserved IP range 'r' is not found.",
        "NetworkError",
        "Vertex AI can't use the VPC network",
    ),
    (
        "PERMISSION_DENIED",
        "Required 'compute.networks.use' permission for 'n'",
        "PermissionDeniedError",
        "The account lacks a permission outside of Vertex AI: compute.networks.use",
    ),
    (
        "PERMISSION_DENIED",
        "The billing account for the owning project is disabled in state closed",
        "ProjectBlockedError",
        "Project PROJECT has no billing",
    ),
    (
        "INVALID_ARGUMENT",
        "Machine type 'n9-standard-4' is not supported.",
        "InvalidRequestError",
        "Vertex AI does not have the machine type n9-standard-4",
    ),
    (
        "INVALID_ARGUMENT",
        "Failed to read the container uri [x]. Please make sure that the image exists",
        "ImageError",
        "The container image was not",
    ),
    (
        "INVALID_ARGUMENT",
        "Reservation projects/p/zones/z/reservations/r doesn't exist.",
        "InvalidRequestError",
        "The reservation",
    ),
    (
        "UNAVAILABLE",
        "The zone 'z' does not have enough resources available to fulfill the request.",
        "StockoutError",
        "Google has no such",
    ),
    (
        "GoogleAuthError",
        f"('Unable to acquire impersonated credentials', '{API_IS_OFF}')",
        "ApiNotEnabledError",
        "The IAM Service Account Credentials API is not enabled in project 1",
    ),
    (
        "GoogleAuthError",
        "('Unable to acquire impersonated credentials', 'Gaia id not found')",
        "CredentialsError",
        "The credentials may not impersonate",
    ),
    (
        "TransportError",
        "Compute Engine Metadata server unavailable",
        "CredentialsError",
        "The machine's metadata server",
    ),
    ("UNAVAILABLE", f"{PLUGIN} Reauthentication is needed.", "CredentialsError", "Google does not take"),
    ("UNAVAILABLE", f"{PLUGIN} timeout", "UnreachableError", "Google gave no token"),
    ("UNAVAILABLE", "last error: Trying to connect an http1.x server", "EndpointError", "What answers"),
    # What only looks like one of them.
    (
        "INVALID_ARGUMENT",
        "Python package gs://acme-bucket/image/trainer.tar.gz does not exist.",
        "InvalidRequestError",
        "",
    ),
    ("INVALID_ARGUMENT", "Object trainer.tar.gz in bucket acme does not exist.", "InvalidRequestError", ""),
    ("INVALID_ARGUMENT", "Display name of image-denied-job is too long.", "InvalidRequestError", ""),
    ("INVALID_ARGUMENT", "Environment variable actAs is set twice.", "InvalidRequestError", ""),
    ("NOT_FOUND", "Job network-1 was not found.", "InvalidRequestError", ""),
]


@pytest.mark.parametrize(("code", "text", "kind", "title"), CALLS)
def test_a_refusal_in_other_words(code: str, text: str, kind: str, title: str) -> None:
    """What is meant counts, not how it is put; a word in a name or a path means nothing."""
    explained = explain_call(Told(code, text))
    assert explained is not None
    assert explained.kind.__name__ == kind
    assert explained.title.startswith(title)
    assert bool(explained.title) == bool(title)


EXHAUSTED = [
    *(text for entry in ENTRIES for code, text in entry.samples if code == "RESOURCE_EXHAUSTED"),
    "The zone 'z' does not have enough resources available to fulfill the request.",
    "ZONE_RESOURCE_POOL_EXHAUSTED",
    "Quota exceeded for quota metric 'Job or LRO submission requests'",
    "Quota exceeded for quota metric 'Custom model training Nvidia L4 GPUs per region'",
    "Resource has been exhausted (e.g. check quota).",
]


@pytest.mark.parametrize("text", EXHAUSTED, ids=range(len(EXHAUSTED)))
def test_what_is_asked_for_again_is_told_as_too_many_requests(text: str) -> None:
    """A create is repeated where requests ran out, not machines or their quota, and its error says so."""
    explained = explain_call(Told("RESOURCE_EXHAUSTED", text))
    assert explained is not None
    repeated = status.is_request_quota(ResourceExhausted(text))
    assert repeated == (explained.kind is TooManyRequestsError)


LONG = {
    "words": "word and more words ",
    "letters": "a",
    "names": "a.b-c_",
    "lines": "A line of some text, here: x=1\n",
    "agents": "service-1",
    "accounts": "a@b.c ",
    "frames": '  File "/app/train.py", line 1, in main\n    main()\n',
    "things": "image bucket network reservation service account Tensorboard API ",
}


@pytest.mark.parametrize("told", ["call", "job"])
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_text_takes_no_more_than_its_length(text: str, told: str) -> None:
    """Eight times as much text takes some eight times as long, not 64 times: the event loop reads it."""

    def seconds(length: int) -> float:
        long = (text * length)[:length]
        start = time.process_time()
        if told == "call":
            explain_call(Told("UNAVAILABLE", long))
        else:
            explain_job(3, long)
        return time.process_time() - start

    seconds(1_000)
    few, many = (min(seconds(length) for _ in range(3)) for length in (2_000, 16_000))
    assert many < 24 * few


EXITED = "The replica workerpool0-0 exited with a non-zero status of"
XLA = "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED:"

# What the program said last, the class, and how the title goes on after the replica's name.
PROGRAMS = [
    (
        "ProcessExitedException: process 0 terminated with signal SIGBUS",
        "JobFailedError",
        "ran out of shared",
    ),
    ("ProcessExitedException: process 0 terminated with signal SIGKILL", "OutOfMemoryError", "wanted more"),
    ("ray.exceptions.OutOfMemoryError: Task was killed", "OutOfMemoryError", "wanted more memory"),
    ("RuntimeError: CUDA error: out of memory", "OutOfMemoryError", "ran out of accelerator"),
    ("RuntimeError: cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "OutOfMemoryError", "ran out of accelerator"),
    (f"{XLA} Out of memory allocating 8 bytes", "OutOfMemoryError", "ran out of accelerator"),
    (f"{XLA} Ran out of memory in memory space hbm.", "OutOfMemoryError", "ran out of accelerator"),
    (
        f"{XLA} XLA:TPU compile permanent error. Ran out of memory",
        "OutOfMemoryError",
        "ran out of accelerator",
    ),
    (f"{XLA} Attempting to reserve 12.00G at the bottom", "OutOfMemoryError", "ran out of accelerator"),
    (
        "tf.errors.ResourceExhaustedError: failed to allocate memory",
        "OutOfMemoryError",
        "ran out of accelerator",
    ),
    ("cupy.cuda.memory.OutOfMemoryError: Out of memory", "OutOfMemoryError", "ran out of accelerator"),
    ("XGBoostError: std::bad_alloc: cudaErrorMemoryAllocation", "OutOfMemoryError", "ran out of accelerator"),
    (
        "numpy.core._exceptions._ArrayMemoryError: Unable to allocate",
        "OutOfMemoryError",
        "wanted more memory",
    ),
    ("terminate called after throwing 'std::bad_alloc'", "OutOfMemoryError", "wanted more memory"),
    ("OSError: [Errno 28] No space left on device: 'model.pt'", "JobFailedError", "ran out of disk"),
    ("RuntimeError: unable to write to file </torch_1_2>", "JobFailedError", "ran out of shared"),
    ("Bus error (core dumped)", "JobFailedError", "ran out of shared"),
    ("[Rank 0] Watchdog caught collective operation timeout", "JobFailedError", "lost the other"),
    ("DistStoreError: Timed out after 901 seconds waiting for clients.", "JobFailedError", "lost the other"),
    ("exec user process caused: exec format error", "JobImageError", "can't start"),
    ("DistBackendError: NCCL error in: x.cpp:1, remote process exited", "JobFailedError", "lost the other"),
    # What only looks like one of them.
    ("DistBackendError: NCCL error in: x.cpp:1, invalid usage", "JobFailedError", "exited with status 1"),
    (
        "DistBackendError: NCCL error in: x.cpp:1, unhandled cuda error",
        "JobFailedError",
        "exited with status 1",
    ),
    ("OSError: [Errno 8] Exec format error: './tool'", "JobFailedError", "exited with status 1"),
    ("ImportError: cannot allocate memory in static TLS block", "JobFailedError", "exited with status 1"),
    (
        "ResourceExhausted: 429 Quota exceeded: custom_model_training",
        "JobFailedError",
        "exited with status 1",
    ),
    ("FileNotFoundError: /data/image not found/preempted", "JobFailedError", "exited with status 1"),
]


@pytest.mark.parametrize(("said", "kind", "title"), PROGRAMS)
def test_a_program_in_other_words(said: str, kind: str, title: str) -> None:
    """Each framework has its own words for the same end."""
    explained = explain_job(3, f"{EXITED} 1.", said)
    assert explained is not None
    assert explained.kind.__name__ == kind
    assert explained.title.startswith(f"workerpool0-0 {title}")


JOBS = [
    (14, "Resources are insufficient in region: us-central1.", "JobStockoutError"),
    (1, "The job timed out waiting for resources.", "JobStockoutError"),
    (8, "The job exceeded the maximum wait duration of 1800s.", "JobStockoutError"),
    (8, "Replicas low on disk: workerpool0.", "JobFailedError"),
    (9, f"{ATTACHMENT} has no free addresses.", "JobNetworkError"),
    (5, 'name unknown: Repository "trainers" not found', "JobImageError"),
    (1, "The job exceeded its timeout of 3600 seconds while it waited for its data.", "JobTimeoutError"),
]


@pytest.mark.parametrize(("code", "text", "kind"), JOBS)
def test_a_jobs_own_error_in_other_words(code: int, text: str, kind: str) -> None:
    """As above, of Vertex AI's own words about a job."""
    explained = explain_job(code, text)
    assert explained is not None
    assert explained.kind.__name__ == kind


def test_a_program_that_ran_out_of_something_else_knows_why() -> None:
    """Only a replica that ran out of memory was killed; a program that says so of its data was not."""
    text = (
        f"{EXITED} 1. Termination reason: Error.\nTraceback (most recent call last):\n"
        '  File "/app/train.py", line 1, in <module>\nIndexError: the loader ran out of batches\n'
    )
    job = JobSnapshot("job", state="JOB_STATE_FAILED", error_code=3, error_message=text)
    told = str(states.ended_badly(job)).splitlines()[0]
    assert told == "workerpool0-0 exited with status 1: IndexError: the loader ran out of batches"
