"""Wait for a job on the triggerer."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_vertex_training import compat, links, ownership, settings
from airflow_vertex_training.ending import Ending, job_in_xcom, log_failed_cancel, task_state
from airflow_vertex_training.log_positions import XComPositions, of_job
from airflow_vertex_training.ownership import NO_ANSWER, Asker, Fate, Question
from airflow_vertex_training.vertex import wire
from airflow_vertex_training.vertex.api.emulator import emulator_address
from airflow_vertex_training.vertex.exceptions import InvalidJobError, VertexTrainingError
from airflow_vertex_training.vertex.logs.channel import log_channel
from airflow_vertex_training.vertex.logs.followed import Limits
from airflow_vertex_training.vertex.naming.identity import DEFAULT_DEPLOYMENT_ID
from airflow_vertex_training.vertex.naming.job_name import JobName
from airflow_vertex_training.vertex.spec import waiting
from airflow_vertex_training.vertex.spec.reader import Reader
from airflow_vertex_training.vertex.states import JobSnapshot, ended_badly

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from airflow_vertex_training.ownership import Verdict
    from airflow_vertex_training.vertex.logs.channel import LogChannel
    from airflow_vertex_training.vertex.watch.loop import OnActiveJobs

# A task that nobody holds on to may be collected before it is done.
_ending: set[asyncio.Task[None]] = set()


class VertexJobTrigger(BaseTrigger):
    """Fire once, when a job has come to its end.

    The event is made and read by ``vertex.wire``: ``{"version": int, "status": "success" | "error",
    "kind": str, "message": str, "job": {...}}``, where ``kind`` names the error's class. All triggers of a
    triggerer that use the same connection share one channel and one polling loop. Transient errors, however
    long, end nothing.

    When the task is killed (marked, cleared, its DAG run failed or timed out), the job is cancelled. When the
    triggerer stops, or hands the task to another one, it is not.

    Args:
        job_name: full resource name, ``projects/P/locations/L/customJobs/ID``.
        gcp_conn_id: Airflow connection, default ``vertex_training_default``.
        impersonation_chain: service account to act as, or a chain of them, default none.
        poll_interval: seconds within which the job's end should be seen, default 5.0.
        cancel_on_kill: whether a killed task's job is cancelled, default yes.
        deployment_id: value of the job's label ``airflow_deployment``, default ``airflow``. Jobs that carry
            another one, or none, are watched as well, at a higher price.
        on_emulator: whether the job was made on the emulator, default no. A triggerer that does not know of
            the emulator says so at once.
        stream_logs: whether the job's log is shown in the task's, default yes.
        log_position: where an earlier try has stopped to read the job's log, default its beginning. A trigger
            goes on where the one before it in the same try has stopped, which is kept in an XCom.
        **newer: what a newer version's worker has stored for this one: ignored, and said in the log.
    """

    def __init__(  # noqa: PLR0913 - each is stored under its own name
        self,
        *,
        job_name: str,
        gcp_conn_id: str = settings.DEFAULT_CONNECTION_ID,
        impersonation_chain: str | Sequence[str] | None = None,
        poll_interval: float = settings.DEFAULT_POLL_INTERVAL,
        cancel_on_kill: bool = True,
        deployment_id: str = DEFAULT_DEPLOYMENT_ID,
        on_emulator: bool = False,
        stream_logs: bool = True,
        log_position: dict[str, Any] | None = None,
        **newer: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.job_name = job_name
        self.gcp_conn_id = gcp_conn_id
        self.impersonation_chain = impersonation_chain
        self.poll_interval = poll_interval
        self.cancel_on_kill = cancel_on_kill
        self.deployment_id = deployment_id
        self.on_emulator = on_emulator
        self.stream_logs = stream_logs
        self.log_position = log_position
        self._not_known = sorted(newer)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments: names and numbers only, no secret and no spec."""
        return (
            "airflow_vertex_training.triggers.VertexJobTrigger",
            {
                "job_name": self.job_name,
                "gcp_conn_id": self.gcp_conn_id,
                "impersonation_chain": self.impersonation_chain,
                "poll_interval": self.poll_interval,
                "cancel_on_kill": self.cancel_on_kill,
                "deployment_id": self.deployment_id,
                "on_emulator": self.on_emulator,
                "stream_logs": self.stream_logs,
                "log_position": self.log_position,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the job's end, and yield one event."""
        try:
            event = await self._told(log_channel(compat.log_socket()))
        except asyncio.CancelledError:
            # Nothing is awaited here: that could keep Airflow from calling on_kill.
            if self.task_instance is None:
                # airflow dags test was interrupted. Its process waits for this thread.
                threading.Thread(target=self._end_dag_test, name=f"end {self.job_name}").start()
            elif compat.cancel_may_be_a_kill():
                self._start_ending()
            raise
        yield event

    async def on_kill(self) -> None:
        """Cancel the job, unless another triggerer or another try of the task waits for it."""
        # Airflow cancels this call again and again while it waits; the work itself must go on.
        await asyncio.shield(self._start_ending())
        await log_channel(compat.log_socket()).emptied()

    async def _told(self, channel: LogChannel) -> TriggerEvent:
        """Return the event when all lines are in the task's log: after a trigger's end none gets there."""
        try:
            event = await self._wait(channel)
        except Exception:
            await channel.emptied()
            raise
        await channel.emptied()
        return event

    async def _wait(self, channel: LogChannel) -> TriggerEvent:
        if self._not_known:
            self.log.warning("This version does not know, and ignores: %s", ", ".join(self._not_known))
        try:
            # Not in __init__, which can also be given templates (start_from_trigger).
            name, poll_interval = JobName.parse(self.job_name), self._seconds()
        except InvalidJobError as error:
            return _event(JobSnapshot(str(self.job_name)), error)
        hooks, following = await asyncio.to_thread(_load)
        if self.on_emulator and emulator_address() is None:
            return _event(JobSnapshot(self.job_name), hooks.emulator_is_not_named(self.job_name))
        position, keep_position = of_job(self.log_position, self.job_name), None
        ti: Any = self.task_instance
        if self.stream_logs and ti is not None:
            positions = XComPositions(ti, self.job_name)
            position = await self._last_position(positions) or position
            keep_position = sync_to_async(positions.keep)
        wait = following.Following(
            self.job_name,
            gcp_conn_id=self.gcp_conn_id,
            impersonation_chain=self.impersonation_chain,
            poll_interval=poll_interval,
            deployment_id=self.deployment_id,
            stream_logs=self.stream_logs,
            log_reads_per_minute=settings.log_reads_per_minute(in_triggerer=True),
            log_limits=Limits(settings.log_lines_per_minute(), settings.log_lines_in_all()),
            log=self.log,
            position=position,
            keep_position=keep_position,
            log_channel=channel,
            on_active_jobs=self._orphans(hooks, name),
            keep_shells=None if ti is None else sync_to_async(links.shells_keeper(ti, self.job_name)),
        )
        try:
            job, said = await wait.to_its_end()
        except VertexTrainingError as error:
            return _event(JobSnapshot(self.job_name), error)
        return _event(job, ended_badly(job, said))

    def _seconds(self) -> float:
        """Return ``poll_interval``, checked: a wrong one would harm all jobs that are watched here."""
        reader = Reader()
        default = settings.DEFAULT_POLL_INTERVAL
        poll_interval = waiting.seconds(self.poll_interval, default, "poll_interval", reader)
        reader.raise_findings()
        return poll_interval

    async def _last_position(self, positions: XComPositions) -> dict[str, Any] | None:
        try:
            # Airflow 3.1's triggerer does not survive that a message to its supervisor is cut off.
            return await asyncio.shield(asyncio.ensure_future(sync_to_async(positions.last)()))
        except Exception as error:  # noqa: BLE001 - the job must be waited for in any case
            self.log.warning("Where the job's log was read to is not known: %r", error)
            return None

    def _orphans(self, hooks: Any, name: JobName) -> OnActiveJobs | None:
        """Return what looks for orphans beside the watching, in a real triggerer."""
        try:
            if settings.orphans() == "ignore" or not compat.is_triggerer():
                return None
            settings.orphan_grace_period()
            settings.deployment_id()
        except InvalidJobError as error:
            # That is no reason to fail whoever waits for a job.
            self.log.error("Nobody looks for orphans here. %s", error)  # noqa: TRY400 - the message says it all
            return None
        from airflow_vertex_training.orphans import Orphans

        hook = functools.partial(hooks.VertexTrainingHook, self.gcp_conn_id, self.impersonation_chain)
        return Orphans(hook, name.region, name.project).look

    def _start_ending(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self._end(), name=f"end {self.job_name}")
        _ending.add(task)
        task.add_done_callback(_ending.discard)
        return task

    async def _end(self) -> None:
        try:
            verdict = await self._verdict()
            hook: Any = await self._make_hook() if verdict.fate is Fate.CANCEL else None
            # In a thread, which a stop of the triggerer does not cut off.
            ending = Ending(lambda: hook, self.log, self.task_instance)
            await asyncio.to_thread(ending.carry_out, verdict, self.job_name)
        except Exception as error:  # noqa: BLE001 - whatever it is, Airflow is not to hear of it
            log_failed_cancel(self.log, self.job_name, error)

    async def _verdict(self) -> Verdict:
        """Ask Airflow what became of the task, again and again while its answer may still change."""
        give_up = time.monotonic() + _PATIENCE
        while True:
            verdict = ownership.decide(await self._question())
            if not verdict.may_change or time.monotonic() >= give_up:
                return verdict
            await asyncio.sleep(_ASK_AGAIN)

    async def _question(self) -> Question:
        ti: Any = self.task_instance
        unanswered = Question(Asker.TRIGGER_KILLED, NO_ANSWER, cancel_on_kill=self.cancel_on_kill)
        try:
            question = replace(unanswered, state=await sync_to_async(task_state)(ti))
            if question.depends_on_job_name:
                named = await sync_to_async(job_in_xcom)(ti)
                question = replace(question, names_job=None if named is None else named == self.job_name)
        except Exception as error:  # noqa: BLE001 - whatever is wrong, it is asked again
            # Half an answer is none: after a clear the state alone says that the job is waited for.
            self.log.warning("Airflow did not say what became of the task: %r", error)
            return unanswered
        return question

    async def _make_hook(self) -> Any:
        """Look the connection up, again and again: it is Airflow that has it."""
        hooks, _ = await asyncio.to_thread(_load)
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                return await sync_to_async(hooks.VertexTrainingHook)(
                    self.gcp_conn_id, self.impersonation_chain
                )
            except InvalidJobError:
                raise
            except Exception as error:
                if time.monotonic() >= give_up:
                    raise
                self.log.warning("The connection could not be looked up: %r", error)
            await asyncio.sleep(_ASK_AGAIN)

    def _end_dag_test(self) -> None:
        from airflow_vertex_training.hooks import VertexTrainingHook

        question = Question(Asker.DAG_TEST_INTERRUPTED, NO_ANSWER, cancel_on_kill=self.cancel_on_kill)
        ending = Ending(lambda: VertexTrainingHook(self.gcp_conn_id, self.impersonation_chain), self.log)
        ending.carry_out(ownership.decide(question), self.job_name)


# Airflow gives on_kill 30 seconds ([triggerer] on_kill_timeout).
_PATIENCE = 20.0
_ASK_AGAIN = 1.0


def _load() -> tuple[Any, Any]:
    """Import the client library, in a thread: that takes seconds."""
    from airflow_vertex_training import following, hooks

    return hooks, following


def _event(job: JobSnapshot, error: VertexTrainingError | None) -> TriggerEvent:
    return TriggerEvent(wire.event(job, error))  # type: ignore[no-untyped-call]
