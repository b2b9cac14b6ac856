"""What is read of many jobs' logs, and when, against a model of Cloud Logging."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_vertex_training.vertex.logs.followed import Limits
from tests.vertex.logs.cloud import Cloud

if TYPE_CHECKING:
    from collections.abc import Sequence

JOBS = ("4711", "4712", "4713")
REPLICAS = ("workerpool0-0", "workerpool1-0")
# Few times, so that many entries share theirs.
MOMENTS = st.integers(0, 400).map(lambda half: half / 2)
LINES = st.lists(
    st.tuples(
        st.sampled_from(JOBS),
        st.sampled_from(REPLICAS),
        MOMENTS,
        st.sampled_from([0.0, 0.0, 0.0, 1.5, 8.0, 30.0, 45.0]),
    ),
    max_size=120,
)


def bare(texts: Sequence[str]) -> list[str]:
    """Return lines without what stands before them: a late one's time, the replica's name."""
    return [text.split(" ")[-1] for text in texts]


def write_all(cloud: Cloud, lines: Sequence[tuple[str, str, float, float]]) -> dict[str, list[str]]:
    """Write lines, each with a text of its own, and return what is to be told of each job."""
    wanted: dict[str, list[str]] = {job_id: [] for job_id in JOBS}
    for number, (job_id, replica, at, late) in enumerate(lines):
        cloud.write(job_id, f"line-{number}", at, late=late, replica=replica)
        wanted[job_id].append(f"line-{number}")
    return wanted


def end_all(cloud: Cloud) -> None:
    """Let all jobs end, and read on."""
    for job in cloud.jobs.values():
        cloud.cursor.end(job, cloud.now)
    cloud.run(cloud.now + 130)


@given(lines=LINES, page_size=st.integers(10, 60), joins=st.lists(MOMENTS, min_size=3, max_size=3))
@settings(max_examples=150)
def test_each_line_is_told_once(
    lines: list[tuple[str, str, float, float]], page_size: int, joins: list[float]
) -> None:
    """However late, in whatever order and pages, with whatever times in common: once, and none is lost."""
    cloud = Cloud(page_size=page_size, reads_per_minute=60)
    wanted = write_all(cloud, lines)
    for joined, job_id in sorted(zip(joins, JOBS, strict=True)):
        cloud.run(joined)
        cloud.follow(job_id)
    cloud.run(260)
    end_all(cloud)
    assert cloud.finished == set(JOBS)
    for job_id in JOBS:
        assert sorted(bare(cloud.texts(job_id))) == sorted(wanted[job_id])


@given(lines=LINES, page_size=st.integers(10, 60), breaks=st.lists(MOMENTS, min_size=1, max_size=3))
@settings(max_examples=150)
def test_the_next_reader_tells_what_the_last_one_did_not(
    lines: list[tuple[str, str, float, float]], page_size: int, breaks: list[float]
) -> None:
    """A reader that begins at the position of another one, long or short after it, tells the rest, once."""
    cloud = Cloud(page_size=page_size, reads_per_minute=60)
    wanted = write_all(cloud, lines)
    for job_id in JOBS:
        cloud.follow(job_id)
    for moment in sorted(breaks):
        cloud.run(moment)
        positions = {job_id: json.dumps(job.position()) for job_id, job in cloud.jobs.items()}
        cloud.now += random.Random(moment).random() * 40
        cloud.restart()
        for job_id in JOBS:
            cloud.follow(job_id, position=json.loads(positions[job_id]))
    cloud.run(260)
    end_all(cloud)
    for job_id in JOBS:
        assert sorted(bare(cloud.texts(job_id))) == sorted(wanted[job_id])


@given(lines=LINES, page_size=st.integers(10, 60))
@settings(max_examples=60)
def test_lines_of_a_replica_are_in_order(lines: list[tuple[str, str, float, float]], page_size: int) -> None:
    """What is told of a replica is in the order of its times, but for lines that are marked as late."""
    cloud = Cloud(page_size=page_size, reads_per_minute=60)
    write_all(cloud, lines)
    times = {f"line-{number}": (job_id, replica, at) for number, (job_id, replica, at, _) in enumerate(lines)}
    for job_id in JOBS:
        cloud.follow(job_id)
    cloud.run(260)
    end_all(cloud)
    told = [text for job_id in JOBS for text in cloud.texts(job_id)]
    for job_id in JOBS:
        for replica in REPLICAS:
            prompt = [times[text.split(" ")[-1]] for text in told if "(late)" not in text]
            own = [at for job, name, at in prompt if (job, name) == (job_id, replica)]
            assert own == sorted(own)


def quiet_jobs(cloud: Cloud, numbers: range) -> dict[str, tuple[str, float, float]]:
    """Let jobs print a line every two seconds for three minutes, one line in a hundred late."""
    dice = random.Random(1)
    wanted = {}
    for number in numbers:
        job_id, shift = f"{number:019d}", dice.random() * 2
        for line in range(90):
            late = dice.random() * 45 if dice.random() < 0.01 else 0.0
            text = f"{number}-{line}"
            cloud.write(job_id, text, 1 + shift + 2 * line, late=late)
            wanted[text] = (job_id, 1 + shift + 2 * line, late)
    return wanted


@pytest.mark.parametrize("loud", [0, 3])
def test_quiet_jobs_lose_nothing_beside_loud_ones(loud: int) -> None:
    """Within 20 reads a minute 200 jobs lose no line and are never 15 s behind; loud ones say what they lose.

    The loud ones print 1,500 lines a second together, more than four times of what can be read.
    """
    cloud = Cloud()
    for number in range(200):
        cloud.follow(f"{number:019d}")
    wanted = quiet_jobs(cloud, range(loud, 200))
    for number in range(loud):
        for line in range(180 * 500):
            cloud.write(f"{number:019d}", f"{number}-{line}", 1 + line / 500)
    cloud.run(182)
    end_all(cloud)
    assert cloud.most_reads() <= 20
    assert len(cloud.finished) == 200
    told = [(bare([text])[0], at) for number in range(loud, 200) for at, text in cloud.told[f"{number:019d}"]]
    assert sorted(text for text, _ in told) == sorted(wanted)
    assert max(at - wanted[text][1] for text, at in told if not wanted[text][2]) < 15
    for number in range(loud):
        texts = cloud.texts(f"{number:019d}")
        assert any("left out here" in text and "console.cloud.google.com/logs" in text for text in texts)
        assert f"{number}-89999" in bare(texts)


def test_how_much_is_left_out_of_a_job_that_has_ended() -> None:
    """It is guessed from the time in which the job has printed, not from the time until its end was read."""
    cloud = Cloud()
    for line in range(5000):
        cloud.write("4711", f"line-{line}", 1 + line / 5000)
    cloud.now = 3.0
    cloud.follow("4711")
    cloud.run(5)
    end_all(cloud)
    (skipped,) = [text for text in cloud.texts("4711") if "left out here" in text]
    guess = int(skipped.partition("(some ")[2].partition(",")[0])
    assert abs(guess - (5000 - 1000 - 50)) < 500


@pytest.mark.parametrize(("lines", "least"), [(100, 0), (149, 0), (151, 1), (400, 250)])
def test_what_is_told_after_all_is_not_left_out(lines: int, least: int) -> None:
    """The last 50 lines of a job that printed too much close the gap, or are not counted into it."""
    cloud = Cloud()
    for line in range(lines):
        cloud.write("4711", f"line-{line}", 1 + line / 1000)
    cloud.now = 3.0
    cloud.follow("4711", limits=Limits(lines_per_minute=100))
    cloud.run(5)
    end_all(cloud)
    told = [text for text in cloud.texts("4711") if text.startswith("line-")]
    skipped = [int(text.split()[2]) for text in cloud.texts("4711") if "left out here" in text]
    assert len(told) == min(lines, 150)
    assert skipped == ([least] if least else [])


def test_each_line_of_a_page_names_its_replica() -> None:
    """Whose the first line of several replicas is, is said as well where the others are read with it."""
    cloud = Cloud()
    for number in range(3):
        cloud.write("4711", "here", 1 + number, replica=f"workerpool{number}-0")
    cloud.now = 5.0
    cloud.follow("4711")
    cloud.run(10)
    assert cloud.texts("4711") == [f"[workerpool{number}-0] here" for number in range(3)]


def test_lines_of_one_job_are_limited_in_all() -> None:
    """After as many lines as are shown of one job only its last ones follow, with a line that says so."""
    cloud = Cloud()
    for line in range(300):
        cloud.write("4711", f"line-{line}", line / 2)
    job = cloud.follow("4711", limits=Limits(lines_in_all=100))
    cloud.run(200)
    assert bare(cloud.texts("4711"))[:100] == [f"line-{line}" for line in range(100)]
    assert "no more of one job are shown" in cloud.texts("4711")[100]
    assert len(cloud.texts("4711")) == 101
    position = job.position()
    cloud.restart()
    cloud.follow("4711", limits=Limits(lines_in_all=100), position=position)
    end_all(cloud)
    assert bare(cloud.texts("4711"))[-50:] == [f"line-{line}" for line in range(250, 300)]
    assert len(cloud.texts("4711")) < 160


def test_memory_is_bounded() -> None:
    """What is remembered is what was printed in the last minutes, however long jobs run."""
    cloud = Cloud()
    job = cloud.follow("4711")
    sizes = []
    for minute in range(1, 21):
        for line in range(600):
            cloud.write("4711", f"line-{minute}-{line}", 60 * minute + line / 10)
        cloud.run(60 * minute + 60)
        sizes.append(len(job.seen))
    assert max(sizes) < 3 * 600
    assert len(json.dumps(job.position())) < 10_000


def test_many_jobs_take_turns_in_several_filters() -> None:
    """Filters of at most 20,000 characters hold some hundred jobs; more jobs are asked for in turn."""
    cloud = Cloud()
    for number in range(2000):
        cloud.follow(f"{number:019d}")
        cloud.write(f"{number:019d}", "here", 2.0)
    cloud.run(60)
    assert all(cloud.texts(f"{number:019d}") == ["here"] for number in range(2000))


def test_an_ended_jobs_log_is_read_on_as_long_as_lines_have_come_late() -> None:
    """Where lines have come 40 s late, one that comes 40 s after the end is told; else the end is quick."""
    cloud = Cloud()
    cloud.write("4711", "early", 10.0, late=40.0)
    cloud.write("4711", "last", 99.0, late=40.0)
    cloud.follow("4711")
    cloud.run(100)
    end_all(cloud)
    assert bare(cloud.texts("4711")) == ["early", "last"]

    prompt = Cloud()
    prompt.write("4712", "only", 10.0)
    job = prompt.follow("4712")
    prompt.run(100)
    prompt.cursor.end(job, prompt.now)
    prompt.run(112)
    assert prompt.finished == {"4712"}
