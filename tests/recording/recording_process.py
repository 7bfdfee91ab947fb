"""
A process that records until it is killed, and says what it has done: `test_killed.py` runs it.

    python recording_process.py ROOT live               records for ever, faster than time
    python recording_process.py ROOT closing            records a minute and a half, then closes
    python recording_process.py ROOT live STORE         the same, and ships to another place:
    python recording_process.py ROOT closing STORE      a folder, or s3://…

Each line is how many chunks ``write`` has taken, and the monotonic time after the last; or
``put`` and the key of an object that the store has taken.
"""

from __future__ import annotations

import sys
import time
from array import array
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from itertools import count
from pathlib import Path

import anyio

from voicesession.core.audio import AudioFormat
from voicesession.core.timeline import Track
from voicesession.ports.objects import ObjectStore
from voicesession.recording.file import FileObjectStore
from voicesession.recording.recorder import SpoolRecorder, SpoolRecording
from voicesession.recording.shipping import Shipping
from voicesession.runtime.clock import SystemClock

FRAMES = 320
CHUNKS_BEFORE_CLOSE = 4_500
QUICKER = 10
# No two places within two seconds hold the same, and none is silent.
PATTERN = array("h", range(1, 32_001)).tobytes()


class QuickClock(SystemClock):
    """Runs ten times as fast: a checkpoint of five seconds is one of half a second."""

    def monotonic_us(self) -> int:
        return super().monotonic_us() * QUICKER

    async def sleep_until(self, monotonic_us: int, /) -> None:
        await anyio.sleep((monotonic_us - self.monotonic_us()) / QUICKER / 1_000_000)


class TellingStore(FileObjectStore):
    """Says what it has taken."""

    async def put(self, key: str, data: bytes, /) -> str:
        uri = await super().put(key, data)
        say("put", key)
        return uri


def telling_s3(url: str) -> AbstractAsyncContextManager[ObjectStore]:
    from voicesession.recording.s3 import S3ObjectStore  # takes a second to load

    class TellingS3(S3ObjectStore):
        async def put(self, key: str, data: bytes, /) -> str:
            uri = await super().put(key, data)
            say("put", key)
            return uri

    return TellingS3.at(url)


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def record(recording: SpoolRecording, chunk: int) -> None:
    at = chunk * FRAMES * 2 % len(PATTERN)
    voice = PATTERN[at : at + FRAMES * 2]
    recording.write(Track.USER, chunk * 20_000, voice)
    if chunk % 3:
        recording.write(Track.AGENT, chunk * 20_000, voice)


async def record_for_ever(recording: SpoolRecording) -> None:
    for chunk in count():
        record(recording, chunk)
        say(chunk + 1, time.monotonic())  # noqa: TID251  # the time that both processes share
        await anyio.sleep(0.002)


async def record_and_close(recording: SpoolRecording) -> None:
    for chunk in range(CHUNKS_BEFORE_CLOSE):
        record(recording, chunk)
        if chunk % 100 == 0:
            await anyio.sleep(0.02)
    say("closing")
    await recording.close(CHUNKS_BEFORE_CLOSE * 20_000)
    say("closed")
    await anyio.sleep_forever()


async def main(root: Path, ending: str, *elsewhere: str) -> None:
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        recorder = SpoolRecorder.at(root)
        for store in elsewhere:
            shipping = Shipping(clock=QuickClock(), checkpoint=timedelta(seconds=5))
            objects: ObjectStore
            if store.startswith("s3:"):
                objects = await stack.enter_async_context(telling_s3(store))
            else:
                objects = TellingStore(Path(store))
            recorder = SpoolRecorder(root / ".spool", objects, shipping=shipping)
        group.start_soon(recorder.run)
        recording = recorder.open("s1", AudioFormat())
        await (record_for_ever if ending == "live" else record_and_close)(recording)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], *sys.argv[3:])
