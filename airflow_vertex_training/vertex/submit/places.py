"""Where a task's tries have asked for jobs, and the jobs that they left there.

Project, region and endpoint can change from one try to the next, say by a template or an edit of the DAG. A
job is only found where it was asked for, so each try writes down where it asks before it does.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

from airflow_vertex_training.vertex.api import retries, status
from airflow_vertex_training.vertex.exceptions import VertexTrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_vertex_training.vertex.api.calls import Jobs
    from airflow_vertex_training.vertex.spec.job import TrainingJob
    from airflow_vertex_training.vertex.states import JobSnapshot

logger = logging.getLogger(__name__)

KEY = "vertex_training_places"
"""The key under which a task's places are stored."""


class Store(Protocol):
    """What survives a task's tries, such as Airflow's ``task_state_store``."""

    def get(self, key: str) -> Any:
        """Return what was stored, ``None`` where nothing was."""

    def set(self, key: str, value: Any) -> None:
        """Store plain JSON data; raise where this try may not, say because Airflow has given it up."""


@dataclass(frozen=True)
class Place:
    """Where jobs are asked for.

    Args:
        project: project id or number.
        region: such as ``us-central1``.
        address: the endpoint, ``host:port``.
    """

    project: str
    region: str
    address: str


@dataclass
class Places:
    """All places where a task's jobs may be.

    Args:
        here: the jobs of the place where this try asks.
        store: what survives the task's tries, default nothing: then only ``here`` is looked at.
        open_jobs: opens the jobs of another place, ``None`` where it can't be reached, as an emulator that
            does not run any more. Default: no place can.
    """

    here: Jobs
    store: Store | None = None
    open_jobs: Callable[[Place], Jobs | None] = lambda _: None
    _elsewhere: dict[str, Place] = field(default_factory=dict, init=False)

    def remember(self) -> None:
        """Write down that jobs may be made here; raises whatever the store raises."""
        if self.store is not None and self._here not in self._known:
            self.store.set(KEY, [asdict(place) for place in (*self._known, self._here)])

    def find(self, label: str, value: str, *, patience: float = retries.RETRY_SECONDS) -> list[JobSnapshot]:
        """Return all jobs that carry a label, wherever the task's tries have asked.

        Args:
            label: the label's key.
            value: its value.
            patience: seconds for which transient errors are tolerated, default two minutes.

        Raises:
            VertexApiError: they can't be listed. Where only another place than this try's refuses for good,
                the log says so instead.
        """
        here = self.find_here(label, value, patience=patience)
        elsewhere = self.find_elsewhere(label, value, patience=patience)
        for job in here:
            # Two endpoints can show the same job.
            self._elsewhere.pop(job.name, None)
        return list({job.name: job for job in (*elsewhere, *here)}.values())

    def find_here(
        self, label: str, value: str, *, patience: float = retries.RETRY_SECONDS
    ) -> list[JobSnapshot]:
        """Return those of ``find``'s jobs that are where this try asks."""
        return self.here.find(label, value, patience=patience)

    def find_elsewhere(
        self, label: str, value: str, *, patience: float = retries.RETRY_SECONDS
    ) -> list[JobSnapshot]:
        """Return ``find``'s jobs of all other places where the task's tries have asked."""
        found: list[JobSnapshot] = []
        for place in self._known:
            if place != self._here:
                jobs = self._find_at(place, label, value, patience)
                self._elsewhere.update((job.name, place) for job in jobs)
                found += jobs
        return found

    def cancel(self, job_name: str) -> bool:
        """Cancel a job that ``find`` returned.

        Returns:
            Whether Vertex took the request; ``False`` where the job has ended already or is gone.

        Raises:
            VertexApiError: the API's error did not pass within two minutes, or never will.
        """
        with self._jobs_with(job_name) as jobs:
            return jobs.cancel(job_name)

    def differences(self, job_name: str, wanted: TrainingJob) -> list[str]:
        """Return which settings of a job that ``find`` returned are not as wanted: ``Jobs.differences``."""
        with self._jobs_with(job_name) as jobs:
            return jobs.differences(job_name, wanted)

    @property
    def _here(self) -> Place:
        return Place(self.here.project, self.here.region, self.here.address)

    def _jobs_with(self, job_name: str) -> contextlib.AbstractContextManager[Jobs]:
        place = self._elsewhere.get(job_name)
        jobs = None if place is None else self._open(place)
        return contextlib.nullcontext(self.here) if jobs is None else jobs

    def _open(self, place: Place) -> Jobs | None:
        jobs = self.open_jobs(place)
        if jobs is not None:
            jobs.sleep = self.here.sleep
        return jobs

    def _find_at(self, place: Place, label: str, value: str, patience: float) -> list[JobSnapshot]:
        try:
            jobs = self._open(place)
            if jobs is None:
                return []
            with jobs:
                return jobs.find(label, value, patience=patience)
        except VertexTrainingError as error:
            cause = error.__cause__
            if cause is not None and status.is_transient(cause) and not status.was_never_sent(cause):
                raise
            # Or there is no such place: what was written down may be of another version.
            logger.warning(_NOT_LOOKED_AT, place.region, place.project, place.address, error)
            return []

    @functools.cached_property
    def _known(self) -> list[Place]:
        """The places that earlier tries wrote down; what can't be read was written by another version."""
        stored = None if self.store is None else self.store.get(KEY)
        names = [each.name for each in fields(Place)]
        return [
            Place(*(each[name] for name in names))
            for each in (stored if isinstance(stored, list) else ())
            if isinstance(each, Mapping)
            and all(each.get(name) and isinstance(each[name], str) for name in names)
        ]


_NOT_LOOKED_AT = (
    "An earlier try of this task asked for its job in %s of project %s (%s), "
    "and whether that still runs can't be seen: %s"
)
