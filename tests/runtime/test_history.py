"""An agent is told what was said before the turn that it answers, and that turn once."""

from voicesession.core.utterance import Speaker, Utterance, UtteranceId
from voicesession.runtime.history import History


def said(number: int, speaker: Speaker = Speaker.USER) -> Utterance:
    name = UtteranceId(f"utt_{number}")
    return Utterance(id=name, speaker=speaker, start_us=number, end_us=number, text=f"{number}")


def texts(history: History, *, is_over: bool = True) -> list[str]:
    return [utterance.text for utterance in history.before_turn(is_over=is_over)]


def test_the_turn_to_be_answered_is_no_part_of_what_was_said_before_it() -> None:
    history = History(10)
    history.heard(said(1))
    history.turn_committed()
    assert texts(history) == []
    history.add([said(2, Speaker.AGENT)])
    history.heard(said(3))
    history.heard(said(4))
    history.turn_committed()
    assert texts(history) == ["1", "2"]


def test_a_turn_that_is_answered_before_it_is_over_is_left_out_as_well() -> None:
    history = History(10)
    history.heard(said(1))
    history.turn_committed()
    history.heard(said(2))
    assert texts(history, is_over=False) == ["1"]


def test_a_turn_that_goes_on_keeps_all_its_words() -> None:
    history = History(10)
    history.heard(said(1))
    history.turn_committed()
    history.turn_reopened()
    history.heard(said(2))
    assert texts(history, is_over=False) == []
    history.turn_committed()
    assert texts(history) == []


def test_only_the_latest_are_remembered() -> None:
    history = History(2)
    history.add([said(1), said(2), said(3)])
    assert texts(history) == ["2", "3"]
