"""Engines that do nothing, at no cost: for tests, benchmarks and what a session does not need."""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator
from typing import Final

import anyio
from anyio.lowlevel import checkpoint

from ..core.audio import AudioFormat
from ..core.heard import SpeechMark
from ..ports.speech import Flushed, Marked, Recognition, SpeechAudio

__all__ = ("NullSpeechToText", "NullTextToSpeech", "NullVoiceActivityDetector")

NAME: Final = "null"
WINDOW_US: Final = 20_000
CHARACTER_US: Final = 60_000
"""Some 17 characters a second: an unhurried voice."""
HUM_HZ: Final = 200
_LOUDNESS: Final = 500


class NullVoiceActivityDetector:
    """Never hears a voice."""

    name = NAME

    def open(self, audio_format: AudioFormat, /) -> NullVoiceActivity:
        return NullVoiceActivity(audio_format)

    async def aclose(self) -> None:
        """Nothing is held."""


class NullVoiceActivity:
    """One track; see `VoiceActivityStream`."""

    __slots__ = ("_waiting_bytes", "_window_bytes")

    window_us = WINDOW_US

    def __init__(self, audio_format: AudioFormat) -> None:
        self._window_bytes = audio_format.bytes_at(WINDOW_US)
        self._waiting_bytes = 0

    def push(self, pcm: bytes, /) -> list[float]:
        windows, self._waiting_bytes = divmod(self._waiting_bytes + len(pcm), self._window_bytes)
        return [0.0] * windows

    def close(self) -> None:
        """Nothing is held."""


class NullSpeechToText:
    """Never understands a word, and answers every flush at once."""

    name = NAME

    async def open(self, audio_format: AudioFormat, /, *, language: str) -> NullRecognition:  # noqa: ARG002 - every silence is alike
        await checkpoint()
        return NullRecognition()

    async def aclose(self) -> None:
        """Nothing is held."""


class NullRecognition:
    """One track; see `RecognitionStream`."""

    __slots__ = ("_answers", "_is_closed", "_wake")

    def __init__(self) -> None:
        self._answers: list[Recognition] = []
        self._wake: anyio.Event | None = None
        self._is_closed = False

    def push(self, pcm: bytes, at_us: int, /) -> None:
        """Take it, and forget it."""

    def flush(self) -> None:
        self._answer(Flushed())

    def mark(self) -> None:
        self._answer(Marked())

    def __aiter__(self) -> NullRecognition:
        return self

    async def __anext__(self) -> Recognition:
        await checkpoint()
        while not self._is_closed:
            if self._answers:
                return self._answers.pop(0)
            self._wake = anyio.Event()
            await self._wake.wait()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._is_closed = True
        self._wake_reader()

    def _answer(self, answer: Recognition) -> None:
        self._answers.append(answer)
        self._wake_reader()

    def _wake_reader(self) -> None:
        if self._wake is not None:
            self._wake.set()


class NullTextToSpeech:
    """Hums as long as a voice would take to say it, with a mark for every word."""

    name = NAME

    def __init__(self, *, sample_rate: int = 16_000) -> None:
        self.audio_format = AudioFormat(sample_rate=sample_rate)
        half = self.audio_format.frames_at(1_000_000 // HUM_HZ // 2)
        wave = array("h", [_LOUDNESS] * half + [-_LOUDNESS] * half).tobytes()
        waves = self.audio_format.bytes_at(CHARACTER_US) // len(wave)
        self._hum = wave * waves

    async def speak(self, text: str, /, *, language: str) -> AsyncGenerator[SpeechAudio]:  # noqa: ARG002 - a hum is understood everywhere
        said = made_bytes = 0
        for word in text.split():
            await checkpoint()
            end = text.index(word, said) + len(word)
            pcm = self._hum * (end - said)
            said = end
            made_bytes += len(pcm)
            at_us = self.audio_format.duration_us(made_bytes)
            yield SpeechAudio(pcm=pcm, marks=(SpeechMark(said, at_us),))

    async def aclose(self) -> None:
        """Nothing is held."""
