"""When a turn is over, who takes the floor from whom, and when the user is missed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from voicesession.core.floor.config import (
    EndpointingConfig,
    EndpointingMode,
    FloorConfig,
    InterruptionConfig,
    InterruptionNeeds,
)
from voicesession.core.floor.conversation import Conversation
from voicesession.core.floor.effects import (
    BeginReply,
    CancelReply,
    FlushRecogniser,
    HoldSpeech,
    ReleaseSpeech,
    ReplyEnded,
    StartSpeech,
    StopSpeech,
    TurnCommitted,
    TurnReopened,
    TurnTooLong,
    UserAway,
    UtteranceHeard,
)
from voicesession.core.floor.rules import DEADLINES, RULES
from voicesession.core.states import TurnState
from voicesession.testing.strategies_floor import floor_configs


def speaking(begin: Any, **settings: Any) -> Any:
    """A dialogue whose agent has spoken the first second of eight words in eight seconds."""
    talk = begin(**settings)
    talk.says("Tell me about it")
    reply = talk.agent_says("one two three four five six seven eight", seconds=8)
    talk.plays(reply, 1)
    return talk


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


# --- the longest turn -------------------------------------------------------------------------


def test_a_turn_that_is_too_long_is_answered_while_the_user_speaks(begin: Any) -> None:
    talk = begin(max_turn_us=5_000_000)
    talk.loud(1)
    talk.hears("To begin with")
    talk.loud(4)
    assert "TurnTooLong" in [type(effect).__name__ for effect in talk.effects]
    assert not talk.all(TurnCommitted)
    talk.answers_flush()
    assert talk.last(TurnCommitted).text == "To begin with"


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


# --- barge-in ---------------------------------------------------------------------------------


def test_enough_words_and_enough_speech_take_the_floor(begin: Any) -> None:
    talk = speaking(begin)
    talk.loud(0.6)
    talk.plays(1, 2.5)
    talk.seems("no wait please")
    assert talk.names == ["PartialHeard", "StopSpeech", "ReplyEnded", "FloorChanged"]
    ended = talk.last(ReplyEnded)
    assert ended.interrupted
    assert ended.spoken_text == "one two"
    assert ended.generated_text == "one two three four five six seven eight"
    assert talk.state() is TurnState.LISTENING


def test_the_words_of_the_interruption_are_the_next_turn(begin: Any) -> None:
    talk = speaking(begin)
    talk.says("no wait please")
    assert talk.last(ReplyEnded).interrupted
    assert talk.last(TurnCommitted).text == "no wait please"


def test_two_words_do_not_take_the_floor_and_are_a_turn_after_the_reply(begin: Any) -> None:
    talk = speaking(begin)
    talk.says("very good")
    assert not talk.all(StopSpeech)
    talk.quiet(4)
    talk.plays(1, 8)
    assert talk.names == ["ReplyEnded", "TurnCommitted", "BeginReply", "FloorChanged"]
    assert talk.last(TurnCommitted).text == "very good"


def test_words_in_too_short_a_speech_wait_for_it_to_last(begin: Any) -> None:
    talk = speaking(begin)
    talk.loud(0.3)
    talk.tell("interim", "no wait please", talk.at_us - 300_000, talk.at_us)
    assert not talk.all(StopSpeech)
    talk.loud(0.2)
    assert talk.all(StopSpeech)


def test_without_a_voice_detector_the_times_of_the_words_tell_how_long_speech_is(
    begin: Any,
) -> None:
    talk = speaking(begin)
    talk.at_us += 3_000_000
    talk.tell("interim", "no wait please", talk.at_us - 400_000, talk.at_us)
    assert not talk.all(StopSpeech)
    talk.tell("interim", "no wait please now", talk.at_us - 400_000, talk.at_us + 100_000)
    assert talk.all(StopSpeech)


@pytest.mark.parametrize("words", ["mhm yeah okay", "Uh-huh. Right, right!"])
def test_sounds_of_listening_never_interrupt_alone(begin: Any, words: str) -> None:
    talk = speaking(begin)
    talk.says(words)
    assert talk.last(UtteranceHeard).text == words
    assert not talk.all(StopSpeech)
    talk.quiet(3)
    talk.plays(1, 8)
    assert talk.state() is TurnState.LISTENING
    assert len(talk.all(TurnCommitted)) == 1


def test_sounds_of_listening_count_with_other_words(begin: Any) -> None:
    talk = speaking(begin)
    talk.loud(0.6)
    talk.seems("yeah but no")
    assert talk.all(StopSpeech)


def test_the_answer_yes_is_a_turn_once_the_agent_is_quiet(begin: Any) -> None:
    talk = speaking(begin)
    talk.plays(1, 8)
    talk.says("Yeah.")
    assert talk.last(TurnCommitted).text == "Yeah."


def test_by_duration_alone_a_voice_interrupts_without_a_word(begin: Any) -> None:
    talk = speaking(begin, interruption=InterruptionConfig(min_words=0))
    talk.loud(0.49)
    assert not talk.all(StopSpeech)
    talk.loud(0.01)
    assert talk.all(StopSpeech)


def test_by_words_alone_their_number_decides(begin: Any) -> None:
    talk = speaking(begin, interruption=InterruptionConfig(min_speech_us=0, min_words=2))
    talk.seems("no")
    assert not talk.all(StopSpeech)
    talk.seems("no wait")
    assert talk.all(StopSpeech)


@pytest.mark.parametrize("words", ["no wait please", ""])
def test_either_measure_is_enough_where_the_config_says_so(begin: Any, words: str) -> None:
    talk = speaking(begin, interruption=InterruptionConfig(needs=InterruptionNeeds.EITHER))
    if words:
        talk.tell("interim", words, talk.at_us, talk.at_us)
    else:
        talk.loud(0.5)
    assert talk.all(StopSpeech)


def test_uninterruptible_speech_goes_on_and_the_words_are_a_turn_after_it(begin: Any) -> None:
    talk = begin()
    talk.tell("say", "This call is recorded.", False)
    reply = talk.agent_says("This call is recorded.", seconds=4)
    talk.plays(reply, 1)
    talk.says("I do not want that")
    talk.tell("typed", "at all")
    assert talk.all(StopSpeech) == talk.all(HoldSpeech) == talk.all(TurnCommitted) == []
    talk.plays(reply, 4)
    assert not talk.last(ReplyEnded).interrupted
    assert talk.last(TurnCommitted).text == "I do not want that at all"


def test_an_interruption_drops_what_waits_but_not_what_is_uninterruptible(begin: Any) -> None:
    talk = speaking(begin)
    talk.tell("say", "By the way.", True)
    talk.tell("say", "This call is recorded.", False)
    talk.loud(0.6)
    talk.seems("no wait please")
    assert talk.last(CancelReply).reply_id == 2
    assert talk.last(StartSpeech).reply_id == 3


def test_speech_before_the_agent_began_does_not_count(begin: Any) -> None:
    talk = begin()
    talk.loud(2)
    talk.seems("I would like to book")
    talk.tell("say", "Careful!", True)
    talk.tell("speech_made", 1, 8, 1_000_000)
    talk.plays(1, 0.1)
    talk.loud(0.4)
    assert not talk.all(StopSpeech)


# --- false interruptions ----------------------------------------------------------------------


def test_a_voice_without_words_holds_the_agent_for_two_seconds(begin: Any) -> None:
    talk = speaking(begin)
    talk.loud(0.49)
    assert not talk.all(HoldSpeech)
    talk.loud(0.01)
    assert talk.names == ["HoldSpeech"]
    held_us = talk.at_us
    talk.quiet(0.55)
    talk.answers_flush()
    assert talk.conversation.next_timer_us == held_us + 2_000_000
    talk.quiet(1.45)
    assert talk.names == ["ReleaseSpeech"]
    assert talk.state() is TurnState.SPEAKING


def test_words_while_it_is_held_keep_the_agent_listening(begin: Any) -> None:
    talk = speaking(begin)
    talk.loud(2)
    talk.seems("hold on")
    talk.loud(1.9)
    assert not talk.all(ReleaseSpeech)
    talk.loud(0.2)
    assert talk.all(ReleaseSpeech)


def test_one_speech_holds_the_agent_only_once(begin: Any) -> None:
    talk = speaking(begin)
    talk.loud(5)
    assert len(talk.all(HoldSpeech)) == 1
    talk.quiet(1)
    talk.loud(1)
    assert len(talk.all(HoldSpeech)) == 2


def test_a_held_agent_who_is_interrupted_is_stopped(begin: Any) -> None:
    talk = speaking(begin)
    talk.loud(0.6)
    talk.seems("no wait please")
    assert [type(e) for e in talk.effects if isinstance(e, HoldSpeech | StopSpeech)] == [
        HoldSpeech,
        StopSpeech,
    ]
    assert not talk.all(ReleaseSpeech)


def test_an_agent_who_never_holds_speaks_through_noise(begin: Any) -> None:
    talk = speaking(begin, interruption=InterruptionConfig(hold_after_us=None))
    talk.loud(5)
    assert not talk.all(HoldSpeech)


# --- away -------------------------------------------------------------------------------------


def test_a_user_who_says_nothing_is_away_and_a_voice_brings_them_back(begin: Any) -> None:
    talk = begin()
    talk.quiet(15)
    assert talk.names == ["UserAway", "FloorChanged"]
    assert talk.last(UserAway).because == "silence"
    assert talk.state() is TurnState.AWAY
    talk.loud(0.06)
    assert talk.state() is TurnState.LISTENING


def test_noise_without_words_does_not_keep_the_user_here(begin: Any) -> None:
    talk = begin()
    for _ in range(8):
        talk.loud(1)
        talk.quiet(1)
        talk.answers_flush()
    assert talk.last(UserAway).because == "noise"
    assert talk.last(UserAway).at_us == 15_000_000


def test_a_noise_that_never_stops_does_not_keep_the_user_here_either(begin: Any) -> None:
    talk = begin()
    talk.loud(15)
    assert talk.last(UserAway).because == "noise"


def test_of_a_user_away_in_noise_only_words_are_a_sign(begin: Any) -> None:
    talk = begin()
    talk.loud(16)
    talk.quiet(1)
    talk.answers_flush()
    talk.loud(1)
    assert talk.state() is TurnState.AWAY
    talk.seems("I am back")
    assert talk.state() is TurnState.LISTENING


def test_what_the_host_says_to_a_user_away_is_heard_and_begins_the_wait_anew(begin: Any) -> None:
    talk = begin()
    talk.quiet(20)
    talk.tell("say", "Are you still there?", True)
    reply = talk.agent_says("Are you still there?", seconds=2)
    talk.quiet(2)
    talk.plays(reply, 2)
    assert talk.state() is TurnState.LISTENING
    assert talk.conversation.next_timer_us == talk.at_us + 15_000_000


def test_the_wait_begins_when_the_agent_has_finished(begin: Any) -> None:
    talk = speaking(begin)
    talk.quiet(20)
    assert not talk.all(UserAway)
    talk.plays(1, 8)
    talk.quiet(14.9)
    assert not talk.all(UserAway)
    talk.quiet(0.1)
    assert talk.all(UserAway)


def test_nobody_is_away_where_the_config_says_never(begin: Any) -> None:
    talk = begin(away_after_us=None)
    talk.quiet(100)
    assert talk.conversation.next_timer_us is None


# --- the rules themselves ---------------------------------------------------------------------


def test_every_rule_and_every_deadline_is_listed_once() -> None:
    assert len(set(RULES)) == len(RULES)
    assert len(set(DEADLINES)) == len(DEADLINES)


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
