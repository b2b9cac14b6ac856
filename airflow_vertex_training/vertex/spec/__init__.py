"""What to run, checked before it costs anything: the classes that a DAG author writes."""

from airflow_vertex_training.vertex.spec.job import (
    Access,
    DnsPeeringConfig,
    PscInterfaceConfig,
    Scheduling,
    Tracking,
    TrainingJob,
)
from airflow_vertex_training.vertex.spec.machine import Disk, Machine, ReservationAffinity
from airflow_vertex_training.vertex.spec.pools import LustreMount, NfsMount, WorkerPool

__all__ = [
    "Access",
    "Disk",
    "DnsPeeringConfig",
    "LustreMount",
    "Machine",
    "NfsMount",
    "PscInterfaceConfig",
    "ReservationAffinity",
    "Scheduling",
    "Tracking",
    "TrainingJob",
    "WorkerPool",
]
