"""One polling loop for many jobs.

A ``JobWatcher`` serves the jobs of one endpoint, project, region and connection: it lists them where that is
cheaper than getting each. ``polling`` decides what to ask; this module asks, and tells the subscribers.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from grpc import StatusCode
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from airflow_vertex_training.vertex import states
from airflow_vertex_training.vertex.api import advice, protos, retries, status
from airflow_vertex_training.vertex.api.calls import AsyncJobs
from airflow_vertex_training.vertex.exceptions import JobLostError
from airflow_vertex_training.vertex.naming import identity
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.watch import budget, rules
from airflow_vertex_training.vertex.watch.subscriptions import Subscriptions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient

    from airflow_vertex_training.vertex.watch.subscriptions import Update, WatchedJob

# How long an error that repeating should not cure is put up with, in seconds: permissions and credentials
# are mended by people, while the job runs on. Longer than the ten minutes that a token may take.
PATIENCE = 900.0
# Longest wait between two ticks while nothing answers, in seconds.
MAX_BACKOFF = 60.0
# Gets under way at once: one that hangs must not hold up the others.
GETS_AT_ONCE = 10

_CREDENTIALS = frozenset({StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED})


class _OutageError(Exception):
    """Nothing was answered in a tick."""


class JobWatcher:
    """Tells what becomes of jobs, to all who ask.

    Its loop begins with the first subscriber. When the last one leaves, cancelled or not, the loop ends, the
    channel is closed, and the watcher is done with: ``closed`` is true and a new one has to be made.

    Args:
        connect: opens a client; called in the watcher's own task, and again after credentials were refused.
        parent: ``projects/P/locations/L``.
        deployment_id: jobs with this value of the label ``airflow_deployment`` are listed, others got.
        budget: shared by all watchers of the project and region.
        patience: seconds for which a permanent error is put up with, default 15 minutes.
        clock: seconds that only grow, default ``time.monotonic``.
        sleep: how to wait, default ``asyncio.sleep``.
        call_timeout: deadline of a call in seconds, default 20.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[JobServiceAsyncClient]],
        parent: str,
        *,
        deployment_id: str,
        budget: budget.RequestBudget,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        call_timeout: float = retries.GET_TIMEOUT,
    ) -> None:
        self.closed = False
        self._calls = AsyncJobs(connect, parent, wait_for_turn=self._wait_for_turn, call_timeout=call_timeout)
        self._deployment_id = deployment_id
        self._budget = budget
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._subscriptions = Subscriptions(clock)
        self._task: asyncio.Task[None] | None = None
        self._nap: asyncio.Future[None] | None = None
        self._active = rules.ListCost()
        self._ended = rules.ListCost()
        self._checks = 0
        # Of the tick that is under way: what went wrong, and whether anything was answered.
        self._error: Exception | None = None
        self._answered = False

    async def watch(self, job_name: str, interval: float) -> AsyncGenerator[Update, None]:
        """Yield each new state of a job until its end, and trouble with watching it, each once.

        Args:
            job_name: full resource name, in this watcher's project and region.
            interval: seconds within which a change should be seen; the request budget may stretch it.

        Raises:
            JobLostError: the job was deleted.
            VertexApiError: an error that does not pass kept the job from being seen for ``patience``.
            InvalidJobError: ``job_name`` is no full resource name.
        """
        if self.closed:
            msg = "this watcher is closed"
            raise RuntimeError(msg)
        # Only who wants to know sooner than all others wakes the loop up: a thousand jobs that come one after
        # the other must not make it ask a thousand times.
        soonest = self._nap is not None and interval < min(
            self._subscriptions.intervals(), default=float("inf")
        )
        queue = self._subscriptions.add(job_name, interval)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"watch {self._calls.parent}")
        elif soonest and self._nap:
            self._nap.cancel()
        try:
            while True:
                update = await queue.get()
                if isinstance(update, Exception):
                    raise update
                yield update
                if isinstance(update, JobSnapshot) and update.is_final:
                    return
        finally:
            # Nothing is awaited here: the subscriber may have been cancelled.
            self._subscriptions.remove(job_name, queue)
            if not self._subscriptions.subscribers:
                self.closed = True
                self._task.cancel()

    async def _run(self) -> None:
        try:
            while True:
                started, before = self._clock(), self._calls.requests
                await self._tick_until_answered()
                requests = self._calls.requests - before
                every = rules.interval(
                    self._subscriptions.intervals(), requests, self._budget.requests_per_minute
                )
                await self._rest(started + every - self._clock())
        except Exception as error:  # noqa: BLE001 - a fault of our own: all who wait must hear of it
            self._subscriptions.publish(error)
        finally:
            self.closed = True
            await self._calls.close()

    async def _tick_until_answered(self) -> None:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(_OutageError),
            wait=wait_random_exponential(multiplier=2, max=MAX_BACKOFF),
            sleep=self._rest,
        ):
            with attempt:
                self._error, self._answered = None, False
                try:
                    await self._tick()
                finally:
                    self._subscriptions.tell_trouble(self._error)

    async def _rest(self, seconds: float) -> None:
        self._nap = asyncio.ensure_future(self._sleep(max(0.0, seconds)))
        try:
            await asyncio.wait({self._nap})
        finally:
            self._nap.cancel()
            self._nap = None

    async def _tick(self) -> None:
        started, before = self._clock(), self._calls.requests
        await self._open()
        jobs = self._subscriptions.jobs()
        listable = [job for job in jobs if job.listable]
        ask = jobs
        if self._active.worth(len(listable)):
            unlisted = [job for job in jobs if job.ask or not job.listable]
            ask = unlisted + await self._missing_in_lists(listable, started)
        seconds = rules.interval(self._subscriptions.intervals(), 0, self._budget.requests_per_minute)
        room = rules.allowance(seconds, self._budget.requests_per_minute)
        unique = {job.custom_job_id: job for job in ask}
        spent = self._calls.requests - before
        await self._get_each(rules.longest_unseen(unique.values(), room - spent))
        if self._error and not self._answered:
            raise _OutageError

    async def _wait_for_turn(self) -> None:
        seconds = self._budget.take(self._clock())
        if seconds:
            await self._sleep(seconds)

    async def _open(self) -> None:
        try:
            await self._calls.open()
        except Exception as error:
            for job in self._subscriptions.jobs():
                self._refused(job, error)
            self._error = error
            raise _OutageError from error

    async def _missing_in_lists(self, listable: Sequence[WatchedJob], started: float) -> list[WatchedJob]:
        """Read the lists and return the jobs that have to be got."""
        # A list can also go on showing a job as active that has ended: one get a tick, of each in turn,
        # keeps it honest.
        self._checks += 1
        check = listable[self._checks % len(listable)]
        try:
            missing = await self._read(rules.active_filter(self._deployment_id), listable, self._active)
            if not self._ended.worth(len(missing)):
                return [check, *missing]
            filter_ = rules.final_filter(self._deployment_id, missing)
            silent = await self._read(filter_, missing, self._ended)
        except (GoogleAPICallError, GoogleAuthError) as error:
            self._error = error
            if status.is_request_quota(error):
                raise _OutageError from error
            return list(listable)
        every = min(self._subscriptions.intervals(), default=0.0)
        return [check, *rules.overdue(silent, started, every)]

    async def _read(
        self, filter_: str, wanted: Sequence[WatchedJob], cost: rules.ListCost
    ) -> list[WatchedJob]:
        """Read a list until it showed all wanted jobs, or gets too dear; return the rest."""
        missing = {job.custom_job_id: job for job in wanted}
        token, pages, dear = "", 0, False
        while missing and not dear:
            page = await self._calls.page(filter_, token)
            self._answered = True
            pages += 1
            for message in page.custom_jobs:
                missing.pop(self._see(message, from_list=True), None)
            token = page.next_page_token
            if not token:
                break
            dear = pages >= rules.most_pages(len(wanted))
        cost.set(len(wanted) if dear else pages)
        return list(missing.values())

    async def _get_each(self, jobs: Sequence[WatchedJob]) -> None:
        for first in range(0, len(jobs), GETS_AT_ONCE):
            some = jobs[first : first + GETS_AT_ONCE]
            errors_met = await asyncio.gather(*(self._get(job) for job in some))
            if all(errors_met):
                # Where nothing passes, the rest is not tried either.
                self._error = errors_met[0]
                return

    async def _get(self, job: WatchedJob) -> Exception | None:
        """Get a job; return the error where there was no answer that passes for one."""
        job.asked = self._clock()
        try:
            message = await self._calls.get(job.name)
        except (GoogleAPICallError, GoogleAuthError) as error:
            return self._refused(job, error)
        self._answered = True
        job.missed, job.refused_since = 0, None
        self._see(message, from_list=False)
        return None

    def _refused(self, job: WatchedJob, error: Exception) -> Exception | None:
        """Take in that a job could not be got; return the error unless it is an answer about the job."""
        if status.is_not_found(error):
            self._answered = True
            # The second look is the next tick's.
            job.missed += 1
            job.ask = True
            if job.missed > 1:
                self._subscriptions.finish(job, JobLostError(job.name))
            return None
        if status.is_transient(error):
            return error
        now = self._clock()
        if job.refused_since is None:
            job.refused_since = now
        if now - job.refused_since >= self._patience:
            self._subscriptions.finish(job, advice.api_error(f"Watching {job.name}", error))
        if status.status_code(error) in _CREDENTIALS:
            # The connection may have been mended meanwhile: the next tick opens it anew.
            self._calls.reopen = True
        return error

    def _see(self, message: Any, *, from_list: bool) -> str:
        """Take in what the API answered about a job, and return the job's id."""
        custom_job_id: str = message.name.rpartition("/")[2]
        job = self._subscriptions.find(custom_job_id)
        if job is None:
            return custom_job_id
        job.seen = self._clock()
        updated = protos.to_datetime(message.update_time)
        if job.updated and updated < job.updated:
            # A late list shows a state that the job has left already.
            return custom_job_id
        job.updated, job.created = updated, protos.to_datetime(message.create_time)
        state = protos.state_name(message.state)
        if from_list:
            job.ask = state in states.FINAL - states.SUCCEEDED and not message.error.message
            if job.ask:
                return custom_job_id
        else:
            job.ask = False
            job.listable = message.labels.get(identity.DEPLOYMENT) == self._deployment_id
        if job.last is None or job.last.state != state:
            job.last = protos.to_snapshot(message)
            if job.last.is_final:
                self._subscriptions.finish(job, job.last)
            else:
                job.publish(job.last)
        return custom_job_id
