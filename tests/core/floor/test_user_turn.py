"""What the user has said, and how much of it to an agent who had the floor."""

from __future__ import annotations

from voicesession.core.floor.user_turn import Turn, UserTurn


def test_a_turn_spans_its_words_and_leaves_nothing_behind() -> None:
    turn = UserTurn()
    turn.add("Good", 0, 0)
    assert turn.take() == Turn(texts=("Good",), start_us=0, end_us=0)
    assert turn.is_empty
    turn.add("morning", 5, 9)
    turn.add("Ada", 10, 20)
    assert turn.take() == Turn(texts=("morning", "Ada"), start_us=5, end_us=20)
    turn.add("again", 0, 0)
    assert turn.take() == Turn(texts=("again",), start_us=0, end_us=0)


def test_before_the_agent_ever_spoke_all_words_count_from_their_start() -> None:
    turn = UserTurn()
    turn.add("Good morning", 0, 10)
    assert turn.said == ("good", "morning")
    assert turn.said_us == 10


def test_only_what_is_said_since_the_agent_took_the_floor_is_said_to_it() -> None:
    turn = UserTurn()
    turn.add("one moment", 0, 10)
    turn.think("please", 11, 15)
    turn.agent_took_floor(12)
    turn.add("please wait", 11, 30)
    assert turn.said == ("wait",)
    turn.reopen(Turn(texts=("before", "it"), start_us=0, end_us=8))
    assert turn.texts == ["before", "it", "one moment", "please wait"]
    assert turn.said == ("wait",)
    assert turn.said_us == 30 - 12


def test_with_the_next_turn_the_count_begins_anew() -> None:
    turn = UserTurn()
    turn.add("one moment", 0, 10)
    turn.think("please")
    turn.agent_took_floor(12)
    turn.add("please", 11, 15)
    turn.take()
    turn.add("wait a minute", 20, 30)
    assert turn.said == ("wait", "a", "minute")


def test_an_opened_turn_does_not_change_what_was_said_to_the_agent() -> None:
    turn = UserTurn()
    turn.add("book", 0, 10)
    turn.add("a flight", 10, 20)
    before = turn.take()
    turn.agent_took_floor(20)
    turn.add("wait a minute", 20, 30)
    turn.reopen(before)
    assert turn.texts == ["book", "a flight", "wait a minute"]
    assert turn.said == ("wait", "a", "minute")


def test_every_change_has_a_revision_of_its_own() -> None:
    turn = UserTurn()
    seen = [turn.revision]
    for change in (
        lambda: turn.think("wait"),
        lambda: turn.think("wait please"),
        lambda: turn.agent_took_floor(5),
        lambda: turn.add("wait, please", 0, 10),
        turn.take,
    ):
        change()
        assert turn.revision > seen[-1]
        seen.append(turn.revision)
    turn.think("")
    assert turn.revision == seen[-1]
