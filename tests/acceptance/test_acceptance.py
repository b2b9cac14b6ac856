from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_vertex_training.emulator.control.process import launch
from tests.acceptance.questions import QUESTIONS, QUOTA
from tests.acceptance.story import Story
from tests.acceptance.target import EMULATOR_ARGUMENTS, emulator_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.questions import Question


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """The jobs that the questions are about, in an emulator of their own."""
    with launch(*EMULATOR_ARGUMENTS) as emulator:
        target = emulator_target(emulator.address)
        try:
            yield Story(target)
        finally:
            assert target.clean_up() == []


@pytest.mark.parametrize("question", [*QUESTIONS, QUOTA], ids=lambda question: question.text)
def test_emulator_answers_as_the_suite_says(question: Question, story: Story):
    """What a real project's answers are compared with is what the emulator answers now."""
    assert question.answer(story).value == question.expected
