from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from voicesession.core.audio import AudioFormat
from voicesession.core.errors import InvalidValue
from voicesession.core.timeline import Piece, Span, Timeline, Track, merged, without
from voicesession.testing.strategies_audio import sample_rates, spans

MAX_US = 400_000
RANGES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda ab: range(ab[0], sum(ab))),
    max_size=8,
)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    some = st.lists(spans(max_us=MAX_US), max_size=4).map(tuple)
    return Timeline(
        sample_rate=draw(sample_rates()),
        duration_us=draw(st.integers(0, MAX_US)),
        cuts=draw(some),
        masks=draw(some),
    )


def covers(parts: tuple[Span, ...], at_us: int) -> bool:
    return any(span.from_us <= at_us < span.to_us for span in parts)


@given(RANGES)
def test_merged_stretches_cover_the_same_ground_in_order_and_apart(stretches: list[range]) -> None:
    joined = merged(stretches)
    assert {at for one in joined for at in one} == {at for one in stretches for at in one}
    assert all(one.stop < other.start for one, other in pairwise(joined))
    assert all(joined)


@given(st.integers(0, 60), st.integers(0, 30), RANGES)
def test_what_is_left_without_the_holes_is_the_difference(
    start: int, length: int, holes: list[range]
) -> None:
    stretch = range(start, start + length)
    left = list(without(stretch, merged(holes)))
    assert [at for part in left for at in part] == sorted(
        set(stretch) - {at for hole in holes for at in hole}
    )
    assert all(left)


def test_a_hole_at_the_very_start_leaves_nothing_before_it() -> None:
    assert list(without(range(5, 10), [range(5, 7)])) == [range(7, 10)]


@settings(deadline=None)
@given(timelines(), st.integers(1, 5_000))
def test_the_pieces_are_the_file_in_order_and_no_more(plan: Timeline, at_most: int) -> None:
    pieces = list(plan.pieces(at_most_frames=at_most))
    assert sum(len(piece.frames) for piece in pieces) == plan.file_frames
    assert all(0 < len(piece.frames) <= at_most for piece in pieces)
    assert all(one.frames.stop <= other.frames.start for one, other in pairwise(pieces))


@settings(deadline=None)
@given(timelines())
def test_each_frame_is_cut_silent_or_heard_as_its_time_says(plan: Timeline) -> None:
    audio_format = AudioFormat(sample_rate=plan.sample_rate)
    end = audio_format.nearest_frame(plan.duration_us)
    fates = dict.fromkeys(range(end), "cut")
    for piece in plan.pieces(at_most_frames=10**6):
        fates |= dict.fromkeys(piece.frames, "silent" if piece.is_silent else "heard")
    edges = {
        audio_format.nearest_frame(at)
        for one in (*plan.cuts, *plan.masks)
        for at in (one.from_us, one.to_us)
    }
    for frame in {0, end - 1, end // 2, *edges, *(edge - 1 for edge in edges)} & set(fates):
        middle_us = (2 * frame + 1) * 500_000 // plan.sample_rate
        if covers(plan.cuts, middle_us):
            assert fates[frame] == "cut"
        else:
            assert fates[frame] == ("silent" if covers(plan.masks, middle_us) else "heard")


@settings(deadline=None)
@given(timelines(), st.integers(0, 2 * MAX_US))
def test_the_map_goes_to_the_file_and_back(plan: Timeline, media_us: int) -> None:
    file_us = plan.to_file_us(media_us)
    assert 0 <= file_us <= plan.file_duration_us
    back_us = plan.to_media_us(file_us)
    if media_us >= plan.duration_us:
        assert back_us == plan.duration_us
    elif covers(plan.cuts, media_us):
        assert back_us > media_us
    else:
        assert back_us == media_us


@settings(deadline=None)
@given(timelines(), st.integers(0, MAX_US), st.integers(0, MAX_US))
def test_time_never_runs_backwards_on_the_map(plan: Timeline, one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    assert 0 <= plan.to_file_us(later) - plan.to_file_us(earlier) <= later - earlier


@settings(deadline=None)
@given(timelines())
def test_the_file_is_as_long_as_its_duration_says_to_a_frame_a_cut(plan: Timeline) -> None:
    frames = plan.file_duration_us * plan.sample_rate / 1_000_000
    assert abs(plan.file_frames - frames) <= 1 + len(plan.cuts)


@settings(deadline=None)
@given(timelines(), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_stretch_of_the_file_is_what_the_whole_has_there(
    plan: Timeline, start: int, length: int
) -> None:
    whole = [
        (at, piece.is_silent) for piece in plan.pieces(at_most_frames=999) for at in piece.frames
    ]
    part = plan.pieces(at_most_frames=999, within=range(start, start + length))
    assert [(at, piece.is_silent) for piece in part for at in piece.frames] == whole[
        start : start + length
    ]


def test_a_cut_moves_up_what_follows_and_a_mask_keeps_its_time() -> None:
    plan = Timeline(
        sample_rate=8_000, duration_us=1_000, cuts=(Span(250, 500),), masks=(Span(625, 750),)
    )
    assert list(plan.pieces(at_most_frames=100)) == [
        Piece(range(2), is_silent=False),
        Piece(range(4, 5), is_silent=False),
        Piece(range(5, 6), is_silent=True),
        Piece(range(6, 8), is_silent=False),
    ]
    assert (plan.file_frames, plan.file_duration_us) == (6, 750)
    assert [plan.to_file_us(at) for at in (0, 250, 400, 500, 1_000, 2_000)] == [
        0,
        250,
        250,
        250,
        750,
        750,
    ]
    assert [plan.to_media_us(at) for at in (0, 249, 250, 750)] == [0, 249, 500, 1_000]


def test_cuts_are_kept_in_order_and_joined() -> None:
    plan = Timeline(
        sample_rate=8_000, duration_us=100, cuts=(Span(50, 60), Span(10, 20), Span(15, 50))
    )
    assert plan.cuts == (Span(10, 60),)


def test_a_plan_can_have_another_length() -> None:
    plan = Timeline(sample_rate=8_000, duration_us=0, cuts=(Span(10, 20),))
    assert plan.with_duration(100).file_duration_us == 90


@pytest.mark.parametrize("file_us", [-1, 751])
def test_a_time_outside_the_file_has_no_media_time(file_us: int) -> None:
    plan = Timeline(sample_rate=8_000, duration_us=1_000, cuts=(Span(250, 500),))
    with pytest.raises(InvalidValue, match="file_us"):
        plan.to_media_us(file_us)


@pytest.mark.parametrize(("from_us", "to_us"), [(-1, 5), (5, 5), (5, 4)])
def test_an_empty_or_negative_span_is_refused(from_us: int, to_us: int) -> None:
    with pytest.raises(ValueError, match="_us"):
        Span(from_us, to_us)


def test_joined_spans_hold_both() -> None:
    assert Span(10, 20).joined(Span(40, 50)) == Span(40, 50).joined(Span(10, 20)) == Span(10, 50)


def test_a_negative_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="duration_us"):
        Timeline(sample_rate=8_000, duration_us=-1)


def test_the_caller_is_the_left_channel() -> None:
    assert list(Track) == [Track.USER, Track.AGENT]
