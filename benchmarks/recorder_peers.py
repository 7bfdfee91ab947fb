"""
What recording costs elsewhere: pipecat's buffer and the recorder of livekit-agents.

pipecat keeps both voices in memory, and says so to whoever listens; nothing is written.
livekit-agents writes an Opus file; only the caller's voice is given to it here, as what the
agent says goes through its playout. Each gets what it would get in its own pipeline, a frame
of its own kind; what it takes to make those is not counted.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

CHUNK_S: Final = 0.02
Chunks = tuple[int, float]
"""How many there were, and the CPU microseconds that each took."""


def pipecat(sessions: int, seconds: int, rate_hz: int) -> Chunks:
    """Measure ``AudioBufferProcessor``, which is given both voices."""
    from pipecat.frames.frames import InputAudioRawFrame, OutputAudioRawFrame
    from pipecat.processors.audio.audio_buffer_processor import AudioBufferProcessor

    async def play() -> Chunks:
        buffers: list[Any] = [
            AudioBufferProcessor(sample_rate=rate_hz, num_channels=2) for _ in range(sessions)
        ]
        for buffer in buffers:
            buffer._sample_rate = rate_hz  # noqa: SLF001  # as a pipeline sets it up
            await buffer.start_recording()

        def frames() -> list[tuple[Any, Any]]:
            return [
                (buffer, kind(audio=_chunk(rate_hz), sample_rate=rate_hz, num_channels=1))
                for buffer in buffers
                for kind in (InputAudioRawFrame, OutputAudioRawFrame)
            ]

        async def take(buffer: Any, frame: Any) -> None:
            await buffer._process_recording(frame)  # noqa: SLF001  # without its pipeline

        return await _measured(seconds, frames, take)

    return asyncio.run(play())


def livekit(sessions: int, seconds: int, rate_hz: int) -> Chunks:
    """Measure ``RecorderIO``, as an ``AgentSession`` sets it up, with the caller's voice."""
    from livekit import rtc
    from livekit.agents.voice import io
    from livekit.agents.voice.recorder_io import RecorderIO

    class Microphone(io.AudioInput):
        def __init__(self) -> None:
            super().__init__(label="microphone")
            self.frame: Any = None

        async def __anext__(self) -> Any:
            return self.frame

    async def play(folder: Path) -> Chunks:
        nobody: Any = None
        recorders = [RecorderIO(agent_session=nobody) for _ in range(sessions)]
        microphones = [Microphone() for _ in recorders]
        recorded: list[Any] = []
        for number, (recorder, microphone) in enumerate(zip(recorders, microphones, strict=True)):
            recorded.append(recorder.record_input(microphone))
            recorder.record_output(nobody)
            await recorder.start(output_path=folder / f"{number}.ogg")

        def frames() -> list[tuple[Any, Any]]:
            size = int(rate_hz * CHUNK_S)
            return [
                (number, rtc.AudioFrame(_chunk(rate_hz), rate_hz, 1, size))
                for number in range(sessions)
            ]

        async def take(number: int, frame: Any) -> None:
            microphones[number].frame = frame
            await anext(recorded[number])

        async def close() -> None:
            await asyncio.gather(*(recorder.aclose() for recorder in recorders))

        return await _measured(seconds, frames, take, close)

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(play(Path(folder)))


async def _nothing(*_: object) -> None:
    pass


async def _measured(
    seconds: int,
    frames: Callable[[], list[tuple[Any, Any]]],
    take: Callable[[Any, Any], Any],
    close: Callable[[], Any] = _nothing,
) -> Chunks:
    """Give each its chunk every 20 ms; what comes and goes without a taker is subtracted."""

    async def run(take: Callable[[Any, Any], Any], close: Callable[[], Any]) -> tuple[int, float]:
        count, began_s, cpu_s = 0, time.perf_counter(), time.process_time()
        for tick in range(int(seconds / CHUNK_S)):
            for who, frame in frames():
                await take(who, frame)
                count += 1
            due_s = began_s + (tick + 1) * CHUNK_S
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        await close()
        return count, time.process_time() - cpu_s

    _, idle_s = await run(_nothing, _nothing)
    count, busy_s = await run(take, close)
    return count, (busy_s - idle_s) / max(count, 1) * 1e6


def _chunk(rate_hz: int) -> bytes:
    return bytes(bytearray(_NOISE[: int(rate_hz * CHUNK_S) * 2]))


_NOISE: Final = os.urandom(2 * 960)
