"""
A call in Pipecat's own pipeline that needs nobody: the framework is real, its services are not.

It takes seconds to import: only by the tests that use it, when they run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from attrs import frozen
from pipecat.frames import frames
from pipecat.metrics.metrics import LLMTokenUsage, LLMUsageMetricsData, TTSUsageMetricsData
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.utils.text.base_text_aggregator import TextType
from pipecat.workers.runner import WorkerRunner
from tests.integrations.eventually import eventually
from tests.integrations.sound import RATE_HZ, VOICE
from tests.patience import PATIENCE_S

from voicesession import SessionHandle, SessionManager
from voicesession.integrations.pipecat import kept

FRAME_SAMPLES = RATE_HZ // 50


def heard() -> frames.InputAudioRawFrame:
    """Twenty milliseconds of the caller."""
    return frames.InputAudioRawFrame(
        audio=b"\x01\x00" * FRAME_SAMPLES, sample_rate=RATE_HZ, num_channels=1
    )


class Ears(FrameProcessor):
    """Recognises *text* in the fiftieth frame that it is given; counts them all."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.count = 0

    async def process_frame(self, frame: frames.Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, frames.InputAudioRawFrame):
            self.count += 1
            if self.count == 50:
                said: dict[str, Any] = {"text": self.text, "user_id": "ada", "timestamp": "now"}
                await self.push_frame(frames.InterimTranscriptionFrame(**said))
                await self.push_frame(frames.TranscriptionFrame(**said))


class Mind(FrameProcessor):
    """Answers a transcription with *words*, a tenth of a second of voice for each."""

    def __init__(self, *words: str) -> None:
        super().__init__()
        self.words = words

    async def process_frame(self, frame: frames.Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if not isinstance(frame, frames.TranscriptionFrame):
            return
        await self.push_frame(frames.LLMTextFrame(" ".join(self.words)))
        await self.push_frame(frames.TTSStartedFrame())
        for word in self.words:
            voice = VOICE * (RATE_HZ // 10)
            await self.push_frame(
                frames.TTSAudioRawFrame(audio=voice, sample_rate=RATE_HZ, num_channels=1)
            )
            await self.push_frame(frames.TTSTextFrame(word, TextType.WORD))
        await self.push_frame(frames.TTSStoppedFrame())
        tokens = LLMTokenUsage(prompt_tokens=7, completion_tokens=3, total_tokens=10)
        await self.push_frame(
            frames.MetricsFrame(
                data=[
                    LLMUsageMetricsData(processor="mind", value=tokens),
                    TTSUsageMetricsData(processor="mind", value=len(" ".join(self.words))),
                ]
            )
        )


class Loudspeaker(BaseOutputTransport):
    """Plays as long as the caller is heard meanwhile; nothing after the first *most* pieces."""

    def __init__(self, most: int | None = None) -> None:
        super().__init__(TransportParams(audio_out_enabled=True, audio_out_sample_rate=RATE_HZ))
        self.left = most
        self.stuck = asyncio.Event()
        self.let_go = asyncio.Event()
        self.meanwhile: Callable[[int], Awaitable[None]] | None = None

    async def start(self, frame: frames.StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: frames.OutputAudioRawFrame) -> bool:
        if self.left is not None:
            if self.left == 0:
                self.stuck.set()
                await self.let_go.wait()
            self.left -= 1
        if self.meanwhile is not None:
            await self.meanwhile(len(frame.audio) // 2 // FRAME_SAMPLES)
        return True


class Caller(FrameProcessor):
    """Speaks for a second, and hangs up when the answer has been heard."""

    async def process_frame(self, frame: frames.Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, frames.StartFrame):
            for _ in range(50):
                await self.push_frame(heard())
        elif isinstance(frame, frames.BotStoppedSpeakingFrame):
            await self.push_frame(frames.EndWorkerFrame(), FrameDirection.UPSTREAM)


@frozen
class Call:
    handle: SessionHandle
    worker: PipelineWorker
    ears: Ears
    loudspeaker: Loudspeaker

    async def interrupt(self) -> None:
        await self.worker.queue_frame(frames.InterruptionFrame())

    async def hear(self, count: int) -> None:
        until_us = self.handle.media_us + count * 20_000
        for _ in range(count):
            await self.worker.queue_frame(heard())
        await eventually(lambda: self.handle.media_us >= until_us or not self.handle.is_live)


@asynccontextmanager
async def call(
    voice: SessionManager, *words: str, plays: int | None = None
) -> AsyncGenerator[Call]:
    """Hold a call in Pipecat's pipeline, under a session of ours; *words* are the answer."""
    session = await voice.create(sample_rate=RATE_HZ, store_audio=True, store_transcript=True)
    async with voice.attach(session.id) as handle, kept(handle) as keeper:
        ears, loudspeaker = Ears("hello there"), Loudspeaker(plays)
        pipeline = Pipeline([keeper.gate, ears, Mind(*words), loudspeaker])
        params = PipelineParams(enable_metrics=True, enable_usage_metrics=True)
        worker = PipelineWorker(pipeline, observers=[keeper.observer], params=params)
        started = asyncio.Event()

        async def now_started(*_: object) -> None:
            started.set()

        worker.add_event_handler("on_pipeline_started", now_started)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        running = asyncio.create_task(runner.run())
        try:
            await asyncio.wait_for(started.wait(), PATIENCE_S)
            yield Call(handle, worker, ears, loudspeaker)
            await worker.queue_frame(frames.EndFrame())
            await asyncio.wait_for(running, PATIENCE_S)
        finally:
            await worker.cancel()
