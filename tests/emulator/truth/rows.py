"""What the emulator makes of each field and method: docs/emulator.md is made of it, and tests walk it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BEHAVIOUR", "DOCUMENTED", "FIELDS", "KEPT", "METHODS", "REFUSED", "REQUESTS", "UNKNOWN", "Row"]

DOCUMENTED = "as documented"
KEPT = "kept without effect"
REFUSED = "refused"
UNKNOWN = "unknown"

PROTO = "proto comment"
OWN = "none: the emulator's own choice"
DOCS = "https://cloud.google.com/vertex-ai/docs"
LOGGING = "https://cloud.google.com/logging"


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Args:
        name: A method, a field's path, or a matter.
        standing: `DOCUMENTED`, `KEPT`, `REFUSED` or `UNKNOWN` (what Vertex does is not documented).
        note: What the emulator does, where the standing doesn't say it.
        source: Who says what Vertex does: a proto's comment, a page, a public report, or nobody.
        compared: When it was last compared with a real project; empty for never.
    """

    name: str
    standing: str
    note: str = ""
    source: str = PROTO
    compared: str = ""


JOBS = "google.cloud.aiplatform.v1.JobService"
METHODS = [
    Row(f"{JOBS}/CreateCustomJob", DOCUMENTED),
    Row(f"{JOBS}/GetCustomJob", DOCUMENTED),
    Row(f"{JOBS}/ListCustomJobs", DOCUMENTED, "newest first; Vertex's order is not documented"),
    Row(f"{JOBS}/CancelCustomJob", DOCUMENTED, "FAILED_PRECONDITION for a job that has ended; twice is once"),
    Row(
        f"{JOBS}/DeleteCustomJob",
        DOCUMENTED,
        "the operation is done at once; FAILED_PRECONDITION while it runs",
    ),
    Row("google.logging.v2.LoggingServiceV2/ListLogEntries", DOCUMENTED),
    Row("google.longrunning.Operations/GetOperation", DOCUMENTED, "of deletes"),
    Row("google.cloud.location.Locations/GetLocation", DOCUMENTED),
    Row("google.cloud.location.Locations/ListLocations", DOCUMENTED),
    Row(
        "every other method and service",
        REFUSED,
        "UNIMPLEMENTED; the text says that it is the emulator's gap",
        OWN,
    ),
]

LIST, ENTRIES = "ListCustomJobsRequest", "ListLogEntriesRequest"
QUERY = f"{LOGGING}/docs/view/logging-query-language"
REQUESTS = [
    Row("CreateCustomJobRequest.parent", DOCUMENTED, "a region that doesn't exist is refused"),
    Row("CreateCustomJobRequest.custom_job", DOCUMENTED, "see the fields of `CustomJob`"),
    Row("GetCustomJobRequest.name", DOCUMENTED, "with the project's id or number"),
    Row("CancelCustomJobRequest.name", DOCUMENTED, "as in get"),
    Row("DeleteCustomJobRequest.name", DOCUMENTED, "as in get"),
    Row(f"{LIST}.parent", DOCUMENTED),
    Row(f"{LIST}.filter", DOCUMENTED,
        "`display_name`, `state`, `create_time`, `labels`; other fields are refused",
        "proto comment, https://google.aip.dev/160"),
    Row(f"{LIST}.page_size", UNKNOWN, "at most 100, which is also the default"),
    Row(f"{LIST}.page_token", DOCUMENTED, "one of another parent or filter is refused",
        "https://google.aip.dev/158"),
    Row(f"{LIST}.read_mask", DOCUMENTED, "nested paths, too; an unknown one is refused",
        "https://google.aip.dev/161"),
    Row(f"{ENTRIES}.resource_names", DOCUMENTED,
        "projects and views of them; folders and organizations are refused"),
    Row(f"{ENTRIES}.filter", DOCUMENTED,
        "the functions `log_id`, `sample`, `SEARCH`; regular expressions are Python's,"
        " without what RE2 lacks", QUERY),
    Row(f"{ENTRIES}.order_by", DOCUMENTED),
    Row(f"{ENTRIES}.page_size", DOCUMENTED),
    Row(f"{ENTRIES}.page_token", DOCUMENTED),
]  # fmt: skip

SPEC, POOL = "job_spec", "job_spec.worker_pool_specs"
CONTAINER, PACKAGE, MACHINE = f"{POOL}.container_spec", f"{POOL}.python_package_spec", f"{POOL}.machine_spec"
SCHEDULING, PSC = f"{SPEC}.scheduling", f"{SPEC}.psc_interface_config"
COMPUTE = f"{DOCS}/training/configure-compute"
OUTPUT_ONLY = "set by the emulator; dropped from a request"
SEEN = "one was seen: https://github.com/googleapis/python-aiplatform/issues/1684"

FIELDS = [
    Row("name", DOCUMENTED, OUTPUT_ONLY),
    Row("display_name", DOCUMENTED),
    Row("labels", DOCUMENTED, "at most 63 characters, as the page says; the proto's comment says 64",
        "https://cloud.google.com/resource-manager/docs/labels-overview"),
    Row("state", DOCUMENTED,
        "QUEUED, PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLING, CANCELLED; never another"),
    Row("create_time", DOCUMENTED, OUTPUT_ONLY),
    Row("start_time", DOCUMENTED, OUTPUT_ONLY),
    Row("end_time", DOCUMENTED, OUTPUT_ONLY),
    Row("update_time", DOCUMENTED, OUTPUT_ONLY),
    Row("error", DOCUMENTED, "about a minute after the end, as on Vertex, only with `--error-delay`",
        f"{DOCS}/training/troubleshooting"),
    Row("encryption_spec", KEPT, "nothing is encrypted"),
    Row("encryption_spec.kms_key_name", KEPT, "its form and region are checked"),
    Row("web_access_uris", UNKNOWN, "one for each replica, which leads nowhere"),
    Row("satisfies_pzs", UNKNOWN, "never set"),
    Row("satisfies_pzi", UNKNOWN, "never set"),
    Row("job_spec", DOCUMENTED),
    Row(f"{SPEC}.persistent_resource_id", KEPT, "that there is such a resource is not checked"),
    Row(f"{SPEC}.service_account", KEPT, "a job finds no credentials"),
    Row(f"{SPEC}.network", KEPT),
    Row(f"{SPEC}.reserved_ip_ranges", KEPT),
    Row(PSC, KEPT, "not together with `network`", f"{DOCS}/training/psc-i-egress"),
    Row(f"{PSC}.network_attachment", KEPT),
    Row(f"{PSC}.dns_peering_configs", KEPT),
    Row(f"{PSC}.dns_peering_configs.domain", KEPT),
    Row(f"{PSC}.dns_peering_configs.target_project", KEPT),
    Row(f"{PSC}.dns_peering_configs.target_network", KEPT),
    Row(f"{SPEC}.base_output_directory", DOCUMENTED),
    Row(f"{SPEC}.base_output_directory.output_uri_prefix", DOCUMENTED,
        "a folder on this machine; the variables hold its path, not `gs://`; `file:///PATH` is taken, too"),
    Row(f"{SPEC}.protected_artifact_location_id", KEPT),
    Row(f"{SPEC}.tensorboard", DOCUMENTED, "`AIP_TENSORBOARD_RESOURCE_NAME` is set, nothing is uploaded",
        f"{DOCS}/experiments/tensorboard-training"),
    Row(f"{SPEC}.enable_web_access", KEPT, "there are URIs, but no shells"),
    Row(f"{SPEC}.enable_dashboard_access", KEPT),
    Row(f"{SPEC}.experiment", KEPT),
    Row(f"{SPEC}.experiment_run", KEPT),
    Row(f"{SPEC}.models", KEPT),
    Row(SCHEDULING, DOCUMENTED),
    Row(f"{SCHEDULING}.timeout", DOCUMENTED, "the job is CANCELLED then; the text is the emulator's own"),
    Row(f"{SCHEDULING}.restart_job_on_worker_restart", DOCUMENTED, "for a replica that a test takes away"),
    Row(f"{SCHEDULING}.strategy", KEPT, "checked; every job gets its machines at once",
        f"{DOCS}/training/schedule-jobs-dws"),
    Row(f"{SCHEDULING}.disable_retries", DOCUMENTED, "for a replica that a test takes away"),
    Row(f"{SCHEDULING}.max_wait_duration", DOCUMENTED, "with FLEX_START, where the wait is longer than that"),
    Row(POOL, DOCUMENTED, "the first pool has one replica; at most four pools",
        f"{DOCS}/training/distributed-training"),
    Row(f"{POOL}.replica_count", DOCUMENTED, "each replica is a process of its own",
        f"{DOCS}/training/distributed-training"),
    Row(CONTAINER, DOCUMENTED),
    Row(f"{CONTAINER}.image_uri", DOCUMENTED, "a folder stands for it; a job of an unknown image fails",
        f"proto comment, {DOCS}/training/containers-overview"),
    Row(f"{CONTAINER}.command", DOCUMENTED),
    Row(f"{CONTAINER}.args", DOCUMENTED, "", f"{DOCS}/training/configure-container-settings"),
    Row(f"{CONTAINER}.env", DOCUMENTED),
    Row(f"{CONTAINER}.env.name", DOCUMENTED),
    Row(f"{CONTAINER}.env.value", DOCUMENTED, "`$(NAME)` is expanded"),
    Row(PACKAGE, DOCUMENTED),
    Row(f"{PACKAGE}.executor_image_uri", DOCUMENTED, "as `image_uri`"),
    Row(f"{PACKAGE}.package_uris", DOCUMENTED, "unpacked, not installed: dependencies must be there"),
    Row(f"{PACKAGE}.python_module", DOCUMENTED),
    Row(f"{PACKAGE}.args", DOCUMENTED),
    Row(f"{PACKAGE}.env", DOCUMENTED),
    Row(f"{PACKAGE}.env.name", DOCUMENTED),
    Row(f"{PACKAGE}.env.value", DOCUMENTED, "`$(NAME)` is expanded"),
    Row(MACHINE, KEPT, "every job has this machine's CPUs and memory"),
    Row(f"{MACHINE}.machine_type", KEPT,
        "a list as read in 2026-11; unknown families as `--unknown-machines` says",
        COMPUTE),
    Row(f"{MACHINE}.accelerator_type", KEPT, "checked against the machine type", COMPUTE),
    Row(f"{MACHINE}.accelerator_count", KEPT, "checked against the machine type", COMPUTE),
    Row(f"{MACHINE}.gpu_partition_size", KEPT),
    Row(f"{MACHINE}.tpu_topology", KEPT, "checked against the machine type", COMPUTE),
    Row(f"{MACHINE}.reservation_affinity", KEPT, "", f"{DOCS}/training/use-reservations"),
    Row(f"{MACHINE}.reservation_affinity.reservation_affinity_type", KEPT),
    Row(f"{MACHINE}.reservation_affinity.key", KEPT),
    Row(f"{MACHINE}.reservation_affinity.values", KEPT, "that there is such a reservation is not checked"),
    Row(f"{POOL}.disk_spec", KEPT),
    Row(f"{POOL}.disk_spec.boot_disk_type", KEPT),
    Row(f"{POOL}.disk_spec.boot_disk_size_gb", KEPT, "100 to 64,000", COMPUTE),
    Row(f"{POOL}.nfs_mounts", KEPT, "nothing is mounted"),
    Row(f"{POOL}.nfs_mounts.server", KEPT),
    Row(f"{POOL}.nfs_mounts.path", KEPT),
    Row(f"{POOL}.nfs_mounts.mount_point", KEPT),
    Row(f"{POOL}.lustre_mounts", KEPT, "nothing is mounted"),
    Row(f"{POOL}.lustre_mounts.instance_ip", KEPT),
    Row(f"{POOL}.lustre_mounts.volume_handle", KEPT),
    Row(f"{POOL}.lustre_mounts.filesystem", KEPT),
    Row(f"{POOL}.lustre_mounts.mount_point", KEPT),
]  # fmt: skip

ERRORS, LIFE = f"{DOCS}/training/troubleshooting", f"{DOCS}/training/understanding-training-service"
BEHAVIOUR = [
    Row("How soon a job is listed", UNKNOWN, "at once; with the faults `stale` and `late` later", OWN),
    Row("A replica that exits with another status than 0", UNKNOWN,
        "ends the job. Vertex restarts it up to five times, then the job up to three times, unless the error"
        " is one of the common ones", LIFE),
    Row("The text of such an error", DOCUMENTED, "its link leads to the emulator's page", ERRORS),
    Row("The first replica's end", DOCUMENTED, "is the job's end", f"{DOCS}/training/distributed-training"),
    Row("Running out of memory", DOCUMENTED, "over `--memory-limit`, or on request", ERRORS),
    Row("Stockout, capacity quota, preemption", DOCUMENTED, "on request, as faults", ERRORS),
    Row("Times in QUEUED and PENDING", UNKNOWN,
        "2 and 3 seconds, or as `--queue-seconds` and `--provision-seconds` say",
        OWN),
    Row("The environment of a replica", DOCUMENTED, "`/gcs/BUCKET` is a path under `--storage`",
        f"{DOCS}/training/code-requirements"),
    Row("Severity of lines", DOCUMENTED, "stdout is INFO, stderr ERROR; a line that is JSON says its own",
        f"{DOCS}/training/code-requirements"),
    Row("How late log entries are", UNKNOWN, "not at all; with the fault `late` as long as it says", OWN),
    Row("Fields of a log entry", UNKNOWN,
        "`resource` as documented; Vertex's own lines and `labels` as public reports"
        " show them", OWN),
    Row("Request quotas", DOCUMENTED, "only with `--enforce-quotas`", f"{DOCS}/quotas, {LOGGING}/quotas"),
    Row("Permissions and credentials", UNKNOWN, "not checked; `--projects` is all there is", OWN),
    Row("Wrong fields", DOCUMENTED, "all in one answer, as `List of found errors`, with `BadRequest`", SEEN),
    Row("A machine type that is not listed", DOCUMENTED, "named in a sentence of its own, without a field",
        "one was seen: https://github.com/GoogleCloudPlatform/vertex-ai-samples/issues/213"),
    Row("REST", DOCUMENTED, "the same methods as JSON at the next port", "https://google.aip.dev/127"),
]  # fmt: skip
