"""One polling loop for many jobs: it asks what the rules say, and tells whom they say.

A ``JobWatcher`` serves the jobs of one endpoint, project, region and connection.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from airflow_vertex_training.vertex.api import advice, protos, retries, status
from airflow_vertex_training.vertex.api.calls import AsyncJobs
from airflow_vertex_training.vertex.meter import Meter
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.watch import rules
from airflow_vertex_training.vertex.watch.messages import (
    Done,
    Failed,
    Get,
    Got,
    Meaning,
    Open,
    Page,
    ReadPage,
)
from airflow_vertex_training.vertex.watch.subscriptions import Subscriptions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from types import TracebackType

    from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient

    from airflow_vertex_training.vertex.watch.budget import RequestBudget
    from airflow_vertex_training.vertex.watch.messages import ActiveJobs, Ask, Rest, Seen, Update

    OnActiveJobs = Callable[[ActiveJobs], Awaitable[None]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clock:
    """How time is told and waited for.

    Args:
        now: seconds that only grow.
        sleep: waits for so many of them.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


REAL_CLOCK = Clock()


class JobWatcher:
    """Tells what becomes of jobs, to all who ask.

    Its loop begins with the first subscriber. When the last one leaves, cancelled or not, the loop ends, the
    channel is closed, and the watcher is done with: ``closed`` is true and a new one has to be made.

    Args:
        connect: opens a client; called in the watcher's own task, and again after credentials were refused.
        parent: ``projects/P/locations/L``.
        deployment_id: jobs with this value of the label ``airflow_deployment`` are listed, others got.
        budget: shared by all watchers of the project and region.
        patience: seconds for which a permanent error is tolerated, default 15 minutes.
        clock: how time is told and waited for, default as everywhere.
        call_timeout: deadline of a call in seconds, default 20.
        on_active_jobs: called about once a minute with all jobs of the deployment that have not ended, also
            those that nobody waits for. It runs beside the watching, never twice at once, and is not cut off
            when the watcher closes; what it raises is logged. Default: no such list is read.
        meter: hears of requests, their errors and the number of watched jobs, default nobody does.
    """

    def __init__(  # noqa: PLR0913 - each is a part that all watchers of a project share or a test replaces
        self,
        connect: Callable[[], Awaitable[JobServiceAsyncClient]],
        parent: str,
        *,
        deployment_id: str,
        budget: RequestBudget,
        patience: float = rules.PATIENCE,
        clock: Clock = REAL_CLOCK,
        call_timeout: float = retries.GET_TIMEOUT,
        on_active_jobs: OnActiveJobs | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.closed = False
        self._meter = meter or Meter()
        self._calls = AsyncJobs(connect, parent, wait_for_turn=self._wait_for_turn, call_timeout=call_timeout)
        self._budget = budget
        self._clock = clock
        self._rules = rules.Rules(
            deployment_id,
            requests_per_minute=budget.requests_per_minute,
            patience=patience,
            surveys=on_active_jobs is not None,
        )
        self._on_active_jobs = on_active_jobs
        self._subscriptions = Subscriptions(self._rules.jobs)
        self._task: asyncio.Task[None] | None = None
        self._nap: asyncio.Future[None] | None = None
        self._handed_over: asyncio.Task[None] | None = None
        self._way_to_fault: TracebackType | None = None

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
        # Wake the loop only if the new interval is shorter than all current ones: a thousand jobs that come
        # one after the other must not make it ask a thousand times.
        sooner = interval < self._subscriptions.shortest_interval(default=float("inf"))
        queue = self._subscriptions.add(job_name, interval, self._clock.now())
        self._meter.watches(len(self._rules.jobs.ids))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"watch {self._calls.parent}")
        elif sooner and self._nap:
            self._nap.cancel()
        try:
            while True:
                update = await queue.get()
                if isinstance(update, Exception):
                    # The same fault may be raised in a thousand tasks, each with its own way to it only.
                    raise update.with_traceback(self._way_to_fault)
                yield update
                if isinstance(update, JobSnapshot) and update.is_final:
                    return
        finally:
            # Nothing is awaited here: the subscriber may have been cancelled.
            self._subscriptions.remove(job_name, queue)
            self._meter.watches(len(self._rules.jobs.ids))
            if not self._subscriptions.subscribers:
                self.closed = True
                self._task.cancel()

    async def _run(self) -> None:
        try:
            ask = self._decide(Done())
            while ask:
                ask = await self._carry_out(ask)
        except Exception as error:  # noqa: BLE001 - a fault of our own: all who wait must hear of it
            self._way_to_fault = error.__traceback__
            self._subscriptions.fail(error)
        finally:
            self.closed = True
            await self._calls.close()

    def _decide(self, seen: Seen) -> Ask | None:
        """Let the rules decide what an answer means, and tell whom they say; return what to ask next."""
        interval = self._subscriptions.shortest_interval(default=1.0)
        decision = self._rules.decide(seen, self._clock.now(), interval)
        for tell in decision.tell:
            self._subscriptions.tell(tell)
        if decision.active_jobs and self._on_active_jobs:
            self._hand_over(self._on_active_jobs, decision.active_jobs)
        return decision.ask

    def _hand_over(self, on_active_jobs: OnActiveJobs, jobs: ActiveJobs) -> None:
        if self._handed_over is None or self._handed_over.done():
            self._handed_over = asyncio.create_task(_call(on_active_jobs, jobs))
            _calling.add(self._handed_over)
            self._handed_over.add_done_callback(_calling.discard)

    async def _carry_out(self, ask: Ask) -> Ask | None:
        if isinstance(ask, Get):
            # Each answer is decided upon when it comes. The last one's decision says how to go on.
            next_asks = await asyncio.gather(*map(self._get, ask.job_names))
            return next(each for each in next_asks if each)
        if isinstance(ask, Open):
            return self._decide(await self._open(anew=ask.anew))
        if isinstance(ask, ReadPage):
            return self._decide(await self._read(ask))
        await self._rest(ask)
        return self._decide(Done())

    async def _open(self, *, anew: bool) -> Seen:
        try:
            await self._calls.open(anew=anew)
        except Exception as error:  # noqa: BLE001 - whatever keeps a connection from being looked up may be mended
            return _failed(error)
        return Done()

    async def _read(self, ask: ReadPage) -> Seen:
        try:
            page = await self._calls.page(ask.filter, ask.page_token, ask.within)
        except (GoogleAPICallError, GoogleAuthError) as error:
            return self._failed(error)
        # Only what is asked for is translated: a list is read every few seconds.
        wanted = (
            job
            for job in page.custom_jobs
            if ask.everything or job.name.rpartition("/")[2] in self._rules.jobs.ids
        )
        return Page(tuple(map(protos.to_snapshot, wanted)), page.next_page_token)

    async def _get(self, job_name: str) -> Ask | None:
        try:
            job: Any = await self._calls.get(job_name)
        except (GoogleAPICallError, GoogleAuthError) as error:
            return self._decide(self._failed(error, job_name))
        return self._decide(Got(protos.to_snapshot(job)))

    async def _rest(self, ask: Rest) -> None:
        self._nap = asyncio.ensure_future(self._clock.sleep(ask.seconds))
        try:
            await asyncio.wait({self._nap})
        finally:
            self._nap.cancel()
            self._nap = None

    async def _wait_for_turn(self) -> None:
        seconds = self._budget.take(self._clock.now())
        if seconds:
            await self._clock.sleep(seconds)
        self._meter.polled()

    def _failed(self, error: Exception, job_name: str = "") -> Failed:
        self._meter.poll_failed(status.code_name(error))
        return _failed(error, job_name)


async def _call(on_active_jobs: OnActiveJobs, jobs: ActiveJobs) -> None:
    try:
        await on_active_jobs(jobs)
    except Exception:
        logger.exception("What was to be done about %s active jobs failed", len(jobs.jobs))


# A task that nobody holds on to may be collected before it is done.
_calling: set[asyncio.Task[None]] = set()


def _failed(error: Exception, job_name: str = "") -> Failed:
    """Return what an error means for the wait."""
    return Failed(
        error,
        _meaning(error, of_a_job=bool(job_name)),
        advice.describe(error),
        reconnect=status.may_be_the_connections(error),
        job_name=job_name,
    )


def _meaning(error: Exception, *, of_a_job: bool) -> Meaning:
    if of_a_job and status.is_not_found(error):
        return Meaning.NOT_FOUND
    if status.is_request_quota(error):
        return Meaning.TOO_MANY_REQUESTS
    return Meaning.PASSES if status.is_transient(error) else Meaning.REFUSED
