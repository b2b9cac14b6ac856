"""Whose is the job now? One table answers, for every place that asks. It asks and changes nothing itself.

Airflow tells the state of a task instance, not of a try: after a clear or a retry it is the next try's. So
the same state means different things to a process of the old try, depending on how that came to its end. The
rows of the table are those who ask, its columns are what Airflow says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NO_ANSWER", "NO_TASK_INSTANCE", "Asker", "Fate", "Phase", "Question", "Verdict", "decide"]

NO_ANSWER = "no answer"
"""In place of a state: Airflow could not be asked."""

NO_TASK_INSTANCE = "no task instance"
"""In place of a state: Airflow has no such task instance (any more)."""


class Asker(Enum):
    """Who asks, which says why: each is a way in which a job can lose the process that waits for it."""

    OPERATOR_FAILING = "the task failed"
    OPERATOR_KILLED = "the task was killed"
    OPERATOR_TIMED_OUT = "the execution_timeout is over"
    DAG_TEST_INTERRUPTED = "airflow dags test was interrupted"
    DEFERRAL_TIMED_OUT = "the execution_timeout is over, and the task was deferred"
    TRIGGER_CRASHED = "the trigger crashed"
    TRIGGER_KILLED = "the trigger was cancelled"
    WAIT_GIVEN_UP = "the wait for the job was given up"
    SWEEP = "nobody watches the job"


class Phase(Enum):
    """What a task instance's state means for its job."""

    RUNNING = "running"
    DEFERRED = "deferred"
    RETRYING = "waiting for its retry"
    STARTING = "about to start"
    RESTARTING = "cleared"
    OVER = "over"
    GONE = "gone"
    UNKNOWN = "not known"


_PHASES = {
    "running": Phase.RUNNING,
    "deferred": Phase.DEFERRED,
    "up_for_retry": Phase.RETRYING,
    "up_for_reschedule": Phase.RETRYING,
    "awaiting_input": Phase.RETRYING,
    "none": Phase.STARTING,
    "scheduled": Phase.STARTING,
    "queued": Phase.STARTING,
    "restarting": Phase.RESTARTING,
    "success": Phase.OVER,
    "failed": Phase.OVER,
    "skipped": Phase.OVER,
    "upstream_failed": Phase.OVER,
    "removed": Phase.OVER,
    NO_TASK_INSTANCE: Phase.GONE,
    NO_ANSWER: Phase.UNKNOWN,
}


# A try is there, or waits for its turn; and one that may also only come.
_LIVING = (Phase.RUNNING, Phase.DEFERRED, Phase.RETRYING)
_ALIVE = (*_LIVING, Phase.STARTING, Phase.RESTARTING)


class Fate(Enum):
    """What becomes of a job."""

    KEEP = "keep"
    """Somebody waits for it, or will."""
    CANCEL = "cancel"
    """Nobody will."""
    LEAVE = "leave"
    """Nobody may, but it is not to be cancelled here."""


@dataclass(frozen=True)
class Question:
    """What is known where somebody asks.

    Args:
        asker: who asks.
        state: Airflow's state of the task instance, ``none`` where it has no state; ``NO_TASK_INSTANCE`` or
            ``NO_ANSWER`` in its place.
        try_follows: whether Airflow tries once more if the asking try fails now: one is left, the error does
            not end the retries, and the task's retry policy does not either.
        server_is_down: whether Airflow's API server can't be reached, where the state is ``NO_ANSWER``.
        names_job: whether the XCom ``job_name``, which each try pushes before it waits, names this job;
            ``None`` where it could not be read or is not there.
        cancel_on_kill: the operator's argument.
    """

    asker: Asker
    state: str
    try_follows: bool = False
    server_is_down: bool = False
    names_job: bool | None = None
    cancel_on_kill: bool = True

    @property
    def phase(self) -> Phase:
        """What the state means. A state that a newer Airflow brings is not known."""
        return _PHASES.get(self.state, Phase.UNKNOWN)

    @property
    def depends_on_job_name(self) -> bool:
        """Whether the answer depends on ``names_job``, which takes one more question to Airflow."""
        asked_for = {Asker.TRIGGER_KILLED: _LIVING, Asker.SWEEP: _ALIVE}
        return self.phase in asked_for.get(self.asker, ())


@dataclass(frozen=True)
class Verdict:
    """What becomes of the job.

    Args:
        fate: keep, cancel or leave.
        why: the reason, in words for the log.
        may_change: whether asking again in a moment may bring another answer; ``fate`` holds if there is no
            time for that.
    """

    fate: Fate
    why: str
    may_change: bool = False


def decide(question: Question) -> Verdict:
    """Return what becomes of a job that ``question.asker`` has come upon."""
    verdict = _TABLE[question.asker][question.phase](question)
    if verdict.fate is Fate.CANCEL and not question.cancel_on_kill:
        return Verdict(Fate.LEAVE, f"cancel_on_kill is off, though {verdict.why}", verdict.may_change)
    return verdict


# What a cell of the table says.


def _ended(question: Question) -> Verdict:
    return Verdict(Fate.CANCEL, f"the task was ended ({question.state})")


def _cancel(question: Question) -> Verdict:
    return Verdict(Fate.CANCEL, question.asker.value)


def _cleared(_: Question) -> Verdict:
    return Verdict(Fate.CANCEL, "the task was cleared")


def _next_try_has_it(question: Question) -> Verdict:
    return Verdict(Fate.KEEP, f"Airflow goes on with another try (the task is {question.state})")


def _unless_a_try_follows(question: Question) -> Verdict:
    if question.try_follows:
        return Verdict(Fate.KEEP, f"{question.asker.value}, and its next try finds the job")
    return Verdict(Fate.CANCEL, f"{question.asker.value} and there is no try left to wait for the job")


def _unless_a_try_follows_and_the_server_is_down(question: Question) -> Verdict:
    # A worker whose heartbeats fail kills its task as well. Whoever ends a task needs a server for it.
    if question.try_follows and question.server_is_down:
        return Verdict(Fate.KEEP, "Airflow's API server can't be reached, and the next try finds the job")
    return Verdict(Fate.CANCEL, f"{question.asker.value}, and Airflow did not say whether a try goes on")


def _unless_it_is_another_trys(question: Question) -> Verdict:
    # A new try deletes the XComs of the one before, and pushes its own job's name before it waits.
    if question.names_job is False:
        return Verdict(Fate.CANCEL, f"the task has another job now ({question.state})")
    if question.phase is Phase.DEFERRED:
        return Verdict(Fate.KEEP, "the task is still deferred, to a trigger that runs elsewhere")
    return Verdict(Fate.KEEP, f"another try of the task is at work ({question.state}) and sees to the job")


def _cleared_or_retried(question: Question) -> Verdict:
    # After a clear the job is nobody's, after a crash of the trigger it is the next try's. Which of the two
    # it was shows as soon as that try runs.
    return Verdict(Fate.CANCEL, f"the task was cleared ({question.state})", may_change=True)


def _unless_it_answers_later(_: Question) -> Verdict:
    return Verdict(Fate.LEAVE, "Airflow could not be asked what became of the task", may_change=True)


def _alive(question: Question) -> Verdict:
    if question.names_job is False:
        return Verdict(Fate.CANCEL, f"its task is {question.state} but has another job")
    return Verdict(Fate.KEEP, f"its task is {question.state}")


def _gone(_: Question) -> Verdict:
    return Verdict(Fate.LEAVE, "this Airflow knows no such task instance; another one may")


def _not_asked(question: Question) -> Verdict:
    return Verdict(Fate.LEAVE, f"what became of its task is not known ({question.state})")


# A process of the task that comes to its end by itself.
_FAILING = {
    Phase.RUNNING: _unless_a_try_follows,
    # Airflow goes on while this process still runs: it has given it up.
    Phase.DEFERRED: _next_try_has_it,
    Phase.RETRYING: _next_try_has_it,
    Phase.STARTING: _next_try_has_it,
    Phase.RESTARTING: _cleared,
    Phase.OVER: _ended,
    Phase.GONE: _ended,
    Phase.UNKNOWN: _unless_a_try_follows,
}

_TABLE: dict[Asker, dict[Phase, Callable[[Question], Verdict]]] = {
    Asker.OPERATOR_FAILING: _FAILING,
    Asker.WAIT_GIVEN_UP: _FAILING,
    Asker.TRIGGER_CRASHED: _FAILING,
    Asker.OPERATOR_KILLED: {**_FAILING, Phase.UNKNOWN: _unless_a_try_follows_and_the_server_is_down},
    # A timeout ends the job, unless it is met by a process that Airflow has given up.
    Asker.OPERATOR_TIMED_OUT: {**_FAILING, Phase.RUNNING: _cancel, Phase.UNKNOWN: _cancel},
    Asker.DEFERRAL_TIMED_OUT: {**_FAILING, Phase.RUNNING: _cancel, Phase.UNKNOWN: _cancel},
    # There is one process, and nothing goes on without it.
    Asker.DAG_TEST_INTERRUPTED: dict.fromkeys(Phase, _cancel),
    Asker.TRIGGER_KILLED: {
        Phase.RUNNING: _unless_it_is_another_trys,
        Phase.DEFERRED: _unless_it_is_another_trys,
        Phase.RETRYING: _unless_it_is_another_trys,
        Phase.STARTING: _cleared_or_retried,
        Phase.RESTARTING: _cleared,
        Phase.OVER: _ended,
        Phase.GONE: _ended,
        Phase.UNKNOWN: _unless_it_answers_later,
    },
    Asker.SWEEP: {
        **dict.fromkeys(_ALIVE, _alive),
        Phase.OVER: _ended,
        Phase.GONE: _gone,
        Phase.UNKNOWN: _not_asked,
    },
}
