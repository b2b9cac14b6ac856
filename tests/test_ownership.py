"""Whose the job is, over all questions that can be asked."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from airflow_vertex_training.ownership import (
    NO_ANSWER,
    NO_TASK_INSTANCE,
    Asker,
    Fate,
    Phase,
    Question,
    decide,
)

STATES = [
    *("none", "scheduled", "queued", "running", "deferred", "restarting"),
    *("up_for_retry", "up_for_reschedule", "awaiting_input"),
    *("success", "failed", "skipped", "upstream_failed", "removed"),
    *(NO_TASK_INSTANCE, NO_ANSWER, "a state of a newer Airflow"),
]
QUESTIONS = [
    Question(asker, state, follows, down, names, cancels)
    for asker, state, follows, down, names, cancels in itertools.product(
        Asker, STATES, (False, True), (False, True), (None, False, True), (False, True)
    )
]
LIVING = {Phase.RUNNING, Phase.DEFERRED, Phase.RETRYING}
# Those who ask about a job whose task's processes may all be elsewhere.
ELSEWHERE = {Asker.TRIGGER_KILLED, Asker.SWEEP}
FAILING = {Asker.OPERATOR_FAILING, Asker.OPERATOR_KILLED, Asker.TRIGGER_CRASHED, Asker.WAIT_GIVEN_UP}


def test_airflows_states_are_all_known() -> None:
    """No state of the installed Airflow is taken for an unknown one."""
    from airflow.utils.state import TaskInstanceState

    known = [Question(Asker.SWEEP, state.value).phase for state in TaskInstanceState]
    assert Phase.UNKNOWN not in known


@pytest.mark.parametrize("asker", Asker)
def test_every_question_has_an_answer_with_a_reason(asker: Asker) -> None:
    """Whoever asks, whatever Airflow says: there is a verdict, and words for the log."""
    for question in QUESTIONS:
        if question.asker is asker:
            assert decide(question).why


def test_cancel_on_kill_off_cancels_nothing() -> None:
    """A user who said that the job shall run on gets that, and a line that says why it does."""
    off = [decide(question) for question in QUESTIONS if not question.cancel_on_kill]
    assert Fate.CANCEL not in {verdict.fate for verdict in off}
    for question in QUESTIONS:
        if not question.cancel_on_kill and decide(replace(question, cancel_on_kill=True)).fate is Fate.CANCEL:
            assert decide(question).why.startswith("cancel_on_kill is off")


def test_no_living_try_loses_its_job() -> None:
    """Where a try lives that may have this job, nobody from elsewhere cancels it."""
    for question in QUESTIONS:
        if question.asker in ELSEWHERE and question.phase in LIVING and question.names_job is not False:
            assert decide(question).fate is Fate.KEEP, question


def test_a_try_that_follows_finds_the_job() -> None:
    """A process that fails while nobody has ended its task keeps the job for the try that follows."""
    for question in QUESTIONS:
        if question.asker in FAILING and question.state == "running" and question.try_follows:
            assert decide(question).fate is Fate.KEEP, question


def test_a_process_that_airflow_has_given_up_leaves_the_job() -> None:
    """Where Airflow goes on with another try, no process of the one before touches the job."""
    for question in QUESTIONS:
        gone_on = question.phase in {Phase.DEFERRED, Phase.RETRYING, Phase.STARTING}
        if gone_on and question.asker not in ELSEWHERE | {Asker.DAG_TEST_INTERRUPTED}:
            assert decide(question).fate is Fate.KEEP, question


def test_the_job_of_a_task_that_is_over_ends() -> None:
    """Once a task is over, nobody waits for its job."""
    for question in QUESTIONS:
        if question.phase is Phase.OVER and question.cancel_on_kill:
            assert decide(question).fate is Fate.CANCEL, question


def test_a_last_try_leaves_no_job() -> None:
    """A process that fails, with nobody to go on, cancels, also where Airflow does not answer."""
    for question in QUESTIONS:
        if question.asker in FAILING and question.phase in {Phase.RUNNING, Phase.UNKNOWN}:
            ends = question.cancel_on_kill and not question.try_follows
            assert not ends or decide(question).fate is Fate.CANCEL, question


def test_a_job_is_left_only_where_it_is_not_known_whose_it_is() -> None:
    """With cancel_on_kill on, a job is left only where Airflow could not tell, or knows no such task."""
    for question in QUESTIONS:
        if question.cancel_on_kill and decide(question).fate is Fate.LEAVE:
            assert question.asker in ELSEWHERE, question
            assert question.phase in {Phase.UNKNOWN, Phase.GONE}, question


def test_an_outage_of_the_server_kills_no_job_that_a_try_is_left_for() -> None:
    """A worker that kills its task because no server answers leaves the job to the next try."""
    for question in QUESTIONS:
        if question.asker is Asker.OPERATOR_KILLED and question.phase is Phase.UNKNOWN:
            kept = question.try_follows and question.server_is_down
            assert (decide(question).fate is Fate.KEEP) is kept, question


def test_only_what_may_still_show_is_asked_again() -> None:
    """A trigger asks again while a try is about to start, or Airflow does not answer; nobody else does."""
    for question in QUESTIONS:
        again = question.asker is Asker.TRIGGER_KILLED and question.phase in {Phase.STARTING, Phase.UNKNOWN}
        assert decide(question).may_change is again, question


def test_the_job_name_is_asked_for_only_where_it_counts() -> None:
    """Where the answer would be the same whatever job the XCom names, Airflow is spared the question."""
    for question in QUESTIONS:
        verdicts = {decide(replace(question, names_job=names)).fate for names in (None, False, True)}
        if question.cancel_on_kill:
            assert question.depends_on_job_name is (len(verdicts) > 1), question
