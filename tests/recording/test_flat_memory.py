"""Promise P7 for recordings: memory does not grow with them."""

from __future__ import annotations

import os
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from voicesession.core.audio import AudioFormat
from voicesession.core.timeline import Track
from voicesession.recording.file import FileObjectStore
from voicesession.recording.recorder import SpoolRecorder
from voicesession.recording.shipping import Shipping
from voicesession.runtime.clock import SteppedClock

CHUNK_US = 20_000
HOUR_S = 3_600
RECORDED_S = HOUR_S if os.environ.get("VOICESESSION_PROFILE") == "proof" else 120
# Two segments of 1 MiB, read and under way, and what waits for the writer.
MOST_BYTES = 4 * 1024 * 1024


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # what is measured is ours


def files_in(root: Path) -> list[str]:
    return [path.name for path in root.rglob("*") if path.is_file()]


@pytest.mark.timeout(1_200)
async def test_an_hour_of_audio_takes_no_more_memory_than_its_first_minute(
    tmp_path: Path,
) -> None:
    clock = SteppedClock(datetime(2030, 1, 1, tzinfo=UTC))
    shipping = Shipping(clock=clock, checkpoint=timedelta(seconds=30))
    recorder = SpoolRecorder(
        tmp_path / "spools", FileObjectStore(tmp_path / "store"), shipping=shipping
    )
    recording = recorder.open("s1", AudioFormat())
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
