from __future__ import annotations

import shutil
from array import array
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from voicesession.core.audio import AudioFormat
from voicesession.core.results import SessionFolder
from voicesession.core.timeline import Span, Track
from voicesession.ports.objects import ObjectStore
from voicesession.recording.feed import Feed
from voicesession.recording.keeper import Keeper
from voicesession.recording.memory import MemoryObjectStore
from voicesession.recording.recovery import Recovery
from voicesession.recording.segments import SegmentFolder
from voicesession.recording.shipping import Shipment
from voicesession.recording.spool import open_spool
from voicesession.recording.writer import Writer
from voicesession.runtime.clock import SteppedClock
from voicesession.testing.contracts.recorded import MS, Wav, steady
from voicesession.testing.effort import examples
from voicesession.testing.strategies_audio import spans

FORMAT = AudioFormat(sample_rate=8_000)
Action = Callable[[Feed], None]


def write(track: Track, at_ms: int, level: int, duration_ms: int) -> Action:
    pcm = steady(level, duration_ms, rate_hz=8_000)
    return lambda feed: feed.give(None, track, at_ms * MS, pcm)


def mask(span: Span) -> Action:
    return lambda feed: feed.mask(span)


def pause(at_ms: int, for_ms: int | None) -> Action:
    def act(feed: Feed) -> None:
        feed.pause(at_ms * MS)
        if for_ms is not None and feed.paused_at_us is not None:
            feed.resume(feed.paused_at_us + for_ms * MS)

    return act


TIMES_MS = st.integers(0, 60)
ACTIONS = st.lists(
    st.one_of(
        st.builds(write, st.sampled_from(Track), TIMES_MS, st.integers(1, 99), st.integers(1, 60)),
        st.builds(mask, spans(max_us=60 * MS)),
        st.builds(pause, TIMES_MS, st.one_of(st.none(), st.integers(0, 20))),
        st.none(),  # a checkpoint
    ),
    max_size=14,
)


def a_feed(root: Path, *, is_shipped: bool) -> Feed:
    shutil.rmtree(root, ignore_errors=True)
    spool = open_spool(root, SessionFolder("s1"), 8_000)
    limit_bytes = 1 << 30 if is_shipped else None
    return Feed(Keeper(spool, unshipped_limit_bytes=limit_bytes), FORMAT, Writer())


async def heard(root: Path, objects: ObjectStore) -> list[tuple[int, int]]:
    """Both voices of what is recovered, without the silence at the end."""
    clock = SteppedClock(datetime(2030, 1, 1, tzinfo=UTC))
    reports = await Recovery(root, objects, clock=clock).finish()
    if not any(report.recorded for report in reports):
        return []
    wav = Wav.of(await objects.get("sessions/s1/audio.wav"))
    frames = list(zip(wav.left, wav.right or (0,) * len(wav.left), strict=True))
    while frames and frames[-1] == (0, 0):
        frames.pop()
    return frames


async def see_that_nothing_silenced_is_kept(objects: ObjectStore, feed: Feed) -> None:
    folder, notes = SegmentFolder(objects, SessionFolder("s1")), feed.keeper.spool.notes
    shipped = await folder.look()
    silences = [*notes.cuts, *notes.masks]
    if notes.paused_at_us is not None:
        silences.append(Span(notes.paused_at_us, 1_000_000 * MS))
    for segment in () if shipped is None else shipped.segments:
        samples = array("h", await folder.read(segment, segment.frames))
        for span in silences:
            from_frame, to_frame = map(FORMAT.nearest_frame, (span.from_us, span.to_us))
            start = max(0, from_frame - segment.first_frame)
            assert not any(samples[start : max(0, to_frame - segment.first_frame)])


@pytest.mark.timeout(1_200)  # in proof
@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTIONS)
async def test_what_was_shipped_comes_back_as_it_stood_in_the_spool(
    tmp_path: Path, actions: list[Action | None]
) -> None:
    objects = MemoryObjectStore()
    shipped = a_feed(tmp_path / "shipped", is_shipped=True)
    local = a_feed(tmp_path / "local", is_shipped=False)
    shipment = Shipment(shipped, objects, due_us=0)
    await shipment.ship()  # there is nothing of before
    for action in (*actions, None):
        if action is None:
            await shipment.ship()
        else:
            for feed in (shipped, local):
                action(feed)
                feed.write_out()
    await see_that_nothing_silenced_is_kept(objects, shipped)
    for feed in (shipped, local):
        feed.keeper.spool.release()
    from_segments = await heard(tmp_path / "other", objects)
    assert from_segments == await heard(tmp_path / "local", MemoryObjectStore())
    assert [found.key for found in await objects.find()] in ([], ["sessions/s1/audio.wav"])
