"""Five jobs and what was seen of them: each question reads it from here, so that five are enough."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.api_core import exceptions

from tests.acceptance.target import FINAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.target import Target

__all__ = ["Seen", "Story", "lateness"]

_QUICK = """\
echo "a line on stdout"
echo "a line on stderr" >&2
echo '{"message": "a line of JSON", "severity": "WARNING", "loss": 0.25}'
echo "model in $AIP_MODEL_DIR"
"""
_LINES = 4
_AT_ONCE = 2.0


@dataclass(frozen=True)
class Seen:
    """An answer.

    Args:
        value: Is compared.
        measured: Is only printed.
    """

    value: Any
    measured: str = ""


class Story:
    """Jobs: one succeeds, one fails; three are cancelled: when made, when pending, while it runs.

    What is seen is written down while it happens: a question that is asked later finds when it was.

    Args:
        target: Where.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._seen: dict[tuple[str, str], float] = {}
        self.lines: list[Any] = []
        self.quick = target.create("quick", _QUICK)
        self.listed_after = target.wait(lambda: target.listed('labels.kind="quick"'))[1]
        self.made = {
            "quick": self.quick,
            "failing": target.create("failing", "echo before the end; exit 3"),
            "slow": target.create("slow", "trap '' TERM; echo at work; sleep 1800"),
            "pending": target.create("pending", "sleep 1800"),
            "queued": target.create("queued", "sleep 1800"),
        }
        self.last = dict(self.made)
        self.error_came_with_end = False
        self.cancels = {"queued": self.outcome(lambda: self.cancel("queued"))}
        self.state_at_cancel = ""
        self.after_cancel = ""
        target.wait(lambda: len(target.listed()) == len(self.made))
        target.wait(self._look)
        self.after_delete = self._delete("queued")

    def cancel(self, kind: str) -> None:
        """Ask for a job's cancel."""
        self.target.jobs.cancel_custom_job(name=self.made[kind].name, timeout=60)

    def outcome(self, call: Callable[[], Any]) -> str:
        """Return the name of a call's status code."""
        return self.refusal(call).partition(":")[0]

    def refusal(self, call: Callable[[], Any]) -> str:
        """Return a call's status code and message."""
        try:
            call()
        except exceptions.GoogleAPICallError as error:
            code = error.grpc_status_code
            return f"{code.name if code else type(error).__name__}: {error.message}"
        return "OK"

    def later(self, kind: str, what: str) -> float:
        """Return how many seconds after a job's end something was first seen."""
        return self._seen.get((kind, what), float("inf")) - self._seen.get((kind, "end"), 0.0)

    def _delete(self, kind: str) -> str:
        """Delete a job; return the outcome of getting it then."""
        name = self.made[kind].name
        self.target.jobs.delete_custom_job(name=name, timeout=60).result(timeout=self.target.patience)
        return self.outcome(lambda: self.target.get(name))

    def _look(self) -> bool:
        """Look at all jobs once; return whether all that is waited for has been seen."""
        for kind, job in self.made.items():
            if (kind, "end" if kind == "quick" else "error") in self._seen:
                continue  # nothing more is to be seen of it
            seen = self.last[kind] = self.target.get(job.name)
            ended = seen.state.name in FINAL
            if kind == "failing" and ended and (kind, "end") not in self._seen:
                self.error_came_with_end = bool(seen.error.code)
            self._note(kind, "end", happened=ended)
            self._note(kind, "error", happened=bool(seen.error.code))
        self._cancel_pending()
        self._cancel_at_work()
        if ("quick", "end") in self._seen and ("quick", "lines") not in self._seen:
            self.lines = self.target.entries(self.quick.name, 'resource.labels.task_name="workerpool0-0"')
            self._note("quick", "lines", happened=len(self.lines) >= _LINES)
        waited_for = {(kind, "error") for kind in self.made if kind != "quick"} | {("quick", "lines")}
        return waited_for <= self._seen.keys()

    def _cancel_pending(self) -> None:
        """Cancel a job as soon as it is seen to have left the queue."""
        state = self.last["pending"].state.name
        if "pending" not in self.cancels and state in ("JOB_STATE_PENDING", "JOB_STATE_RUNNING"):
            self.state_at_cancel = state
            self.cancels["pending"] = self.outcome(lambda: self.cancel("pending"))

    def _cancel_at_work(self) -> None:
        """Cancel the slow job once its process is at work, and once more."""
        slow = self.made["slow"]
        if "slow" in self.cancels or self.last["slow"].state.name != "JOB_STATE_RUNNING":
            return
        if self.target.entries(slow.name, 'jsonPayload.message:"at work"'):
            self.cancel("slow")
            self.after_cancel = self.target.get(slow.name).state.name
            self.cancels["slow"] = self.outcome(lambda: self.cancel("slow"))

    def _note(self, kind: str, what: str, *, happened: bool) -> None:
        if happened:
            self._seen.setdefault((kind, what), time.monotonic())


def lateness(seconds: float) -> Seen:
    """Return whether something came at once, with the seconds that it took."""
    return Seen("at once" if seconds < _AT_ONCE else "late", f"{seconds:.1f} s")
