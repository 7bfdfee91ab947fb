"""
The sound of one reply, sentence by sentence, whichever engine makes it.

A sentence that an engine breaks off is finished by the next one: from the last word that
is known to be spoken, or, where the engine tells none, from its beginning. Words heard
twice are better than words not heard.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import aclosing
from typing import Protocol

from anyio import to_thread
from anyio.lowlevel import checkpoint

from ..core.errors import VoiceSessionError
from ..core.floor.effects import ReplyId
from ..core.heard import SpeechMark
from ..core.meters import Meter
from ..core.resample import Resampler
from ..ports.speech import TextToSpeech
from .busy import Busy
from .chain import Link
from .engines import Attempts, Engines, as_provider_error
from .expenses import Expenses

__all__ = ("Synthesis",)


class SpeechSink(Protocol):
    """Where the sound of replies goes."""

    def speech(
        self, reply_id: ReplyId, pcm: bytes, *, text_end: int, marks: tuple[SpeechMark, ...]
    ) -> int:
        """Queue audio; return the length of all audio of the reply so far, in us.

        Args:
            text_end: The end of the text that it leads up to.
            marks: Within the whole reply.
        """
        ...

    def room(self, reply_id: ReplyId) -> Awaitable[None]:
        """Wait, where much is queued, until some of it was played."""
        ...


class Synthesis:
    """Speaks the text of one reply as it comes; the same voice to its end, if that works.

    Args:
        busy: Counts the reply.
        expenses: Take the characters that an engine was given, once it has begun to speak them.
        sample_rate: Of the audio that is queued.
    """

    __slots__ = (
        "_busy",
        "_engines",
        "_expenses",
        "_given_text",
        "_language",
        "_link",
        "_made_us",
        "_reply_id",
        "_resampler",
        "_said_text",
        "_sample_rate",
        "_sink",
    )

    def __init__(
        self,
        reply_id: ReplyId,
        sink: SpeechSink,
        busy: Busy,
        engines: Engines[TextToSpeech],
        expenses: Expenses,
        *,
        sample_rate: int,
        language: str,
    ) -> None:
        self._reply_id = reply_id
        self._sink = sink
        self._busy = busy
        self._engines = engines
        self._expenses = expenses
        self._sample_rate = sample_rate
        self._language = language
        self._link: Link[TextToSpeech] | None = None
        self._resampler: Resampler | None = None
        self._given_text = 0
        self._said_text = 0
        self._made_us = 0

    async def speak(self, text: str) -> None:
        """Speak *text*, behind what was spoken before.

        Raises:
            ProviderError: No engine could; what was queued before is good.
        """
        start = self._said_text = self._given_text
        self._given_text += len(text)
        attempts: Attempts[TextToSpeech] | None = None
        while rest := text[self._said_text - start :].rstrip():
            if attempts is None:
                attempts = self._attempts()
            try:
                link = await attempts.next()
            except VoiceSessionError as error:
                raise as_provider_error(self._engines.chain.name, error) from error
            try:
                await self._speak_with(link, _at_once(rest, link.limits.longest_text))
            except Exception as error:  # noqa: BLE001 - an adapter may be the host's own
                attempts.failed(link, error)
            else:
                attempts = None

    async def finish(self) -> None:
        """Queue what is still on its way; nothing more is spoken."""
        if self._resampler is not None:
            self._add(self._resampler.finish())

    async def _speak_with(self, link: Link[TextToSpeech], text: str) -> None:
        await self._change_to(link)
        base_text, base_us = self._said_text, self._made_us
        is_paid = False
        with self._engines.patience(link) as patience:
            async with aclosing(link.engine.speak(text, language=self._language)) as pieces:
                async for piece in pieces:
                    self._engines.waited(link, patience.rest())
                    self._engines.took_over(link)
                    marks = tuple(
                        [
                            SpeechMark(base_text + mark.text_end, base_us + mark.at_us)
                            for mark in piece.marks
                        ]
                    )
                    self._add(await self._resampled(piece.pcm), marks)
                    if marks:
                        self._said_text = marks[-1].text_end
                    try:
                        # However fast it is made: who plays it has a turn before the next piece
                        # is, and before this one is paid.
                        await checkpoint()
                    finally:
                        if not is_paid:
                            is_paid = True
                            spoken = {Meter.TTS_CHARACTERS: len(text)}
                            self._expenses.use(self._engines, link, spoken)
                    await self._sink.room(self._reply_id)
                    patience.renew()
        self._said_text = base_text + len(text)
        self._engines.succeeded(link)

    def _attempts(self) -> Attempts[TextToSpeech]:
        attempts = self._engines.attempts(self._busy)
        if self._link is not None:
            attempts.first(self._link)
        return attempts

    async def _change_to(self, link: Link[TextToSpeech]) -> None:
        if link is self._link:
            return
        await self.finish()
        self._link = link
        made_hz = link.engine.audio_format.sample_rate
        same = made_hz == self._sample_rate
        self._resampler = None if same else Resampler(made_hz, self._sample_rate)

    def _add(self, pcm: bytes, marks: tuple[SpeechMark, ...] = ()) -> None:
        self._made_us = self._sink.speech(
            self._reply_id, pcm, text_end=self._given_text, marks=marks
        )

    async def _resampled(self, pcm: bytes) -> bytes:
        if self._resampler is None:
            return pcm
        # Pure Python at a few per cent of real time: too long for the event loop.
        return await to_thread.run_sync(self._resampler.push, pcm)


def _at_once(text: str, longest: int | None) -> str:
    """Return as much of *text* as one call may speak; where that is not all, whole words."""
    if longest is None or len(text) <= longest:
        return text
    cut = text.rfind(" ", 1, longest + 1)
    return text[: cut if cut > 0 else longest]
