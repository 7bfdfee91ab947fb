from __future__ import annotations

import shutil
from array import array
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest
from attrs import frozen
from hypothesis import HealthCheck, given, settings, strategies as st

from voicesession.core.audio import AudioFormat
from voicesession.core.errors import StoreTimeout, StoreUnavailable
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


@frozen
class Write:
    """So many milliseconds of one level."""

    track: Track
    at_ms: int
    level: int
    duration_ms: int

    def __call__(self, feed: Feed) -> None:
        pcm = steady(self.level, self.duration_ms, rate_hz=8_000)
        feed.give(None, self.track, self.at_ms * MS, pcm)


@frozen
class Mask:
    """Silence in place."""

    span: Span

    def __call__(self, feed: Feed) -> None:
        feed.mask(self.span)


@frozen
class Pause:
    """A cut, which may go on."""

    at_ms: int
    for_ms: int | None

    def __call__(self, feed: Feed) -> None:
        feed.pause(self.at_ms * MS)
        if self.for_ms is not None and feed.paused_at_us is not None:
            feed.resume(feed.paused_at_us + self.for_ms * MS)


@frozen
class Checkpoint:
    """Ship; the store takes so much of it, or all, and perhaps one more, without saying so."""

    puts: int | None = None
    is_unheard: bool = False


Action = Write | Mask | Pause | Checkpoint
TIMES_MS = st.integers(0, 60)
ACTIONS = st.lists(
    st.one_of(
        st.builds(Write, st.sampled_from(Track), TIMES_MS, st.integers(1, 99), st.integers(1, 60)),
        st.builds(Mask, spans(max_us=60 * MS)),
        st.builds(Pause, TIMES_MS, st.one_of(st.none(), st.integers(0, 20))),
        st.builds(Checkpoint, st.one_of(st.none(), st.integers(0, 4)), st.booleans()),
    ),
    max_size=14,
)


class Narrow(MemoryObjectStore):
    """Takes so many objects, and then no more."""

    puts_left: int | None = None
    is_unheard = False

    async def put(self, key: str, data: bytes, /) -> str:
        if self.puts_left is not None:
            if not self.puts_left:
                await self._refuse(key, data)
            self.puts_left -= 1
        return await super().put(key, data)

    async def _refuse(self, key: str, data: bytes) -> NoReturn:
        if self.is_unheard:
            await super().put(key, data)
            raise StoreTimeout("its answer was lost")
        raise StoreUnavailable("it is full")

    async def copy(self) -> MemoryObjectStore:
        copy = MemoryObjectStore()
        for found in await self.find():
            await copy.put(found.key, await self.get(found.key))
        return copy


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


class Recorded:
    """The same recording twice: shipped, and only on this disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.objects = Narrow()
        self.shipped = a_feed(root / "shipped", is_shipped=True)
        self.local = a_feed(root / "local", is_shipped=False)
        self._shipment = Shipment(self.shipped, self.objects, due_us=0)

    async def do(self, *actions: Action) -> None:
        await self._shipment.ship()  # there is nothing of before
        for action in actions:
            if isinstance(action, Checkpoint):
                await self._ship(action)
            else:
                for feed in (self.shipped, self.local):
                    action(feed)
                    feed.write_out()

    async def come_back(self) -> dict[str, list[tuple[int, int]]]:
        """What is heard after each of the ways in which it may be lost."""
        # Copied as a crash would leave it: nobody owns a copy.
        shutil.rmtree(self.root / "crashed", ignore_errors=True)
        shutil.copytree(self.root / "shipped", self.root / "crashed")
        after_crash = await heard(self.root / "crashed", await self.objects.copy())
        await self._ship(Checkpoint())
        await see_that_nothing_silenced_is_kept(self.objects, self.shipped)
        for feed in (self.shipped, self.local):
            feed.keeper.spool.release()
        heard_again = {
            "never shipped": await heard(self.root / "local", MemoryObjectStore()),
            "of the crashed process": after_crash,
            "of the lost machine": await heard(self.root / "other", self.objects),
        }
        left = [found.key for found in await self.objects.find()]
        assert left in ([], ["sessions/s1/audio.wav"])
        return heard_again

    async def _ship(self, checkpoint: Checkpoint) -> None:
        self.objects.puts_left = checkpoint.puts
        self.objects.is_unheard = checkpoint.is_unheard
        with suppress(StoreUnavailable, StoreTimeout):
            await self._shipment.ship()
        self.shipped.write_out()  # what the shipment has it note


@pytest.mark.timeout(1_200)  # in proof
@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTIONS)
async def test_what_was_shipped_comes_back_as_it_stood_in_the_spool(
    tmp_path: Path, actions: list[Action]
) -> None:
    recorded = Recorded(tmp_path)
    await recorded.do(*actions)
    ways = await recorded.come_back()
    assert all(way == ways["never shipped"] for way in ways.values()), ways


async def test_late_audio_holds_though_what_lay_there_before_is_shipped_again_for_a_mask(
    tmp_path: Path,
) -> None:
    recorded = Recorded(tmp_path)
    await recorded.do(
        Write(Track.AGENT, at_ms=0, level=1, duration_ms=4),
        Checkpoint(),
        Write(Track.AGENT, at_ms=1, level=2, duration_ms=1),
        Checkpoint(),
        Mask(Span(3 * MS, 4 * MS)),
    )
    levels = [1] * 8 + [2] * 8 + [1] * 8
    assert set(map(tuple, (await recorded.come_back()).values())) == {
        tuple((0, level) for level in levels)
    }


async def test_late_audio_holds_though_the_checkpoints_before_it_broke_off(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    await recorded.do(
        Write(Track.AGENT, at_ms=0, level=1, duration_ms=4),
        Checkpoint(),
        Write(Track.AGENT, at_ms=0, level=2, duration_ms=4),
        Write(Track.USER, at_ms=0, level=3, duration_ms=4),
        Checkpoint(puts=1),  # the caller's
        Write(Track.USER, at_ms=0, level=4, duration_ms=4),
        Checkpoint(puts=1),
        Write(Track.USER, at_ms=0, level=5, duration_ms=4),
    )
    assert set(map(tuple, (await recorded.come_back()).values())) == {((5, 2),) * 32}


async def test_late_audio_holds_though_nobody_said_that_what_lay_there_had_arrived(
    tmp_path: Path,
) -> None:
    recorded = Recorded(tmp_path)
    await recorded.do(
        Write(Track.USER, at_ms=0, level=1, duration_ms=4),
        Checkpoint(),
        Write(Track.USER, at_ms=0, level=2, duration_ms=4),
        Checkpoint(puts=0, is_unheard=True),
        Write(Track.USER, at_ms=0, level=3, duration_ms=4),
        Checkpoint(puts=0, is_unheard=True),
        Write(Track.USER, at_ms=0, level=4, duration_ms=4),
    )
    assert set(map(tuple, (await recorded.come_back()).values())) == {((4, 0),) * 32}
