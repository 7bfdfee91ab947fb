"""
Text to speech by ElevenLabs, streamed over its WebSocket: the extra ``elevenlabs``.

``/v1/text-to-speech/{voice}/stream-input`` takes text and gives audio with the time of every
character: https://elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-stream-input
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import anyio
from attrs import frozen

from ..core.audio import AudioFormat, Encoding
from ..core.errors import InvalidConfig, ProviderError
from ..ports.speech import EngineLimits, SpeechAudio, SpeechMark
from . import refusals
from .account import account
from .websocket import WebSocketLink

__all__ = ("ElevenLabsTextToSpeech",)

NAME: Final = "elevenlabs"
HOME: Final = "https://api.elevenlabs.io"
ENVIRONMENT: Final = "ELEVENLABS"
RATES_HZ: Final = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)

_LONGEST_TEXT: Final = MappingProxyType(
    {
        "eleven_flash_v2_5": 40_000,
        "eleven_turbo_v2_5": 40_000,
        "eleven_flash_v2": 30_000,
        "eleven_turbo_v2": 30_000,
        "eleven_multilingual_v2": 10_000,
    }
)
"""Characters a request, by model: https://help.elevenlabs.io/hc/en-us/articles/13298164480913."""
_SHORTEST_LIMIT: Final = 2_000
_TAKE_LANGUAGE: Final = ("_v2_5", "_v3")
"""How the models end that may be told a language; others refuse to be."""


class ElevenLabsTextToSpeech:
    """Speaks with a voice of ElevenLabs, with a mark for every word. Asyncio only.

    Each text has a connection of its own, which is open while it is spoken.
    """

    name = NAME

    def __init__(
        self,
        voice: str,
        *,
        model: str = "eleven_flash_v2_5",
        api_key: str | None = None,
        base_url: str | None = None,
        sample_rate: int = 16_000,
        patience: timedelta = timedelta(seconds=10),
    ) -> None:
        """Make a speaker; nothing is connected before it speaks.

        Args:
            voice: The voice's id.
            model: As ElevenLabs names it.
            api_key: Else it is taken from ``ELEVENLABS_API_KEY``.
            base_url: Of another region, or a test; else ``ELEVENLABS_BASE_URL``.
            sample_rate: One of `RATES_HZ`; the higher ones need a larger subscription.
            patience: How long a connection, or the next piece of audio, may take.

        Raises:
            InvalidConfig: The key or the voice is missing, the address is none, or there is
                no such rate.
        """
        if not voice:
            raise InvalidConfig(f"{NAME} voice", voice, "the id of a voice")
        if sample_rate not in RATES_HZ:
            rates = ", ".join(map(str, RATES_HZ))
            raise InvalidConfig(f"{NAME} sample_rate", sample_rate, rates)
        self._account = account(
            NAME, api_key=api_key, base_url=base_url, home=HOME, environment=ENVIRONMENT
        )
        self._path = f"/v1/text-to-speech/{quote(voice, safe='')}/stream-input"
        self.model = model
        self._patience_s = patience.total_seconds()
        self.audio_format = AudioFormat(sample_rate=sample_rate)
        self.limits = EngineLimits(
            encodings=frozenset({Encoding.PCM_S16LE}),
            lowest_hz=sample_rate,
            highest_hz=sample_rate,
            most_channels=1,
            longest_text=_LONGEST_TEXT.get(model, _SHORTEST_LIMIT),
        )

    async def speak(self, text: str, /, *, language: str) -> AsyncGenerator[SpeechAudio]:
        if not text.strip():
            return
        if len(text) > (self.limits.longest_text or len(text)):
            raise ProviderError(
                NAME, f"{len(text)} characters; {self.model} speaks {self.limits.longest_text}"
            )
        link = await self._connect(language)
        try:
            # A first message opens the voice; text ends with a space; an empty one ends all.
            link.send('{"text":" "}')
            link.send(json.dumps({"text": f"{text} ", "flush": True}))
            link.send('{"text":""}')
            track = _Track(text, self.audio_format)
            while (piece := await self._receive(link)).is_last is False:
                if spoken := track.add(piece):
                    yield spoken
            if spoken := track.add(piece):
                yield spoken
        finally:
            await link.aclose()

    async def aclose(self) -> None:
        """Nothing is held: each text has its own connection."""

    async def _connect(self, language: str) -> WebSocketLink:
        query: dict[str, str | list[str]] = {
            "model_id": self.model,
            "output_format": f"pcm_{self.audio_format.sample_rate}",
            "sync_alignment": "true",
        }
        if language != "auto" and self.model.endswith(_TAKE_LANGUAGE):
            query["language_code"] = language.replace("_", "-").partition("-")[0].lower()
        key = self._account.key
        return await WebSocketLink.open(
            NAME,
            self._account.websocket_url(self._path, query),
            {"xi-api-key": key} if key else {},
            patience_s=self._patience_s,
        )

    async def _receive(self, link: WebSocketLink) -> _Piece:
        try:
            with anyio.fail_after(self._patience_s):
                message = await link.receive()
        except TimeoutError:
            raise refusals.silent(NAME, self._patience_s) from None
        try:
            return _read(message)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise refusals.malformed(NAME) from error


@frozen(kw_only=True)
class _Piece:
    """A piece of audio; characters with the milliseconds at which each ends in it."""

    pcm: bytes
    characters: tuple[tuple[str, int], ...]
    is_last: bool


def _read(message: str | bytes) -> _Piece:
    told: Any = json.loads(message)
    if told.get("error"):
        raise refusals.closed(NAME, told.get("code"), str(told["error"]))
    alignment = told.get("alignment") or {
        "chars": (),
        "charStartTimesMs": (),
        "charDurationsMs": (),
    }
    return _Piece(
        pcm=b64decode(told.get("audio") or ""),
        characters=tuple(
            (str(character), int(start_ms) + int(duration_ms))
            for character, start_ms, duration_ms in zip(
                alignment["chars"],
                alignment["charStartTimesMs"],
                alignment["charDurationsMs"],
                strict=True,
            )
        ),
        is_last=bool(told.get("isFinal")),
    )


class _Track:
    """Joins the pieces of one text: whole samples, and where its words end."""

    def __init__(self, text: str, audio_format: AudioFormat) -> None:
        self._text = text
        self._format = audio_format
        self._made_bytes = 0
        self._odd = b""
        self._said = 0
        self._word = ""
        self._word_ends_us = 0

    def add(self, piece: _Piece) -> SpeechAudio | None:
        """Return what *piece* completes, or None where that is no audio."""
        pcm = self._odd + piece.pcm
        whole = len(pcm) - len(pcm) % self._format.frame_bytes
        self._odd = pcm[whole:]
        # ElevenLabs counts each piece's characters from the beginning of its audio.
        begins_us = self._format.duration_us(self._made_bytes)
        self._made_bytes += whole
        marks = tuple(self._marks(piece, begins_us))
        return SpeechAudio(pcm=pcm[:whole], marks=marks) if whole else None

    def _marks(self, piece: _Piece, begins_us: int) -> Iterator[SpeechMark]:
        made_us = self._format.duration_us(self._made_bytes)
        for character, ends_ms in piece.characters:
            if not character.isspace():
                self._word += character
                self._word_ends_us = min(begins_us + ends_ms * 1_000, made_us)
            elif self._word:
                word, self._word = self._word, ""
                found = self._text.find(word, self._said)
                if found >= 0:
                    self._said = found + len(word)
                    yield SpeechMark(self._said, self._word_ends_us)
