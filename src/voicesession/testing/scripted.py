"""
Speech engines that hear and say exactly what a test wants, and take no time for it.

The trick is in the audio: a `Lexicon` gives each word its own loudness, so that words can
be written into real PCM and read out of it again, with their exact times, in any number
of pieces. Detector and recogniser hear nothing but the audio, as the real ones do; what a
test breaks on the way (a lost frame, a doubled one, a wrong time) they hear.

    lexicon = Lexicon()
    await call.process_audio(lexicon.speech("what time is it"))
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Final

import anyio
from anyio.lowlevel import checkpoint
from attrs import define

from ..core.audio import AudioFormat, Encoding
from ..core.errors import InvalidValue
from ..core.heard import SpeechMark
from ..core.utterance import Word
from ..ports.agent import Prompt, ReplyPart
from ..ports.speech import (
    Endpoint,
    Final as FinalWords,
    Flushed,
    Interim,
    Marked,
    Recognition,
    SpeechAudio,
)

__all__ = (
    "CallbackAgent",
    "Lexicon",
    "ScriptedSpeechToText",
    "ScriptedTextToSpeech",
    "ScriptedVoiceActivityDetector",
)

_US_PER_S: Final = 1_000_000
_QUIETEST: Final = 100
_LOUDEST: Final = 32_767
_NOISE: Final = 50
"""A loudness that is a voice to the detector, and no word to the recogniser."""


class Lexicon:
    """Words as loudness, loudness as words; 16-bit mono.

    Args:
        word_us: How long a word lasts; whole pieces of 20 ms.
    """

    def __init__(self, *, sample_rate: int = 16_000, word_us: int = 240_000) -> None:
        self.format = AudioFormat(sample_rate=sample_rate)
        self.word_us = word_us
        self._word_frames = self.format.frames_at(word_us)
        self._words: list[str] = []

    def speech(self, text: str) -> bytes:
        """Return the audio of *text*, word after word without a pause."""
        return b"".join(
            self._level(self._loudness(word), self._word_frames) for word in text.split()
        )

    def silence(self, duration_us: int) -> bytes:
        """Return *duration_us* of silence."""
        return bytes(self.format.bytes_at(duration_us))

    def noise(self, duration_us: int) -> bytes:
        """Return *duration_us* of something that sounds like a voice and holds no word."""
        return self._level(_NOISE, self.format.frames_at(duration_us))

    def word(self, loudness: int) -> str | None:
        """Return the word of *loudness*, or None."""
        place = loudness - _QUIETEST
        return self._words[place] if 0 <= place < len(self._words) else None

    def _loudness(self, word: str) -> int:
        if word not in self._words:
            if _QUIETEST + len(self._words) > _LOUDEST:
                raise InvalidValue("word", word, "fewer different words")
            self._words.append(word)
        return _QUIETEST + self._words.index(word)

    @staticmethod
    def _level(loudness: int, frames: int) -> bytes:
        return loudness.to_bytes(2, "little", signed=True) * frames


class ScriptedVoiceActivityDetector:
    """Sure of a voice wherever a window is not silent."""

    name = "scripted"

    def __init__(self, *, window_us: int = 20_000) -> None:
        self._window_us = window_us

    def open(self, audio_format: AudioFormat, /) -> ScriptedVoiceActivity:
        return ScriptedVoiceActivity(audio_format, self._window_us)

    async def aclose(self) -> None:
        await checkpoint()


class ScriptedVoiceActivity:
    """One track of a ScriptedVoiceActivityDetector."""

    def __init__(self, audio_format: AudioFormat, window_us: int) -> None:
        self.window_us = window_us
        self._window_bytes = audio_format.bytes_at(window_us)
        self._waiting = bytearray()

    def push(self, pcm: bytes, /) -> list[float]:
        self._waiting += pcm
        probabilities: list[float] = []
        while len(self._waiting) >= self._window_bytes:
            window = self._waiting[: self._window_bytes]
            del self._waiting[: self._window_bytes]
            probabilities.append(1.0 if any(window) else 0.0)
        return probabilities

    def close(self) -> None:
        self._waiting.clear()


class ScriptedSpeechToText:
    """Reads the words of a lexicon out of the audio.

    Args:
        endpoint_us: So long after a word without another, an utterance is over: that is told as
            an ``Endpoint``. None: it never is.
    """

    name = "scripted"

    def __init__(self, lexicon: Lexicon, *, endpoint_us: int | None = None) -> None:
        self._lexicon = lexicon
        self._endpoint_us = endpoint_us

    async def open(self, audio_format: AudioFormat, /, *, language: str) -> ScriptedRecognition:  # noqa: ARG002 - a word is a word
        await checkpoint()
        if (audio_format.encoding, audio_format.channels) != (Encoding.PCM_S16LE, 1):
            raise InvalidValue("audio_format", audio_format, "s16le, mono")
        return ScriptedRecognition(self._lexicon, audio_format, self._endpoint_us)

    async def aclose(self) -> None:
        await checkpoint()


@define
class _Sound:
    """A stretch of one loudness."""

    loudness: int
    start_us: int
    end_us: int


class ScriptedRecognition:
    """One track of a ScriptedSpeechToText. It answers at once."""

    def __init__(
        self, lexicon: Lexicon, audio_format: AudioFormat, endpoint_us: int | None
    ) -> None:
        self._lexicon = lexicon
        self._format = audio_format
        self._endpoint_us = endpoint_us
        self._sounds: list[_Sound] = []
        self._told = 0
        self._ended_us = -1
        self._results: deque[Recognition] = deque()
        self._news = anyio.Event()
        self._closed = False

    def push(self, pcm: bytes, at_us: int, /) -> None:
        samples = array("h", pcm)
        start = 0
        for place in range(1, len(samples) + 1):
            if place == len(samples) or samples[place] != samples[start]:
                first_us = at_us + start * _US_PER_S // self._format.sample_rate
                last_us = at_us + place * _US_PER_S // self._format.sample_rate
                self._hear(samples[start], first_us, last_us)
                start = place
        words = self._words()
        if len(words) > self._told:
            self._told = len(words)
            self._tell(
                Interim(
                    text=" ".join(word.text for word in words),
                    start_us=words[0].start_us,
                    end_us=words[-1].end_us,
                    words=words,
                )
            )
        self._look_for_end(words)

    def flush(self) -> None:
        words = self._words()
        self._sounds.clear()
        self._told = 0
        if words:
            self._tell(
                FinalWords(
                    text=" ".join(word.text for word in words),
                    start_us=words[0].start_us,
                    end_us=words[-1].end_us,
                    confidence=1.0,
                    words=words,
                )
            )
        self._tell(Flushed())

    def mark(self) -> None:
        self._tell(Marked())

    def __aiter__(self) -> AsyncIterator[Recognition]:
        return self

    async def __anext__(self) -> Recognition:
        await checkpoint()
        while not self._results:
            if self._closed:
                raise StopAsyncIteration
            await self._news.wait()
        return self._results.popleft()

    async def aclose(self) -> None:
        await checkpoint()
        self._closed = True
        self._results.clear()
        self._news.set()

    def _hear(self, loudness: int, start_us: int, end_us: int) -> None:
        last = self._sounds[-1] if self._sounds else None
        # Times are whole microseconds, so pieces of one sound may lie one apart.
        if last and last.loudness == loudness and abs(start_us - last.end_us) <= 1:
            last.end_us = end_us
        else:
            self._sounds.append(_Sound(loudness, start_us, end_us))

    def _look_for_end(self, words: tuple[Word, ...]) -> None:
        if self._endpoint_us is None or not words or words[-1].end_us <= self._ended_us:
            return
        if self._sounds[-1].end_us - words[-1].end_us >= self._endpoint_us:
            self._ended_us = words[-1].end_us
            self._tell(Endpoint(self._ended_us))

    def _words(self) -> tuple[Word, ...]:
        heard = ((sound, self._lexicon.word(sound.loudness)) for sound in self._sounds)
        return tuple(
            Word(text=text, start_us=sound.start_us, end_us=sound.end_us, confidence=1.0)
            for sound, text in heard
            if text is not None
        )

    def _tell(self, result: Recognition) -> None:
        self._results.append(result)
        news, self._news = self._news, anyio.Event()
        news.set()


class ScriptedTextToSpeech:
    """Speaks the words of a lexicon, each with a mark at its end."""

    name = "scripted"

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self.audio_format = lexicon.format

    async def speak(self, text: str, /, *, language: str) -> AsyncGenerator[SpeechAudio]:  # noqa: ARG002 - a word is a word
        offset = played_us = 0
        for word in text.split():
            await checkpoint()
            pcm = self._lexicon.speech(word)
            offset = text.index(word, offset) + len(word)
            played_us += self.audio_format.duration_us(len(pcm))
            yield SpeechAudio(pcm=pcm, marks=(SpeechMark(offset, played_us),))

    async def aclose(self) -> None:
        await checkpoint()


class CallbackAgent:
    """Answers with what a function returns: the parts of the reply, in order."""

    name = "callback"

    def __init__(self, answer: Callable[[Prompt], Iterable[ReplyPart]]) -> None:
        self._answer = answer

    async def reply(self, prompt: Prompt, /) -> AsyncGenerator[ReplyPart]:
        for part in self._answer(prompt):
            await checkpoint()
            yield part
