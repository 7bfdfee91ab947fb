"""A reply from its beginning to its end, as it is told."""

from __future__ import annotations

from typing import Any

from voicesession.core.floor.effects import (
    BeginSay,
    CancelReply,
    CommitReply,
    FlushRecogniser,
    PartialHeard,
    ReplyEnded,
    ReplyId,
    StartSpeech,
    TurnCommitted,
    TurnReopened,
    TurnTooLong,
    UtteranceHeard,
)
from voicesession.core.heard import SpeechMark
from voicesession.core.states import TurnState
from voicesession.core.utterance import Word

TEXT = "It is noon in Rome. And in Paris, too."


def ended(**fields: Any) -> ReplyEnded:
    """The end of the first reply, after TEXT was heard to its end."""
    whole = {
        "reply_id": ReplyId(1),
        "generated_text": TEXT,
        "spoken_text": TEXT,
        "interrupted": False,
        "failed": False,
    }
    return ReplyEnded(**{**whole, **fields})


def test_a_reply_tells_when_it_was_first_and_last_heard_and_all_its_text(begin: Any) -> None:
    talk = begin()
    talk.says("What time is it?")
    for piece in (TEXT[:19], TEXT[19:]):
        talk.tell("reply_text", 1, piece)
    talk.tell("reply_finished", 1)
    talk.tell("speech_made", 1, len(TEXT), 4_000_000)
    talk.tell("speech_finished", 1)
    begun_us = talk.at_us
    for played_us in (50_000, 2_000_000, 4_000_000):
        talk.at_us = begun_us + 100_000 + played_us
        talk.tell("playout", 1, played_us)
    assert talk.last(ReplyEnded) == ended(start_us=begun_us + 100_000, end_us=begun_us + 4_100_000)
    assert len(talk.all(StartSpeech)) == 1


def test_a_report_that_is_older_than_the_last_changes_nothing(begin: Any) -> None:
    talk = begin()
    talk.says("What time is it?")
    talk.agent_says(TEXT, seconds=4)
    begun_us = talk.at_us
    for after_s, played_s in ((3, 2), (3.2, 2), (3.3, 0.5)):
        talk.at_us = begun_us + round(after_s * 1_000_000)
        talk.plays(1, played_s)
        assert not talk.told or played_s == 2
    talk.tell("interrupt")
    assert talk.last(ReplyEnded).start_us == begun_us + 1_000_000
    assert talk.last(ReplyEnded).end_us == begun_us + 3_000_000


def test_a_reply_that_was_never_heard_ends_when_it_ends(begin: Any) -> None:
    talk = begin()
    talk.says("What time is it?")
    talk.at_us += 700_000
    talk.tell("reply_finished", 1)
    assert talk.last(ReplyEnded) == ended(
        generated_text="", spoken_text="", start_us=talk.at_us, end_us=talk.at_us
    )


def test_a_reply_in_pieces_waits_its_turn_once(begin: Any) -> None:
    talk = begin()
    talk.says("What time is it in Rome?")
    talk.tell("say", "One moment.", True)
    talk.tell("speech_made", 2, 11, 2_000_000)
    talk.plays(2, 0.5)
    for piece in (TEXT[:19], TEXT[19:]):
        talk.tell("reply_text", 1, piece)
    talk.loud(0.6)
    talk.seems("no wait a moment")
    assert [cancelled.reply_id for cancelled in talk.all(CancelReply)] == [1]
    assert talk.state() is TurnState.LISTENING


def test_what_the_host_says_is_begun_as_it_was_asked_for(begin: Any) -> None:
    talk = begin()
    for interruptible in (True, False):
        first, *_ = talk.tell("say", "Hello.", interruptible)
        assert isinstance(first, BeginSay)
        assert first.interruptible is interruptible


def test_typed_words_were_said_when_they_were_typed(begin: Any) -> None:
    talk = begin()
    talk.at_us = 3_000_000
    talk.tell("typed", "Hello")
    assert talk.last(UtteranceHeard) == UtteranceHeard(
        text="Hello", start_us=3_000_000, end_us=3_000_000
    )


def test_each_flush_is_waited_for(begin: Any) -> None:
    talk = begin()
    for _ in range(2):
        talk.loud(0.3)
        talk.quiet(0.55)
    talk.hears("Hello", seconds_ago=0.55)
    assert len(talk.all(FlushRecogniser)) == 2
    talk.answers_flush()
    talk.quiet(1)
    assert not talk.all(TurnCommitted)
    talk.answers_flush()
    assert talk.last(TurnCommitted).text == "Hello"
    assert not talk.all(CommitReply)


def test_words_confidence_and_marks_come_out_as_they_came_in(begin: Any) -> None:
    talk = begin()
    words = (Word(text="Hello", start_us=0, end_us=400_000),)
    talk.at_us = 500_000
    talk.tell("interim", "Hello", 0, 400_000, list(words))
    assert talk.last(PartialHeard).words == words
    talk.tell("final", "Hello", 0, 400_000, 0.7, list(words))
    assert (talk.last(UtteranceHeard).confidence, talk.last(UtteranceHeard).words) == (0.7, words)
    talk.tell("interrupt")
    talk.tell("say", "One two three")
    reply_id = talk.last(BeginSay).reply_id
    assert talk.last(BeginSay).interruptible
    talk.tell("speech_made", reply_id, 13, 3_000_000, [SpeechMark(3, 2_900_000)])
    talk.plays(reply_id, 2.95)
    talk.tell("interrupt")
    assert talk.last(ReplyEnded).spoken_text == "One"


def test_a_report_of_playout_that_comes_late_counts_as_of_now(begin: Any) -> None:
    talk = begin()
    talk.says("What time is it?")
    talk.agent_says(TEXT, seconds=1)
    talk.plays(1, 0.5)
    talk.quiet(0.5)
    now_us, talk.at_us = talk.at_us, talk.at_us - 200_000
    talk.plays(1, 1)
    assert talk.last(ReplyEnded).end_us == now_us


def test_a_report_about_another_reply_says_nothing_of_the_one_that_is_spoken(begin: Any) -> None:
    talk = begin()
    talk.says("Count to four")
    reply = talk.agent_says("one two three four", seconds=4)
    talk.plays(reply, 2)
    assert talk.tell("playout", 7, 3_000_000) == ()
    talk.tell("interrupt")
    assert talk.last(ReplyEnded).spoken_text == "one two"


def test_a_report_of_playout_lets_happen_what_is_due_by_then(begin: Any) -> None:
    talk = begin()
    talk.says("Count to four")
    reply = talk.agent_says("one two three four", seconds=4)
    talk.plays(reply, 1)
    talk.loud(0.3)
    talk.at_us = talk.conversation.next_timer_us
    talk.plays(reply, 1.2)
    assert talk.names == ["HoldSpeech"]


def test_a_turn_is_too_long_and_opened_again_at_the_time_it_is(begin: Any) -> None:
    talk = begin(max_turn_us=2_000_000)
    talk.loud(1)
    talk.hears("To begin with")
    talk.loud(1)
    assert talk.last(TurnTooLong).at_us == talk.last(UtteranceHeard).start_us + 2_000_000
    again = begin()
    again.says("Book a flight")
    again.loud(0.5)
    assert again.last(TurnReopened).at_us == again.at_us
