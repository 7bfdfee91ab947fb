from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen
from hypothesis import given, settings, strategies as st

from voicesession.core.audio import AudioFormat
from voicesession.core.results import SessionFolder
from voicesession.core.timeline import Span, Track
from voicesession.recording.feed import Feed
from voicesession.recording.keeper import Keeper
from voicesession.recording.spool import open_spool
from voicesession.recording.writer import Writer
from voicesession.testing.contracts.recorded import MS
from voicesession.testing.effort import examples

RATES_HZ = (8_000, 11_025, 16_000, 44_100)
MASK_US = 50 * MS


@frozen
class Chunks:
    """So many of one size, end to end as a clock of microseconds tells it.

    Attributes:
        at_us: None where they go on with what was given last.
        is_masked: Then the beginning of all is masked.
    """

    track: Track
    at_us: int | None
    frames: int
    count: int
    is_masked: bool


RUNS = st.lists(
    st.builds(
        Chunks,
        st.sampled_from(Track),
        st.none() | st.integers(0, 200 * MS),
        st.integers(0, 99),
        st.integers(1, 60),
        st.booleans(),
    ),
    max_size=6,
)


@settings(max_examples=examples(30))
@given(st.sampled_from(RATES_HZ), RUNS)
def test_each_chunk_lands_on_the_frame_nearest_to_its_time(
    rate_hz: int, runs: list[Chunks]
) -> None:
    spoken = AudioFormat(sample_rate=rate_hz)
    expected: dict[Track, dict[int, int]] = {track: {} for track in Track}
    next_us = dict.fromkeys(Track, 0)
    level = silent_until = 0
    with TemporaryDirectory() as folder:
        spool = open_spool(Path(folder), SessionFolder("s1"), rate_hz)
        feed = Feed(Keeper(spool), spoken, Writer())
        for run in runs:
            at_us = next_us[run.track] if run.at_us is None else run.at_us
            for _ in range(run.count):
                level += 1
                feed.give(None, run.track, at_us, level.to_bytes(2, "little") * run.frames)
                first = spoken.nearest_frame(at_us)
                expected[run.track] |= dict.fromkeys(range(first, first + run.frames), level)
                at_us += spoken.time_of(run.frames)
            next_us[run.track] = at_us
            if run.is_masked:
                feed.mask(Span(0, MASK_US))
                silent_until = spoken.nearest_frame(MASK_US)
        feed.write_out()
        for track, frames in expected.items():
            end = max(frames, default=-1) + 1
            kept = memoryview(spool.read(track, range(end))).cast("h").tolist()
            assert kept[:silent_until] == [0] * min(end, silent_until)
            assert kept[silent_until:] == [frames.get(n, 0) for n in range(silent_until, end)]
        spool.release()
