"""One reader of the logs of many jobs.

A ``LogTail`` serves the jobs of one project and connection. ``cursor`` decides what to ask; this module asks,
and hands each subscriber the lines of its job. It logs nothing about single jobs: lines have to come from a
task of the subscriber's, so that they land in the right task log.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from airflow_vertex_training.vertex.api import status
from airflow_vertex_training.vertex.api.log_calls import AsyncLogs
from airflow_vertex_training.vertex.logs import trouble
from airflow_vertex_training.vertex.logs.cursor import DRAIN, Cursor
from airflow_vertex_training.vertex.logs.entries import SECOND, entry_key, entry_of, jobs_filter
from airflow_vertex_training.vertex.logs.followed import FollowedJob, Limits
from airflow_vertex_training.vertex.logs.last_words import LastWords, words_in
from airflow_vertex_training.vertex.logs.lines import LAST_LINES
from airflow_vertex_training.vertex.logs.looks import Look
from airflow_vertex_training.vertex.logs.subscription import Subscription
from airflow_vertex_training.vertex.meter import Meter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2AsyncClient

    from airflow_vertex_training.vertex.logs.lines import Line
    from airflow_vertex_training.vertex.logs.pace import ReadBudget

# So many entries are put into lines before others of the event loop get their turn.
_SLICE = 50
# How long nothing is asked after an error: from twice the first to the second, in seconds.
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 60.0
# Who may not read logs, or has them where they can't be read, is asked again after so many seconds.
_REFUSED_WAIT = 300.0
# An outage is told after so many seconds: logs are late then, but nothing is lost.
_OUTAGE = 60.0
# Ended jobs wait for the end of an outage for so many seconds.
_OUTAGE_AT_THE_END = 20.0
# For how long a failing replica's last lines are waited for, in seconds.
_LAST_LINES_TIMEOUT = 30.0
# The exception is looked for in so many of a replica's last entries: there may be lines after it.
_LAST_ENTRIES = 100


class LogTail:
    """Reads jobs' logs, for all who ask.

    Its loop begins with the first subscriber. When the last one leaves, the loop ends, the channel is closed,
    and the tail is done with: ``closed`` is true and a new one has to be made.

    Args:
        connect: opens a client; called in the tail's own task, and again after credentials were refused.
        project: project id or number.
        budget: shared by all tails of the project.
        drain: seconds for which an ended job's log is read on at least, default 5.
        meter: hears of requests, their errors and the lines that were found, default nobody does.
        clock: seconds that only grow, default ``time.monotonic``.
        sleep: how to wait, default ``asyncio.sleep``.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[LoggingServiceV2AsyncClient]],
        project: str,
        *,
        budget: ReadBudget,
        drain: float = DRAIN,
        meter: Meter | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.closed = False
        self.turn = asyncio.Lock()
        self._calls = AsyncLogs(connect, project)
        self._meter = meter or Meter()
        self._drain = drain
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        epoch = time.time_ns() - int(clock() * SECOND)
        self._cursor = Cursor(budget.reads_per_minute, epoch=epoch, drain=drain)
        self._subscriptions: dict[FollowedJob, Subscription] = {}
        self._readers = 0
        self._task: asyncio.Task[None] | None = None
        self._nap: asyncio.Future[None] | None = None
        self._trouble = trouble.Troubles(project)
        self._not_before = 0.0
        self._errors = 0
        self._open_anew = False
        self._opening = asyncio.Lock()

    def follow(
        self,
        job_id: str,
        *,
        since: int,
        limits: Limits | None = None,
        position: Mapping[str, Any] | None = None,
        url: str = "",
    ) -> Subscription:
        """Begin to read a job's log; use what is returned in a ``with`` block.

        Args:
            job_id: last segment of the job's name.
            since: when the job was created, in nanoseconds since 1970; no line is older.
            limits: how many lines are told, default those of ``Limits``.
            position: of the last batch that another reader has told; this one goes on from there.
            url: where a person reads the whole log, default Logs Explorer.
        """
        if self.closed:
            msg = "this tail is closed"
            raise RuntimeError(msg)
        job = FollowedJob(self._calls.project, job_id, since, limits or Limits(), position, url)
        subscription = self._subscriptions[job] = Subscription(self, job)
        self._cursor.add(job, self._clock())
        for line in self._trouble.known():
            subscription.put([line])
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"logs of {self._calls.project}")
        return subscription

    def end(self, subscription: Subscription) -> None:
        """Take in that a job has ended."""
        if subscription.job in self._subscriptions:
            self._cursor.end(subscription.job, self._clock())
            self._give_up()
            if self._nap is not None:
                self._nap.cancel()

    def leave(self, subscription: Subscription) -> None:
        """End a subscription."""
        if self._subscriptions.pop(subscription.job, None):
            self._cursor.remove(subscription.job)
        self._close_if_unused()

    async def last_words(
        self, job_id: str, replica: str, *, since: int, count: int = LAST_LINES, is_drained: bool = False
    ) -> LastWords:
        """Return the last lines of a replica, by one read, which waits for its turn in the budget.

        Args:
            job_id: last segment of the job's name.
            replica: such as ``workerpool0-0``; empty: of any.
            since: when the job was created, in nanoseconds since 1970.
            count: how many lines at most, default 20.
            is_drained: whether late lines were waited for already; default they are waited for here.
        """
        self._readers += 1
        try:
            newest = self._newest(jobs_filter([job_id], since, replica=replica), is_drained=is_drained)
            return words_in(await asyncio.wait_for(newest, _LAST_LINES_TIMEOUT), replica, count)
        except (asyncio.TimeoutError, GoogleAPICallError, GoogleAuthError):
            return LastWords([])
        finally:
            self._readers -= 1
            self._close_if_unused()
            if self.closed and self._task is None:
                await self._calls.close()

    async def _newest(self, filter_: str, *, is_drained: bool) -> Any:
        """Return the newest entries that a filter finds; errors that pass are waited for."""
        if not is_drained:
            await self._sleep(self._drain)
        while True:
            while wait := self._budget.wait(self._clock()):
                await self._sleep(wait)
            if self._trouble.is_refused:
                return ()
            self._budget.take(self._clock())
            try:
                await self._open()
                self._meter.read_logs()
                return (await self._calls.page(filter_, "timestamp desc", _LAST_ENTRIES)).entries
            except (GoogleAPICallError, GoogleAuthError) as error:
                self._meter.reading_failed(status.code_name(error))
                if not status.is_transient(error):
                    raise
            await self._sleep(_FIRST_WAIT)

    async def _run(self) -> None:
        try:
            while True:
                await self._rest(await self._step())
        except Exception as error:  # noqa: BLE001 - a fault of our own: all who wait must hear of it
            for subscription in self._subscriptions.values():
                subscription.queue.put_nowait(error)
        finally:
            self.closed = True
            await self._calls.close()

    async def _step(self) -> float:
        """Ask what is to be asked now, and return for how many seconds there is nothing more to do."""
        now = self._clock()
        ask = self._cursor.next(now, self._budget.left(now))
        await self._deliver()
        if not isinstance(ask, Look):
            return ask
        if wait := max(self._budget.wait(now), self._not_before - now):
            return min(wait, _FIRST_WAIT)
        self._budget.take(now)
        try:
            await self._open(anew=self._open_anew)
            self._open_anew = False
            self._meter.read_logs()
            page = await self._calls.page(ask.filter, ask.order_by, ask.page_size, ask.token)
        except Exception as error:  # noqa: BLE001 - opening asks Airflow for the connection: anything can fail
            self._cursor.failed(ask)
            self._refused(error)
            return 0.0
        self._answered()
        await self._take(ask, page)
        return 0.0

    async def _open(self, *, anew: bool = False) -> None:
        async with self._opening:
            await self._calls.open(anew=anew)

    async def _take(self, look: Look, page: Any) -> None:
        entries = []
        for number, message in enumerate(page.entries):
            if number and not number % _SLICE:
                await asyncio.sleep(0)
            moment = message.timestamp.ToNanoseconds()
            key = entry_key(message.log_name, moment, message.insert_id)
            if self._cursor.is_new(look, message.resource.labels["job_id"], moment, key):
                entries.append(entry_of(message))
        self._cursor.take(look, entries, page.next_page_token, self._clock())
        await self._deliver()

    async def _deliver(self) -> None:
        lines, finished = self._cursor.collect()
        if count := sum(len(texts) for _, texts in lines):
            self._meter.got_lines(count)
        for number, (job, texts) in enumerate(lines):
            if number and not number % _SLICE:
                await asyncio.sleep(0)
            if job in self._subscriptions:
                self._subscriptions[job].put(texts)
        for job in finished:
            if job in self._subscriptions:
                self._subscriptions[job].queue.put_nowait(None)

    def _refused(self, error: Exception) -> None:
        now = self._clock()
        self._errors += 1
        self._meter.reading_failed(status.code_name(error))
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2**self._errors) * random.uniform(0.5, 1.0)
        # Said once it may be about one page, or about a token that has just expired.
        is_again = self._errors > 1
        is_refusal = is_again and isinstance(error, GoogleAPICallError) and not status.is_transient(error)
        if is_refusal:
            wait = _REFUSED_WAIT
        self._open_anew = status.may_be_the_connections(error) or not isinstance(
            error, (GoogleAPICallError, GoogleAuthError)
        )
        self._not_before = now + wait
        self._tell_all(self._trouble.met(error, now, is_refusal=is_refusal, after=_OUTAGE))
        self._give_up()

    def _give_up(self) -> None:
        """Let ended jobs go where their logs can't be read."""
        if self._trouble.is_refused:
            self._cursor.give_up()
        elif self._errors:
            self._cursor.give_up(self._clock() - _OUTAGE_AT_THE_END, say=True)

    def _answered(self) -> None:
        self._errors = 0
        self._tell_all(self._trouble.over(self._clock()))

    def _tell_all(self, line: Line | None) -> None:
        if line is not None:
            for subscription in self._subscriptions.values():
                subscription.put([line])

    async def _rest(self, seconds: float) -> None:
        self._nap = asyncio.ensure_future(self._sleep(max(0.0, seconds)))
        try:
            await asyncio.wait({self._nap})
        finally:
            self._nap.cancel()
            self._nap = None

    def _close_if_unused(self) -> None:
        if not self._subscriptions and not self._readers:
            self.closed = True
            if self._task is not None:
                self._task.cancel()
