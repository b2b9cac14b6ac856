"""All watched jobs: what an answer changes about them, and whom that has to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.naming.identity import DEPLOYMENT
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.watch.job import WatchedJob
from airflow_vertex_training.vertex.watch.messages import Failed, Got, Meaning, Page, Tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, KeysView, Sequence

    from airflow_vertex_training.vertex.watch.messages import End, Seen, Update


class WatchedJobs:
    """The jobs that one watcher watches.

    Args:
        deployment_id: jobs with this value of the label ``airflow_deployment`` can be listed.
        patience: seconds for which a permanent error is tolerated.
    """

    def __init__(self, deployment_id: str, patience: float) -> None:
        # Since the tick began: whether anything was answered.
        self.answered = False
        # Gets that got no answer, to be cleared by who asks.
        self.failed: list[Failed] = []
        self._deployment_id = deployment_id
        self._patience = patience
        self._jobs: dict[str, WatchedJob] = {}
        self._now = 0.0
        self._tells: list[Tell] = []
        self._reconnect = False

    def __iter__(self) -> Iterator[WatchedJob]:
        return iter(self._jobs.values())

    @property
    def ids(self) -> KeysView[str]:
        """The ids of the jobs (``custom_job_id``)."""
        return self._jobs.keys()

    def watch(self, job_name: str, custom_job_id: str, now: float) -> Sequence[Update]:
        """Watch a job from now on; return what is known already and who comes later has to be told."""
        return self._jobs.setdefault(custom_job_id, WatchedJob(job_name, custom_job_id, seen=now)).known

    def forget(self, custom_job_id: str) -> None:
        """Watch a job no more."""
        self._jobs.pop(custom_job_id, None)

    def take_tells(self) -> tuple[Tell, ...]:
        """Return what has to be told since this was asked last, in its order."""
        tells, self._tells = self._tells, []
        return tuple(tells)

    def take_reconnect(self) -> bool:
        """Return whether the connection should be looked up anew, since this was asked last."""
        reconnect, self._reconnect = self._reconnect, False
        return reconnect

    def begin_tick(self) -> None:
        """Begin to look at all jobs."""
        self.answered = False
        for job in self:
            job.begin_tick()

    def end_tick(self, outage: Failed | None) -> None:
        """Tell those whose job could not be seen, and those whose job can be seen again.

        Args:
            outage: the error where nothing was answered at all: it concerns every job.
        """
        self.end_without_reason()
        for job in self:
            job.concern = job.concern or outage
            if change := job.change_of_trouble(self._now):
                self._tells.append(Tell(job.custom_job_id, change))

    def end_without_reason(self) -> None:
        """Tell the ends whose reason was waited for in vain."""
        for job in list(self):
            if end := job.end_without_reason(self._now):
                self._finish(job, end)

    def take_in(self, seen: Seen, now: float) -> None:
        """Take in an answer."""
        self._now = now
        if isinstance(seen, Page):
            self.answered = True
            for shown in seen.jobs:
                if job := self._jobs.get(shown.custom_job_id):
                    self._tell_news(job, job.saw(shown, now))
        elif isinstance(seen, Got):
            self.answered = True
            if job := self._jobs.get(seen.job.custom_job_id):
                listable = seen.job.labels.get(DEPLOYMENT) == self._deployment_id
                self._tell_news(job, job.got(seen.job, now, listable=listable))
        elif isinstance(seen, Failed) and seen.job_name:
            self._take_in_failed_get(seen)

    def all_failed(self, failed: Failed) -> None:
        """Take in that no job can be looked for."""
        for job in list(self):
            self._looked_in_vain(job, failed)

    def list_failed(self, failed: Failed, missing: Iterable[str]) -> None:
        """Take in that a list failed before it showed these jobs."""
        for custom_job_id in missing:
            if job := self._jobs.get(custom_job_id):
                job.concern = failed

    def _take_in_failed_get(self, failed: Failed) -> None:
        if failed.meaning is Meaning.NOT_FOUND:
            self.answered = True
        else:
            self.failed.append(failed)
        if job := self._jobs.get(failed.job_name.rpartition("/")[2]):
            self._looked_in_vain(job, failed)

    def _looked_in_vain(self, job: WatchedJob, failed: Failed) -> None:
        self._reconnect = self._reconnect or failed.reconnect
        if end := job.failed(failed, self._now, self._patience):
            self._finish(job, end)

    def _tell_news(self, job: WatchedJob, news: JobSnapshot | None) -> None:
        if news and news.is_final:
            self._finish(job, news)
        elif news:
            self._tells.append(Tell(job.custom_job_id, news))

    def _finish(self, job: WatchedJob, end: JobSnapshot | End) -> None:
        """Tell the last that there is to tell of a job."""
        self.forget(job.custom_job_id)
        if isinstance(end, JobSnapshot) and (recovered := job.end_of_trouble(self._now)):
            self._tells.append(Tell(job.custom_job_id, recovered))
        self._tells.append(Tell(job.custom_job_id, end))
