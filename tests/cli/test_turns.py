"""Which words belong to which turn, and how long each answer took."""

from voicesession.cli.turns import TurnLog
from voicesession.core.floor.effects import FloorChanged, ReplyId, TurnCommitted, TurnReopened
from voicesession.core.states import TurnState
from voicesession.core.utterance import Speaker, Utterance, UtteranceId
from voicesession.runtime.happenings import ReplyCleared, ReplyStarted, UtteranceStored


class Wall:
    """A clock on the wall that is moved by hand."""

    def __init__(self) -> None:
        self.now_us = 1_000_000

    def __call__(self) -> int:
        return self.now_us


def committed(text: str) -> TurnCommitted:
    return TurnCommitted(text=text, start_us=0, end_us=1)


def sounds() -> FloorChanged:
    return FloorChanged(state=TurnState.SPEAKING, at_us=0)


def started(number: int, latency_us: int | None) -> ReplyStarted:
    return ReplyStarted(reply_id=ReplyId(number), latency_us=latency_us)


def stored(speaker: Speaker, text: str, *, generated: str | None = None) -> UtteranceStored:
    return UtteranceStored(
        Utterance(
            id=UtteranceId("utt_1"),
            speaker=speaker,
            start_us=0,
            end_us=1,
            text=text,
            generated_text=generated,
            spoken_text=None if generated is None else text,
            interrupted=generated not in (None, text),
        )
    )


def test_a_turn_is_what_was_heard_and_the_answer_to_it() -> None:
    log = TurnLog(None)
    for happening in (
        *(committed("hello"), stored(Speaker.USER, "hello"), sounds(), started(1, 600_400)),
        *(ReplyCleared(ReplyId(1)), stored(Speaker.AGENT, "Good", generated="Good day.")),
    ):
        log(happening)
    (turn,) = log.turns
    assert turn.document() == {
        "heard": "hello",
        "generated": "Good day.",
        "spoken": "Good",
        "interrupted": True,
        "latency_ms": 600,
    }


def test_what_the_engines_took_is_added_where_the_clock_stood_still() -> None:
    wall = Wall()
    log = TurnLog(wall)
    log(committed("hello"))
    wall.now_us += 70_000
    log(sounds())
    wall.now_us += 900_000  # the rest of the answer is made while it is being heard
    log(started(1, 600_000))
    assert log.turns[0].latency_us == 670_000


def test_in_real_time_nothing_is_counted_twice() -> None:
    log = TurnLog(None)
    for happening in (committed("hello"), sounds(), started(1, 600_000)):
        log(happening)
    assert log.turns[0].latency_us == 600_000


def test_a_turn_that_goes_on_is_one_turn() -> None:
    log = TurnLog(None)
    for happening in (committed("tell me"), TurnReopened(at_us=1), committed("tell me a story")):
        log(happening)
    assert [turn.heard for turn in log.turns] == ["tell me a story"]


def test_words_that_are_stored_late_stay_with_their_turn() -> None:
    log = TurnLog(None)
    for happening in (
        *(committed("one"), sounds(), started(1, 1)),
        *(committed("two"), sounds(), started(2, 2)),
        *(stored(Speaker.AGENT, "first"), stored(Speaker.AGENT, "second")),
    ):
        log(happening)
    assert [(turn.heard, turn.spoken) for turn in log.turns] == [
        ("one", "first"),
        ("two", "second"),
    ]


def test_an_answer_that_nobody_waited_for_or_heard_has_no_latency() -> None:
    log = TurnLog(None)
    for happening in (
        *(committed("one"), stored(Speaker.AGENT, "", generated="never heard")),
        *(committed("two"), sounds(), started(2, None), stored(Speaker.AGENT, "yes")),
    ):
        log(happening)
    unheard, unawaited = (turn.document() for turn in log.turns)
    assert (unheard["generated"], unheard["spoken"]) == ("never heard", "")
    assert unheard["latency_ms"] is unawaited["latency_ms"] is None
    assert unawaited["generated"] == "yes"
