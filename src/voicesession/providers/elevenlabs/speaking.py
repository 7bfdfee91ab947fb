"""
ElevenLabs' multi-context WebSocket, ``/v1/text-to-speech/{voice}/multi-stream-input``.

It takes text and gives audio with the time of every character, one text after the other:
https://elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-multi-stream-input

Five contexts may be open on one connection, and a sixth closes it. One that was broken off counts
until the vendor has noticed, so a connection has one at a time here and is not used again where its
text did not come to its end.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from itertools import count
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

import anyio

from ...core.audio import AudioFormat, Encoding
from ...core.errors import InvalidConfig, ProviderError
from ...ports.speech import EngineLimits, SpeechAudio
from .. import refusals
from ..account import account
from ..websocket import WebSocketLink
from .connections import KeptConnections
from .messages import NAME, Piece, read, to_speak
from .track import Track

__all__ = ("ElevenLabsTextToSpeech",)

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
_SILENT_AT_MOST_S: Final = 60
"""After that the vendor hangs up, so that one that nobody closes is not open for ever."""
_TAKE_LANGUAGE: Final = ("_v2_5", "_v3")
"""How the models end that may be told a language; others refuse to be."""


class ElevenLabsTextToSpeech:
    """Speaks with a voice of ElevenLabs, with a mark for every word. Asyncio only.

    A connection speaks one text at a time, and is kept for the next one for 30 s: so a reply, and
    the next one where nobody interrupts, needs one. ``aclose`` closes what is kept.
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
        self._path = f"/v1/text-to-speech/{quote(voice, safe='')}/multi-stream-input"
        self._kept = KeptConnections()
        self._numbers = count()
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
        track = Track(text, self.audio_format)
        url, context = self._url(language), f"text-{next(self._numbers)}"
        link, piece = await self._ask(url, text, context)
        try:
            while not piece.is_last:
                if spoken := track.add(piece):
                    yield spoken
                piece = await self._receive(link, context)
            if spoken := track.add(piece):
                yield spoken
        except BaseException:
            await link.aclose()
            raise
        self._kept.keep(url, link)

    async def aclose(self) -> None:
        await self._kept.aclose()

    async def _ask(self, url: str, text: str, context: str) -> tuple[WebSocketLink, Piece]:
        """Have *text* spoken; return who does it, and the first of it."""
        while True:
            kept = self._kept.take(url)
            link = await self._open(url) if kept is None else kept
            try:
                for message in to_speak(text, context):
                    link.send(message)
                return link, await self._receive(link, context)
            except BaseException as error:
                # Who hangs up on a connection that was kept knows nothing of this text yet.
                is_gone = isinstance(error, ProviderError) and not link.is_open
                await link.aclose()
                if kept is None or not is_gone:
                    raise

    def _url(self, language: str) -> str:
        query: dict[str, str | list[str]] = {
            "model_id": self.model,
            "output_format": f"pcm_{self.audio_format.sample_rate}",
            "sync_alignment": "true",
            "inactivity_timeout": str(_SILENT_AT_MOST_S),
        }
        if language != "auto" and self.model.endswith(_TAKE_LANGUAGE):
            query["language_code"] = language.replace("_", "-").partition("-")[0].lower()
        return self._account.websocket_url(self._path, query)

    async def _open(self, url: str) -> WebSocketLink:
        key = self._account.key
        headers = {"xi-api-key": key} if key else {}
        return await WebSocketLink.open(NAME, url, headers, patience_s=self._patience_s)

    async def _receive(self, link: WebSocketLink, context: str) -> Piece:
        """Return what comes next of *context*; where none is named, there is no other."""
        try:
            with anyio.fail_after(self._patience_s):
                while (piece := read(await link.receive())).context not in {context, None}:
                    pass
        except TimeoutError:
            raise refusals.silent(NAME, self._patience_s) from None
        return piece
