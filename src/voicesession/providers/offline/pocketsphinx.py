"""Speech to text by PocketSphinx, for the sentences of a grammar, in worker threads."""

from __future__ import annotations

from collections import deque
from typing import Final, TypeAlias

import anyio
from anyio.to_thread import run_sync

from ...core.audio import AudioFormat
from ...core.errors import InvalidValue, ProviderError
from ...ports import speech
from .decoding import Decoders
from .hearing import Hearing
from .jsgf import parse_grammar

__all__ = ("PocketSphinxSpeechToText",)

MIN_SCORE: Final = 0.48
"""Between the right sentences of the voices it was measured on, 0.49 and more, and the wrong
ones, 0.46 at most. Those voices were synthetic: where real people speak, measure again."""
MOST_WAITING_US: Final = 30_000_000
"""How much audio of a stream may wait for its decoder; then the oldest is dropped."""
WORKERS: Final = 2
_STEP_US: Final = 200_000
"""How much audio makes a trip to a thread worth while: the pace of interim results."""
_NAME: Final = "pocketsphinx"

_Work: TypeAlias = tuple[bytes, int] | speech.Flushed | speech.Marked
"""A piece and its place in time, or the answer that a flush or a mark waits for."""


class PocketSphinxSpeechToText:
    """Writes down whole sentences of a JSGF grammar, in American English, and nothing else.

    What is no sentence of the grammar, or sounds too little like one, gives no ``Final``;
    interim results may be the beginning of a sentence that is then rejected. Runs on
    asyncio and Trio; at most `WORKERS` threads decode at once for all streams.
    """

    name = _NAME

    def __init__(self, grammar: str, *, min_score: float = MIN_SCORE) -> None:
        """Read *grammar* and make the first decoder; takes some 0.1 s.

        Args:
            min_score: What a sentence must reach, 0 to 1. A browser's echo cancellation
                costs a voice some 0.05.

        Raises:
            InvalidValue: The grammar has an error, or a word that the dictionary lacks;
                the message names the line.
            InvalidConfig: The extra ``offline`` is not installed.
        """
        if not 0 <= min_score <= 1:
            raise InvalidValue("min_score", min_score, "0 to 1")
        self._decoders = Decoders(parse_grammar(grammar))
        self._min_score = min_score
        self._workers = anyio.CapacityLimiter(WORKERS)

    async def open(self, audio_format: AudioFormat, /, *, language: str) -> PocketSphinxStream:
        if language.lower().replace("_", "-").partition("-")[0] not in {"auto", "en"}:
            raise InvalidValue("language", language, "auto, en, or en with a region")
        hearing = Hearing(audio_format, self._decoders, self._min_score)
        return PocketSphinxStream(audio_format, hearing, self._workers)

    async def aclose(self) -> None:
        self._decoders.clear()


class PocketSphinxStream:
    """One track; see `RecognitionStream`. Decodes while it is iterated.

    Attributes:
        dropped_us: Audio lost because more than `MOST_WAITING_US` of it was waiting.
    """

    def __init__(
        self, audio_format: AudioFormat, hearing: Hearing, workers: anyio.CapacityLimiter
    ) -> None:
        self._format = audio_format
        self._hearing = hearing
        self._workers = workers
        self._waiting: deque[_Work] = deque()
        self._taken: deque[_Work] = deque()
        self._waiting_bytes = 0
        self._most_waiting_bytes = audio_format.bytes_at(MOST_WAITING_US)
        self._asked = 0
        self._results: deque[speech.Recognition] = deque()
        self._wake = anyio.Event()
        self._is_closed = False
        self._is_decoding = False
        self.dropped_us = 0

    def push(self, pcm: bytes, at_us: int, /) -> None:
        self._format.require_whole_frames(len(pcm))
        if self._is_closed:
            return
        self._waiting.append((pcm, at_us))
        self._waiting_bytes += len(pcm)
        while self._waiting_bytes > self._most_waiting_bytes:
            self._drop_oldest()
        if self._has_work:
            self._wake.set()

    def flush(self) -> None:
        self._ask_for(speech.Flushed())

    def mark(self) -> None:
        self._ask_for(speech.Marked())

    def __aiter__(self) -> PocketSphinxStream:
        return self

    async def __anext__(self) -> speech.Recognition:
        while not self._is_closed:
            if self._results:
                return self._results.popleft()
            if self._has_work:
                await self._decode()
            else:
                self._wake = anyio.Event()
                await self._wake.wait()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._is_closed = True
        self._wake.set()
        self._waiting.clear()
        if not self._is_decoding:
            self._hearing.close()

    def _ask_for(self, answer: speech.Flushed | speech.Marked) -> None:
        if not self._is_closed:
            self._waiting.append(answer)
            self._asked += 1
            self._wake.set()

    @property
    def _has_work(self) -> bool:
        waiting_us = self._format.duration_us(self._waiting_bytes)
        return bool(self._taken) or self._asked > 0 or waiting_us >= _STEP_US

    def _drop_oldest(self) -> None:
        # Flushes and marks among the waiting stay: each of them is answered.
        index, (pcm, at_us) = next(
            (index, item) for index, item in enumerate(self._waiting) if isinstance(item, tuple)
        )
        size = min(len(pcm), self._waiting_bytes - self._most_waiting_bytes)
        lost_us = self._format.duration_us(size)
        self._waiting[index] = (pcm[size:], at_us + lost_us)
        if size == len(pcm):
            del self._waiting[index]
        self._waiting_bytes -= size
        self.dropped_us += lost_us

    async def _decode(self) -> None:
        # What the thread does not come to, cancelled on its way, stays taken for the next.
        self._taken.extend(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = self._asked = 0
        self._is_decoding = True
        try:
            await run_sync(self._hear, limiter=self._workers)
        except RuntimeError as error:  # what PocketSphinx raises, whatever went wrong
            self._is_closed = True
            self._hearing.abandon()
            raise ProviderError(_NAME, str(error)) from error
        finally:
            self._is_decoding = False
            if self._is_closed:
                self._hearing.close()

    def _hear(self) -> None:
        while self._taken and not self._is_closed:
            item = self._taken.popleft()
            if isinstance(item, tuple):
                self._results.extend(self._hearing.hear(*item))
                continue
            flushed = isinstance(item, speech.Flushed)
            self._tell(self._hearing.conclude() if flushed else self._hearing.interim())
            self._results.append(item)
        self._tell(self._hearing.interim())

    def _tell(self, result: speech.Final | speech.Interim | None) -> None:
        if result is not None:
            self._results.append(result)
