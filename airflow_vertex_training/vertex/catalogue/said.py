"""Failures that the training's own program tells: by an exception, or by its last words."""

from __future__ import annotations

from airflow_vertex_training.vertex import exceptions as errors
from airflow_vertex_training.vertex.catalogue.entries import Entry

__all__ = ["DISK_HOLDS", "DISK_REMEDY", "EXITED", "SAID"]

EXITED = r"replica (?P<replica>[\w-]+) exited"
"""The pattern of how Vertex AI says that a program has ended."""

DISK_HOLDS = (
    "The boot disk, by default 100 GB, holds the image and all that the program writes outside of /gcs."
)
DISK_REMEDY = (
    "set a larger 'boot_disk_size_gb', use a smaller image, or read data from Cloud Storage (/gcs/BUCKET) "
    "instead of copying it."
)
_CONTAINERS = "https://cloud.google.com/vertex-ai/docs/training/containers-overview"
_FRAMES = 'Traceback (most recent call last):\n  File "/app/train.py", line 42, in <module>\n'


def _said(
    title: str,
    means: str,
    remedy: str,
    words: str,
    sample: str,
    source: str,
    kind: type[errors.JobEndedError] = errors.JobFailedError,
) -> Entry:
    """Return the entry of a program that says itself why it failed, by an exception or its last words."""
    return Entry(
        title=title,
        explanation=means,
        remedy=remedy,
        job=kind,
        pattern=EXITED,
        said=words,
        samples=(
            (
                "INVALID_ARGUMENT",
                (
                    "The replica workerpool0-0 exited with a non-zero status of 1. Termination reason: "
                    "Error. \n"
                    f"{sample}"
                ),
            ),
        ),
        source=source,
    )


SAID = (
    _said(
        "{replica} ran out of accelerator memory",
        "The program wanted more memory than its GPU or TPU has. The machine's own memory does not help.",
        "use a smaller batch, gradient accumulation or mixed precision, or an accelerator with more memory.",
        (
            r"CUDA out of memory|CUDA error: out of memory|cudaErrorMemoryAllocation|out_of_memory: CUDA"
            r"|(?:torch|cupy)\S*\.OutOfMemoryError|CU(?:BLAS|DNN)_STATUS_ALLOC_FAILED"
            # XLA, of JAX and PyTorch, on GPU and TPU.
            r"|RESOURCE_EXHAUSTED: (?:XLA:TPU .*?)?(?:(?:ran )?out of memory|Attempting to (?:alloc|reserv))"
            # TensorFlow, whose own memory and the machine's have the same exception.
            r"|failed to allocate .{0,80} on GPU|ResourceExhaustedError: .*failed to allocate memory"
            r"|OOM when allocating (?!.*allocator (?:cpu|mklcpu))"
        ),
        f"{_FRAMES}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB.",
        "https://pytorch.org/docs/stable/notes/cuda.html#memory-management",
        kind=errors.OutOfMemoryError,
    ),
    _said(
        "{replica} ran out of shared memory",
        "Processes that load data pass it on in /dev/shm, which is small in a container.",
        (
            "use fewer loader processes (num_workers), or have PyTorch use files: "
            "torch.multiprocessing.set_sharing_strategy('file_system')."
        ),
        (
            r"insufficient shared memory|\bBus error\b|No space left on device: '?/dev/shm"
            r"|unable to write to file </torch_|terminated with signal SIGBUS"
        ),
        (
            f"{_FRAMES}RuntimeError: DataLoader worker (pid 42) is killed by signal: Bus error. It is "
            "possible that dataloader's workers are out of shared memory."
        ),
        "https://pytorch.org/docs/stable/multiprocessing.html#sharing-strategies",
    ),
    _said(
        "{replica} wanted more memory than there is",
        "The program wanted more memory than the machine has, less what Vertex AI's own programs take.",
        "use a machine_type with more memory, a smaller batch, or fewer loader processes.",
        (
            # NumPy's is ``_ArrayMemoryError``. "In static TLS block" is about a library, not about memory.
            r"\b_?(?:Array)?MemoryError\b|std::bad_alloc|java\.lang\.OutOfMemoryError|can't allocate memory"
            r"|Cannot allocate memory(?! in static)|killed by signal: Killed|terminated with signal SIGKILL"
            r"|\bray\.exceptions\.OutOfMemoryError"
            r"|OOM when allocating .*allocator (?:cpu|mklcpu)"
        ),
        f"{_FRAMES}MemoryError: Unable to allocate 7.28 TiB for an array",
        "https://docs.python.org/3/library/exceptions.html#MemoryError",
        kind=errors.OutOfMemoryError,
    ),
    _said(
        "{replica} ran out of disk space",
        DISK_HOLDS,
        DISK_REMEDY,
        r"No space left on device",
        f"{_FRAMES}OSError: [Errno 28] No space left on device",
        "https://cloud.google.com/vertex-ai/docs/training/configure-compute",
    ),
    _said(
        "{replica} lost the other replicas",
        (
            "It waited for another replica that did not start, failed, or hung. Which one, and why, is in "
            "that one's own lines."
        ),
        (
            "look in the log for the replica that failed first. Where none did, check that the program "
            "counts as many processes as the worker pools have, and run it with NCCL_DEBUG=INFO."
        ),
        (
            # Not what is wrong in the replica itself: two processes on a GPU, or CUDA's own errors.
            r"^(?!.*(?:invalid (?:usage|argument)|unhandled cuda error)).*"
            r"(?:\bDist(?:Backend|Network|Store)Error\b|collective operation timeout|NCCL (?:error|timeout)"
            r"|NCCL communicator was aborted)"
        ),
        (
            f"{_FRAMES}torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:1691, "
            "unhandled system error, NCCL version 2.19.3"
        ),
        "https://pytorch.org/docs/stable/distributed.html#debugging-torch-distributed-applications",
    ),
    _said(
        "{replica} has credentials whose scopes are too narrow",
        (
            "Without 'service_account' a job runs as Vertex AI's own account (Custom Code Service Agent), "
            "whose credentials do not cover all of Google Cloud, whatever its roles."
        ),
        (
            "set the argument 'service_account' to an account of yours, with the roles that the program "
            "needs. What is not Google Cloud, such as Google Drive, wants its own scope in the program."
        ),
        r"insufficient authentication scopes|ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        (
            f"{_FRAMES}google.api_core.exceptions.PermissionDenied: 403 Request had insufficient "
            "authentication scopes."
        ),
        "https://github.com/googleapis/python-aiplatform/issues/902",
    ),
    _said(
        "{replica} found no GPU",
        "The program asks for a GPU, and its machine has none.",
        "set 'accelerator_type' and 'accelerator_count', or a 'machine_type' that has GPUs, in this pool.",
        r"No CUDA GPUs are available|Found no NVIDIA driver|no CUDA-capable device is detected",
        f"{_FRAMES}RuntimeError: No CUDA GPUs are available",
        "https://cloud.google.com/vertex-ai/docs/training/configure-compute",
    ),
    _said(
        "{replica} can't use its GPU: the image's CUDA does not fit",
        (
            "The CUDA in the image is too new for the machine's driver, or was built for other GPUs than "
            "this one."
        ),
        (
            "use an image with an older CUDA, or with a framework that was built for this GPU, such as one "
            "of https://cloud.google.com/vertex-ai/docs/training/pre-built-containers."
        ),
        (
            r"CUDA driver version is insufficient|driver on your system is too old"
            r"|no kernel image is available|forward compatibility was attempted"
        ),
        f"{_FRAMES}RuntimeError: CUDA error: CUDA driver version is insufficient for CUDA runtime version",
        "https://docs.nvidia.com/deploy/cuda-compatibility/",
    ),
    _said(
        "{replica} can't start: the image was built for another processor",
        (
            "Vertex AI's machines have x86-64 processors. Images that are built on a Mac are for ARM unless "
            "told so."
        ),
        "build the image with 'docker build --platform linux/amd64'.",
        # Not what a program tells of another one that it wanted to run.
        r"^exec \S+: exec format error|exec user process caused\W+exec format error",
        "exec /usr/bin/python: exec format error",
        _CONTAINERS,
        kind=errors.JobImageError,
    ),
    _said(
        "{replica} may not use a bucket",
        "The training code runs as the job's own service account, and that one has no access there.",
        (
            "grant the account that the exception names the role Storage Object User "
            "(roles/storage.objectUser) on the bucket, or check the argument 'service_account'."
        ),
        r"does not have storage\.\w+\.\w+ access",
        (
            f"{_FRAMES}google.api_core.exceptions.Forbidden: 403 GET "
            "https://storage.googleapis.com/storage/v1/b/acme: trainer@acme.iam.gserviceaccount.com does "
            "not have storage.buckets.get access to the Google Cloud Storage bucket."
        ),
        "https://cloud.google.com/storage/docs/troubleshooting",
    ),
)
