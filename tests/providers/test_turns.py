from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from voicesession.ports.speech import TurnSoFar
from voicesession.providers.turns import SilenceTurnDetector, WordsTurnDetector, judge
from voicesession.testing.contracts.speech import TurnDetectorContract


class TestSilenceTurnDetector(TurnDetectorContract):
    @pytest.fixture
    def detector(self) -> SilenceTurnDetector:
        return SilenceTurnDetector()


class TestWordsTurnDetector(TurnDetectorContract):
    @pytest.fixture
    def detector(self) -> WordsTurnDetector:
        return WordsTurnDetector()


GOES_ON = """
I would like to          | the last word wants another behind it
Two coffees and          | the last word wants another behind it
Give me the.             | the last word wants another behind it
I need, um               | the last word fills a pause for thought
Well...                  | it trails off
My name is Ada —         | it trails off
On Monday,               | a clause ends, no sentence
"""
IS_OVER = """
Yes.                     | that is a whole answer
No, thank you            | that is a whole answer
Yes I can                | nothing speaks against it
What time is it?         | a question or a call ends
He said "stop!"          | a question or a call ends
I want two coffees.      | a sentence ends
two coffees              | it is hardly a sentence yet
I want two coffees       | nothing speaks against it
"""


def cases(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in row.split("|")] for row in table.strip().splitlines()]


@pytest.mark.parametrize(("text", "reason"), cases(GOES_ON))
def test_a_turn_that_wants_more_is_waited_for_and_the_reason_said(text: str, reason: str) -> None:
    judgement = judge(TurnSoFar(text=text, language="en-GB"))
    assert judgement.reason == reason
    assert judgement.probability < 0.5


@pytest.mark.parametrize(("text", "reason"), cases(IS_OVER))
def test_a_turn_that_looks_whole_is_answered_soon_and_the_reason_said(
    text: str, reason: str
) -> None:
    judgement = judge(TurnSoFar(text=text, language="en"))
    assert judgement.reason == reason
    assert judgement.probability >= 0.5


def test_punctuation_of_interim_words_means_nothing() -> None:
    assert judge(TurnSoFar(text="On Monday,", is_final=False)).probability >= 0.5
    assert judge(TurnSoFar(text="I would like to.", is_final=False)).probability < 0.5


def test_digits_may_go_on_only_where_a_number_was_asked_for() -> None:
    said = "zero seven nine 4"
    asked = judge(TurnSoFar(text=said, asked="What is your phone number?"))
    assert (asked.probability, asked.reason) == (0.35, "a number was asked for, and may go on")
    assert judge(TurnSoFar(text=said, asked="How many?")).probability >= 0.5


@pytest.mark.parametrize(
    ("text", "is_over"), [("Ich möchte zu", True), ("Ich möchte,", False), ("はい。", True)]
)
def test_other_languages_are_judged_by_their_punctuation_alone(text: str, is_over: bool) -> None:
    language = "ja" if text.startswith("は") else "de"
    assert (judge(TurnSoFar(text=text, language=language)).probability >= 0.5) is is_over


@given(
    st.text(max_size=60), st.sampled_from(["en", "auto", "fr"]), st.booleans(), st.text(max_size=20)
)
def test_any_text_is_judged_by_some_rule(
    text: str, language: str, is_final: bool, asked: str
) -> None:
    judgement = judge(TurnSoFar(text=text, language=language, is_final=is_final, asked=asked))
    assert 0 <= judgement.probability <= 1
    assert judgement.reason
