from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.utterance import Speaker, Utterance, UtteranceId, Word, storable_utterance
from voicesession.testing.strategies import utterances

WORD = Word(text="Hello", start_us=0, end_us=400_000, confidence=0.95)
UTTERANCE = Utterance(
    id=UtteranceId("utt_1"),
    speaker=Speaker.USER,
    start_us=0,
    end_us=2_500_000,
    text="Hello world",
    confidence=0.93,
    words=(WORD,),
)
TIMES = st.integers(0, 10**12)
NO_TIMES = [-1, 1.0, "1", None, True, 2**63]
NO_CONFIDENCES = [-0.01, 1.01, float("nan"), float("inf"), "0.5", (0.5,)]


@given(TIMES, TIMES)
def test_words_and_utterances_end_where_they_begin_or_later(one: int, other: int) -> None:
    start_us, end_us = sorted((one, other))
    for whole in (WORD, UTTERANCE):
        kept = evolve(whole, start_us=start_us, end_us=end_us)
        assert (kept.start_us, kept.end_us) == (start_us, end_us)
        with pytest.raises(InvalidValue) as refusal:
            evolve(whole, start_us=end_us + 1, end_us=start_us)
        assert refusal.value.args == ("end_us", start_us, f"{end_us + 1} (start_us) or later")


@pytest.mark.parametrize("wrong", NO_TIMES)
@pytest.mark.parametrize("name", ["start_us", "end_us"])
@pytest.mark.parametrize("whole", [WORD, UTTERANCE])
def test_a_time_is_whole_microseconds_from_zero(
    whole: Word | Utterance, name: str, wrong: Any
) -> None:
    with pytest.raises(InvalidValue) as refusal:
        evolve(whole, **{name: wrong})
    assert (refusal.value.field, refusal.value.value) == (name, wrong)


@pytest.mark.parametrize("confidence", [None, 0.0, 0.5, 1.0, 0, 1])
def test_a_confidence_lies_between_0_and_1_or_is_not_known(confidence: float | None) -> None:
    assert evolve(WORD, confidence=confidence).confidence == confidence
    assert evolve(UTTERANCE, confidence=confidence).confidence == confidence


@pytest.mark.parametrize("wrong", NO_CONFIDENCES)
@pytest.mark.parametrize("whole", [WORD, UTTERANCE])
def test_another_confidence_is_refused(whole: Word | Utterance, wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="confidence") as refusal:
        evolve(whole, confidence=wrong)
    assert refusal.value.allowed == "a number from 0 to 1, or None"


def test_the_speaker_is_one_of_two() -> None:
    assert evolve(UTTERANCE, speaker="agent").speaker is Speaker.AGENT
    with pytest.raises(InvalidValue) as refusal:
        evolve(UTTERANCE, speaker="nobody")
    assert refusal.value.args == ("speaker", "nobody", "user, agent")


def test_what_was_said_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        WORD.text = "Hullo"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        UTTERANCE.text = "Hullo"  # type: ignore[misc]
    assert len({UTTERANCE, evolve(UTTERANCE)}) == 1


HELLO = Utterance(id=UtteranceId("utt_1"), speaker=Speaker.USER, start_us=0, end_us=9, text="Hello")
UNSTORABLE = pytest.mark.parametrize("text", ["a\0b", "\0", "lone \ud83d", "\udc00 lone"])


@given(utterances())
def test_an_utterance_of_storable_texts_comes_back_as_it_is(utterance: Utterance) -> None:
    assert storable_utterance(utterance) is utterance


@UNSTORABLE
@pytest.mark.parametrize("field", ["id", "text", "generated_text", "spoken_text", "words"])
def test_an_utterance_is_refused_for_any_of_its_texts(field: str, text: str) -> None:
    spoil: Any = (Word(text=text, start_us=0, end_us=0),) if field == "words" else text
    spoiled = evolve(HELLO, **{field: spoil})
    with pytest.raises(InvalidValue) as refused:
        storable_utterance(spoiled)
    assert refused.value.field == field
