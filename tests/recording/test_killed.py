"""Promise P2, on this disk: a process is killed at points that nobody chose."""

from __future__ import annotations

import random
import subprocess
import sys
import time
import wave
from array import array
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from attrs import frozen

from voicesession.core.timeline import Track
from voicesession.ports.recording import RecoveryReport
from voicesession.recording.recorder import SpoolRecorder

PROGRAM = Path(__file__).with_name("recording_process.py")
FRAMES = 320
LOSS_S = 1.0
PATTERN = array("h", range(1, 32_001))

RecordProperty = Callable[[str, object], None]
Start = Callable[[Path, str], subprocess.Popen[str]]


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
        taken = [int(line[0]) for line in self.lines if len(line) == 2 and float(line[1]) <= at_s]
        return max(taken, default=0)


def now_s() -> float:
    return time.monotonic()  # noqa: TID251  # the time that both processes share


@pytest.fixture
def start() -> Generator[Start]:
    with ExitStack() as running:

        def start(root: Path, ending: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(  # our own program
                [sys.executable, PROGRAM, root, ending],
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


def killed_after(process: subprocess.Popen[str], point_s: float) -> Killed:
    time.sleep(point_s)
    at_s = now_s()
    process.kill()
    said, _ = process.communicate()
    return Killed([line.split() for line in said.splitlines()], at_s)


async def recovered(root: Path) -> list[RecoveryReport]:
    recorder = SpoolRecorder.at(root)
    reports = list(await recorder.recover())
    assert await recorder.recover() == []
    await recorder.aclose()
    assert files_in(root) == ["sessions/s1/audio.wav"]
    return reports


def files_in(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]


def voices_in(root: Path) -> tuple[array[int], array[int]]:
    with wave.open(str(root / "sessions/s1/audio.wav")) as reader:
        samples = array("h", reader.readframes(reader.getnframes()))
        assert reader.getparams()[:4] == (2, 2, 16_000, len(samples) // 2)
    return samples[0::2], samples[1::2]


def see_that_each_sample_is_at_its_place(root: Path, safe_chunks: int) -> None:
    """Nothing is moved, doubled or foreign; only what came last may be silent."""
    left, right = voices_in(root)
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
            assert heard_left in (said, silence)
            assert heard_right in (spoken, silence)


async def test_who_is_killed_while_recording_loses_a_second_at_most(
    tmp_path: Path, start: Start, record_property: RecordProperty
) -> None:
    running = [(tmp_path / str(n), start(tmp_path / str(n), "live")) for n in range(4)]
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
        see_that_each_sample_is_at_its_place(root, safe_chunks)


async def test_who_is_killed_while_closing_loses_nothing(
    tmp_path: Path, start: Start, record_property: RecordProperty
) -> None:
    running = [(tmp_path / str(n), start(tmp_path / str(n), "closing")) for n in range(4)]
    for n, (root, process) in enumerate(running):
        assert heard(process) == "closing\n"
        killed = killed_after(process, random.uniform(0, 0.04 * n))
        record_property("killed while closing", killed.lines or "not done")
        for report in await recovered(root):
            assert report.recorded is not None
            assert report.recorded.gaps == ()
        # What may wait for the writer is a second at most.
        see_that_each_sample_is_at_its_place(root, 4_500 - 50)
