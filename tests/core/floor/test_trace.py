"""Facts written down, and led again."""

from __future__ import annotations

import inspect
import json

import pytest
from hypothesis import given

from voicesession.core.errors import InvalidValue
from voicesession.core.floor.config import FloorConfig
from voicesession.core.floor.conversation import Conversation
from voicesession.core.floor.trace import (
    FACTS,
    Fact,
    TracedConversation,
    decode_fact,
    encode_fact,
    replay_trace,
)
from voicesession.core.heard import SpeechMark
from voicesession.core.utterance import Word
from voicesession.testing.strategies_floor import floor_configs, traces


@given(config=floor_configs(), facts=traces())
def test_a_recorded_conversation_replays_to_the_same_effects(
    config: FloorConfig, facts: list[Fact]
) -> None:
    lines: list[str] = []
    recorded = TracedConversation(config, lambda fact: lines.append(encode_fact(fact)))
    effects = tuple(effect for fact in facts for effect in fact.tell(recorded))
    assert [decode_fact(line) for line in lines] == facts
    assert replay_trace(config, facts) == effects


def test_the_encoding_is_what_is_documented() -> None:
    word = Word(text="hé", start_us=0, end_us=5, confidence=0.5)
    assert encode_fact(Fact("interim", (7, "hé", 0, 5, (word,)))) == (
        '{"v": 1, "fact": "interim", "at_us": 7, "text": "hé", "start_us": 0, "end_us": 5, '
        '"words": [{"text": "hé", "start_us": 0, "end_us": 5, "confidence": 0.5}]}'
    )
    assert encode_fact(Fact("speech_made", (7, 1, 5, 9, (SpeechMark(5, 8),)))) == (
        '{"v": 1, "fact": "speech_made", "at_us": 7, "reply_id": 1, "text_end": 5, '
        '"duration_us": 9, "marks": [{"text_end": 5, "at_us": 8}]}'
    )


def test_every_fact_of_a_conversation_is_listed_with_its_arguments() -> None:
    methods = {
        name: tuple(inspect.signature(method).parameters)[1:]
        for name, method in vars(Conversation).items()
        if inspect.isfunction(method) and not name.startswith("_")
    }
    assert dict(FACTS) == methods


def test_arguments_given_by_name_or_left_out_are_recorded_in_full() -> None:
    facts: list[Fact] = []
    talk = TracedConversation(FloorConfig(), facts.append)
    talk.start(0)
    talk.say(text="Hello", at_us=5)
    talk.final(9, "Hi", 1, 2)
    assert facts[1:] == [
        Fact("say", (5, "Hello", True)),
        Fact("final", (9, "Hi", 1, 2, None, ())),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "7",
        "[]",
        "{}",
        '{"v": 2, "fact": "start", "at_us": 0}',
        '{"v": 1, "fact": "dance", "at_us": 0}',
        '{"v": 1, "fact": "start"}',
        '{"v": 1, "fact": "start", "at_us": 0, "text": ""}',
        '{"v": 1, "fact": "interim", "at_us": 0, "text": "", "start_us": 0, "end_us": 0, "words": [{}]}',
        '{"v": 1, "fact": "interim", "at_us": 0, "text": "", "start_us": 0, "end_us": 0, "words": 1}',
    ],
)
def test_a_line_that_is_no_fact_is_refused(line: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        decode_fact(line)
    assert refused.value.field == "fact"


def test_a_line_is_one_line() -> None:
    assert "\n" not in encode_fact(Fact("typed", (0, "two\nlines")))
    assert json.loads(encode_fact(Fact("typed", (0, "two\nlines"))))["text"] == "two\nlines"
