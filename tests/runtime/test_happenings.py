"""Listeners hear what they want to hear, in the order in which they came."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, strategies as st

from voicesession.runtime.happenings import KeepAlive, Listeners, LiveAlready, ReplyCleared

HAPPENINGS = (KeepAlive(), LiveAlready(), ReplyCleared(1))
KINDS = [type(happening) for happening in HAPPENINGS]


@given(wanted=st.lists(st.none() | st.frozensets(st.sampled_from(KINDS)), max_size=6))
def test_each_listener_hears_what_is_of_its_kinds_after_those_who_came_before(
    wanted: list[frozenset[type] | None],
) -> None:
    listeners = Listeners()
    heard: list[tuple[int, object]] = []

    def note(number: int) -> Callable[[object], None]:
        return lambda happening: heard.append((number, happening))

    for number, kinds in enumerate(wanted):
        listeners.add(note(number), kinds=kinds)
    for happening in HAPPENINGS:
        listeners.tell(happening)
    assert heard == [
        (number, happening)
        for happening in HAPPENINGS
        for number, kinds in enumerate(wanted)
        if kinds is None or type(happening) in kinds
    ]


def test_a_subscription_that_ends_leaves_the_others_what_they_want_to_hear() -> None:
    listeners = Listeners()
    first: list[object] = []
    second: list[object] = []
    end = listeners.add(first.append, kinds={KeepAlive})
    listeners.add(second.append, kinds={LiveAlready})
    end()
    for happening in HAPPENINGS:
        listeners.tell(happening)
    assert (first, second) == ([], [LiveAlready()])


def test_a_listener_that_raises_keeps_nothing_from_the_others() -> None:
    listeners = Listeners()
    heard: list[object] = []

    def fail(_happening: object) -> None:
        raise LookupError

    listeners.add(fail)
    listeners.add(heard.append)
    listeners.tell(KeepAlive())
    assert heard == [KeepAlive()]
