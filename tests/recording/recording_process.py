"""
A process that records until it is killed, and says what it has done: `test_killed.py` runs it.

    python recording_process.py ROOT live       records for ever, faster than time
    python recording_process.py ROOT closing    records a minute and a half, then closes

Each line is how many chunks ``write`` has taken, and the monotonic time after the last.
"""

from __future__ import annotations

import sys
import time
from array import array
from itertools import count
from pathlib import Path

import anyio

from voicesession.core.audio import AudioFormat
from voicesession.core.timeline import Track
from voicesession.recording.recorder import SpoolRecorder, SpoolRecording

FRAMES = 320
CHUNKS_BEFORE_CLOSE = 4_500
# No two places within two seconds hold the same, and none is silent.
PATTERN = array("h", range(1, 32_001)).tobytes()


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def record(recording: SpoolRecording, chunk: int) -> None:
    at = chunk * FRAMES * 2 % len(PATTERN)
    voice = PATTERN[at : at + FRAMES * 2]
    recording.write(Track.USER, chunk * 20_000, voice)
    if chunk % 3:
        recording.write(Track.AGENT, chunk * 20_000, voice)


def record_for_ever(recording: SpoolRecording) -> None:
    for chunk in count():
        record(recording, chunk)
        say(chunk + 1, time.monotonic())  # noqa: TID251  # the time that both processes share
        time.sleep(0.002)


async def main(root: Path, ending: str) -> None:
    recording = SpoolRecorder.at(root).open("s1", AudioFormat())
    if ending == "live":
        record_for_ever(recording)
    for chunk in range(CHUNKS_BEFORE_CLOSE):
        record(recording, chunk)
    say("closing")
    await recording.close(CHUNKS_BEFORE_CLOSE * 20_000)
    say("closed")
    sys.stdin.read()


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2])
