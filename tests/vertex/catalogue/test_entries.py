"""Each kind of failure is recognised by what Google writes, and by nothing else."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_vertex_training.vertex import exceptions, states
from airflow_vertex_training.vertex.catalogue.calls import CALLS, explain_call
from airflow_vertex_training.vertex.catalogue.entries import CODES, Entry, Told
from airflow_vertex_training.vertex.catalogue.jobs import JOBS, exception_in, explain_job
from airflow_vertex_training.vertex.exceptions import (
    InvalidJobError,
    JobEndedError,
    JobFailedError,
    MissingSettingError,
    OutOfMemoryError,
    VertexApiError,
    VertexTrainingError,
)
from airflow_vertex_training.vertex.states import JobSnapshot
from airflow_vertex_training.vertex.tracebacks import Said
from tests.vertex.catalogue.page import PAGE, page

OF_CALLS = [(entry, *sample) for entry in CALLS for sample in entry.samples]
OF_JOBS = [(entry, *sample) for entry in JOBS for sample in entry.samples]
KINDS = [
    kind
    for kind in vars(exceptions).values()
    if inspect.isclass(kind) and issubclass(kind, VertexTrainingError)
]


def ids(value: object) -> str:
    """Return what a case is called."""
    return value.title[:30] if isinstance(value, Entry) else str(value)[-30:]


@pytest.mark.parametrize(("entry", "code", "text"), OF_CALLS, ids=ids)
def test_a_refusal_is_recognised(entry: Entry, code: str, text: str) -> None:
    """What Google answers is found under its own entry, not under an earlier one, whatever details say."""
    told = Told(code, text, details='violations {\n  subject: "project_number:1"\n}')
    assert explain_call(told) == explain_call(Told(code, text)) == entry.match(told)


@pytest.mark.parametrize(("entry", "code", "text"), OF_JOBS, ids=ids)
def test_a_jobs_own_error_is_recognised(entry: Entry, code: str, text: str) -> None:
    """What a job's error says is found under its own entry, not under an earlier one."""
    told = Told(code, text, details=exception_in(text) or text.rpartition("\n")[2], of_job=True)
    assert explain_job(CODES.index(code), text) == entry.match(told)


def test_what_only_a_failure_can_say_is_said() -> None:
    """No name in braces is left in a log, neither where the failure says what it stands for nor elsewhere."""
    for entry in (*CALLS, *JOBS):
        told = [Told(code, text) for code, text in entry.samples]
        told += [Told((*entry.codes, "")[0], "", reason=reason) for reason in entry.reasons]
        for each in told:
            for found in (entry.match(each), entry.match(dataclasses.replace(each, of_job=True))):
                assert found is None or "{" not in found.title + found.advice


@pytest.mark.parametrize("code", CODES[1:])
def test_every_code_has_a_class(code: str) -> None:
    """An answer in words that nobody has seen yet has the class of its code, and is shown whole."""
    explained = explain_call(Told(code, "Words that nobody has seen."))
    assert explained is not None
    assert issubclass(explained.kind, VertexApiError)


@pytest.mark.parametrize("reason", ["SERVICE_DISABLED", "CONSUMER_INVALID", "IAM_PERMISSION_DENIED"])
def test_the_reason_of_an_error_info_is_enough(reason: str) -> None:
    """Google's words may change; the reason in an answer's details is made for programs."""
    explained = explain_call(Told("PERMISSION_DENIED", "New words.", reason=reason))
    assert explained is not None
    assert "PROJECT" in explained.title or "permission" in explained.title


@given(st.text(), st.integers(-1, 20) | st.none())
def test_an_unknown_error_of_a_job_is_shown_whole(text: str, code: int | None) -> None:
    """Whatever a job's error says is in ours, unless it is known to mean something."""
    job = JobSnapshot("job", state="JOB_STATE_FAILED", error_code=code, error_message=text)
    ended = states.ended_badly(job)
    assert isinstance(ended, JobEndedError)
    assert text.strip() in str(ended) or explain_job(code, text)


LOGGING_IS_OFF = """Cloud Logging API has not been used in project 1 before or it is disabled. Enable it by
visiting https://console.developers.google.com/apis/api/logging.googleapis.com/overview?project=1."""
QUOTA_IN_WORDS = """Quota exceeded for quota metric 'Custom model training Nvidia L4 GPUs' and limit 'Custom
model training Nvidia L4 GPUs per region' of service 'aiplatform.googleapis.com'."""
EXITED = "The replica workerpool0-0 exited with a non-zero status of"


@pytest.mark.parametrize(
    ("code", "text", "reason", "title"),
    [
        (
            "PERMISSION_DENIED",
            "The caller does not have permission",
            "",
            "The account lacks the permission that",
        ),
        ("PERMISSION_DENIED", "New words.", "BILLING_DISABLED", "Project PROJECT has no billing account"),
        ("PERMISSION_DENIED", "New words.", "CONSUMER_SUSPENDED", "Google has suspended project PROJECT"),
        ("PERMISSION_DENIED", "New words.", "SECURITY_POLICY_VIOLATED", "A service perimeter"),
        ("PERMISSION_DENIED", "New words.", "USER_PROJECT_DENIED", "The account may not use the quota"),
        ("PERMISSION_DENIED", "New words.", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "The credentials' scopes"),
        ("INVALID_ARGUMENT", "New words.", "RESOURCE_PROJECT_INVALID", "There is no project PROJECT"),
        (
            "PERMISSION_DENIED",
            LOGGING_IS_OFF,
            "SERVICE_DISABLED",
            "The Cloud Logging API is not enabled in project 1",
        ),
        (
            "RESOURCE_EXHAUSTED",
            QUOTA_IN_WORDS,
            "",
            "The project's quota is too small for this job: Custom model training Nvidia L4 GPUs",
        ),
        (
            "RESOURCE_EXHAUSTED",
            "The following quotas are exceeded: CustomModelTrainingT4GPUsPerProjectPerRegion",
            "",
            "The project's quota is too small for this job: CustomModelTrainingT4GPUsPerProjectPerRegion",
        ),
        ("INVALID_ARGUMENT", "Request contains an invalid argument.", "", ""),
        (
            "INVALID_ARGUMENT",
            'Accelerator "NVIDIA_L4" is not supported for machine type "n2-standard-4".',
            "",
            "",
        ),
        ("UNAVAILABLE", "502:Bad Gateway", "", ""),
    ],
)
def test_words_that_were_seen_or_may_come(code: str, text: str, reason: str, title: str) -> None:
    """Each refusal gets its own advice or none: a wrong one sends people the wrong way."""
    explained = explain_call(Told(code, text, reason=reason))
    assert explained is not None
    assert explained.title.startswith(title)
    assert bool(explained.title) == bool(title)


@pytest.mark.parametrize(
    ("code", "text", "said", "kind", "title"),
    [
        (3, f"{EXITED} 128. Termination reason: StartError.", "", "JobFailedError", "exited with status 128"),
        (3, f"{EXITED} -9.", "", "JobFailedError", "exited with status -9"),
        (3, f"{EXITED} 1.", "MemoryError", "OutOfMemoryError", "wanted more memory"),
        (
            3,
            f"{EXITED} 1.",
            "tf.ResourceExhausted: OOM when allocating tensor on /device:GPU:0 by allocator GPU_0_bfc",
            "OutOfMemoryError",
            "ran out of accelerator memory",
        ),
        (
            3,
            f"{EXITED} 1.",
            "tf.ResourceExhausted: OOM when allocating tensor on /device:CPU:0 by allocator cpu",
            "OutOfMemoryError",
            "wanted more memory",
        ),
        (
            3,
            f"{EXITED} 137.",
            "RuntimeError: CUDA out of memory.",
            "JobFailedError",
            "exited with status 137",
        ),
        (
            3,
            f"{EXITED} 1.",
            "ModuleNotFoundError: No module named 'x'",
            "JobFailedError",
            "exited with status 1",
        ),
        (13, "Internal error occurred. Operation timed out.", "", "VertexInternalError", "Vertex AI itself"),
        (
            3,
            'Failed to pull image "x": rpc error: code = NotFound',
            "",
            "JobImageError",
            "The container image was",
        ),
        (
            3,
            'Failed to pull image "x": failed to authorize: 403',
            "",
            "JobImageError",
            "Vertex AI may not read",
        ),
        (5, "Image x is not found or access is unauthorized.", "", "JobImageError", "Vertex AI may not read"),
        (3, "Unable to pull image: x", "", "", ""),
        (3, "Container image pull timed out.", "", "", ""),
        (None, "Words that nobody has seen.", "", "", ""),
    ],
)
def test_words_of_jobs_that_were_seen_or_may_come(
    code: int | None, text: str, said: str, kind: str, title: str
) -> None:
    """As above, of jobs: what the program said counts where it can be the reason."""
    explained = explain_job(code, text, said)
    assert bool(explained) == bool(kind)
    if explained is not None:
        assert explained.kind.__name__ == kind
        assert explained.title.removeprefix("workerpool0-0 ").startswith(title)


def test_a_killed_program_does_not_know_why() -> None:
    """An exception that it got over is not told as the reason; who aborts itself has often said why."""
    error = JobSnapshot("job", state="JOB_STATE_FAILED", error_code=3, error_message=f"{EXITED} 137.")
    assert "ImportError" not in str(states.ended_badly(error, Said("ImportError: no x")))
    error = JobSnapshot("job", state="JOB_STATE_FAILED", error_code=8, error_message="STOCKOUT")
    assert "ImportError" not in str(states.ended_badly(error, Said("ImportError: no x")))
    error = JobSnapshot("job", state="JOB_STATE_FAILED", error_code=3, error_message=f"{EXITED} 134.")
    assert "RuntimeError: NCCL" in str(states.ended_badly(error, Said("RuntimeError: NCCL")))


CONFUSING = """The replica workerpool0-0 exited with a non-zero status of 1. Termination reason: Error.
Traceback (most recent call last):
  File "/trainer/task.py", line 3, in <module>
    main()
data.PreemptedError: the image was not found, it timed out, it was preempted
During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/trainer/task.py", line 9, in <module>
    main()
ValueError: MY TRAINING BLEW UP

To find out more about why your job exited please check the logs: https://logs?x=1
"""


def test_a_program_may_say_what_it_likes() -> None:
    """The words of a traceback don't make another failure of it; its exception is in the first line."""
    job = JobSnapshot("job", state="JOB_STATE_FAILED", error_code=3, error_message=CONFUSING)
    ended = states.ended_badly(job)
    assert type(ended) is JobFailedError
    first, *lines = str(ended).splitlines()
    assert first == "workerpool0-0 exited with status 1: ValueError: MY TRAINING BLEW UP"
    assert "Logs: https://logs?x=1" in lines
    assert lines[-1] == "Job: job (JOB_STATE_FAILED, error code 3)"


def test_memory_of_an_accelerator_is_known_by_the_exception() -> None:
    """Vertex AI says no more than status 1; the exception, which the log tells, says which memory it was."""
    text = "The replica workerpool1-2 exited with a non-zero status of 1."
    job = JobSnapshot("job", state="JOB_STATE_FAILED", error_code=3, error_message=text)
    ended = states.ended_badly(job, Said("torch.OutOfMemoryError: CUDA out of memory."))
    assert type(ended) is OutOfMemoryError
    assert str(ended).startswith("workerpool1-2 ran out of accelerator memory: torch.OutOfMemoryError: CUDA")


def test_an_exception_that_the_log_told_wins() -> None:
    """Who has read the failing replica's log knows better than Vertex AI's message."""
    job = JobSnapshot("job", state="JOB_STATE_FAILED", error_code=3, error_message=CONFUSING)
    ended = states.ended_badly(job, Said("KeyError: 'loss'"))
    assert str(ended).startswith("workerpool0-0 exited with status 1: KeyError: 'loss'\n")


@pytest.mark.parametrize(
    ("traceback", "exception"),
    [
        ("ValueError: no data", "ValueError: no data"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
        (
            "torch.cuda.OutOfMemoryError: CUDA",
            "torch.cuda.OutOfMemoryError: CUDA",
        ),
        ("  [...]\n  File 'x', line 1\nRuntimeError: a\n  b", "RuntimeError: a"),
        ("", ""),
    ],
)
def test_the_exception_of_a_traceback(traceback: str, exception: str) -> None:
    """The last line that begins with an exception's name is it."""
    assert exception_in(f"Traceback (most recent call last):\n{traceback}\n") == exception
    assert exception_in(traceback) == ""


def an_error(kind: type[VertexTrainingError]) -> VertexTrainingError:
    """Return an error of a class, made as the package makes it."""
    if issubclass(kind, JobEndedError):
        return kind(
            name="job", state="JOB_STATE_FAILED", code=3, message="no", advice="Do.", exception="E: x"
        )
    if issubclass(kind, InvalidJobError):
        return kind("region", "no")
    if kind is exceptions.UnclearSubmitError:
        return kind("no", 2)
    if kind is exceptions.TryGivenUpError:
        return kind(2, "job")
    return kind("no")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling(kind: type[VertexTrainingError]) -> None:
    """An error that crosses a process border has its class, its words and its data."""
    error = an_error(kind)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy), vars(copy)) == (kind, str(error), vars(error))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_tree_is_drawn(kind: type[VertexTrainingError]) -> None:
    """The module's docstring has every class, and none that is not there."""
    drawn = set(re.findall(r"\w+Error\b", str(exceptions.__doc__).partition("Each class")[0]))
    assert kind.__name__ in drawn
    assert drawn - {each.__name__ for each in KINDS} == {"ValueError"}


def test_a_missing_setting_reads_as_a_sentence() -> None:
    """What is not set is told with how to set it."""
    error = MissingSettingError("region", "pass region='us-central1'")
    assert str(error) == "region is not set: pass region='us-central1'"
    assert (error.field, error.problem) == ("region", "is not set: pass region='us-central1'")


def test_each_section_of_the_page_has_a_heading_of_its_own() -> None:
    """A reader finds an error by its heading, which has all statuses that it stands for."""
    headings = re.findall("^### (.*)$", page(), re.MULTILINE)
    assert sorted({*headings}) == sorted(headings)
    assert "A replica exited with status 6 or 134" in headings
    assert headings.index("A replica exited with another status") > headings.index(
        "A replica exited with status 2"
    )


def test_the_page_is_up_to_date() -> None:
    """docs/errors.md is what `python -m tests.vertex.catalogue` writes."""
    assert PAGE.read_text(encoding="utf-8") == page()
