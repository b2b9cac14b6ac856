"""Failures of the training's own program: how it ended, and what it said of that."""

from __future__ import annotations

from airflow_vertex_training.vertex import exceptions as errors
from airflow_vertex_training.vertex.catalogue.entries import Entry

__all__ = ["PROGRAMS"]

_TROUBLESHOOTING = "https://cloud.google.com/vertex-ai/docs/training/troubleshooting"
_CONTAINERS = "https://cloud.google.com/vertex-ai/docs/training/containers-overview"
_READ = (
    "read the program's last lines in the log. If it has none, the account that the training runs as may "
    "lack the role Logs Writer (roles/logging.logWriter)."
)
_FRAMES = 'Traceback (most recent call last):\n  File "/app/train.py", line 42, in <module>\n'
_EXITED = r"replica (?P<replica>[\w-]+) exited"


def _exit(statuses: str, means: str, remedy: str) -> Entry:
    """Return the entry of a program that exits with one of some statuses, such as ``6|134``."""
    return Entry(
        title="{replica} exited with status {status}",
        explanation=means,
        remedy=remedy,
        job=errors.JobFailedError,
        pattern=rf"{_EXITED} with a non-zero status of (?P<status>{statuses})(?!\d)",
        samples=tuple(
            ("INVALID_ARGUMENT", f"The replica workerpool0-0 exited with a non-zero status of {status}.")
            for status in statuses.split("|")
            if status.isdecimal()
        ),
        source=_TROUBLESHOOTING,
    )


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
        pattern=_EXITED,
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


PROGRAMS = (
    _said(
        "{replica} ran out of accelerator memory",
        "The program wanted more memory of its GPU or TPU than that has. The machine's own is another.",
        "use a smaller batch, gradient accumulation or mixed precision, or an accelerator with more memory.",
        (
            r"CUDA out of memory|RESOURCE_EXHAUSTED: Out of memory|failed to allocate .{0,80} on GPU"
            r"|CUBLAS_STATUS_ALLOC_FAILED|OOM when allocating (?!.*allocator (?:cpu|mklcpu))"
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
        r"insufficient shared memory|killed by signal: Bus error|No space left on device: '?/dev/shm",
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
            r"\bMemoryError\b|can't allocate memory|Cannot allocate memory|killed by signal: Killed"
            r"|OOM when allocating .*allocator (?:cpu|mklcpu)"
        ),
        f"{_FRAMES}MemoryError: Unable to allocate 7.28 TiB for an array",
        "https://docs.python.org/3/library/exceptions.html#MemoryError",
        kind=errors.OutOfMemoryError,
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
        "{replica}: the image's CUDA does not fit the machine",
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
        "{replica}: the image was built for another processor",
        (
            "Vertex AI's machines have x86-64 processors. Images that are built on a Mac are for ARM unless "
            "told so."
        ),
        "build the image with 'docker build --platform linux/amd64'.",
        r"exec format error",
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
    # What a program did comes before all else: its text may end with a traceback, which may hold any words.
    _exit(
        "1",
        "The program failed. With Python that is an exception that nothing caught.",
        _READ,
    ),
    _exit(
        "2",
        "The program was called wrongly: that is what argparse and shells mean by 2. Python exits so, too, "
        "where the file that it should run is not there, and Go where it panics.",
        "compare 'command' and 'args' with what the program takes. They follow the image's ENTRYPOINT, "
        "unless 'command' replaces it.",
    ),
    _exit(
        "6|134",
        (
            "The program aborted itself (SIGABRT): an assertion in native code, CUDA or NCCL, or a failed "
            "allocation."
        ),
        "read the program's last lines in the log. Vertex AI tried up to three times.",
    ),
    _exit(
        "9|137",
        "The program was killed (SIGKILL). Nearly always the machine had no memory left.",
        "use a machine_type with more memory, a smaller batch, or fewer loader processes.",
    ),
    _exit(
        "11|139",
        (
            "The program crashed in native code (SIGSEGV): mostly libraries that don't fit each other or the "
            "driver."
        ),
        "read the program's last lines in the log, and run it with PYTHONFAULTHANDLER=1. Vertex AI tried up "
        "to three times.",
    ),
    _exit(
        "126",
        "The program can't be executed: its file is not executable, or made for another processor.",
        "check 'command', the file's mode (chmod +x), and that the image was built for linux/amd64.",
    ),
    _exit(
        "127",
        "The program was not found in the image.",
        (
            "check 'command': its first word must be a program on the image's PATH, and not a whole command "
            "line."
        ),
    ),
    _exit(
        "128",
        "The container's program could not be started: it is not in the image, or not executable.",
        (
            "check 'command': its first word must be a program on the image's PATH that may be executed, and "
            "not a whole command line. For a Python module write command=['python', '-m', 'MODULE']."
        ),
    ),
    _exit(
        "15|143",
        (
            "The program was asked to end (SIGTERM), as when its machine is taken away or another replica "
            "has failed."
        ),
        "look for the first replica that failed. A Spot job should write checkpoints to AIP_CHECKPOINT_DIR.",
    ),
    _exit(r"-?\d+", "The program failed, with a status of its own.", _READ),
    Entry(
        title="{replica} ran out of memory",
        explanation=(
            "Its programs together took more memory than the machine has, less what Vertex AI's own take."
        ),
        remedy=(
            "use a machine_type with more memory, a smaller batch, or fewer loader processes. Of an "
            "n1-standard-4, Vertex AI's own programs can take up to 40 %."
        ),
        job=errors.OutOfMemoryError,
        pattern=(
            r"replica (?P<replica>[\w-]+) ran out[ -]of[ -]memory"
            r"|replicas low on memory: (?P<replica_>[\w-]+)"
        ),
        samples=(
            (
                "INVALID_ARGUMENT",
                "The replica workerpool0-0 ran out of memory and exited with a non-zero status of 137.",
            ),
            (
                "INVALID_ARGUMENT",
                (
                    "The replica workerpool0-0 ran out-of-memory and exited with a non-zero status of "
                    "9(SIGKILL)."
                ),
            ),
            (
                "RESOURCE_EXHAUSTED",
                "Replicas low on memory: workerpool0. Specify a machine with larger memory and try again.",
            ),
        ),
        source=_TROUBLESHOOTING,
    ),
)
