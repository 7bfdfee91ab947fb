"""
Deepgram's live endpoint, ``/v1/listen``: https://developers.deepgram.com/reference/streaming.

Audio goes up as binary messages, as it is where Deepgram knows the encoding. A flush is a
``Finalize``. Reconnecting is nobody's business here: a stream that fails has failed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import anyio

from ...core.audio import AudioFormat, Encoding
from ...core.errors import ProviderUnavailable
from ...core.pcm import to_s16_mono
from ...core.utterance import Word
from ...ports import speech
from .. import refusals
from ..account import account
from ..media_time import MediaTimes
from ..websocket import WebSocketLink
from . import messages

__all__ = ("DeepgramSpeechToText",)

NAME: Final = "deepgram"
HOME: Final = "https://api.deepgram.com"
ENVIRONMENT: Final = "DEEPGRAM"

MOST_WAITING_US: Final = 30_000_000
"""How much audio may wait for a connection that is full; then the oldest is dropped."""
KEEP_ALIVE_S: Final = 4.0
"""Deepgram hangs up (NET-0001) after 10 s without a message, and advises 3 to 5."""
FLUSH_S: Final = 2.0
"""A Finalize may stay without an answer where nothing was left to recognise."""
SETTLED_FLUSH_S: Final = 0.25
"""The same where Deepgram has heard the pause by itself, and no word since."""
SETTLED_US: Final = 1_000_000
"""So much audio, as yet unheard, may lie behind a pause that Deepgram has heard."""

_WIRE_NAMES: Final = {
    Encoding.PCM_S16LE: "linear16",
    Encoding.MULAW: "mulaw",
    Encoding.ALAW: "alaw",
}


class DeepgramSpeechToText:
    """Writes down what is said with a Deepgram model. Asyncio only.

    One connection for each stream. A stream that gets no answer to 10 s of audio within
    10 s (``patience``) fails with `ProviderUnavailable`, as does one that is cut.
    """

    name = NAME
    limits = speech.EngineLimits(
        encodings=frozenset(_WIRE_NAMES),
        most_channels=1,
        converts=True,
    )

    def __init__(
        self,
        model: str = "nova-3",
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        vocabulary: Sequence[str] = (),
        endpointing: timedelta = timedelta(milliseconds=300),
        utterance_end: timedelta = timedelta(seconds=1),
        patience: timedelta = timedelta(seconds=10),
    ) -> None:
        """Make a recogniser; nothing is connected before ``open``.

        Args:
            model: As Deepgram names it.
            api_key: Else it is taken from ``DEEPGRAM_API_KEY``.
            base_url: Of a Deepgram of your own, or a test; else ``DEEPGRAM_BASE_URL``.
            vocabulary: Words to listen for (Deepgram's key terms).
            endpointing: The pause behind which Deepgram takes words to be final.
            utterance_end: The gap between words that it takes for the end; 1 s and more.
            patience: How long a connection, or an answer, may take.

        Raises:
            InvalidConfig: The key is missing, or the address is none.
        """
        self._account = account(
            NAME, api_key=api_key, base_url=base_url, home=HOME, environment=ENVIRONMENT
        )
        self.model = model
        self._patience_s = patience.total_seconds()
        self._query: dict[str, str | list[str]] = {
            "model": model,
            "interim_results": "true",
            "punctuate": "true",
            "endpointing": str(endpointing // timedelta(milliseconds=1)),
            "utterance_end_ms": str(utterance_end // timedelta(milliseconds=1)),
            "keyterm": list(vocabulary),
        }

    async def open(self, audio_format: AudioFormat, /, *, language: str) -> DeepgramStream:
        sent = audio_format if self.limits.takes(audio_format) else audio_format.plain
        query = self._query | {
            "encoding": _WIRE_NAMES[sent.encoding],
            "sample_rate": str(sent.sample_rate),
            "channels": "1",
            # What Deepgram calls listening for any of its languages.
            "language": "multi" if language == "auto" else language,
        }
        url = self._account.websocket_url("/v1/listen", query)
        key = self._account.key
        headers = {"Authorization": f"Token {key}"} if key else {}
        link = await WebSocketLink.open(NAME, url, headers, patience_s=self._patience_s)
        return DeepgramStream(link, audio_format, patience_s=self._patience_s)

    async def aclose(self) -> None:
        """Nothing is held: each stream has its own connection."""


class DeepgramStream:
    """One track; see `RecognitionStream`. It lives from being iterated.

    Attributes:
        dropped_us: Audio lost because more than `MOST_WAITING_US` of it was waiting.
    """

    def __init__(
        self, link: WebSocketLink, audio_format: AudioFormat, *, patience_s: float
    ) -> None:
        self._link = link
        self._format = audio_format
        self._converts = not DeepgramSpeechToText.limits.takes(audio_format)
        self._patience_s = patience_s
        self._times = MediaTimes(audio_format, audio_format.sample_rate)
        self._sent_frames = 0
        self._heard_frames = 0
        self._unanswered_frames = 0
        self._unanswered_since = 0.0
        self._waiting: deque[tuple[bytes, int] | None] = deque()
        self._waiting_bytes = 0
        self._results: deque[speech.Recognition] = deque()
        self._flushes: deque[float] = deque()
        self._is_settled = True
        self._is_closed = False
        self._clock = asyncio.get_running_loop().time
        self._keep_alive_at = self._clock() + KEEP_ALIVE_S
        self.dropped_us = 0

    def push(self, pcm: bytes, at_us: int, /) -> None:
        self._format.require_whole_frames(len(pcm))
        if self._is_closed or not pcm:
            return
        if not self._link.is_full and not self._waiting:
            self._send(pcm, at_us)
            return
        self._waiting.append((pcm, at_us))
        self._waiting_bytes += len(pcm)
        while self._format.duration_us(self._waiting_bytes) > MOST_WAITING_US:
            self._drop_oldest()

    def flush(self) -> None:
        if self._is_closed:
            return
        if self._waiting:
            self._waiting.append(None)
        else:
            self._finalize()

    def __aiter__(self) -> DeepgramStream:
        return self

    async def __anext__(self) -> speech.Recognition:
        while not self._is_closed:
            if self._results:
                return self._results.popleft()
            message = self._link.take()
            if message is not None:
                self._read(message)
                continue
            with anyio.CancelScope(deadline=self._next_due):
                await self._link.news()
            self._catch_up()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._results.clear()
            self._link.send(messages.CLOSE_STREAM)
            self._link.wake()
        await self._link.aclose()

    # --- up -------------------------------------------------------------------------------------

    def _send(self, pcm: bytes, at_us: int) -> None:
        if self._times.jumps(at_us):
            self._times.anchor(self._sent_frames, at_us)
        self._times.advance(len(pcm))
        frames = self._format.frames_in(len(pcm))
        self._sent_frames += frames
        if not self._unanswered_frames:
            self._unanswered_since = self._clock()
        self._unanswered_frames += frames
        self._link.send(to_s16_mono(pcm, self._format) if self._converts else pcm)
        self._keep_alive_at = self._clock() + KEEP_ALIVE_S

    def _finalize(self) -> None:
        self._link.send(messages.FINALIZE)
        unheard_us = self._format.time_of(self._sent_frames - self._heard_frames)
        is_settled = self._is_settled and unheard_us <= SETTLED_US
        patience_s = SETTLED_FLUSH_S if is_settled else FLUSH_S
        self._flushes.append(self._clock() + min(patience_s, self._patience_s))
        self._link.wake()  # whoever waits has an earlier date now

    def _drop_oldest(self) -> None:
        # Flushes among the waiting stay: each of them is answered.
        index = next(i for i, item in enumerate(self._waiting) if item is not None)
        pcm, _ = self._waiting[index] or (b"", 0)
        del self._waiting[index]
        self._waiting_bytes -= len(pcm)
        self.dropped_us += self._format.duration_us(len(pcm))

    # --- down -----------------------------------------------------------------------------------

    @property
    def _next_due(self) -> float:
        return min(self._clock() + self._patience_s, self._keep_alive_at, *self._flushes)

    def _catch_up(self) -> None:
        """Do what fell due, and send what waited for room."""
        while self._waiting and not self._link.is_full:
            item = self._waiting.popleft()
            if item is None:
                self._finalize()
            else:
                self._waiting_bytes -= len(item[0])
                self._send(*item)
        now = self._clock()
        while self._flushes and self._flushes[0] <= now:
            self._answer_flush()
        if self._keep_alive_at <= now:
            self._link.send(messages.KEEP_ALIVE)
            self._keep_alive_at = now + KEEP_ALIVE_S
        much = self._unanswered_frames > self._patience_s * self._format.sample_rate
        if much and now - self._unanswered_since > self._patience_s:
            raise ProviderUnavailable(NAME, f"no answer to {self._patience_s:g} s of audio")

    def _read(self, message: str | bytes) -> None:
        self._unanswered_frames = 0
        try:
            told = messages.read(message, self._format.sample_rate)
        except ValueError as error:
            raise refusals.malformed(NAME) from error
        if isinstance(told, messages.Result):
            self._hear(told)
        elif isinstance(told, messages.UtteranceEnd):
            self._results.append(speech.Endpoint(self._times.at(told.last_word_end)))

    def _hear(self, told: messages.Result) -> None:
        self._heard_frames = max(self._heard_frames, min(told.end, self._sent_frames))
        if told.text:
            self._results.append(self._final(told) if told.is_final else self._interim(told))
            self._is_settled = told.is_final and told.is_endpoint
            if self._is_settled:
                last = told.words[-1].end if told.words else told.end
                self._results.append(speech.Endpoint(self._times.at(last)))
        if told.is_final:
            self._times.forget_before(told.end)
        if told.is_answer and self._flushes:
            self._answer_flush()

    def _answer_flush(self) -> None:
        self._flushes.popleft()
        self._is_settled = True
        self._results.append(speech.Flushed())

    def _interim(self, told: messages.Result) -> speech.Interim:
        start_us, end_us = self._span(told)
        return speech.Interim(
            text=told.text, start_us=start_us, end_us=end_us, words=self._words(told)
        )

    def _final(self, told: messages.Result) -> speech.Final:
        start_us, end_us = self._span(told)
        return speech.Final(
            text=told.text,
            start_us=start_us,
            end_us=end_us,
            confidence=told.confidence,
            words=self._words(told),
        )

    def _span(self, told: messages.Result) -> tuple[int, int]:
        """Return where the words lie: a result covers the silence around them too."""
        if told.words:
            return self._place(told.words[0].start), self._place(told.words[-1].end)
        return self._place(told.start), self._place(told.end)

    def _words(self, told: messages.Result) -> tuple[Word, ...]:
        return tuple(
            Word(
                text=word.text,
                start_us=self._place(word.start),
                end_us=self._place(word.end),
                confidence=word.confidence,
            )
            for word in told.words
        )

    def _place(self, frame: int) -> int:
        # Seconds on the wire are rounded, and may point behind the last sample.
        return self._times.at(min(frame, self._sent_frames))
