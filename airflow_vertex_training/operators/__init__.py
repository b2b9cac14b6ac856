"""Train a model on Vertex AI as an Airflow task: the operator, and the objects that its arguments take."""

from airflow_vertex_training.operators.custom_training import VertexCustomTrainingOperator
from airflow_vertex_training.operators.orphan_sweep import VertexOrphanSweepOperator
from airflow_vertex_training.vertex.spec import (
    Access,
    Disk,
    DnsPeeringConfig,
    LustreMount,
    Machine,
    NfsMount,
    PscInterfaceConfig,
    ReservationAffinity,
    Scheduling,
    Tracking,
    WorkerPool,
)

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
    "VertexCustomTrainingOperator",
    "VertexOrphanSweepOperator",
    "WorkerPool",
]
