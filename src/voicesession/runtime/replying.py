"""
One reply, from the agent's first word to the last sample of its audio.

The text is cut into sentences as it comes, and each is synthesised while the agent goes
on; what this finds out is reported to the floor, which alone decides what is heard.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

from anyio import to_thread

from ..core.audio import AudioFormat
from ..core.errors import ProviderError
from ..core.floor.effects import ReplyId
from ..core.heard import SpeechMark
from ..core.resample import Resampler
from ..core.sentences import SentenceCutter
from ..ports.agent import HangUp, ReplyPart
from ..ports.speech import TextToSpeech

__all__ = ("Reply", "ReplySink")


class ReplySink(Protocol):
    """Where a reply reports to."""

    def text(self, reply_id: ReplyId, text: str) -> None: ...
    def text_finished(self, reply_id: ReplyId, error: ProviderError | None) -> None: ...
    def hang_up_after(self, reply_id: ReplyId) -> None: ...
    def speech(
        self, reply_id: ReplyId, pcm: bytes, *, text_end: int, marks: tuple[SpeechMark, ...]
    ) -> int:
        """Queue audio; return the length of all audio of the reply so far, in us."""
        ...

    def speech_finished(self, reply_id: ReplyId, error: ProviderError | None) -> None: ...
    def room(self, reply_id: ReplyId) -> Awaitable[None]:
        """Wait until some of the queued audio has been played."""
        ...


class Reply:
    """Makes the text and the sound of one reply. Cancelling `answer` or `say` stops both soon."""

    def __init__(
        self,
        reply_id: ReplyId,
        sink: ReplySink,
        tts: TextToSpeech,
        *,
        sample_rate: int,
        language: str,
    ) -> None:
        self.id = reply_id
        self._sink = sink
        self._tts = tts
        self._language = language
        self._resampler = _resampler(tts.audio_format, sample_rate)
        self._cutter = SentenceCutter()
        self._failure: ProviderError | None = None
        self._spoken_text = 0
        self._spoken_us = 0

    async def answer(self, agent: str, parts: Callable[[], AsyncGenerator[ReplyPart]]) -> None:
        """Speak what *parts* yields, while it comes; *agent* names who yields it, for errors."""
        failure: ProviderError | None = None
        try:
            async with aclosing(parts()) as stream:
                async for part in stream:
                    if isinstance(part, HangUp):
                        self._sink.hang_up_after(self.id)
                    else:
                        self._sink.text(self.id, part)
                        await self._speak_all(self._cutter.push(part))
        except ProviderError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - an agent is the host's own code
            failure = ProviderError(agent, f"{type(error).__name__}: {error}")
            failure.__cause__ = error
        self._sink.text_finished(self.id, failure)
        await self._finish()

    async def say(self, text: str) -> None:
        """Speak *text*, which the floor knows already."""
        await self._speak_all(self._cutter.push(text))
        await self._finish()

    async def _finish(self) -> None:
        await self._speak_all([self._cutter.rest()])
        if self._failure is None:
            self._queue(await self._resampled(b"", last=True))
        self._sink.speech_finished(self.id, self._failure)

    async def _speak_all(self, sentences: list[str]) -> None:
        """Synthesise *sentences*, unless the synthesiser has failed on this reply before."""
        for sentence in sentences:
            if self._failure is None:
                self._failure = await self._speak(sentence)

    async def _speak(self, sentence: str) -> ProviderError | None:
        """Synthesise one sentence; return what went wrong, instead of raising it."""
        base_text, base_us = self._spoken_text, self._spoken_us
        self._spoken_text += len(sentence)
        if not sentence.strip():
            return None
        try:
            async with aclosing(self._tts.speak(sentence, language=self._language)) as pieces:
                async for piece in pieces:
                    marks = tuple(
                        SpeechMark(base_text + mark.text_end, base_us + mark.at_us)
                        for mark in piece.marks
                    )
                    self._queue(await self._resampled(piece.pcm), marks)
                    await self._sink.room(self.id)
        except ProviderError as error:
            return error
        except Exception as error:  # noqa: BLE001 - as above: an adapter may be the host's
            failure = ProviderError(self._tts.name, f"{type(error).__name__}: {error}")
            failure.__cause__ = error
            return failure
        return None

    def _queue(self, pcm: bytes, marks: tuple[SpeechMark, ...] = ()) -> None:
        self._spoken_us = self._sink.speech(self.id, pcm, text_end=self._spoken_text, marks=marks)

    async def _resampled(self, pcm: bytes, *, last: bool = False) -> bytes:
        if self._resampler is None:
            return pcm
        if last:
            return self._resampler.finish()
        # Pure Python at a few per cent of real time: too long for the event loop.
        return await to_thread.run_sync(self._resampler.push, pcm)


def _resampler(made: AudioFormat, sample_rate: int) -> Resampler | None:
    return None if made.sample_rate == sample_rate else Resampler(made.sample_rate, sample_rate)
