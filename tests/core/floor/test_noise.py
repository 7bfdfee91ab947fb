"""What sounds like a voice goes on, and the recogniser has heard the end of what was said."""

from __future__ import annotations

from typing import Any

from voicesession.core.floor.config import EndpointingConfig
from voicesession.core.floor.effects import (
    HoldSpeech,
    SpeechEnded,
    SpeechStarted,
    StartSpeech,
    TurnCommitted,
    TurnReopened,
)
from voicesession.core.states import TurnState


def said_into_noise(begin: Any, **config: Any) -> Any:
    """Somebody has said something, and then it stays loud."""
    talk = begin(**config)
    talk.loud(1)
    talk.hears("Good morning")
    talk.loud(0.3)
    talk.hears_the_end(seconds_ago=0.3)
    return talk


def test_after_the_longest_delay_without_words_it_is_noise_and_the_turn_is_over(
    begin: Any,
) -> None:
    talk = said_into_noise(begin)
    talk.loud(2.69)
    assert not talk.all(SpeechEnded)
    talk.loud(0.01)
    assert talk.last(SpeechEnded).at_us == 1_000_000
    talk.answers_flush()
    assert talk.last(TurnCommitted).text == "Good morning"


def test_it_is_so_by_time_alone_and_how_long_is_the_hosts_choice(begin: Any) -> None:
    talk = said_into_noise(begin, endpointing=EndpointingConfig(max_delay_us=1_500_000))
    assert talk.conversation.next_timer_us == 2_500_000
    talk.at_us = 2_500_000
    assert talk.tell("tick")[0] == SpeechEnded(at_us=1_000_000)


def test_words_that_follow_are_a_sign_of_a_voice(begin: Any) -> None:
    talk = said_into_noise(begin)
    talk.loud(2)
    talk.seems("to you")
    talk.loud(5)
    assert not talk.all(SpeechEnded)
    talk.hears_the_end(seconds_ago=2)
    talk.loud(1)
    assert talk.last(SpeechEnded)


def test_final_words_that_come_late_are_no_new_ones(begin: Any) -> None:
    talk = begin()
    talk.loud(1)
    talk.hears_the_end()
    talk.loud(0.5)
    talk.hears("Good morning", seconds_ago=0.5)
    talk.loud(2.5)
    assert talk.last(SpeechEnded).at_us == 1_000_000


def test_without_the_recogniser_a_voice_is_a_voice_however_long(begin: Any) -> None:
    talk = begin()
    talk.loud(1)
    talk.hears("Good morning")
    talk.loud(20)
    assert not talk.all(SpeechEnded)


def test_an_end_that_is_told_in_silence_is_no_news(begin: Any) -> None:
    talk = begin()
    talk.loud(1)
    talk.quiet(0.55)
    assert talk.hears_the_end(seconds_ago=0.55) == ()
    assert talk.conversation.next_timer_us == talk.at_us + 5_000_000  # only the flush


def test_an_end_before_the_present_voice_counts_from_its_beginning(begin: Any) -> None:
    talk = begin(endpointing=EndpointingConfig(min_delay_us=1_000_000))
    talk.says("Good morning")
    talk.loud(0.2)
    talk.hears_the_end(seconds_ago=0.75)
    talk.loud(2.79)
    assert len(talk.all(SpeechEnded)) == 1
    talk.loud(0.01)
    assert talk.last(SpeechEnded).at_us == 1_550_000


def test_the_answer_is_spoken_into_the_noise_and_not_held_for_it(begin: Any) -> None:
    talk = said_into_noise(begin)
    talk.loud(2.7)
    talk.answers_flush()
    reply = talk.agent_says("Good morning to you")
    assert talk.last(StartSpeech).reply_id == reply
    talk.plays(reply, 0.1)
    talk.loud(3)
    assert talk.state() is TurnState.SPEAKING
    assert not talk.all(TurnReopened)
    assert not talk.all(HoldSpeech)
    assert len(talk.all(SpeechStarted)) == 1


def test_a_voice_out_of_the_noise_takes_the_floor_with_its_words(begin: Any) -> None:
    talk = said_into_noise(begin)
    talk.loud(2.7)
    talk.answers_flush()
    talk.plays(talk.agent_says("Good morning to you"), 0.1)
    talk.loud(1)
    talk.seems("wait a moment please")
    talk.loud(0.5)
    assert talk.state() is TurnState.LISTENING
    assert len(talk.all(SpeechStarted)) == 2


def test_noise_that_began_in_the_users_turn_ends_in_the_agents(begin: Any) -> None:
    talk = said_into_noise(begin)
    talk.tell("typed", "and a tea")
    talk.agent_says("Good morning to you")
    talk.loud(2.7)
    assert talk.last(SpeechEnded).at_us == 1_000_000


def test_after_a_silence_the_next_voice_is_one(begin: Any) -> None:
    talk = said_into_noise(begin)
    talk.loud(2.7)
    talk.answers_flush()
    talk.quiet(0.01)
    talk.loud(0.06)
    assert len(talk.all(SpeechStarted)) == 2
