from __future__ import annotations

import pytest

from airflow_vertex_training.emulator.api import machines
from airflow_vertex_training.vertex.spec import machines as product


@pytest.mark.parametrize("name", sorted(machines.LISTED))
def test_two_tables_that_were_written_apart_agree(name: str):
    """The emulator knows of each machine the accelerators, topologies and Pods that the package knows."""
    assert dict(product.accelerators_of(name) or {}) == machines.accelerators(name)
    assert product.TPU_TOPOLOGIES.get(name) == machines.TOPOLOGIES.get(name)
    assert product.is_tpu(name) == machines.is_tpu(name)
    for topology in machines.TOPOLOGIES.get(name, ()):
        assert product.is_tpu_pod(name, None, topology) == machines.is_pod(name, 0, topology)


def test_the_package_knows_no_machine_that_the_emulator_lacks():
    """Every machine with accelerators in the package's table is in the emulator's list."""
    assert product.BUILT_IN.keys() | product.TPU_TOPOLOGIES.keys() <= machines.LISTED
