from __future__ import annotations

from google.cloud.aiplatform_v1 import JobState

ACTIVE = " AND ".join(
    [
        'labels.airflow_deployment="load"',
        *(f'state!="JOB_STATE_{state}"' for state in ("SUCCEEDED", "FAILED", "CANCELLED")),
    ]
)


def test_five_thousand_jobs_at_once(client, emulator, project, parent):
    """5,000 jobs run at once by the clock, and a list of the active ones shows each of them once."""
    labels = {"airflow_deployment": "load"}
    names = emulator.control.create_simulated(project, "us-central1", 5000, labels=labels, run_seconds=600)
    emulator.control.wait_job(names[-1], ["JOB_STATE_RUNNING"])
    request = {"parent": parent, "filter": ACTIVE, "page_size": 100, "read_mask": "name,state"}
    pages = list(client.list_custom_jobs(request=request).pages)
    assert len(pages) == 50
    listed = [job for page in pages for job in page.custom_jobs]
    assert {job.name for job in listed} == set(names)
    assert {job.state for job in listed} == {JobState.JOB_STATE_RUNNING}


def test_simulated_jobs_end_when_they_should(client, emulator, project, parent):
    """Simulated jobs end over the time and with the outcome asked for, and leave the active list."""
    names = emulator.control.create_simulated(
        project,
        "us-central1",
        200,
        labels={"airflow_deployment": "load"},
        run_seconds=0.2,
        spread_seconds=0.5,
        exit_status=1,
    )
    last = emulator.control.wait_job(names[-1])
    first = emulator.control.wait_job(names[0])
    assert "exited with a non-zero status of 1" in last["error_message"]
    assert last["history"][-1]["nanoseconds"] - first["history"][-1]["nanoseconds"] > 0.4e9
    for name in names:
        emulator.control.wait_job(name)
    assert list(client.list_custom_jobs(request={"parent": parent, "filter": ACTIVE})) == []
