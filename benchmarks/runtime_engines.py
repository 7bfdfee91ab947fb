"""Engines that take no time, for ``runtime.py``: what is left is the runtime itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from voicesession.core.audio import AudioFormat
from voicesession.core.floor.config import (
    EndpointingConfig,
    FloorConfig,
    InterruptionConfig,
    PreemptionConfig,
    PreemptionStrategy,
    VoiceActivityConfig,
)
from voicesession.ports.agent import Prompt, ReplyPart
from voicesession.ports.speech import Final as Words, Recognition, SpeechAudio
from voicesession.providers.null import (
    NullRecognition,
    NullSpeechToText,
    NullTextToSpeech,
    NullVoiceActivityDetector,
)
from voicesession.runtime.pipeline import Pipeline

FRAME_S: Final = 0.02
FRAME: Final = bytes(640)
HURRIED: Final = FloorConfig(
    voice=VoiceActivityConfig(min_speech_us=20_000, min_silence_us=20_000),
    endpointing=EndpointingConfig(min_delay_us=0, max_delay_us=0),
    interruption=InterruptionConfig(min_words=0, min_speech_us=20_000, hold_after_us=None),
    preemption=PreemptionConfig(strategy=PreemptionStrategy.OFF),
)
"""Every decision of the floor at once: what is left is the way there."""


class InstantVoiceActivityDetector:
    """Hears a voice in whatever does not begin with silence; frames are windows here."""

    name = "instant"
    window_us = 20_000

    def open(self, _audio_format: AudioFormat, /) -> InstantVoiceActivityDetector:
        return self

    def push(self, pcm: bytes, /) -> tuple[float, ...]:
        return (1.0 if pcm[0] else 0.0,)

    def close(self) -> None: ...

    async def aclose(self) -> None: ...


class InstantRecognition(NullRecognition):
    """Understands "hello" at every flush, and keeps nobody waiting who asks for what is there."""

    async def __anext__(self) -> Recognition:
        return self._answers.pop(0) if self._answers else await super().__anext__()

    def flush(self) -> None:
        self._answer(Words(text="hello", start_us=0, end_us=0))
        super().flush()


class InstantSpeechToText(NullSpeechToText):
    async def open(self, audio_format: AudioFormat, /, *, language: str) -> InstantRecognition:  # noqa: ARG002  # the port's
        return InstantRecognition()


class InstantAgent:
    """Has thought of its answer before it is asked."""

    name = "instant"

    async def reply(self, prompt: Prompt, /) -> AsyncGenerator[ReplyPart]:  # noqa: ARG002  # the port's
        yield "Here is the answer. "
        yield "And here is more about it."


class InstantTextToSpeech(NullTextToSpeech):
    """Has said everything before it is asked."""

    _speech = bytes(bytearray([1, 0]) * 16_000)

    async def speak(self, text: str, /, *, language: str) -> AsyncGenerator[SpeechAudio]:  # noqa: ARG002  # the port's
        yield SpeechAudio(pcm=self._speech)


VOICE: Final = b"\x01" * len(FRAME)
"""A frame in which somebody speaks."""

NULL: Final = Pipeline(
    vad=NullVoiceActivityDetector(),
    stt=NullSpeechToText(),
    tts=NullTextToSpeech(),
    agent=InstantAgent(),
)
INSTANT: Final = Pipeline(
    vad=InstantVoiceActivityDetector(),
    stt=InstantSpeechToText(),
    tts=InstantTextToSpeech(),
    agent=InstantAgent(),
)
