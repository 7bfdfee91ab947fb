"""When the user is missed, and what brings them back."""

from __future__ import annotations

from typing import Any

from voicesession.core.floor.effects import UserAway
from voicesession.core.states import TurnState


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
    talk = begin()
    talk.says("Tell me about it")
    reply = talk.agent_says("one two three four", seconds=8)
    talk.plays(reply, 1)
    talk.quiet(20)
    assert not talk.all(UserAway)
    talk.plays(reply, 8)
    talk.quiet(14.9)
    assert not talk.all(UserAway)
    talk.quiet(0.1)
    assert talk.all(UserAway)


def test_nobody_is_away_where_the_config_says_never(begin: Any) -> None:
    talk = begin(away_after_us=None)
    talk.quiet(100)
    assert talk.conversation.next_timer_us is None


def test_a_user_whose_turn_is_still_open_is_not_away(begin: Any) -> None:
    talk = begin(away_after_us=2_000_000)
    talk.loud(1)
    talk.tell("turn_probability", 0.1)
    talk.quiet(0.55)
    talk.hears("I would like", seconds_ago=0.55)
    talk.answers_flush()
    talk.quiet(2.4)
    assert not talk.all(UserAway)
