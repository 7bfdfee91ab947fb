"""
The scenes of ``runtime.py``, played by pipecat: a stand-in for each of its services, without latency.

A frame passes four processors: ears, an agent, a voice and a loudspeaker. Voice is not
detected here either: who speaks says that he has finished.
"""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from statistics import quantiles
from typing import Any, Final

from loguru import logger
from pipecat.frames import frames
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

RATE_HZ: Final = 16_000
FRAME_S: Final = 0.02
TURNS: Final = 5
_SILENCE: Final = bytes(int(RATE_HZ * FRAME_S) * 2)
_WORDS: Final = "Here is the answer. "


class Part(FrameProcessor):
    """Answers frames of one kind, and lets all frames through."""

    async def process_frame(self, frame: frames.Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        await self.answer(frame)

    async def answer(self, frame: frames.Frame) -> None:
        """Push what follows from *frame*."""


class Ears(Part):
    async def answer(self, frame: frames.Frame) -> None:
        if isinstance(frame, frames.UserStoppedSpeakingFrame):
            said: dict[str, Any] = {"text": "hello", "user_id": "ada", "timestamp": "now"}
            await self.push_frame(frames.TranscriptionFrame(**said))


class Agent(Part):
    async def answer(self, frame: frames.Frame) -> None:
        if isinstance(frame, frames.TranscriptionFrame):
            await self.push_frame(frames.LLMTextFrame(_WORDS))


class Voice(Part):
    async def answer(self, frame: frames.Frame) -> None:
        if isinstance(frame, frames.LLMTextFrame):
            await self.push_frame(
                frames.TTSAudioRawFrame(audio=_SILENCE, sample_rate=RATE_HZ, num_channels=1)
            )


class Loudspeaker(Part):
    def __init__(self) -> None:
        super().__init__()
        self.heard = asyncio.Event()

    async def answer(self, frame: frames.Frame) -> None:
        if isinstance(frame, frames.TTSAudioRawFrame):
            self.heard.set()


def _frame() -> frames.InputAudioRawFrame:
    return frames.InputAudioRawFrame(audio=_SILENCE, sample_rate=RATE_HZ, num_channels=1)


class Call:
    """One pipeline and its runner."""

    def __init__(self) -> None:
        self.loudspeaker = Loudspeaker()
        self.worker = PipelineWorker(
            Pipeline([Ears(), Agent(), Voice(), self.loudspeaker]),
            params=PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ),
            cancel_on_idle_timeout=False,
            enable_rtvi=False,
        )
        self.runner = WorkerRunner(handle_sigint=False)
        self.task: asyncio.Task[None]

    async def open(self) -> None:
        started = asyncio.Event()

        @self.worker.event_handler("on_pipeline_started")  # type: ignore[untyped-decorator]
        async def note(_worker: PipelineWorker, _frame: frames.Frame) -> None:
            started.set()

        await self.runner.add_workers(self.worker)
        self.task = asyncio.create_task(self.runner.run())
        await started.wait()

    async def close(self) -> None:
        await self.worker.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


@asynccontextmanager
async def _calls(count: int) -> AsyncGenerator[list[Call]]:
    calls = [Call() for _ in range(count)]
    for call in calls:
        await call.open()
    try:
        yield calls
    finally:
        for call in calls:
            await call.close()


async def _sessions_a_core(count: int, seconds: float) -> float:
    async def feed(number: int, call: Call) -> None:
        begin = time.perf_counter() + FRAME_S * number / count
        for frame in range(int(seconds / FRAME_S)):
            await asyncio.sleep(begin + frame * FRAME_S - time.perf_counter())
            await call.worker.queue_frame(_frame())

    async with _calls(count) as calls:
        before = time.process_time()
        await asyncio.gather(*(feed(number, call) for number, call in enumerate(calls)))
        await asyncio.sleep(0.5)
        return count * seconds / (time.process_time() - before)


async def _to_first_frame(count: int) -> list[float]:
    took: list[float] = []

    async def talk(number: int, call: Call) -> None:
        await asyncio.sleep(number / count)
        for _ in range(TURNS):
            for _ in range(50):
                await call.worker.queue_frame(_frame())
                await asyncio.sleep(FRAME_S)
            call.loudspeaker.heard.clear()
            before = time.perf_counter()
            await call.worker.queue_frame(frames.UserStoppedSpeakingFrame())
            await call.loudspeaker.heard.wait()
            took.append(time.perf_counter() - before)

    async with _calls(count) as calls:
        await asyncio.gather(*(talk(number, call) for number, call in enumerate(calls)))
    return took


async def _weight(count: int) -> tuple[float, float]:
    gc.collect()
    tasks = len(asyncio.all_tasks())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    async with _calls(count):
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tasks = len(asyncio.all_tasks()) - tasks
        tracemalloc.stop()
    return grown / count / 1024, tasks / count


async def measure(seconds: float) -> dict[str, float]:
    """Return the figures of pipecat, under the names of ours with ``pipecat_`` before them."""
    logger.remove()
    async with _calls(2):  # what is made once
        pass
    hundredths = quantiles(await _to_first_frame(10), n=100)
    idle_kib, idle_tasks = await _weight(20)
    return {
        "pipecat_sessions_a_core": await _sessions_a_core(20, seconds),
        "pipecat_speech_end_to_first_frame_ms_p50": hundredths[49] * 1e3,
        "pipecat_speech_end_to_first_frame_ms_p99": hundredths[98] * 1e3,
        "pipecat_idle_kib": idle_kib,
        "pipecat_idle_tasks": idle_tasks,
    }
