"""
The scenes of ``runtime.py``, played by pipecat: a stand-in for each of its services, without latency.

A frame passes four processors: ears, an agent, a voice and a loudspeaker. Voice is not
detected here either: who speaks says that he has finished.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

import runtime_peers
from figures import Figures
from loguru import logger
from pipecat.frames import frames
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner
from runtime_peers import FRAME_S, RATE_HZ

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


class Call:
    """One pipeline and its runner."""

    def __init__(self) -> None:
        loudspeaker = Loudspeaker()
        self.heard = loudspeaker.heard
        self.worker = PipelineWorker(
            Pipeline([Ears(), Agent(), Voice(), loudspeaker]),
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

    async def stay_silent(self) -> None:
        await self.worker.queue_frame(
            frames.InputAudioRawFrame(audio=_SILENCE, sample_rate=RATE_HZ, num_channels=1)
        )

    async def finish(self) -> None:
        await self.worker.queue_frame(frames.UserStoppedSpeakingFrame())

    async def aclose(self) -> None:
        await self.worker.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


async def measure(seconds: float) -> Figures:
    """Return the figures of pipecat, under the names of ours with ``pipecat_`` before them."""
    logger.remove()
    return await runtime_peers.measure("pipecat", Call, sessions=20, seconds=seconds)
