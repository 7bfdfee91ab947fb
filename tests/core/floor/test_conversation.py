"""The life of a conversation: opening, closing, who has the floor, and what the host may do."""

from __future__ import annotations

from typing import Any

import pytest

from voicesession.core.floor.config import FloorConfig
from voicesession.core.floor.conversation import Conversation
from voicesession.core.floor.effects import (
    NOTHING,
    BeginReply,
    BeginSay,
    CancelReply,
    FloorChanged,
    ReplyEnded,
    SpeechEnded,
    SpeechStarted,
    StartSpeech,
    TurnCommitted,
    UtteranceHeard,
)
from voicesession.core.floor.trace import FACTS
from voicesession.core.states import TurnState


def test_a_whole_turn_goes_from_the_user_to_the_agent_and_back(begin: Any) -> None:
    talk = begin()
    talk.says("What time is it?")
    assert talk.names == ["TurnCommitted", "BeginReply", "FloorChanged"]
    assert talk.last(BeginReply).text == "What time is it?"
    assert talk.state() is TurnState.PROCESSING
    reply = talk.agent_says("It is noon.", seconds=1)
    assert talk.last(StartSpeech).reply_id == reply
    assert talk.state() is TurnState.SPEAKING
    talk.plays(reply, 0.5)
    talk.quiet(0.5)
    talk.plays(reply, 1)
    ended = talk.last(ReplyEnded)
    assert (ended.spoken_text, ended.interrupted) == ("It is noon.", False)
    assert ended.end_us - ended.start_us == 500_000
    assert talk.state() is TurnState.LISTENING
    assert [change.state for change in talk.all(FloorChanged)] == [
        TurnState.LISTENING,
        TurnState.PROCESSING,
        TurnState.SPEAKING,
        TurnState.LISTENING,
    ]


def test_a_quiet_window_comes_to_the_very_same_nothing() -> None:
    conversation = Conversation(FloorConfig())
    conversation.start(0)
    assert conversation.voice(10_000, 0.1) is NOTHING
    assert conversation.tick(20_000) is NOTHING


def test_a_window_at_the_threshold_may_begin_speech(begin: Any) -> None:
    talk = begin()
    assert not talk.voice(0.1, 0.499)
    assert talk.voice(0.1, 0.5)


def test_before_the_start_nothing_is_listened_to_and_no_timer_runs() -> None:
    conversation = Conversation(FloorConfig())
    assert conversation.state is TurnState.INITIAL
    assert conversation.voice(1_000_000, 1.0) == ()
    assert conversation.interim(1_000_000, "hello", 0, 1_000_000) == ()
    assert conversation.say(1_000_000, "Hello") == ()
    assert conversation.next_timer_us is None


def test_a_floor_that_is_opened_late_does_not_hear_what_was_before() -> None:
    conversation = Conversation(FloorConfig())
    conversation.start(100_000_000)
    assert conversation.voice(100_030_000, 0.9) == ()
    (started, *_) = conversation.voice(100_060_000, 0.9)
    assert started == SpeechStarted(at_us=100_000_000)


def test_opening_an_open_floor_changes_nothing(begin: Any) -> None:
    talk = begin()
    talk.quiet(5)
    due_us = talk.conversation.next_timer_us
    assert talk.tell("start") == ()
    assert talk.tell("resume") == ()
    assert talk.conversation.next_timer_us == due_us


@pytest.mark.parametrize("fact", [name for name in FACTS if name != "voice"])
def test_after_the_end_no_fact_has_any_effect_and_no_timer_runs(begin: Any, fact: str) -> None:
    talk = begin()
    talk.says("Hello")
    talk.tell("end")
    values = {"reply_id": 1, "text": "more", "words": (), "marks": (), "confidence": None}
    arguments = [values.get(name, 1_000_000) for name in FACTS[fact][1:]]
    assert talk.tell(fact, *arguments) == ()
    assert talk.loud(1) == ()
    assert talk.state() is TurnState.ENDED
    assert talk.conversation.next_timer_us is None


def test_the_end_stops_what_is_heard_and_cancels_what_is_not(begin: Any) -> None:
    talk = begin()
    talk.says("Hello")
    reply = talk.agent_says("Hello, how are you?")
    talk.plays(reply, 2)
    talk.tell("say", "Bye", True)
    talk.loud(0.1)
    talk.tell("end")
    assert talk.names == [
        "StopSpeech",
        "ReplyEnded",
        "CancelReply",
        "SpeechEnded",
        "FlushRecogniser",
        "FloorChanged",
    ]


def test_a_turn_that_is_not_answered_at_the_end_stays_committed(begin: Any) -> None:
    talk = begin()
    talk.says("Hello")
    talk.tell("end")
    assert talk.names == ["CancelReply", "FloorChanged"]


def test_a_pause_stops_speech_and_listening_and_every_timer(begin: Any) -> None:
    talk = begin()
    talk.says("Hello")
    reply = talk.agent_says("Hello, how are you?")
    talk.plays(reply, 1)
    talk.loud(0.2)
    talk.tell("pause")
    assert talk.last(ReplyEnded).interrupted
    assert talk.last(SpeechEnded).at_us == talk.at_us
    assert talk.state() is TurnState.INITIAL
    assert talk.conversation.next_timer_us is None
    assert talk.loud(20) == ()
    assert talk.tell("pause") == ()


def test_an_answer_lost_by_a_pause_is_asked_for_again_after_it(begin: Any) -> None:
    talk = begin()
    talk.says("What time is it?")
    talk.tell("pause")
    assert talk.names == ["CancelReply", "TurnReopened", "FloorChanged"]
    talk.quiet(60)
    talk.tell("resume")
    talk.quiet(0.6)
    assert [turn.text for turn in talk.all(TurnCommitted)] == ["What time is it?"] * 2


def test_words_that_arrive_during_a_pause_are_heard_and_answered_after_it(begin: Any) -> None:
    talk = begin()
    talk.loud(0.5)
    talk.seems("Hel")
    talk.tell("pause")
    assert "FlushRecogniser" in talk.names
    talk.hears("Hello")
    assert talk.names == ["UtteranceHeard"]
    talk.answers_flush()
    talk.tell("resume")
    talk.quiet(0.6)
    assert talk.last(TurnCommitted).text == "Hello"


def test_interim_words_without_a_voice_are_asked_for_at_a_pause(begin: Any) -> None:
    talk = begin()
    talk.seems("Hel")
    talk.tell("pause")
    assert "FlushRecogniser" in talk.names


def test_a_time_before_the_latest_counts_as_the_latest(begin: Any) -> None:
    talk = begin()
    talk.tell("tick")
    talk.at_us = 5_000_000
    talk.tell("tick")
    talk.at_us = 1_000_000
    talk.tell("typed", "Hello")
    assert talk.last(FloorChanged).at_us == 5_000_000
    assert talk.voice(0.01, 0.1) == ()


def test_a_timer_met_late_counts_from_when_it_was_due(begin: Any) -> None:
    talk = begin()
    assert talk.conversation.next_timer_us == 15_000_000
    talk.at_us = 40_000_000
    talk.tell("tick")
    assert talk.last(FloorChanged).at_us == 15_000_000


def test_facts_of_replies_that_are_over_or_never_were_are_ignored(begin: Any) -> None:
    talk = begin()
    talk.says("Hello")
    talk.tell("interrupt")
    for reply_id in (1, 7):
        assert talk.tell("reply_text", reply_id, "Hi") == ()
        assert talk.tell("reply_finished", reply_id) == ()
        assert talk.tell("reply_failed", reply_id) == ()
        assert talk.tell("speech_made", reply_id, 2, 1_000) == ()
        assert talk.tell("speech_finished", reply_id) == ()
        assert talk.tell("playout", reply_id, 1_000) == ()


def test_playout_of_what_does_not_play_is_ignored(begin: Any) -> None:
    talk = begin()
    talk.says("Hello")
    assert talk.tell("playout", 1, 1_000_000) == ()
    assert talk.state() is TurnState.PROCESSING


def test_a_typed_turn_is_committed_at_once_and_heard_like_any_other(begin: Any) -> None:
    talk = begin()
    talk.tell("typed", "Hello")
    assert talk.names == ["UtteranceHeard", "TurnCommitted", "BeginReply", "FloorChanged"]
    assert talk.tell("typed", "  ") == ()


def test_a_typed_turn_takes_the_words_along_that_wait_for_an_answer(begin: Any) -> None:
    talk = begin()
    talk.loud(1)
    talk.hears("Look at this:")
    talk.tell("typed", "https://example.org")
    assert talk.last(TurnCommitted).text == "Look at this: https://example.org"


def test_a_typed_turn_waits_for_words_that_are_not_final_yet(begin: Any) -> None:
    talk = begin()
    talk.seems("Look at")
    talk.tell("typed", "https://example.org")
    assert "FlushRecogniser" in talk.names
    assert not talk.all(TurnCommitted)
    talk.hears("Look at this.")
    talk.answers_flush()
    assert talk.last(TurnCommitted).text == "https://example.org Look at this."


def test_typing_interrupts_the_agent(begin: Any) -> None:
    talk = begin()
    talk.says("Hello")
    reply = talk.agent_says("Hello, how are you?")
    talk.plays(reply, 1)
    talk.tell("typed", "Stop")
    assert talk.names == [
        "StopSpeech",
        "ReplyEnded",
        "UtteranceHeard",
        "TurnCommitted",
        "BeginReply",
        "FloorChanged",
    ]


def test_typing_before_the_answer_is_heard_adds_to_the_turn(begin: Any) -> None:
    talk = begin()
    talk.says("Hello")
    talk.tell("typed", "Ada")
    assert talk.last(TurnCommitted).text == "Hello Ada"


def test_typing_into_an_answer_that_is_written_but_not_heard_adds_to_the_turn(begin: Any) -> None:
    talk = begin()
    talk.tell("typed", "What time is it")
    talk.tell("reply_text", 1, "It is noon.")
    talk.tell("typed", "in Rome?")
    assert talk.names[:3] == ["StopSpeech", "CancelReply", "TurnReopened"]
    assert talk.last(TurnCommitted).text == "What time is it in Rome?"


def test_what_the_host_says_is_spoken_at_once_and_in_order(begin: Any) -> None:
    talk = begin()
    talk.tell("say", "Welcome.", True)
    assert talk.names == ["BeginSay", "StartSpeech", "FloorChanged"]
    first = talk.agent_says("Welcome.", seconds=1)
    talk.tell("say", "How can I help?", True)
    assert talk.names == ["BeginSay"]
    talk.plays(first, 1)
    assert talk.names == ["ReplyEnded", "StartSpeech", "FloorChanged"]
    second = talk.agent_says("How can I help?", seconds=1)
    talk.plays(second, 1)
    assert talk.state() is TurnState.LISTENING


def test_begin_say_is_the_first_effect_whatever_else_was_due(begin: Any) -> None:
    talk = begin()
    talk.at_us = 20_000_000
    talk.tell("say", "Are you there?", True)
    assert talk.names == ["BeginSay", "UserAway", "FloorChanged", "StartSpeech", "FloorChanged"]


def test_a_filler_is_spoken_before_the_answer_that_is_not_written_yet(begin: Any) -> None:
    talk = begin()
    talk.says("Find me a flight")
    answer = talk.last(BeginReply).reply_id
    talk.tell("say", "One moment.", True)
    filler = talk.last(BeginSay).reply_id
    assert talk.last(StartSpeech).reply_id == filler
    talk.tell("reply_text", answer, "There is one at noon.")
    talk.tell("speech_made", filler, 11, 1_000_000)
    talk.tell("speech_finished", filler)
    talk.plays(filler, 1)
    assert talk.last(StartSpeech).reply_id == answer


@pytest.mark.parametrize("text", ["", "   "])
def test_a_reply_without_text_gives_the_floor_back(begin: Any, text: str) -> None:
    talk = begin()
    talk.says("Never mind")
    talk.tell("reply_text", 1, text)
    talk.tell("reply_finished", 1)
    assert talk.names == ["ReplyEnded", "FloorChanged"]
    assert talk.state() is TurnState.LISTENING
    talk.tell("say", text, True)
    assert talk.names == ["BeginSay", "ReplyEnded"]


def test_of_an_agent_that_fails_what_came_before_is_spoken(begin: Any) -> None:
    talk = begin()
    talk.says("Tell me a story")
    talk.tell("reply_text", 1, "Once upon")
    talk.tell("reply_failed", 1)
    talk.tell("speech_made", 1, 9, 1_000_000)
    talk.tell("speech_finished", 1)
    talk.plays(1, 1)
    ended = talk.last(ReplyEnded)
    assert (ended.spoken_text, ended.failed, ended.interrupted) == ("Once upon", True, False)


def test_an_agent_that_fails_before_any_text_gives_the_floor_back(begin: Any) -> None:
    talk = begin()
    talk.says("Tell me a story")
    talk.tell("reply_failed", 1)
    assert talk.last(ReplyEnded).failed
    assert talk.state() is TurnState.LISTENING


def test_of_a_synthesiser_that_fails_only_what_it_made_was_spoken(begin: Any) -> None:
    talk = begin()
    talk.says("Hello")
    talk.tell("reply_text", 1, "Good morning. How are you?")
    talk.tell("reply_finished", 1)
    talk.tell("speech_made", 1, 13, 1_000_000)
    talk.tell("speech_finished", 1)
    talk.plays(1, 1)
    assert talk.last(ReplyEnded).spoken_text == "Good morning."


@pytest.mark.parametrize("before", [(), (0.5,)])
def test_clients_may_count_playout_in_whole_milliseconds(
    begin: Any, before: tuple[float, ...]
) -> None:
    talk = begin()
    talk.tell("say", "Hello", True)
    talk.tell("speech_made", 1, 5, 1_000_999)
    talk.tell("speech_finished", 1)
    for seconds in (*before, 1):
        talk.plays(1, seconds)
    assert talk.last(ReplyEnded).spoken_text == "Hello"


def test_playout_never_runs_backwards(begin: Any) -> None:
    talk = begin()
    talk.says("Hello")
    reply = talk.agent_says("one two three four", seconds=4)
    talk.plays(reply, 2)
    talk.plays(reply, 1)
    talk.tell("interrupt")
    assert talk.last(ReplyEnded).spoken_text == "one two"


def test_an_explicit_interruption_stops_even_what_is_uninterruptible(begin: Any) -> None:
    talk = begin()
    talk.tell("say", "This call is recorded.", False)
    talk.tell("say", "Welcome.", False)
    talk.tell("speech_made", 1, 22, 2_000_000)
    talk.plays(1, 1)
    talk.tell("interrupt")
    assert talk.names == ["StopSpeech", "ReplyEnded", "CancelReply", "FloorChanged"]
    assert talk.state() is TurnState.LISTENING


def test_an_explicit_interruption_does_not_open_the_turn_again(begin: Any) -> None:
    talk = begin()
    talk.says("Hello")
    talk.tell("interrupt")
    assert talk.last(CancelReply).wasted is False
    talk.quiet(5)
    assert len(talk.all(TurnCommitted)) == 1


def test_blank_final_words_are_no_words(begin: Any) -> None:
    talk = begin()
    assert talk.hears(" ") == ()
    assert not talk.all(UtteranceHeard)


def test_a_window_that_has_been_heard_already_is_not_heard_twice(begin: Any) -> None:
    talk = begin()
    talk.voice(0.04, 0.9)
    assert talk.tell("voice", 0.9) == ()
    assert talk.voice(0.01, 0.9) != ()
