"""Promise P7 for recordings: memory does not grow with them."""

from __future__ import annotations

import gc
import os
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from voicesession.core.audio import AudioFormat
from voicesession.core.results import SessionFolder
from voicesession.core.timeline import Track
from voicesession.recording import writer as writer_module
from voicesession.recording.feed import Feed
from voicesession.recording.file import FileObjectStore
from voicesession.recording.keeper import Keeper
from voicesession.recording.recorder import SpoolRecorder
from voicesession.recording.shipping import Shipping
from voicesession.recording.spool import FRAME_BYTES, open_spool
from voicesession.recording.writer import Writer
from voicesession.runtime.clock import SteppedClock

FORMAT = AudioFormat()
CHUNK_US = 20_000
HOUR_S = 3_600
RECORDED_S = HOUR_S if os.environ.get("VOICESESSION_PROFILE") == "proof" else 120
RECORDINGS = 10
MOST_OF_ONE_BYTES = 64 * 1024
# Two segments of 1 MiB, read and under way, and what waits for the writer.
MOST_BYTES = 4 * 1024 * 1024


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # what is measured is ours


def files_in(root: Path) -> list[str]:
    return [path.name for path in root.rglob("*") if path.is_file()]


def feeds_in(root: Path) -> list[Feed]:
    """Recordings whose writer hangs: it never comes to take what waits."""
    writer = Writer()
    spools = (
        open_spool(root, SessionFolder(f"s{n}"), FORMAT.sample_rate) for n in range(RECORDINGS)
    )
    return [Feed(Keeper(spool), FORMAT, writer) for spool in spools]


def fill(feed: Feed, frames: int, apart_frames: int) -> None:
    """Give it both voices, each chunk of its own memory, until no more is taken."""
    runs = dict(zip(Track, feed.hand_to(None), strict=True))
    for first in count(0, apart_frames):
        if feed.keeper.losses.problems:
            return
        for track in Track:
            at_us, chunk = FORMAT.time_of(first), bytes(bytearray(frames * FRAME_BYTES))
            if not runs[track].takes(at_us, chunk):
                feed.give(None, track, at_us, chunk)


def taken_bytes(root: Path, frames: int, apart_frames: int) -> float:
    """Return what each recording has in memory when no more is taken."""
    gc.collect()
    tracemalloc.start()
    feeds = feeds_in(root)
    for feed in feeds:
        fill(feed, frames, apart_frames)
    all_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for feed in feeds:
        feed.keeper.spool.release()
    return all_bytes / RECORDINGS


@pytest.mark.parametrize(
    ("frames", "apart_frames"),
    [(320, 320), (1, 1), (1_600, 1_600), (40_000, 40_000), (0, 320), (10, 80), (1_600, 1_601)],
)
def test_a_recording_takes_64_kib_at_most_however_its_audio_comes_and_the_disk_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int, apart_frames: int
) -> None:
    monkeypatch.setattr(writer_module, "_PATIENCE_S", 0)
    taken_bytes(tmp_path / "cold", frames, apart_frames)  # and what is made once for all
    assert taken_bytes(tmp_path / "warm", frames, apart_frames) <= MOST_OF_ONE_BYTES


@pytest.mark.timeout(1_200)
async def test_an_hour_of_audio_takes_no_more_memory_than_its_first_minute(
    tmp_path: Path,
) -> None:
    clock = SteppedClock(datetime(2030, 1, 1, tzinfo=UTC))
    shipping = Shipping(clock=clock, checkpoint=timedelta(seconds=30))
    recorder = SpoolRecorder(
        tmp_path / "spools", FileObjectStore(tmp_path / "store"), shipping=shipping
    )
    recording = recorder.open("s1", FORMAT)
    chunk = bytes(range(256)) * 2 + bytes(128)
    tracemalloc.start()
    async with anyio.create_task_group() as group:
        group.start_soon(recorder.run)
        for number in range(RECORDED_S * 1_000_000 // CHUNK_US):
            for track in Track:
                recording.write(track, number * CHUNK_US, chunk)
            if number % 50 == 49:
                clock.advance(1_000_000)
                await anyio.lowlevel.checkpoint()
        recorded = await recording.close(RECORDED_S * 1_000_000)
        group.cancel_scope.cancel()
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await recorder.aclose()
    assert recorded.is_whole
    assert recorded.size_bytes == 44 + RECORDED_S * 16_000 * 4
    assert peak_bytes < MOST_BYTES
    assert files_in(tmp_path) == ["audio.wav"]
