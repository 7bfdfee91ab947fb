"""Replies that are begun before the turn is over."""

from __future__ import annotations

from typing import Any

import pytest

from voicesession.core.floor.config import PreemptionConfig, PreemptionStrategy
from voicesession.core.floor.effects import (
    BeginReply,
    CancelReply,
    CommitReply,
    StartSpeech,
    TurnCommitted,
)
from voicesession.core.floor.preemption import Preemption

EARLY = [each for each in PreemptionStrategy if each is not PreemptionStrategy.OFF]


def begun_early(begin: Any, strategy: str, words: str = "what is the time") -> Any:
    """A dialogue in which the user has just paused after *words*, not final yet."""
    talk = begin(preemption=PreemptionConfig(strategy=strategy))
    talk.loud(1)
    talk.seems(words)
    talk.quiet(0.2)
    return talk


def finished(talk: Any, words: str) -> None:
    """The user turns out to have said *words*, and that was all."""
    talk.quiet(0.35)
    talk.hears(words, seconds_ago=0.55)
    talk.answers_flush()


def test_switched_off_no_reply_is_begun_early(begin: Any) -> None:
    talk = begun_early(begin, "off")
    finished(talk, "What is the time?")
    assert talk.names == ["TurnCommitted", "BeginReply", "FloorChanged"]


@pytest.mark.parametrize("strategy", EARLY)
def test_a_pause_after_interim_words_begins_a_reply(begin: Any, strategy: str) -> None:
    talk = begun_early(begin, strategy)
    assert talk.last(BeginReply).speculative
    assert talk.last(BeginReply).text == "what is the time"
    assert talk.conversation.wasted_replies == 0


def test_words_without_a_pause_begin_none(begin: Any) -> None:
    talk = begin(preemption=PreemptionConfig())
    talk.loud(1)
    talk.seems("what is")
    talk.loud(0.5)
    talk.quiet(0.19)
    assert not talk.all(BeginReply)
    assert talk.conversation.next_timer_us == talk.at_us + 10_000


@pytest.mark.parametrize("strategy", EARLY)
def test_the_same_words_but_for_case_and_punctuation_commit_it(begin: Any, strategy: str) -> None:
    talk = begun_early(begin, strategy)
    talk.tell("reply_text", 1, "It is noon.")
    assert not talk.all(StartSpeech)
    finished(talk, "What is the time?")
    assert talk.names == ["TurnCommitted", "CommitReply", "StartSpeech", "FloorChanged"]
    assert talk.last(CommitReply).reply_id == 1
    assert talk.conversation.wasted_replies == 0


def test_a_reply_that_was_finished_early_is_spoken_when_it_comes_true(begin: Any) -> None:
    talk = begun_early(begin, "use_if_same")
    talk.tell("reply_text", 1, "It is noon.")
    talk.tell("reply_finished", 1)
    finished(talk, "What is the time?")
    talk.tell("speech_made", 1, 11, 1_000_000)
    talk.tell("speech_finished", 1)
    talk.plays(1, 1)
    assert talk.names == ["ReplyEnded", "FloorChanged"]


@pytest.mark.parametrize("strategy", ["discard", "use_if_same"])
def test_other_words_waste_it_and_it_is_counted(begin: Any, strategy: str) -> None:
    talk = begun_early(begin, strategy)
    talk.tell("reply_text", 1, "It is noon.")
    finished(talk, "What is the time there?")
    assert talk.last(CancelReply).wasted
    assert talk.conversation.wasted_replies == 1
    assert talk.conversation.wasted_characters == 11
    assert talk.last(TurnCommitted).text == "What is the time there?"
    answer = max(talk.texts)
    assert answer > 1
    assert talk.state() == "processing"


def test_similar_words_are_enough_where_the_config_says_so(begin: Any) -> None:
    words = "please tell me what the time is in rome right now"
    talk = begun_early(begin, "use_if_similar", words)
    finished(talk, f"{words} thanks")
    assert talk.last(CommitReply).reply_id == 1


def test_words_that_are_not_similar_waste_it(begin: Any) -> None:
    talk = begun_early(begin, "use_if_similar", "what is the time")
    finished(talk, "what is the time in rome")
    assert talk.last(CancelReply).reply_id == 1


def test_a_word_more_gives_way_to_a_new_one_at_the_next_pause(begin: Any) -> None:
    talk = begun_early(begin, "use_if_same", "book a flight")
    talk.loud(1)
    talk.seems("book a flight to paris")
    assert not talk.all(CancelReply)
    talk.quiet(0.2)
    assert talk.names == ["CancelReply", "BeginReply"]
    assert talk.last(BeginReply).text == "book a flight to paris"
    finished(talk, "Book a flight to Paris.")
    assert talk.last(CommitReply).reply_id == 2


def test_discarding_drops_it_at_the_first_word_and_waits_for_the_end(begin: Any) -> None:
    talk = begun_early(begin, "discard", "book a flight")
    talk.loud(1)
    talk.seems("book a flight to paris")
    assert talk.names == ["PartialHeard", "CancelReply"]
    finished(talk, "Book a flight to Paris.")
    talk.quiet(1)
    assert [reply.speculative for reply in talk.all(BeginReply)] == [True]
    talk.quiet(1)


def test_words_that_are_withdrawn_waste_it(begin: Any) -> None:
    talk = begun_early(begin, "use_if_similar")
    talk.tell("interim", "", 0, 0)
    assert talk.names == ["CancelReply"]
    talk.loud(1)
    talk.seems("what else is there")
    talk.quiet(0.2)
    assert talk.last(BeginReply).text == "what else is there"


def test_an_agent_that_fails_early_is_asked_again_when_the_turn_is_over(begin: Any) -> None:
    talk = begun_early(begin, "use_if_same")
    talk.tell("reply_failed", 1)
    assert talk.names == ["CancelReply"]
    finished(talk, "What is the time?")
    assert talk.last(BeginReply).speculative is False
    assert talk.last(BeginReply).reply_id == 2


def test_an_agent_that_fails_early_is_not_asked_again_before_the_turn_is_over(begin: Any) -> None:
    talk = begun_early(begin, "use_if_same", "book a flight")
    talk.tell("reply_failed", 1)
    talk.loud(1)
    talk.seems("book a flight to paris")
    talk.quiet(0.2)
    assert len(talk.all(BeginReply)) == 1
    finished(talk, "Book a flight to Paris.")
    assert [reply.speculative for reply in talk.all(BeginReply)] == [True, False]


@pytest.mark.parametrize("fact", ["pause", "interrupt", "end"])
def test_it_is_thrown_away_with_all_other_replies(begin: Any, fact: str) -> None:
    talk = begun_early(begin, "use_if_same")
    talk.tell(fact)
    assert talk.last(CancelReply).wasted


def test_once_thrown_away_it_is_not_begun_again_on_the_same_words(begin: Any) -> None:
    talk = begun_early(begin, "use_if_same")
    talk.tell("interrupt")
    talk.quiet(0.1)
    assert len(talk.all(BeginReply)) == 1


def test_nothing_is_begun_early_while_the_agent_speaks(begin: Any) -> None:
    talk = begin(preemption=PreemptionConfig())
    talk.tell("say", "This call is recorded.", False)
    talk.says("I do not want that")
    assert not talk.all(BeginReply)


def test_similarity_has_a_threshold() -> None:
    words = tuple(str(number) for number in range(9))
    judge = Preemption(PreemptionConfig(strategy="use_if_similar", similarity=18 / 19))
    assert judge.holds(words, " ".join([*words, "x"]))
    assert not judge.holds(words, " ".join([*words, "x", "y"]))


@pytest.mark.parametrize("strategy", ["discard", "use_if_same"])
def test_similarity_counts_only_where_the_strategy_asks_for_it(strategy: str) -> None:
    judge = Preemption(PreemptionConfig(strategy=strategy, similarity=0.5))
    assert not judge.holds(("book", "a", "flight"), "book a flight to Paris")


def test_while_the_recogniser_is_asked_nothing_is_begun_on_words_that_may_grow(begin: Any) -> None:
    talk = begin(preemption=PreemptionConfig())
    talk.loud(1)
    talk.quiet(0.55)
    talk.tell("turn_probability", 0.0)
    talk.hears("Book a flight", seconds_ago=0.55)
    talk.hears("to Paris", seconds_ago=0.55)
    assert not talk.all(BeginReply)
    talk.answers_flush()
    assert talk.last(BeginReply).text == "Book a flight to Paris"
    assert talk.last(BeginReply).speculative


def test_what_was_wasted_adds_up() -> None:
    judge = Preemption(PreemptionConfig())
    for text in ("What", "", "time"):
        judge.wasted(text)
    assert (judge.wasted_replies, judge.wasted_characters) == (3, 8)
