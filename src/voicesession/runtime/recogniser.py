"""
The caller's words, whichever engine writes them down.

Engines fail, fall silent, and end their streams; the caller need not know. What they say
meanwhile is kept, and the next stream, of the same engine or another, is given all that has
not been answered for. One task reads whatever stream there is, and does all of this.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import anyio

from ..core.audio import AudioFormat
from ..core.errors import ProviderUnavailable, VoiceSessionError
from ..ports.speech import (
    Final as FinalWords,
    Flushed,
    Interim,
    Marked,
    MarksProgress,
    Recognition,
    RecognitionStream,
    SpeechToText,
)
from .backlog import Backlog, Question
from .busy import Busy
from .chain import Link
from .engines import Attempts, Engines, as_provider_error
from .happenings import AudioUnheard, Failed

__all__ = ("Recogniser",)

logger = logging.getLogger("voicesession")

_CLOSING_TAKES_AT_MOST_S: Final = 2.0
_OLD, _TOO_OLD = 0.8, 0.95
"""Shares of the longest life of a stream: from the first on it gives way to another at a
pause, from the second on wherever that is."""


class Recogniser:
    """Recognises one track until `aclose`, as long as any engine of the chain works.

    Attributes:
        busy: Counts what an engine that works has not answered yet.

    Args:
        most_us: How much of what the caller says may wait for an engine; what does not
            is told as `AudioUnheard`.
        limit_us: How long a flush may go without an answer.
    """

    def __init__(
        self,
        engines: Engines[SpeechToText],
        audio_format: AudioFormat,
        language: str,
        *,
        most_us: int,
        limit_us: int,
    ) -> None:
        self._engines = engines
        self._format = audio_format
        self._language = language
        self.busy = Busy()
        self._limit_us = limit_us
        self._backlog = Backlog(audio_format, most_us=most_us)
        self._attempts: Attempts[SpeechToText] | None = None
        self._link = engines.chain.links[0]
        self._stream: RecognitionStream | None = None
        self._marks: MarksProgress | None = None
        self._results: AsyncIterator[Recognition]
        self._reading: anyio.CancelScope | None = None
        self._cut_us: int | None = None
        self._opened_us = 0
        self._longest_us: int | None = None
        self._is_closed = False

    async def open(self) -> None:
        """Have a first stream.

        Raises:
            InvalidValue: No engine can take the format or the language.
            ProviderError: No engine can be had.
        """
        self._attempts = attempts = self._engines.attempts()
        self._adopt(*await _first_of(attempts, self._open))

    # --- plain calls, on the audio path -------------------------------------------------------

    def push(self, pcm: bytes, at_us: int) -> None:
        """Take audio of the caller."""
        self._backlog.push(pcm, at_us)
        if self._stream is not None:
            self._stream.push(pcm, at_us)
            if self._backlog.awaits_words or self._longest_us is not None:
                self._look_at_the_time()

    def voice(self, *, is_on: bool) -> None:
        """Take that somebody begins to speak, or has stopped."""
        self._backlog.voice = is_on

    def cut(self, at_us: int) -> None:
        """Take that the next flush cuts an utterance at *at_us*: what follows is heard again."""
        self._cut_us = at_us

    def flush(self) -> None:
        """Ask for the final words of everything so far."""
        self._ask(Question.FLUSH)
        cut_us, self._cut_us = self._cut_us, None
        if cut_us is not None:
            for start_us, pcm in tuple(self._backlog.since(cut_us)):
                self.push(pcm, start_us)

    def mark(self) -> None:
        """Have ``busy`` tell when the audio so far has been worked on, if the engine can."""
        if self._marks is not None:
            self._ask(Question.MARK)

    # --- the task that reads ------------------------------------------------------------------

    async def run(self, take: Callable[[Recognition], None]) -> None:
        """Hand everything that is recognised to *take*, until closed or cancelled."""
        try:
            while not self._is_closed:
                failure = await self._read(take)
                if failure is not None and not self._is_closed:
                    await self._replace(failure)
        finally:
            self._wait_for_nothing()

    async def aclose(self) -> None:
        """Stop at once; what was not flushed is lost."""
        self._is_closed = True
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.aclose()

    async def _read(self, take: Callable[[Recognition], None]) -> Exception | None:
        """Hand what the present stream recognises to *take*, as long as it is the one to read.

        Returns what is wrong with it; None where nothing is, or another has taken its place.
        """
        better: Link[SpeechToText] | None = None
        with anyio.CancelScope() as self._reading:
            while better is None and not self._is_closed:
                try:
                    result = await anext(self._results)
                except StopAsyncIteration:
                    return ProviderUnavailable(self._link.name, "the stream has ended")
                except Exception as error:  # noqa: BLE001 - an adapter may be the host's own
                    return error
                take(result)
                if self._settle(result):
                    better = self._engines.better_than(self._link)
        return await self._give_way(better)

    def _settle(self, result: Recognition) -> bool:
        """Take *result* for what it answers; tell whether everything is answered by a flush."""
        if self._attempts is not None:
            self._attempts = None
            self._engines.succeeded(self._link)
        if isinstance(result, Interim):
            self._backlog.words = True
        elif isinstance(result, FinalWords):
            self._backlog.words = False
            self._backlog.heard_until(result.end_us)
        elif isinstance(result, Flushed):
            self._backlog.words = False
            self._answered(Question.FLUSH)
            return self._backlog.is_settled
        elif isinstance(result, Marked):
            self._answered(Question.MARK)
        return False

    def _ask(self, question: Question) -> None:
        self._backlog.ask(question, self._engines.now_us)
        if self._stream is not None:
            self.busy.begin()
            if question is Question.FLUSH:
                self._stream.flush()
            elif self._marks is not None:
                self._marks.mark()

    def _answered(self, question: Question) -> None:
        if self._backlog.answered(question):
            self.busy.done()

    def _look_at_the_time(self) -> None:
        """Notice an engine that does not answer, and a stream that gets too old."""
        if self._has_lived(_OLD if self._backlog.is_settled else _TOO_OLD):
            self._break_off()
        flush = self._backlog.oldest_flush
        if flush is None:
            return
        waited_us = self._engines.now_us - flush.at_us
        if waited_us >= self._limit_us:
            self._break_off()
        elif not flush.is_late:
            flush.is_late = self._engines.waited(self._link, waited_us)

    def _break_off(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    def _has_lived(self, share: float) -> bool:
        """Whether the stream has lived for such a share of what its engine allows."""
        lived_us = self._engines.now_us - self._opened_us
        return self._longest_us is not None and lived_us >= share * self._longest_us

    # --- one stream after the other -----------------------------------------------------------

    async def _replace(self, error: Exception) -> None:
        """Go on with another stream, as soon as there is one."""
        if self._attempts is None:
            self._attempts = self._engines.attempts()
        self._attempts.failed(self._link, error)
        await self._drop()
        opened = None
        while opened is None:
            try:
                opened = await _first_of(self._attempts, self._open)
            except VoiceSessionError as last:
                self._engines.terms.tell(Failed(last))
                await self._engines.rest()
                self._attempts = self._engines.attempts()
        self._adopt(*opened)

    async def _give_way(self, better: Link[SpeechToText] | None) -> Exception | None:
        """Go on with *better*, which works again, or with a younger stream of the same engine."""
        if better is not None:
            failure = await self._move_to(better)
            if failure is not None:
                self._engines.failed(better, as_provider_error(better.name, failure))
        elif self._has_lived(_OLD):
            return await self._move_to(self._link)
        elif not self._is_closed:
            return ProviderUnavailable(self._link.name, "it does not answer any more")
        return None

    async def _move_to(self, link: Link[SpeechToText]) -> Exception | None:
        """Go on with a stream of *link*; the present one listens until that is open.

        Returns why there is none; then nothing has changed.
        """
        is_same = link is self._link
        try:
            stream = await self._open(link)
        except Exception as error:  # noqa: BLE001 - an adapter may be the host's own
            return error
        await self._drop()
        self._adopt(link, stream)
        if is_same:
            self._engines.rolled_over()
        return None

    async def _open(self, link: Link[SpeechToText]) -> RecognitionStream:
        with self._engines.patience(link):
            return await link.engine.open(self._format, language=self._language)

    def _adopt(self, link: Link[SpeechToText], stream: RecognitionStream) -> None:
        """Read *stream* from now on, and give it all that was not answered for."""
        backlog = self._backlog
        self._link, self._stream, self._results = link, stream, aiter(stream)
        self._marks = stream if isinstance(stream, MarksProgress) else None
        self._opened_us = self._engines.now_us
        self._longest_us = link.limits.longest_stream_us
        self._engines.took_over(link)
        if backlog.unheard_from_us is not None and backlog.from_us is not None:
            lost = AudioUnheard(start_us=backlog.unheard_from_us, end_us=backlog.from_us)
            self._engines.terms.tell(lost)
        backlog.begin_anew(stream, self._engines.now_us)
        for _ in backlog.questions:
            self.busy.begin()

    async def _drop(self) -> None:
        """Let go of the present stream; until the next one, nobody is waited for."""
        stream, self._stream, self._marks = self._stream, None, None
        self._wait_for_nothing()
        if stream is None:
            return
        try:
            with anyio.move_on_after(_CLOSING_TAKES_AT_MOST_S):
                await stream.aclose()
        except Exception as error:  # noqa: BLE001 - it is broken already: that is why it goes
            logger.warning("closing %s failed: %s", self._link.name, type(error).__name__)

    def _wait_for_nothing(self) -> None:
        while self.busy:
            self.busy.done()


async def _first_of(
    attempts: Attempts[SpeechToText],
    open_stream: Callable[[Link[SpeechToText]], Awaitable[RecognitionStream]],
) -> tuple[Link[SpeechToText], RecognitionStream]:
    """Return the first stream that can be had.

    Raises:
        InvalidValue: No engine can take the format or the language.
        ProviderError: No engine can be had.
    """
    while True:
        link = await attempts.next()
        try:
            return link, await open_stream(link)
        except Exception as error:  # noqa: BLE001 - an adapter may be the host's own
            attempts.failed(link, error)
