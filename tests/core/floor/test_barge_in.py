"""When the user takes the floor from the speaking agent, and when that was a mistake."""

from __future__ import annotations

from typing import Any

import pytest

from voicesession.core.floor.config import InterruptionConfig, InterruptionNeeds
from voicesession.core.floor.effects import (
    CancelReply,
    HoldSpeech,
    ReleaseSpeech,
    ReplyEnded,
    StartSpeech,
    StopSpeech,
    TurnCommitted,
    UtteranceHeard,
)
from voicesession.core.states import TurnState


def speaking(begin: Any, **settings: Any) -> Any:
    """A dialogue whose agent has spoken the first second of eight words in eight seconds."""
    talk = begin(**settings)
    talk.says("Tell me about it")
    reply = talk.agent_says("one two three four five six seven eight", seconds=8)
    talk.plays(reply, 1)
    return talk


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
    talk.quiet(3)
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


def test_the_agent_may_hold_at_the_first_sound_where_the_config_says_so(begin: Any) -> None:
    talk = speaking(begin, interruption=InterruptionConfig(hold_after_us=0))
    talk.loud(0.05)
    assert talk.names == ["SpeechStarted", "HoldSpeech"]


def test_a_voice_from_before_the_agent_began_holds_it_only_as_long_after(begin: Any) -> None:
    talk = begin()
    talk.loud(2)
    talk.tell("say", "Careful!", True)
    talk.tell("speech_made", 1, 8, 2_000_000)
    talk.plays(1, 0.1)
    talk.loud(0.49)
    assert not talk.all(HoldSpeech)
    talk.loud(0.01)
    assert talk.all(HoldSpeech)


def test_an_interruption_that_only_wants_time_has_a_timer(begin: Any) -> None:
    talk = begin(interruption=InterruptionConfig(hold_after_us=None))
    talk.says("Count to four")
    reply = talk.agent_says("one two three four", seconds=4)
    talk.plays(reply, 1)
    started_us = talk.at_us
    talk.loud(0.2)
    talk.seems("stop that please")
    assert talk.conversation.next_timer_us == started_us + 500_000
    talk.at_us = started_us + 500_000
    talk.tell("tick")
    assert talk.names[:2] == ["StopSpeech", "ReplyEnded"]


def test_late_words_may_interrupt_and_end_the_turn_at_once(begin: Any) -> None:
    talk = begin(interruption=InterruptionConfig(min_speech_us=0, hold_after_us=None))
    talk.says("Count to four")
    reply = talk.agent_says("one two three four", seconds=4)
    talk.plays(reply, 1)
    talk.at_us += 2_000_000
    talk.hears("stop that please", seconds_ago=1)
    assert talk.names[1:4] == ["StopSpeech", "ReplyEnded", "TurnCommitted"]
