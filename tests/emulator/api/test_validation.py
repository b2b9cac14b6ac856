from __future__ import annotations

import contextlib
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.aiplatform_v1 import AcceleratorType, CustomJob

from airflow_vertex_training.emulator.api import machines
from airflow_vertex_training.emulator.api.errors import ApiError
from airflow_vertex_training.emulator.api.validation import check_custom_job


def test_every_wrong_field_is_listed(client, parent):
    """One answer lists all that is wrong, in Vertex's form and as a BadRequest detail."""
    with pytest.raises(exceptions.InvalidArgument) as caught:
        client.create_custom_job(parent=parent, custom_job=CustomJob({"display_name": ""}))
    assert caught.value.message.startswith("List of found errors:\t1.Field: display_name; Message: ")
    fields = [violation.field for detail in caught.value.details for violation in detail.field_violations]
    assert fields == ["display_name", "job_spec.worker_pool_specs"]


@pytest.mark.parametrize(
    ("parent", "message"),
    [
        ("projects/p", "must be projects/PROJECT/locations/LOCATION"),
        ("projects/p/locations/us-centrall", "There is no region 'us-centrall'"),
    ],
)
def test_wrong_parent_is_refused(client, make_job, parent, message):
    """A malformed parent and a region that doesn't exist are INVALID_ARGUMENT."""
    with pytest.raises(exceptions.InvalidArgument, match=message):
        client.create_custom_job(parent=parent, custom_job=make_job("true"))
    with pytest.raises(exceptions.InvalidArgument, match=message):
        client.list_custom_jobs(parent=parent)


def test_unknown_job_is_not_found(client, parent):
    """Get, cancel and delete of a job that doesn't exist are NOT_FOUND."""
    for method in (client.get_custom_job, client.cancel_custom_job, client.delete_custom_job):
        with pytest.raises(exceptions.NotFound, match="The CustomJob does not exist"):
            method(name=f"{parent}/customJobs/1")
    with pytest.raises(exceptions.InvalidArgument, match="customJobs/JOB"):
        client.get_custom_job(name="projects/p/customJobs/1")


@pytest.mark.parametrize("name", sorted(machines.LISTED))
def test_every_listed_machine_is_taken_with_what_it_can_have(name, make_job):
    """Each machine of the tables is valid with every accelerator, count and topology that they give it."""
    choices: list[dict[str, Any]] = [
        {"accelerator_type": getattr(AcceleratorType, kind), "accelerator_count": count}
        for kind, counts in machines.accelerators(name).items()
        for count in counts
    ]
    choices += [{"tpu_topology": topology} for topology in machines.TOPOLOGIES.get(name, ())]
    for choice in choices or [{}]:
        job = make_job("true")
        machine = job.job_spec.worker_pool_specs[0].machine_spec
        machine.machine_type = name
        for field, value in choice.items():
            setattr(machine, field, value)
        machine.reservation_affinity = {"reservation_affinity_type": "ANY_RESERVATION"}
        check_custom_job(CustomJob.pb(job), "us-central1", refuse_unknown_machines=True)


@pytest.mark.parametrize(
    ("name", "refuse", "taken"),
    [
        ("z9-standard-4", False, True),
        ("z9-standard-4", True, False),
        ("n1-standard-5", False, False),
        ("n1-standard-5", True, False),
    ],
)
def test_unknown_machines_are_taken_only_of_unknown_families(name, refuse, taken, make_job):
    """Of a family that the tables don't know, a machine type is taken or refused as the emulator was told."""
    job = make_job("true")
    job.job_spec.worker_pool_specs[0].machine_spec.machine_type = name
    outcome = (
        contextlib.nullcontext()
        if taken
        else pytest.raises(ApiError, match=f'Machine type "{name}" is not supported')
    )
    with outcome:
        check_custom_job(CustomJob.pb(job), "us-central1", refuse_unknown_machines=refuse)
