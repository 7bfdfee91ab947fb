"""When a turn is over, who takes the floor from whom, and when the user is missed."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given, strategies as st

from voicesession.core.floor import rules as rules_module
from voicesession.core.floor.config import (
    EndpointingConfig,
    EndpointingMode,
    FloorConfig,
)
from voicesession.core.floor.conversation import Conversation
from voicesession.core.floor.effects import (
    BeginReply,
    CancelReply,
    FlushRecogniser,
    HoldSpeech,
    ReplyEnded,
    StartSpeech,
    TurnCommitted,
    TurnReopened,
    TurnTooLong,
)
from voicesession.core.floor.rules import (
    AGENT_DEADLINES,
    AGENT_RULES,
    USER_DEADLINES,
    USER_RULES,
)
from voicesession.core.states import TurnState
from voicesession.testing.strategies_floor import floor_configs

# --- the end of a turn ------------------------------------------------------------------------


def test_speech_that_ends_has_the_recogniser_flushed(begin: Any) -> None:
    talk = begin()
    talk.loud(1)
    talk.quiet(0.55)
    assert talk.names == ["SpeechEnded", "FlushRecogniser"]


def test_a_turn_waits_for_the_flush_however_long_the_pause(begin: Any) -> None:
    talk = begin()
    talk.loud(1)
    talk.quiet(0.55)
    talk.hears("Hello", seconds_ago=0.55)
    talk.quiet(2)
    assert not talk.all(TurnCommitted)
    talk.answers_flush()
    assert talk.last(TurnCommitted).text == "Hello"


def test_a_turn_waits_for_the_delay_however_early_the_flush(begin: Any) -> None:
    talk = begin(endpointing=EndpointingConfig(min_delay_us=1_000_000))
    talk.says("Hello")
    assert not talk.all(TurnCommitted)
    ended_us = talk.at_us - 550_000
    assert talk.conversation.next_timer_us == ended_us + 1_000_000
    talk.quiet(0.45)
    assert talk.last(TurnCommitted).text == "Hello"


def test_a_detector_that_expects_more_lengthens_the_pause_and_may_change_its_mind(
    begin: Any,
) -> None:
    talk = begin()
    talk.loud(1)
    talk.quiet(0.55)
    talk.tell("turn_probability", 0.1)
    talk.hears("I would like", seconds_ago=0.55)
    talk.answers_flush()
    talk.quiet(1)
    assert not talk.all(TurnCommitted)
    talk.tell("turn_probability", 0.8)
    assert talk.last(TurnCommitted).text == "I would like"


def test_a_detector_that_expects_more_is_believed_only_up_to_the_longest_delay(begin: Any) -> None:
    talk = begin()
    talk.loud(1)
    talk.tell("turn_probability", 0.1)
    talk.quiet(0.55)
    talk.hears("I would like", seconds_ago=0.55)
    talk.answers_flush()
    talk.quiet(2.4)
    assert not talk.all(TurnCommitted)
    talk.quiet(0.05)
    assert talk.all(TurnCommitted)


def test_speech_without_words_makes_no_turn(begin: Any) -> None:
    talk = begin()
    talk.loud(1)
    talk.quiet(0.55)
    talk.answers_flush()
    talk.quiet(5)
    assert not talk.all(TurnCommitted)
    assert talk.state() is TurnState.LISTENING


def test_a_user_who_goes_on_within_the_delay_keeps_the_turn(begin: Any) -> None:
    talk = begin(endpointing=EndpointingConfig(min_delay_us=1_000_000))
    talk.says("I would like")
    talk.quiet(0.2)
    talk.says("a flight to Paris")
    talk.quiet(1)
    assert talk.last(TurnCommitted).text == "I would like a flight to Paris"


def test_without_a_voice_detector_the_words_tell_when_speech_ended(begin: Any) -> None:
    talk = begin()
    talk.at_us = 2_000_000
    talk.hears("Hello")
    assert talk.conversation.next_timer_us == 2_500_000
    talk.at_us = 2_500_000
    talk.tell("tick")
    assert talk.last(TurnCommitted).text == "Hello"


def test_words_that_stay_interim_are_asked_for_when_the_turn_is_over(begin: Any) -> None:
    talk = begin()
    talk.at_us = 2_000_000
    talk.seems("Hello")
    talk.at_us = 3_000_000
    talk.tell("tick")
    assert talk.names == ["FlushRecogniser"]
    talk.hears("Hello!", seconds_ago=1)
    talk.answers_flush()
    assert talk.last(TurnCommitted).text == "Hello!"


def test_interim_words_that_are_withdrawn_make_no_turn(begin: Any) -> None:
    talk = begin()
    talk.seems("Hello")
    talk.tell("interim", "", 0, 0)
    talk.at_us = 5_000_000
    talk.tell("tick")
    assert talk.effects[-1] == talk.effects[1]
    assert not talk.all(FlushRecogniser)


def test_a_recogniser_that_does_not_answer_holds_the_turn_up_only_so_long(begin: Any) -> None:
    talk = begin(flush_timeout_us=2_000_000)
    talk.loud(1)
    talk.quiet(0.55)
    talk.hears("Hello", seconds_ago=0.55)
    talk.quiet(1.9)
    assert not talk.all(TurnCommitted)
    talk.quiet(0.2)
    assert talk.last(TurnCommitted).text == "Hello"
    assert talk.tell("flushed") == ()


def test_dynamic_endpointing_learns_the_pauses_of_the_user(begin: Any) -> None:
    mode = EndpointingConfig(mode=EndpointingMode.DYNAMIC, pause_weight=0.5)
    talk = begin(endpointing=mode)
    talk.says("I would like")
    talk.quiet(0.95)
    talk.says("a flight")
    # The pause of 1.5 s was too long for the delay of 0.5 s: now it is their mean.
    assert len(talk.all(TurnCommitted)) == 1
    talk.quiet(0.44)
    assert len(talk.all(TurnCommitted)) == 1
    talk.quiet(0.01)
    assert talk.last(TurnCommitted).text == "I would like a flight"


def test_dynamic_endpointing_learns_from_a_pause_that_a_detector_expected(begin: Any) -> None:
    mode = EndpointingConfig(mode=EndpointingMode.DYNAMIC, pause_weight=0.5)
    talk = begin(endpointing=mode)
    talk.loud(1)
    talk.tell("turn_probability", 0.1)
    talk.quiet(0.55)
    talk.hears("I would like", seconds_ago=0.55)
    talk.answers_flush()
    talk.quiet(0.95)
    talk.says("a flight")
    talk.quiet(0.44)
    assert not talk.all(TurnCommitted)
    talk.quiet(0.01)
    assert talk.last(TurnCommitted).text == "I would like a flight"


def test_dynamic_endpointing_learns_from_a_word_that_opens_the_turn_again(begin: Any) -> None:
    mode = EndpointingConfig(mode=EndpointingMode.DYNAMIC, pause_weight=0.5)
    talk = begin(endpointing=mode)
    talk.says("I would like")
    talk.quiet(0.95)
    talk.loud(0.2)
    talk.seems("a flight")
    assert talk.names == ["PartialHeard", "CancelReply", "TurnReopened", "FloorChanged"]
    talk.quiet(0.55)
    talk.hears("a flight", seconds_ago=0.55)
    talk.answers_flush()
    talk.quiet(0.44)
    assert len(talk.all(TurnCommitted)) == 1
    talk.quiet(0.01)
    assert talk.last(TurnCommitted).text == "I would like a flight"


def test_dynamic_endpointing_learns_nothing_from_the_silence_between_two_turns(
    begin: Any,
) -> None:
    talk = begin(endpointing=EndpointingConfig(mode=EndpointingMode.DYNAMIC))
    talk.says("Good morning")
    talk.plays(talk.agent_says("Good morning, Ada.", seconds=2), 2)
    talk.quiet(3)
    talk.says("What time is it?")
    assert talk.last(TurnCommitted).text == "What time is it?"


def test_words_that_come_late_do_not_shorten_the_pause_after_later_ones(begin: Any) -> None:
    talk = begin()
    talk.at_us = 2_000_000
    talk.tell("typed", "Book it")
    talk.at_us = 2_100_000
    talk.hears("please", seconds_ago=1)
    assert talk.all(TurnReopened)
    assert talk.conversation.next_timer_us == 2_500_000
    talk.at_us = 2_500_000
    talk.tell("tick")
    assert talk.last(TurnCommitted).text == "Book it please"


def test_words_that_come_after_the_pause_open_the_turn_and_end_it_at_once(begin: Any) -> None:
    talk = begin()
    talk.at_us = 2_000_000
    talk.tell("typed", "Book it")
    talk.at_us = 2_600_000
    talk.hears("please", seconds_ago=0.55)
    assert [name for name in talk.names if name.startswith("Turn")] == [
        "TurnReopened",
        "TurnCommitted",
    ]


def test_sounds_of_listening_do_not_open_the_turn_again(begin: Any) -> None:
    talk = begin()
    talk.says("What time is it?")
    talk.loud(0.2)
    talk.seems("Uh-huh")
    assert talk.names == ["PartialHeard"]


# --- the longest turn -------------------------------------------------------------------------


def test_a_turn_that_is_too_long_is_answered_while_the_user_speaks(begin: Any) -> None:
    talk = begin(max_turn_us=5_000_000)
    talk.loud(1)
    talk.hears("To begin with")
    talk.loud(3.99)
    assert not talk.all(TurnTooLong)
    talk.loud(0.01)
    assert talk.names == ["TurnTooLong", "FlushRecogniser"]
    assert not talk.all(TurnCommitted)
    talk.answers_flush()
    assert talk.last(TurnCommitted).text == "To begin with"


def test_a_long_turn_whose_words_never_come_does_not_hurry_the_next(begin: Any) -> None:
    talk = begin(max_turn_us=2_000_000)
    talk.loud(1)
    talk.seems("To")
    talk.loud(1)
    assert talk.all(TurnTooLong)
    talk.answers_flush()
    talk.hears("To begin with")
    assert not talk.all(TurnCommitted)


def test_a_user_who_does_not_stop_cannot_stop_the_answer_either(begin: Any) -> None:
    talk = begin(max_turn_us=5_000_000)
    talk.loud(1)
    talk.hears("To begin with")
    talk.loud(4)
    talk.answers_flush()
    reply = talk.agent_says("Let me stop you there.", seconds=2)
    assert talk.last(StartSpeech).reply_id == reply
    talk.loud(0.6)
    talk.seems("and then there was a")
    talk.plays(reply, 2)
    assert not talk.last(ReplyEnded).interrupted
    assert not talk.all(HoldSpeech)


def test_interim_words_that_come_to_nothing_do_not_make_a_turn_too_long_twice(begin: Any) -> None:
    talk = begin(max_turn_us=2_000_000)
    talk.loud(1)
    talk.seems("er")
    talk.loud(2)
    talk.answers_flush()
    talk.loud(4)
    assert len(talk.all(TurnTooLong)) == 1
    assert not talk.all(TurnCommitted)


# --- going on before the answer ---------------------------------------------------------------


def test_a_user_who_goes_on_before_the_answer_is_heard_adds_to_the_turn(begin: Any) -> None:
    talk = begin()
    talk.says("Book a flight")
    talk.loud(0.3)
    talk.seems("to Paris")
    assert talk.names == ["PartialHeard", "CancelReply", "TurnReopened", "FloorChanged"]
    talk.quiet(0.55)
    talk.hears("to Paris", seconds_ago=0.55)
    talk.answers_flush()
    assert talk.last(TurnCommitted).text == "Book a flight to Paris"
    assert talk.last(TurnCommitted).start_us == talk.all(TurnCommitted)[0].start_us


def test_a_long_voice_goes_on_even_before_its_words_are_known(begin: Any) -> None:
    talk = begin()
    talk.says("Book a flight")
    talk.loud(0.49)
    assert not talk.all(CancelReply)
    talk.loud(0.01)
    assert talk.names == ["CancelReply", "TurnReopened", "FloorChanged"]
    assert talk.state() is TurnState.LISTENING


def test_an_answer_that_was_started_but_not_heard_is_taken_back_too(begin: Any) -> None:
    talk = begin()
    talk.says("Book a flight")
    talk.agent_says("Where to?")
    assert talk.state() is TurnState.SPEAKING
    talk.hears("to Paris")
    assert talk.names == [
        "UtteranceHeard",
        "StopSpeech",
        "CancelReply",
        "TurnReopened",
        "FloorChanged",
    ]


def test_a_short_noise_before_the_answer_only_delays_it(begin: Any) -> None:
    talk = begin()
    talk.says("Book a flight")
    talk.loud(0.2)
    talk.agent_says("Where to?")
    assert not talk.all(StartSpeech)
    talk.quiet(0.55)
    talk.answers_flush()
    assert talk.names == ["StartSpeech", "FloorChanged"]
    assert not talk.all(CancelReply)


def test_a_short_noise_after_the_start_of_the_answer_holds_it_until_it_is_known(begin: Any) -> None:
    talk = begin()
    talk.says("Book a flight")
    talk.agent_says("Where to?")
    talk.loud(0.06)
    assert talk.names == ["SpeechStarted", "HoldSpeech", "FloorChanged"]
    assert talk.state() is TurnState.PROCESSING
    talk.quiet(0.55)
    talk.answers_flush()
    assert talk.names == ["ReleaseSpeech", "FloorChanged"]
    assert talk.state() is TurnState.SPEAKING


def test_sounds_of_listening_do_not_take_an_answer_back(begin: Any) -> None:
    talk = begin()
    talk.says("Book a flight")
    talk.hears("mhm")
    assert talk.names == ["UtteranceHeard"]
    assert not talk.all(TurnReopened)


def test_a_filler_gives_way_together_with_the_answer(begin: Any) -> None:
    talk = begin()
    talk.says("Find me a flight")
    talk.tell("say", "One moment.", True)
    talk.tell("speech_made", 2, 11, 2_000_000)
    talk.plays(2, 0.5)
    talk.loud(0.6)
    talk.seems("no wait a moment")
    assert talk.last(ReplyEnded).interrupted
    assert talk.last(CancelReply).reply_id == 1
    assert talk.state() is TurnState.LISTENING


# --- the rules themselves ---------------------------------------------------------------------


@pytest.mark.parametrize("table", [AGENT_RULES, USER_RULES, AGENT_DEADLINES, USER_DEADLINES])
def test_no_rule_and_no_deadline_is_listed_twice(table: tuple[object, ...]) -> None:
    assert len(set(table)) == len(table)


def test_every_rule_is_listed() -> None:
    rules = {
        function
        for name, function in inspect.getmembers(rules_module, inspect.isfunction)
        if function.__module__ == rules_module.__name__
        and function.__annotations__["return"] == "bool"
        and not name.startswith("_")
    }
    assert rules == {*AGENT_RULES, *USER_RULES}


@given(config=floor_configs(), gaps=st.lists(st.integers(1, 20_000_000), max_size=8))
def test_ticks_in_between_change_nothing(config: FloorConfig, gaps: list[int]) -> None:
    """Whether the host calls every timer or none until the next fact: the effects are the same."""

    def lead(*, punctual: bool) -> list[object]:
        conversation, at_us = Conversation(config), 0
        effects: list[object] = [*conversation.start(0)]
        for number, gap_us in enumerate(gaps):
            at_us += gap_us
            while punctual and (conversation.next_timer_us or at_us) < at_us:
                effects += conversation.tick(conversation.next_timer_us or at_us)
            words = (at_us, f"word {number}", at_us - 1, at_us)
            if number % 3 == 0:
                effects += conversation.interim(*words)
            elif number % 3 == 1:
                effects += conversation.final(*words)
            else:
                effects += conversation.flushed(at_us)
        return effects

    assert lead(punctual=True) == lead(punctual=False)


def test_a_reply_id_is_never_used_twice(begin: Any) -> None:
    talk = begin()
    for _ in range(3):
        talk.says("Hello")
        talk.tell("interrupt")
    assert [reply.reply_id for reply in talk.all(BeginReply)] == [1, 2, 3]
