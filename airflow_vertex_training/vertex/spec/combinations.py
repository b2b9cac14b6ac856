"""What does not go together, in a job as a whole. What is not known yet is checked before it is sent."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.naming.identity import OWN_LABELS
from airflow_vertex_training.vertex.naming.labels import MAX_LABELS
from airflow_vertex_training.vertex.spec import machines
from airflow_vertex_training.vertex.spec.fitting import check_machine
from airflow_vertex_training.vertex.spec.reader import Open
from airflow_vertex_training.vertex.spec.table import MACHINE, MACHINE_TYPE
from airflow_vertex_training.vertex.spec.view import View
from airflow_vertex_training.vertex.spec.words import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from airflow_vertex_training.vertex.spec.layers import Fields
    from airflow_vertex_training.vertex.spec.reader import Reader

MAX_POOLS = 4

MAX_ENV_VARIABLES = 100

FLEX_START_DAYS = 7

AFFINITY = "machine.reservation_affinity.reservation_affinity_type"


def check(
    job_fields: Fields, pool_fields: Sequence[Fields], own_env: Collection[str], reader: Reader
) -> None:
    """Keep what does not go together.

    Args:
        job_fields: rows of the job.
        pool_fields: rows of each pool; an empty one skips a place.
        own_env: names of the variables that Airflow adds to each replica's environment.
        reader: keeps what is wrong.
    """
    job = View(job_fields, reader)
    alone = len(pool_fields) == 1
    views = [View(fields, reader, index, alone=alone) for index, fields in enumerate(pool_fields) if fields]
    if len(pool_fields) > MAX_POOLS:
        reader.wrong("worker_pools", f"has {len(pool_fields)} pools: {MAX_POOLS} at most")
    for pool in views:
        _task(pool)
        check_machine(pool)
        _pool(pool, own_env)
    _labels(job)
    _network(job)
    _tracking(job)
    _regions(job)
    _scheduling(job, views)
    _reservations(job, views)
    _tpus(views, reader)


def _task(pool: View) -> None:
    if pool.get("image") is None:
        pool.wrong(
            "image", "is missing: name the container image, such as 'us-docker.pkg.dev/acme/train/digits:1'"
        )
    package = [name for name in ("package_uris", "python_module") if pool.given(name)]
    missing = "python_module" if package == ["package_uris"] else "package_uris"
    if len(package) == 1 and pool.get(missing) is None:
        pool.wrong(missing, f"is missing: a Python package needs it beside {package[0]}")
    if package and pool.given("command"):
        pool.wrong("command", "does not go with a Python package: its python_module is what runs")


def _pool(pool: View, own_env: Collection[str]) -> None:
    count = pool.get("replica_count")
    if pool.index == 0 and not isinstance(count, Open) and count != 1:
        pool.wrong(
            "replica_count",
            f"must be 1 for the first pool, which holds the primary replica, got {count or 0}",
        )
    env = pool.get("env")
    given = env.keys() if isinstance(env, dict) else set()
    own = len(set(own_env) - given)
    if len(given) + own > MAX_ENV_VARIABLES:
        pool.wrong("env", f"{len(given)} given, {own} are Airflow's, {MAX_ENV_VARIABLES} at most")


def _labels(job: View) -> None:
    labels = job.get("labels")
    if isinstance(labels, dict) and len(labels) + len(OWN_LABELS) > MAX_LABELS:
        own = len(OWN_LABELS)
        job.wrong("labels", f"{len(labels)} given, {own} are Airflow's, {MAX_LABELS} at most")


def _network(job: View) -> None:
    psc = "psc_interface_config.network_attachment"
    if job.given("network") and job.given(psc):
        job.wrong("network", f"does not go with {job.where(psc)}: keep one of the two")
    if job.given("reserved_ip_ranges") and job.get("network") is None:
        job.wrong("reserved_ip_ranges", "lie in a VPC network; set network as well")


def _tracking(job: View) -> None:
    if job.given("tracking.tensorboard"):
        for name in ("service_account", "base_output_directory"):
            if job.get(name) is None:
                job.wrong(name, f"is missing: {job.where('tracking.tensorboard')} needs it")
    run, experiment = job.get("tracking.experiment_run"), job.get("tracking.experiment")
    if isinstance(run, str) and experiment is None:
        job.wrong("tracking.experiment", f"is missing: {job.where('tracking.experiment_run')} needs it")
    elif isinstance(run, str) and isinstance(experiment, str) and not run.startswith(f"{experiment}-"):
        job.wrong(
            "tracking.experiment_run", f"must be the experiment's name with more: write {experiment}-RUN"
        )


def _regions(job: View) -> None:
    region = job.get("region")
    for name in ("tracking.tensorboard", "kms_key_name"):
        value = job.get(name)
        if isinstance(region, str) and isinstance(value, str) and value.split("/")[3] != region:
            job.wrong(
                name, f"lies in {value.split('/')[3]}, the job in {region}: use one of the job's region"
            )


def _scheduling(job: View, pools: Sequence[View]) -> None:
    strategy = job.get("scheduling.strategy")
    wait = "scheduling.max_wait_duration"
    if isinstance(strategy, Open):
        return
    if job.given(wait) and strategy != "FLEX_START":
        job.wrong(wait, "is read with strategy FLEX_START only: set that, or leave this out")
    if strategy in _OLD_NAMES:
        job.warn("scheduling.strategy", f"{strategy} is an old name: write {_OLD_NAMES[strategy]}")
    restart = "scheduling.restart_job_on_worker_restart"
    if job.get("scheduling.disable_retries") is True and job.get(restart) is True:
        job.warn(restart, "has no effect: disable_retries is on")
    if strategy == "FLEX_START":
        _flex_start(job, pools)
    if strategy == "SPOT":
        _spot(job, pools)


_OLD_NAMES = {"ON_DEMAND": "STANDARD", "LOW_COST": "SPOT"}


def _spot(job: View, pools: Sequence[View]) -> None:
    names = (MACHINE_TYPE, "machine.accelerator_count", "machine.tpu_topology")
    for pool in pools:
        if pool.known(*names) and pool.given(MACHINE_TYPE) and machines.is_tpu_pod(*map(pool.get, names)):
            job.wrong("scheduling.strategy", f"SPOT is not there for TPU Pods ({pool.where(MACHINE_TYPE)})")


def _flex_start(job: View, pools: Sequence[View]) -> None:
    timeout = job.get("scheduling.timeout")
    if isinstance(timeout, timedelta) and timeout > timedelta(days=FLEX_START_DAYS):
        job.wrong(
            "scheduling.timeout", f"must be at most {FLEX_START_DAYS} days with FLEX_START, got {timeout}"
        )
    for pool in pools[1:]:
        for name in MACHINE:
            if pool.known(name) and pools[0].known(name) and pool.get(name) != pools[0].get(name):
                first = shown(pools[0].get(name))
                pool.wrong(
                    name, f"FLEX_START needs the same machines in all pools, here {first} as in the first"
                )
    for pool in pools:
        accelerator = pool.get("machine.accelerator_type")
        if not isinstance(accelerator, Open) and accelerator not in machines.FLEX_START_ACCELERATORS:
            known = ", ".join(sorted(machines.FLEX_START_ACCELERATORS))
            pool.wrong("machine.accelerator_type", f"FLEX_START is there for {known} only, got {accelerator}")
        if pool.given(AFFINITY):
            pool.wrong(AFFINITY, "does not go with FLEX_START: leave one of the two out")


def _reservations(job: View, pools: Sequence[View]) -> None:
    for pool in pools:
        kind, machine_type = pool.get(AFFINITY), pool.get(MACHINE_TYPE)
        values = "machine.reservation_affinity.values"
        if kind == "SPECIFIC_RESERVATION" and pool.get(values) is None:
            pool.wrong(
                values, "is missing: SPECIFIC_RESERVATION names one, projects/P/zones/Z/reservations/R"
            )
        if pool.given(values) and pool.known(AFFINITY) and kind != "SPECIFIC_RESERVATION":
            pool.wrong(AFFINITY, f"must be 'SPECIFIC_RESERVATION' where values name one, got {kind}")
        if isinstance(kind, str) and job.given("persistent_resource_id"):
            pool.wrong(AFFINITY, "does not go with persistent_resource_id: leave one of the two out")
        if machine_type in machines.RESERVATION_REQUIRED and kind in (None, "NO_RESERVATION"):
            pool.wrong(AFFINITY, f"is missing: {machine_type} is there by reservation only")


def _tpus(pools: Sequence[View], reader: Reader) -> None:
    types = [pool.get(MACHINE_TYPE) for pool in pools if pool.given(MACHINE_TYPE)]
    tpu = next((each for each in types if machines.is_tpu(each)), None)
    if tpu and len(pools) > 1:
        reader.wrong("worker_pools", f"a job on TPUs ({tpu}) has one pool, got {len(pools)}")
