from __future__ import annotations

import time

import pytest

from airflow_vertex_training.emulator.control.process import launch
from airflow_vertex_training.emulator.jobs.failures import last_traceback

RAISES = """
import sys, logging
print("so far so good")
logging.basicConfig()
try:
    1 / 0
except ArithmeticError:
    logging.exception("not this one")
def deep(n):
    if n:
        return deep(n - 1)
    raise ValueError("MY TRAINING BLEW UP")
deep(3)
"""


def test_traceback_is_the_termination_reason(client, emulator, parent, make_job):
    """The last traceback of a replica follows `Termination reason: Error.`, before the link to the log.

    As in https://github.com/GoogleCloudPlatform/vertex-ai-samples/pull/1504; undocumented.
    """
    name = client.create_custom_job(parent=parent, custom_job=make_job("python", "-c", RAISES)).name
    error = emulator.control.wait_job(name)["error_message"]
    assert error.startswith(
        "The replica workerpool0-0 exited with a non-zero status of 1. Termination reason: Error. \n"
        "Traceback (most recent call last):\n"
    )
    assert "\nValueError: MY TRAINING BLEW UP\n\nTo find out more about why your job exited" in error
    assert "ZeroDivisionError" not in error


def test_long_traceback_keeps_its_end():
    """Of a long traceback the end is kept and the middle is left out, as in public reports."""
    frames = [f'  File "trainer.py", line {n}, in deep' for n in range(200)]
    text = last_traceback(["noise", "Traceback (most recent call last):", *frames, "ValueError: bad"])
    assert text.startswith("Traceback (most recent call last):\n  [...]\n  File")
    assert text.endswith("ValueError: bad")
    assert len(text) < 2_100
    assert last_traceback(["Killed"]) == ""


OUT_OF_MEMORY = (
    "The replica workerpool0-0 ran out of memory and exited with a non-zero status of 137. To find out"
)
"""The sentence of Google's page on training errors, before the link to the log."""


def test_replica_over_the_memory_limit_is_killed(connect, parent, make_job):
    """With `--memory-limit` a replica that takes more, its children included, runs out of memory."""
    greedy = "import sys, time; taken = bytearray(300_000_000); print('taken', flush=True); time.sleep(600)"
    modest = make_job("python", "-c", "print('done')")
    with launch(*("--queue-seconds", "0", "--provision-seconds", "0", "--memory-limit", "150M")) as running:
        client = connect(running.address)
        child = make_job("sh", "-c", f'python3 -c "{greedy}"; exit 0')
        name = client.create_custom_job(parent=parent, custom_job=child).name
        fine = client.create_custom_job(parent=parent, custom_job=modest).name
        ended = running.control.wait_job(name)
        assert (ended["state"], ended["error_code"]) == ("JOB_STATE_FAILED", 3)
        assert ended["error_message"].startswith(OUT_OF_MEMORY)
        assert running.control.wait_job(fine)["state"] == "JOB_STATE_SUCCEEDED"


def test_replica_runs_out_of_memory_on_request(client, emulator, project, parent, make_job):
    """The fault `out_of_memory` kills a running replica, which is not restarted."""
    emulator.control.add_fault(project, "out_of_memory")
    name = client.create_custom_job(parent=parent, custom_job=make_job("sleep", "600")).name
    assert emulator.control.wait_job(name)["error_message"].startswith(OUT_OF_MEMORY)


def test_other_kills_are_no_lack_of_memory(client, emulator, parent, make_job):
    """A replica that is killed for another reason is not said to have run out of memory."""
    name = client.create_custom_job(parent=parent, custom_job=make_job("sh", "-c", "kill -9 $$")).name
    assert "exited with a non-zero status of 137. To find" in emulator.control.wait_job(name)["error_message"]


FLEX_START = {
    "machine_type": "g2-standard-8",
    "accelerator_type": "NVIDIA_L4",
    "accelerator_count": 1,
}


@pytest.mark.parametrize(
    ("strategy", "seconds", "gives_up"),
    [("FLEX_START", 1, True), ("FLEX_START", 0, False), ("FLEX_START", None, False), ("SPOT", 1, False)],
)
def test_job_waits_for_machines_as_long_as_it_may(
    client, emulator, project, parent, make_job, strategy, seconds, gives_up
):
    """`max_wait_duration` ends the wait of FLEX_START alone, and 0 is for ever (proto of Scheduling).

    How the job ends then is not documented.
    """
    fault = emulator.control.add_fault(project, "queue", seconds=600)
    job = make_job("true")
    job.job_spec.worker_pool_specs[0].machine_spec = FLEX_START
    job.job_spec.scheduling = {"strategy": strategy}
    if seconds is not None:
        job.job_spec.scheduling = {"strategy": strategy, "max_wait_duration": {"seconds": seconds}}
    name = client.create_custom_job(parent=parent, custom_job=job).name
    if gives_up:
        ended = emulator.control.wait_job(name)
        assert (ended["state"], ended["error_code"]) == ("JOB_STATE_FAILED", 8)
        assert "Resources are insufficient in region: us-central1" in ended["error_message"]
    else:
        created = time.time()
        emulator.control.wait_fault(fault)
        while time.time() < created + 1.2:
            assert client.get_custom_job(name=name).state.name == "JOB_STATE_QUEUED"
        emulator.control.release_fault(fault)
        assert emulator.control.wait_job(name)["state"] == "JOB_STATE_SUCCEEDED"


def test_fields_that_are_output_only_are_dropped(client, emulator, parent, make_job):
    """Fields that the proto calls output only are the server's, whatever a request says."""
    names = ("start_time", "end_time", "create_time", "update_time")
    times = {key: {"seconds": 1} for key in names}
    job = make_job(
        "true",
        **times,
        name=f"{parent}/customJobs/1",
        state="JOB_STATE_FAILED",
        error={"code": 3, "message": "forged"},
        web_access_uris={"workerpool0-0": "https://forged"},
        satisfies_pzs=True,
        satisfies_pzi=True,
    )
    created = client.create_custom_job(parent=parent, custom_job=job)
    assert created.name != f"{parent}/customJobs/1"
    assert created.state.name == "JOB_STATE_QUEUED"
    assert not created.error.code
    assert not created.web_access_uris
    assert not any((created.satisfies_pzs, created.satisfies_pzi, created.start_time, created.end_time))
    assert created.create_time.year > 2000
    emulator.control.wait_job(created.name)


def test_web_access_has_a_uri_for_each_node(client, emulator, parent, make_job):
    """With `enable_web_access` a running job has a URI for each of its nodes (proto of CustomJob)."""
    job = make_job("sleep", "600", spec={"enable_web_access": True})
    job.job_spec.worker_pool_specs.append(job.job_spec.worker_pool_specs[0])
    job.job_spec.worker_pool_specs[1].replica_count = 2
    created = client.create_custom_job(parent=parent, custom_job=job)
    assert not created.web_access_uris
    emulator.control.wait_job(created.name, ["JOB_STATE_RUNNING"])
    running = client.get_custom_job(name=created.name)
    assert set(running.web_access_uris) == {"workerpool0-0", "workerpool1-0", "workerpool1-1"}
    assert all(uri.startswith("https://") for uri in running.web_access_uris.values())
    client.cancel_custom_job(name=created.name)


def test_what_has_no_effect_is_told_once(client, emulator, project, parent, make_job):
    """A job that asks for what the emulator keeps without effect is told so in its log, once and by name."""
    job = make_job("true", spec={"network": "projects/1/global/networks/n", "enable_web_access": True})
    job.job_spec.worker_pool_specs[0].nfs_mounts = [{"server": "s", "path": "/p", "mount_point": "/m"}]
    affinity = {"reservation_affinity_type": "ANY_RESERVATION"}
    job.job_spec.worker_pool_specs[0].machine_spec.reservation_affinity = affinity
    name = client.create_custom_job(parent=parent, custom_job=job).name
    emulator.control.wait_job(name)
    warnings = [
        line["text"] for line in emulator.control.log_lines(name, "service") if line["severity"] == "WARNING"
    ]
    (text,) = warnings
    assert text == (
        "The emulator keeps these fields, but they have no effect here: job_spec.network, "
        "job_spec.enable_web_access, job_spec.worker_pool_specs[0].nfs_mounts, "
        "job_spec.worker_pool_specs[0].machine_spec.reservation_affinity."
    )


def test_job_without_such_fields_is_told_nothing(client, emulator, parent, make_job):
    """A plain job's log has no warning."""
    name = client.create_custom_job(parent=parent, custom_job=make_job("true")).name
    emulator.control.wait_job(name)
    assert all(line["severity"] == "INFO" for line in emulator.control.log_lines(name, "service"))
