"""
Speech to text by ``/audio/transcriptions``, one utterance at a time.

The endpoint takes a file, so there are no interim words: what was said since the last flush
goes up when the next one is asked for, cut to where a voice was heard.
"""

from __future__ import annotations

import json
from collections import deque
from datetime import timedelta
from typing import Any, TypeAlias

import anyio

from ...core.audio import AudioFormat, Encoding
from ...core.pcm import to_s16_mono
from ...core.wav import wav_header
from ...ports import speech
from .. import refusals
from .connection import NAME, Connection
from .utterances import LONGEST_US, Utterance, VoicedTrack

__all__ = ("OpenAISpeechToText",)


class OpenAISpeechToText:
    """Writes down whole utterances with a transcription model. Asyncio and Trio."""

    name = NAME
    limits = speech.EngineLimits(
        encodings=frozenset({Encoding.PCM_S16LE}),
        most_channels=1,
        converts=True,
        longest_audio_us=LONGEST_US,
    )

    def __init__(
        self,
        model: str = "gpt-4o-mini-transcribe",
        *,
        prompt: str = "",
        api_key: str | None = None,
        base_url: str | None = None,
        patience: timedelta = timedelta(seconds=10),
    ) -> None:
        """Make a recogniser; nothing is connected before there is something to write down.

        Args:
            model: As its server names it.
            prompt: Names and words that may occur.
            api_key: Else it is taken from ``OPENAI_API_KEY``.
            base_url: Of another server that speaks as OpenAI does, up to ``/v1``; else it is
                taken from ``OPENAI_BASE_URL``.
            patience: How long a connection, or an answer, may take.

        Raises:
            InvalidConfig: The key is missing, or the address is none.
        """
        self.model = model
        self._form = {"model": model, "response_format": "json"}
        if prompt:
            self._form["prompt"] = prompt
        self._connection = Connection(
            NAME, api_key=api_key, base_url=base_url, patience_s=patience.total_seconds()
        )

    async def open(self, audio_format: AudioFormat, /, *, language: str) -> OpenAIStream:
        form = dict(self._form)
        if language != "auto":
            form["language"] = language.replace("_", "-").partition("-")[0].lower()
        return OpenAIStream(self._connection, form, audio_format)

    async def aclose(self) -> None:
        await self._connection.aclose()


_Work: TypeAlias = Utterance | speech.Flushed | speech.Marked


class OpenAIStream:
    """One track; see `RecognitionStream`. Utterances go up while it is iterated.

    Attributes:
        dropped_us: Audio lost because an utterance was longer than `LONGEST_US`.
    """

    def __init__(
        self, connection: Connection, form: dict[str, str], audio_format: AudioFormat
    ) -> None:
        self._connection = connection
        self._form = form
        self._format = audio_format
        self._track = VoicedTrack(audio_format.plain)
        self._work: deque[_Work] = deque()
        self._wake = anyio.Event()
        self._is_closed = False

    @property
    def dropped_us(self) -> int:
        return self._track.dropped_us

    def push(self, pcm: bytes, at_us: int, /) -> None:
        self._format.require_whole_frames(len(pcm))
        if not self._is_closed:
            self._track.push(to_s16_mono(pcm, self._format), at_us)

    def flush(self) -> None:
        utterance = self._track.cut()
        if utterance is not None:
            self._add(utterance)
        self._add(speech.Flushed())

    def mark(self) -> None:
        # Audio by itself gives no words here: there is nothing to wait for.
        self._add(speech.Marked())

    def __aiter__(self) -> OpenAIStream:
        return self

    async def __anext__(self) -> speech.Recognition:
        while not self._is_closed:
            if not self._work:
                self._wake = anyio.Event()
                await self._wake.wait()
            elif isinstance(work := self._work[0], Utterance):
                # It stays the first until it is written down: cancelled, it is tried again.
                final = await self._transcribed(work)
                self._pop(work)
                if final is not None and not self._is_closed:
                    return final
            else:
                self._work.popleft()
                return work
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._is_closed = True
        self._work.clear()
        self._wake.set()

    def _add(self, work: _Work) -> None:
        if not self._is_closed:
            self._work.append(work)
            self._wake.set()

    def _pop(self, work: _Work) -> None:
        if self._work and self._work[0] is work:
            self._work.popleft()

    async def _transcribed(self, utterance: Utterance) -> speech.Final | None:
        audio_format = self._format.plain
        wav = wav_header(audio_format, len(utterance.pcm)) + utterance.pcm
        async with self._connection.post(
            "/audio/transcriptions",
            data=self._form,
            files={"file": ("utterance.wav", wav, "audio/wav")},
        ) as response:
            body = await response.aread()
        try:
            told: Any = json.loads(body)
            text = str(told["text"]).strip()
        except (ValueError, LookupError, TypeError) as error:
            raise refusals.malformed(NAME) from error
        if not text:
            return None
        return speech.Final(text=text, start_us=utterance.start_us, end_us=utterance.end_us)
