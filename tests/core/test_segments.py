from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from voicesession.core.segments import (
    Segment,
    SegmentRead,
    durable,
    first_checkpoint,
    plan_reads,
    plan_segments,
    segment_named,
)
from voicesession.core.timeline import Track


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    first = draw(st.integers(0, 60))
    return Segment(
        draw(st.sampled_from(Track)),
        first,
        first + draw(st.integers(1, 30)),
        draw(st.integers(0, 9)),
    )


@given(segments())
def test_a_name_says_everything(segment: Segment) -> None:
    assert segment_named(segment.name) == segment


def test_names_sort_by_track_and_place() -> None:
    early, late = Segment(Track.USER, 9, 100, 7), Segment(Track.USER, 480_000, 480_001, 0)
    assert early.name == "user/000000000009-000000000100-000007.s16"
    assert early.name < late.name


@pytest.mark.parametrize(
    "name",
    [
        *("", "audio.wav", "user/1-2-3.s16", "other/000000000000-000000000001-000000.s16"),
        *(
            "user/000000000002-000000000002-000000.s16",
            "user/000000000000-000000000001-000000.s16x",
        ),
    ],
)
def test_a_foreign_name_is_no_segment(name: str) -> None:
    assert segment_named(name) is None


@given(st.lists(segments(), max_size=12), st.sampled_from(Track))
def test_durable_is_what_segments_of_the_track_hold_in_order_and_joined(
    listing: list[Segment], track: Track
) -> None:
    stretches = durable(listing, track)
    there = {at for one in listing if one.track is track for at in one.frames}
    assert [at for stretch in stretches for at in stretch] == sorted(there)
    assert all(one.stop < other.start for one, other in pairwise(stretches))


@given(
    st.lists(segments(), max_size=12, unique_by=lambda one: one.name),
    st.sampled_from(Track),
    st.integers(0, 80),
    st.integers(0, 60),
)
def test_reading_takes_the_latest_of_each_place_and_silence_elsewhere(
    listing: list[Segment], track: Track, start: int, length: int
) -> None:
    reads = list(plan_reads(listing, track, range(start, start + length)))
    assert [at for read in reads for at in read.frames] == list(range(start, start + length))
    for read in reads:
        assert read.frames
        for at in read.frames:
            holding = [one for one in listing if one.track is track and at in one.frames]
            if read.segment is None:
                assert not holding
            else:
                assert read.segment in holding
                assert read.segment.checkpoint == max(one.checkpoint for one in holding)


def test_late_audio_is_read_from_the_segment_that_brought_it() -> None:
    first, late = Segment(Track.USER, 0, 100, 1), Segment(Track.USER, 40, 60, 2)
    assert list(plan_reads([first, late], Track.USER, range(120))) == [
        SegmentRead(first, range(40)),
        SegmentRead(late, range(40, 60)),
        SegmentRead(first, range(60, 100)),
        SegmentRead(None, range(100, 120)),
    ]


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 90))
def test_a_stretch_is_shipped_in_segments_that_lie_end_to_end(
    start: int, length: int, at_most: int
) -> None:
    stretch = range(start, start + length)
    planned = list(plan_segments(stretch, Track.AGENT, 7, at_most_frames=at_most))
    assert [at for segment in planned for at in segment.frames] == list(stretch)
    assert all(len(segment.frames) == at_most for segment in planned[:-1])
    assert {(segment.track, segment.checkpoint) for segment in planned} <= {(Track.AGENT, 7)}


@given(st.lists(segments(), max_size=12))
def test_a_new_owner_ships_far_behind_what_the_last_one_has_sent_with_or_without_success(
    listing: list[Segment],
) -> None:
    first = first_checkpoint(listing)
    assert all(first - segment.checkpoint >= 10_000 for segment in listing)
    assert first >= 10_000
    assert segment_named(Segment(Track.USER, 0, 1, first * 1_000).name) is not None


@pytest.mark.parametrize(("first", "end", "checkpoint"), [(-1, 5, 0), (5, 5, 0), (0, 5, -1)])
def test_an_impossible_segment_is_refused(first: int, end: int, checkpoint: int) -> None:
    with pytest.raises(ValueError, match=r"_frame|checkpoint"):
        Segment(Track.USER, first, end, checkpoint)
