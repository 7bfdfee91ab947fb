"""Services for Pipecat's own pipeline that need nobody: the framework is real, they are not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pipecat.frames import frames
from pipecat.metrics.metrics import LLMTokenUsage, LLMUsageMetricsData, TTSUsageMetricsData
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.utils.text.base_text_aggregator import TextType

RATE_HZ = 16_000
FRAME_SAMPLES = RATE_HZ // 50
VOICE = b"\x10\x27"


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
