"""The deadline of each call, and the one policy by which calls are repeated."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

if TYPE_CHECKING:
    from collections.abc import Callable

from airflow_vertex_training.vertex.api.advice import describe
from airflow_vertex_training.vertex.api.status import is_transient

logger = logging.getLogger(__name__)

# The deadlines of single calls, in seconds. The generated client has none: a call that gets no
# answer would wait for ever.
GET_TIMEOUT = 20.0

LIST_TIMEOUT = 30.0

CANCEL_TIMEOUT = 20.0

CREATE_TIMEOUT = 60.0

TOKEN_TIMEOUT = 20.0

# How long reads and cancels, which can be repeated without harm, are repeated; in seconds.
RETRY_SECONDS = 120.0


def retrying(
    sleep: Callable[[float], None],
    patience: float = RETRY_SECONDS,
    retry: Callable[[BaseException], bool] = is_transient,
    max_wait: float = 15.0,
) -> Retrying:
    """Return the one policy by which calls that can be repeated are repeated, with a log line each time.

    Args:
        sleep: how to wait, so that a test can do it without waiting.
        patience: seconds for which errors are put up with, default two minutes.
        retry: which errors, default those that pass by themselves.
        max_wait: longest wait between two calls in seconds, default 15.
    """

    def is_over(state: RetryCallState) -> bool:
        # The waits that were asked for count, too: a test's sleep takes no time.
        return max(state.idle_for, state.seconds_since_start or 0) >= patience

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is not None:
            logger.info("Trying again in %.0f s. %s", state.upcoming_sleep, describe(error))

    return Retrying(
        retry=retry_if_exception(retry),
        wait=wait_random_exponential(multiplier=1, max=max_wait),
        stop=is_over,
        sleep=sleep,
        before_sleep=say,
        reraise=True,
    )
