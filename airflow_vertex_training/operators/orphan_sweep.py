"""End jobs that nobody waits for, by a scheduled task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_vertex_training import compat, settings
from airflow_vertex_training.operators.openness import openness
from airflow_vertex_training.ownership import Fate
from airflow_vertex_training.vertex.exceptions import InvalidJobError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_vertex_training.hooks import VertexTrainingHook


class VertexOrphanSweepOperator(BaseOperator):
    """Look once for jobs of this Airflow installation that nobody waits for, and end them.

    Triggerers do the same all the time, but only for a project and region in which they watch at least one
    job. A DAG with this operator, say hourly, finds the last job of a project, too, and those that were left
    while no triggerer was alive.

    Airflow is asked about each active job's task. A job is never cancelled that belongs to another
    deployment, to a task that is alive and names this job or none, to one that Airflow does not know or could
    not be asked about, or to one with ``cancel_on_kill=False``; nor one that is younger than
    ``[vertex_training] orphan_grace_period``.

    It returns the names of the jobs that it has ``cancelled`` (with ``orphans="report"``: would have),
    ``kept`` and ``left`` alone.

    Args:
        region: such as ``us-central1``; default the connection's.
        project_id: default the connection's, else that of its credentials.
        orphans: ``cancel`` or ``report``; default the option ``[vertex_training] orphans``. Before you say
            ``cancel``, give this installation its own ``[vertex_training] deployment_id``: nothing else tells
            its jobs from those of another one with the same DAGs.
        gcp_conn_id: Airflow connection, default ``vertex_training_default``.
        impersonation_chain: service account to act as, or a chain of them, default none.
        **kwargs: of ``BaseOperator``.

    Raises:
        InvalidJobError: an argument is wrong.
        VertexApiError: the jobs can't be listed.
    """

    template_fields: Sequence[str] = (
        "region",
        "project_id",
        "orphans",
        "gcp_conn_id",
        "impersonation_chain",
    )
    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        region: str | None = None,
        project_id: str | None = None,
        orphans: str | None = None,
        gcp_conn_id: str = settings.DEFAULT_CONNECTION_ID,
        impersonation_chain: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.region = region
        self.project_id = project_id
        self.orphans = orphans
        self.gcp_conn_id = gcp_conn_id
        self.impersonation_chain = impersonation_chain
        if not openness(kwargs.get("dag") or compat.current_dag())(orphans):
            _check(orphans)

    def execute(self, context: Context) -> dict[str, list[str]]:  # noqa: ARG002 - Airflow's signature
        """Look for orphans, once."""
        from airflow_vertex_training.orphans import Orphans
        from airflow_vertex_training.vertex.watch import lists

        _check(self.orphans)
        policy = self.orphans or settings.orphans()
        if policy == "ignore":
            self.log.warning("Nothing is looked for: [vertex_training] orphans is 'ignore'")
            return {"cancelled": [], "kept": [], "left": []}
        region = self._hook().resolve_region(self.region)
        with self._hook().jobs(region, self.project_id) as jobs:
            active = jobs.list(lists.active_filter(settings.deployment_id()))
            self.log.info("%d active jobs in %s of project %s", len(active), jobs.region, jobs.project)
        fates = Orphans(self._hook, region, self.project_id, policy).sweep(active)
        return {
            "cancelled": fates[Fate.CANCEL],
            "kept": fates[Fate.KEEP],
            "left": fates[Fate.LEAVE],
        }

    def _hook(self) -> VertexTrainingHook:
        from airflow_vertex_training.hooks import VertexTrainingHook

        return VertexTrainingHook(self.gcp_conn_id, self.impersonation_chain)


def _check(orphans: Any) -> None:
    if orphans and orphans not in ("cancel", "report"):
        raise InvalidJobError("orphans", f"{orphans!r} is wrong; write 'cancel' or 'report'")
