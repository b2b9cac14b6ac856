"""Wait for a job's end and show its log meanwhile: on the triggerer, and in a task that does not defer."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_vertex_training import links, polling
from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.logs.channel import NO_CHANNEL
from airflow_vertex_training.vertex.logs.entries import nanoseconds
from airflow_vertex_training.vertex.logs.lines import replica_in
from airflow_vertex_training.vertex.logs.telling import Teller, going_on, last_lines
from airflow_vertex_training.vertex.tracebacks import Said
from airflow_vertex_training.vertex.watch import progress

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from airflow_vertex_training.links import Shells
    from airflow_vertex_training.vertex.logs.channel import LogChannel
    from airflow_vertex_training.vertex.logs.followed import Limits
    from airflow_vertex_training.vertex.logs.last_words import LastWords
    from airflow_vertex_training.vertex.logs.subscription import Subscription
    from airflow_vertex_training.vertex.logs.tail import LogTail
    from airflow_vertex_training.vertex.states import JobSnapshot
    from airflow_vertex_training.vertex.watch.loop import OnActiveJobs
    from airflow_vertex_training.vertex.watch.messages import Update

# After a job's end its log is read on, but no longer than so many seconds.
_LOG_TIMEOUT = 180.0


@dataclass(frozen=True)
class Following:
    """How a job is waited for.

    Args:
        job_name: full resource name.
        gcp_conn_id: Airflow connection.
        impersonation_chain: service account to act as, or a chain of them.
        poll_interval: seconds within which the job's end should be seen.
        deployment_id: value of the job's label ``airflow_deployment``.
        stream_logs: whether the job's log is shown.
        log_reads_per_minute: how often all of this process may read logs of the project.
        log_limits: how many lines of the job are shown.
        log: the task's logger.
        position: where the last reader of the job's log stopped, default its beginning.
        keep_position: keeps where this one is, default nowhere.
        log_channel: what the logger writes into.
        on_active_jobs: see ``JobWatcher``.
        keep_shells: keeps replica and address of each interactive shell, which Vertex AI tells when the
            replicas run; default nowhere.
    """

    job_name: str
    gcp_conn_id: str
    impersonation_chain: str | Sequence[str] | None
    poll_interval: float
    deployment_id: str
    stream_logs: bool
    log_reads_per_minute: int
    log_limits: Limits
    log: Any
    position: Mapping[str, Any] | None = None
    keep_position: Callable[[dict[str, Any]], Awaitable[None]] | None = None
    log_channel: LogChannel = NO_CHANNEL
    on_active_jobs: OnActiveJobs | None = None
    keep_shells: Callable[[Shells], Awaitable[None]] | None = None

    async def to_its_end(self) -> tuple[JobSnapshot, Said]:
        """Wait, and show the log.

        Returns:
            The job as it ended, and what the replica that failed said of its failure.

        Raises:
            JobLostError: the job was deleted.
            VertexApiError: the job could not be seen for too long.
        """
        updates = polling.watch_job(
            self.job_name,
            gcp_conn_id=self.gcp_conn_id,
            impersonation_chain=self.impersonation_chain,
            poll_interval=self.poll_interval,
            deployment_id=self.deployment_id,
            on_active_jobs=self.on_active_jobs,
        )
        shown = _ShownLog(self) if self.stream_logs else None
        try:
            job = await progress.follow(_tap(updates, shown, _Shells(self)), self.log)
            if shown is not None:
                await shown.finish()
            said = await self._last_words(job, shown) if job.state in states.FAILED else Said()
        finally:
            if shown is not None:
                shown.close()
        return job, said

    def tail(self) -> LogTail:
        """Return the reader of logs that this job's project and connection share."""
        return polling.log_tail(
            self.job_name,
            gcp_conn_id=self.gcp_conn_id,
            impersonation_chain=self.impersonation_chain,
            reads_per_minute=self.log_reads_per_minute,
        )

    async def _last_words(self, job: JobSnapshot, shown: _ShownLog | None) -> Said:
        """Show the last lines of the replica that failed where they were not shown; return what it said."""
        replica = replica_in(job.error_message)
        if shown is not None and (said := shown.said(replica)).exception:
            return said
        try:
            words = await self.tail().last_words(
                job.custom_job_id, replica, since=_since(job), is_drained=shown is not None
            )
        except Exception:
            self.log.warning("Could not read the job's last lines", exc_info=True)
            return Said()
        if shown is None or shown.is_missing(words):
            await self.log_channel.room()
            last_lines(words, replica, self.log)
        return words.said


class _ShownLog:
    """A job's log, shown by a task of its own beside the one that waits for the job."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, job: JobSnapshot) -> None:
        """Begin to show the log, unless that was begun."""
        if self._subscription is not None:
            return
        following = self._following
        self._subscription = following.tail().follow(
            job.custom_job_id,
            since=_since(job),
            limits=following.log_limits,
            position=following.position,
            url=links.log_address(job),
        )
        if following.position is not None:
            following.log.info("%s", going_on(following.position))
        # A task of this one: it logs into the same task's log.
        teller = Teller(following.log, following.keep_position, following.log_channel)
        self._task = asyncio.create_task(teller.tell(self._subscription))

    async def finish(self) -> None:
        """Show what is left of the log, for a while."""
        if self._subscription is None or self._task is None:
            return
        self._subscription.end()
        await asyncio.wait({self._task}, timeout=_LOG_TIMEOUT)
        if not self._task.done():
            self._following.log.warning("%s", self._subscription.job.unread().text)
        elif error := self._task.exception():
            self._following.log.warning("Showing the job's log failed: %r", error, exc_info=error)

    def said(self, replica: str) -> Said:
        """Return what a replica said of its failure."""
        return Said() if self._subscription is None else self._subscription.job.said(replica)

    def is_missing(self, words: LastWords) -> bool:
        """Whether the last of these lines was not shown."""
        return bool(words.lines) and not (
            self._subscription is not None and self._subscription.job.has_told(words.lines[-1])
        )

    def close(self) -> None:
        """Show no more. Nothing is awaited: the task may have been cancelled."""
        if self._subscription is not None:
            self._subscription.close()
        if self._task is not None:
            self._task.cancel()


class _Shells:
    """The interactive shells in a job's replicas, each told once."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._told: set[str] = set()

    async def see(self, job: JobSnapshot) -> None:
        """Tell of those that are new."""
        new = [(replica, address) for replica, address in job.web_access_uris if replica not in self._told]
        if not new or job.is_final:
            return
        for replica, address in new:
            self._told.add(replica)
            self._following.log.info("Interactive shell in %s: %s", replica, address)
        if self._following.keep_shells is None:
            return
        try:
            # Airflow 3.1's triggerer does not survive that a message to its supervisor is cut off.
            await asyncio.shield(asyncio.ensure_future(self._following.keep_shells(job.web_access_uris)))
        except Exception as error:  # noqa: BLE001 - the job must be waited for in any case
            self._following.log.warning("The task has no link to the shell: %r", error)


async def _tap(
    updates: AsyncGenerator[Update, None], shown: _ShownLog | None, shells: _Shells
) -> AsyncGenerator[Update, None]:
    """Yield a job's updates; its log and its shells are shown from the first one on that shows the job."""
    async with aclosing(updates):
        async for update in updates:
            if shown is not None and isinstance(update, states.JobSnapshot):
                shown.begin(update)
            yield update
            if isinstance(update, states.JobSnapshot):
                await shells.see(update)


def _since(job: JobSnapshot) -> int:
    return nanoseconds(job.create_time) if job.create_time else 0
