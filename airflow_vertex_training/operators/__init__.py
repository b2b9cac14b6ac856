"""Train a model on Vertex AI as an Airflow task."""

from airflow_vertex_training.operators.custom_training import VertexCustomTrainingOperator

__all__ = ["VertexCustomTrainingOperator"]
