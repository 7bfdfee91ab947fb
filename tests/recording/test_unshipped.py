from __future__ import annotations

from hypothesis import given, strategies as st

from voicesession.core.timeline import Track
from voicesession.recording.unshipped import Unshipped

USER, AGENT = Track
PLACES = st.integers(0, 100_000)


@st.composite
def stretches(draw: st.DrawFn) -> range:
    start = draw(PLACES)
    return range(start, start + draw(st.integers(1, 20_000)))


def covers(there: tuple[range, ...], stretch: range) -> bool:
    return any(one.start <= stretch.start and stretch.stop <= one.stop for one in there)


@given(st.lists(st.tuples(st.sampled_from(Track), stretches()), max_size=80))
def test_what_was_added_is_taken_once_whole_and_in_order(new: list[tuple[Track, range]]) -> None:
    unshipped = Unshipped()
    for track, stretch in new:
        unshipped.add(track, stretch)
    batch = unshipped.take()
    for track, stretch in new:
        assert covers(batch.stretches[track], stretch)
    for there in batch.stretches.values():
        assert list(there) == sorted(there, key=lambda one: one.start)
    assert unshipped.take().is_empty
    assert (unshipped.size_bytes, unshipped.frames) == (0, range(0))


def test_what_lies_near_is_one_stretch_and_what_lies_far_is_not() -> None:
    unshipped = Unshipped()
    for start in (0, 8_292, 100_000):
        unshipped.add(USER, range(start, start + 100))
    assert unshipped.take().stretches[USER] == (range(8_392), range(100_000, 100_100))


def test_stretches_are_bounded_and_the_last_ones_are_joined() -> None:
    unshipped = Unshipped()
    for number in range(1_000):
        unshipped.add(AGENT, range(number * 100_000, number * 100_000 + 1))
    taken = unshipped.take().stretches[AGENT]
    assert len(taken) == 64
    assert taken[-1].stop == 99_900_001


def test_what_did_not_arrive_comes_back_and_what_did_does_not() -> None:
    unshipped = Unshipped()
    unshipped.add(USER, range(50_000))
    unshipped.wipe(range(60_000, 60_010))
    batch = unshipped.take()
    batch.arrived(USER, range(20_000))
    unshipped.add(USER, range(50_000, 50_100))
    unshipped.give_back(batch)
    assert unshipped.has_wiped
    again = unshipped.take()
    assert again.stretches[USER] == (range(20_000, 50_100),)
    assert again.wiped == (range(60_000, 60_010),)


def test_what_is_wiped_is_not_shipped() -> None:
    unshipped = Unshipped()
    unshipped.add(USER, range(100))
    unshipped.wipe(range(60))
    assert unshipped.size_bytes == 80
    assert unshipped.frames == range(60, 100)
