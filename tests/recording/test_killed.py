"""Promise P2: a process is killed at points that nobody chose, and its machine lost."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import sys
import time
import wave
from array import array
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest
from attrs import frozen
from tests.servers.s3 import CREDENTIALS, S3Server, running_moto, running_swift

from voicesession.core.segments import Segment, durable, segment_named
from voicesession.core.timeline import Track
from voicesession.ports.objects import ObjectStore
from voicesession.ports.recording import RecoveryReport
from voicesession.recording.file import FileObjectStore
from voicesession.recording.recorder import SpoolRecorder
from voicesession.recording.s3 import S3ObjectStore
from voicesession.recording.shipping import Shipping
from voicesession.runtime.clock import SystemClock

PROGRAM = Path(__file__).with_name("recording_process.py")
FRAMES = 320
LOSS_S = 1.0
LOSS_OF_A_MACHINE_S = 3.0
"""A checkpoint, which is half a second here; half a second until the audio is in the spool;
and two seconds to ship it, on a machine that is busy with four of them."""
IS_PROOF = os.environ.get("VOICESESSION_PROFILE") == "proof"
AT_ONCE = 4 if IS_PROOF else 2
# 200 points in all, and a sample of them.
ROUNDS_RECORDING, ROUNDS_CLOSING = (20, 5) if IS_PROOF else (1, 1)
LOST_MACHINES = [("folder", 30), ("moto", 30), ("swift", 20)] if IS_PROOF else [("folder", 1)]
LOST_WHILE_CLOSING = [("folder", 10), ("swift", 10)] if IS_PROOF else [("folder", 2)]
WAITING_CHUNKS = 122
"""All that may wait, of the agent alone, which is silent in every third: `test_feed.py` shows that
the voices need not wait in step, and that this is the most."""
PATTERN = array("h", range(1, 32_001))

RecordProperty = Callable[[str, object], None]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # which one the killed process ran on is gone with it


@frozen
class Killed:
    """What the process had said when it was killed."""

    lines: list[list[str]]
    at_s: float

    def chunks_before(self, at_s: float) -> int:
        """How many chunks had been taken by then."""
        taken = [
            int(line[0]) for line in self.lines if line[0].isdigit() and float(line[1]) <= at_s
        ]
        return max(taken, default=0)

    def shipped(self) -> list[Segment]:
        """What the store had taken."""
        keys = [line[1] for line in self.lines if line[0] == "put"]
        names = [key.removeprefix("sessions/s1/segments/") for key in keys]
        return [segment for name in names if (segment := segment_named(name)) is not None]


def now_s() -> float:
    return time.monotonic()  # noqa: TID251  # the time that both processes share


@pytest.fixture
def start() -> Generator[Start]:
    with ExitStack() as running:

        def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(  # our own program
                [sys.executable, PROGRAM, root, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            running.enter_context(process)
            running.callback(process.kill)
            return process

        yield start


def heard(process: subprocess.Popen[str]) -> str:
    """Return the next line: from here on it is at work."""
    assert process.stdout is not None
    return process.stdout.readline()


def heard_up_to(process: subprocess.Popen[str], word: str) -> str:
    """Return the next lines, of which the last has *word* in it."""
    said = ""
    while word not in said:
        said += heard(process)
    return said


def killed_after(process: subprocess.Popen[str], point_s: float, before: str = "") -> Killed:
    """Return what was said, with what was heard *before*."""
    time.sleep(point_s)
    at_s = now_s()
    process.kill()
    assert process.stdout is not None
    said = before + process.stdout.read()  # `communicate` would pass over what was read ahead
    process.wait()
    whole = said[: said.rfind("\n") + 1]  # the last line is torn where the pipe was full
    return Killed([line.split() for line in whole.splitlines()], at_s)


async def recovered(root: Path) -> list[RecoveryReport]:
    recorder = SpoolRecorder.at(root)
    reports = list(await recorder.recover())
    assert await recorder.recover() == []
    await recorder.aclose()
    assert files_in(root) == ["sessions/s1/audio.wav"]
    return reports


def files_in(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]


def voices_in(wav: bytes) -> tuple[array[int], array[int]]:
    with wave.open(io.BytesIO(wav)) as reader:
        samples = array("h", reader.readframes(reader.getnframes()))
        assert reader.getparams()[:4] == (2, 2, 16_000, len(samples) // 2)
    return samples[0::2], samples[1::2]


def see_that_each_sample_is_at_its_place(wav: bytes, safe_chunks: int) -> None:
    """Nothing is moved, doubled or foreign; only what came last may be silent."""
    left, right = voices_in(wav)
    assert len(left) >= safe_chunks * FRAMES
    silence = array("h", bytes(2 * FRAMES))
    for chunk, start_frame in enumerate(range(0, len(left), FRAMES)):
        said = PATTERN[start_frame % 32_000 : start_frame % 32_000 + FRAMES]
        heard_left = left[start_frame : start_frame + FRAMES]
        heard_right = right[start_frame : start_frame + FRAMES]
        spoken = said if chunk % 3 else silence
        if chunk < safe_chunks:
            assert (heard_left, heard_right) == (said, spoken)
        else:
            assert heard_left == said or all(map(is_it_or_silence, heard_left, said))
            assert heard_right == spoken or all(map(is_it_or_silence, heard_right, spoken))


def is_it_or_silence(heard: int, said: int) -> bool:
    return heard in (said, 0)


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("number", range(ROUNDS_RECORDING))
async def test_who_is_killed_while_recording_loses_a_second_at_most(
    tmp_path: Path, start: Start, record_property: RecordProperty, number: int
) -> None:
    running = [(tmp_path / str(n), start(tmp_path / str(n), "live")) for n in range(AT_ONCE)]
    for _, process in running:
        assert heard(process)
    # One after the other: the points add up.
    ends = [
        killed_after(process, random.uniform(0.05, 0.4) + LOSS_S * (root.name == "0"))
        for root, process in running
    ]
    for (root, _), killed in zip(running, ends, strict=True):
        record_property("killed after chunk", killed.chunks_before(killed.at_s))
        (report,) = await recovered(root)
        assert report.recorded is not None
        assert report.recorded.partial
        assert report.recorded.tracks == tuple(Track)
        safe_chunks = killed.chunks_before(killed.at_s - LOSS_S)
        assert 0 < safe_chunks < killed.chunks_before(killed.at_s)
        see_that_each_sample_is_at_its_place(the_file(root), safe_chunks)


@pytest.mark.parametrize("number", range(ROUNDS_CLOSING))
async def test_who_is_killed_while_closing_loses_nothing(
    tmp_path: Path, start: Start, record_property: RecordProperty, number: int
) -> None:
    running = [(tmp_path / str(n), start(tmp_path / str(n), "closing")) for n in range(AT_ONCE)]
    for n, (root, process) in enumerate(running):
        assert heard(process) == "closing\n"
        killed = killed_after(process, random.uniform(0, 0.04 * n))
        record_property("killed while closing", killed.lines or "not done")
        for report in await recovered(root):
            assert report.recorded is not None
            assert report.recorded.gaps == ()
        see_that_each_sample_is_at_its_place(the_file(root), 4_500 - WAITING_CHUNKS)


def the_file(root: Path) -> bytes:
    return (root / "sessions/s1/audio.wav").read_bytes()


@frozen
class Elsewhere:
    """Where the finished files go, for this process and the one that is killed."""

    url: str
    objects: ObjectStore

    async def recovered_by(self, disk: Path) -> tuple[list[RecoveryReport], bytes]:
        """Recover as another machine, or as the same one; return the file."""
        recorder = SpoolRecorder(disk, self.objects, shipping=Shipping(clock=SystemClock()))
        reports = list(await recorder.recover())
        assert await recorder.recover() == []
        assert await recorder.find_left() == []
        await recorder.aclose()
        assert [found.key for found in await self.objects.find()] == ["sessions/s1/audio.wav"]
        assert files_in(disk) == []
        return reports, await self.objects.get("sessions/s1/audio.wav")


def see_that_all_is_there_that_was_shipped(wav: bytes, segments: list[Segment]) -> None:
    assert segments
    for track, voice in zip(Track, voices_in(wav), strict=True):
        for stretch in durable(segments, track):
            for frame in stretch:
                is_silent = track is Track.AGENT and frame // FRAMES % 3 == 0
                assert voice[frame] == (0 if is_silent else PATTERN[frame % 32_000])


OpenStore = Callable[[str, int], Awaitable[Elsewhere]]


@pytest.fixture
async def open_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[OpenStore]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    async with AsyncExitStack() as stack:
        servers: dict[str, S3Server] = {}

        async def open_store(kind: str, number: int) -> Elsewhere:
            if kind == "folder":
                folder = tmp_path / f"store-{number}"
                return Elsewhere(str(folder), FileObjectStore(folder))
            if kind not in servers:
                running = running_moto() if kind == "moto" else running_swift(tmp_path / "swift")
                servers[kind] = stack.enter_context(running)
                async with servers[kind].client() as client:
                    await client.create_bucket(Bucket="recordings")
            url = f"s3://recordings/{number}?endpoint_url={servers[kind].url}&region=us-east-1"
            return Elsewhere(url, await stack.enter_async_context(S3ObjectStore.at(url)))

        yield open_store


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(("kind", "points"), LOST_MACHINES)
async def test_of_a_lost_machine_no_more_is_lost_than_since_the_last_checkpoint(
    tmp_path: Path,
    start: Start,
    open_store: OpenStore,
    record_property: RecordProperty,
    kind: str,
    points: int,
) -> None:
    for first in range(0, points, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, points))
        stores = [await open_store(kind, number) for number in numbers]
        running = [
            start(tmp_path / f"lost-{number}", "live", store.url)
            for number, store in zip(numbers, stores, strict=True)
        ]
        shipped = [heard_up_to(process, "user/") for process in running]
        ends = [
            killed_after(process, random.uniform(0.3, 1.2), before)
            for process, before in zip(running, shipped, strict=True)
        ]
        for number, store, killed in zip(numbers, stores, ends, strict=True):
            shutil.rmtree(tmp_path / f"lost-{number}")
            (report,), wav = await store.recovered_by(tmp_path / f"other-{number}")
            assert report.recorded is not None
            assert report.recorded.partial
            see_that_all_is_there_that_was_shipped(wav, killed.shipped())
            safe_chunks = killed.chunks_before(killed.at_s - LOSS_OF_A_MACHINE_S)
            see_that_each_sample_is_at_its_place(wav, safe_chunks)
            lost = killed.chunks_before(killed.at_s) - len(voices_in(wav)[0]) // FRAMES
            record_property("chunks lost with the machine", lost)


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(("kind", "points"), LOST_WHILE_CLOSING)
async def test_who_is_killed_while_closing_elsewhere_leaves_one_whole_file(
    tmp_path: Path,
    start: Start,
    open_store: OpenStore,
    record_property: RecordProperty,
    kind: str,
    points: int,
) -> None:
    for number in range(points):
        store = await open_store(kind, number)
        disk = tmp_path / f"killed-{number}"
        process = start(disk, "closing", store.url)
        while heard(process) != "closing\n":
            pass
        killed = killed_after(process, random.uniform(0, 0.3))
        record_property("killed while closing", killed.lines or "not done")
        is_lost = bool(number % 2)
        if is_lost:
            shutil.rmtree(disk)
        reports, wav = await store.recovered_by(tmp_path / "other" if is_lost else disk / ".spool")
        assert all(report.recorded is not None for report in reports)
        # A minute and a half in a second: four checkpoints are most of it, but not all.
        see_that_each_sample_is_at_its_place(wav, 0 if is_lost else 4_500 - WAITING_CHUNKS)
