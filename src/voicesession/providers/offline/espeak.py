"""Text to speech by eSpeak NG: small, immediate, in a hundred languages, and a robot's voice."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from typing import Final

from anyio.to_thread import run_sync

from ...core.audio import AudioFormat
from ...core.errors import InvalidValue, ProviderError
from ...ports.speech import SpeechAudio, SpeechMark
from .espeak_library import ENGINE, Piece, Speaking, Voice, espeak

__all__ = ("EspeakTextToSpeech",)

LONGEST_PART: Final = 240
"""Characters that eSpeak makes at a time: at most some 20 s of audio wait to be fetched,
and nobody else waits for eSpeak longer than some 30 ms."""
_RATES_WPM: Final = range(80, 451)
_PITCHES: Final = range(100)
_BREAKS: Final = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (r".*[.!?…:;][\"'”’)\]]*\s", r".*,\s", r".*\s", r".+")
)


class EspeakTextToSpeech:
    """Speaks with eSpeak NG; all instances of a process share its one engine and thread.

    The first audio is there in under a millisecond of synthesis, with a mark for every word.
    Runs on asyncio and Trio.
    """

    name = ENGINE

    def __init__(self, voice: str = "en-us", *, rate_wpm: int = 160, pitch: int = 50) -> None:
        """Load the engine, if it is not, and try the voice.

        Args:
            voice: eSpeak's name of it; ``en-us+f3`` is a variant. It speaks its own
                language; for another language eSpeak's voice of that language is taken.
            rate_wpm: Words a minute, 80 to 450.
            pitch: 0 to 99.

        Raises:
            InvalidValue: There is no such voice, or a number lies outside its range.
            InvalidConfig: The extra ``offline`` is not installed.
        """
        if rate_wpm not in _RATES_WPM:
            raise InvalidValue("rate_wpm", rate_wpm, "80 to 450")
        if pitch not in _PITCHES:
            raise InvalidValue("pitch", pitch, "0 to 99")
        self._engine = espeak()
        self._voice = Voice(name=voice, rate_wpm=rate_wpm, pitch=pitch)
        self._language = _primary(self._engine.language_of(self._voice))
        self._format = AudioFormat(sample_rate=self._engine.sample_rate)

    @property
    def audio_format(self) -> AudioFormat:
        return self._format

    async def speak(self, text: str, /, *, language: str) -> AsyncGenerator[SpeechAudio]:
        voice = self._voice_for(language)
        marks = _Marks(text, self._format)
        for start, end in _parts(text):
            speaking = Speaking(text[start:end], voice)
            self._engine.start(speaking)
            try:
                # Abandoned in its thread when cancelled: the engine ends it soon.
                while pieces := await run_sync(speaking.take, abandon_on_cancel=True):
                    yield marks.joined(start, pieces)
            except InvalidValue as error:
                raise ProviderError(ENGINE, str(error)) from error
            finally:
                speaking.cancel()
            marks.end_part()

    async def aclose(self) -> None:
        """Nothing is held: the engine belongs to the process."""

    def _voice_for(self, language: str) -> Voice:
        if _primary(language) in {"auto", self._language}:
            return self._voice
        return Voice(
            name=language,
            by_language=True,
            rate_wpm=self._voice.rate_wpm,
            pitch=self._voice.pitch,
        )


class _Marks:
    """Turns where words begin into where words end, along the whole text."""

    def __init__(self, text: str, audio_format: AudioFormat) -> None:
        self._text = text
        self._format = audio_format
        self._said = 0
        self._bytes = 0
        self._part_us = 0

    def joined(self, start: int, pieces: list[Piece]) -> SpeechAudio:
        """Return *pieces* of the part that begins at *start* as one."""
        marks = tuple(
            mark
            for piece in pieces
            for offset, at_ms in piece.boundaries
            for mark in self._up_to(start + offset, self._part_us + at_ms * 1_000)
        )
        pcm = b"".join(piece.pcm for piece in pieces)
        self._bytes += len(pcm)
        return SpeechAudio(pcm=pcm, marks=marks)

    def end_part(self) -> None:
        """Count what follows from the end of the audio so far."""
        self._part_us = self._format.duration_us(self._bytes)

    def _up_to(self, offset: int, at_us: int) -> Iterator[SpeechMark]:
        end = len(self._text[:offset].rstrip())
        if end > self._said:
            self._said = end
            yield SpeechMark(end, at_us)


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Cut *text* where it hurts least; parts without anything to say are left out."""
    start = 0
    while start < len(text):
        window = text[start : start + LONGEST_PART]
        end = start + len(window)
        if end < len(text):
            found = next(match for match in (cut.match(window) for cut in _BREAKS) if match)
            end = start + found.end()
        if text[start:end].strip():
            yield start, end
        start = end


def _primary(language: str) -> str:
    return language.lower().replace("_", "-").partition("-")[0]
