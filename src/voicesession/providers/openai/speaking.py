"""Text to speech by ``/audio/speech``, whose PCM is taken while it is made."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import Any, Final

from ...core.audio import AudioFormat, Encoding
from ...core.errors import ProviderError
from ...ports.speech import EngineLimits, SpeechAudio
from .connection import NAME, Connection, pieces_of

__all__ = ("OpenAITextToSpeech",)

RATE_HZ: Final = 24_000
"""The one rate of ``response_format=pcm``."""
LONGEST_TEXT: Final = 4_096
"""https://platform.openai.com/docs/api-reference/audio/createSpeech"""


class OpenAITextToSpeech:
    """Speaks with a voice of OpenAI, without marks. Asyncio and Trio.

    The voice finds the language in the text by itself.
    """

    name = NAME
    audio_format = AudioFormat(sample_rate=RATE_HZ)
    limits = EngineLimits(
        encodings=frozenset({Encoding.PCM_S16LE}),
        lowest_hz=RATE_HZ,
        highest_hz=RATE_HZ,
        most_channels=1,
        longest_text=LONGEST_TEXT,
    )

    def __init__(
        self,
        model: str = "gpt-4o-mini-tts",
        *,
        voice: str = "alloy",
        instructions: str = "",
        api_key: str | None = None,
        base_url: str | None = None,
        patience: timedelta = timedelta(seconds=10),
    ) -> None:
        """Make a speaker; nothing is connected before it speaks.

        Args:
            model: As its server names it.
            instructions: How to speak; the older models take none.
            api_key: Else it is taken from ``OPENAI_API_KEY``.
            base_url: Of another server that speaks as OpenAI does, up to ``/v1``; else it is
                taken from ``OPENAI_BASE_URL``.
            patience: How long a connection, or the next piece of audio, may take.

        Raises:
            InvalidConfig: The key is missing, or the address is none.
        """
        self.model = model
        self._request: dict[str, Any] = {"model": model, "voice": voice, "response_format": "pcm"}
        if instructions:
            self._request["instructions"] = instructions
        self._connection = Connection(
            NAME, api_key=api_key, base_url=base_url, patience_s=patience.total_seconds()
        )

    async def speak(self, text: str, /, *, language: str) -> AsyncGenerator[SpeechAudio]:  # noqa: ARG002 - see the class
        if not text.strip():
            return
        if len(text) > LONGEST_TEXT:
            raise ProviderError(NAME, f"{len(text)} characters; it speaks {LONGEST_TEXT}")
        request = {**self._request, "input": text}
        broken = b""
        async with (
            self._connection.post("/audio/speech", json=request) as response,
            aclosing(pieces_of(response)) as pieces,
        ):
            async for piece in pieces:
                pcm = broken + piece
                whole = len(pcm) - len(pcm) % self.audio_format.frame_bytes
                broken = pcm[whole:]
                if whole:
                    yield SpeechAudio(pcm=pcm[:whole])

    async def aclose(self) -> None:
        await self._connection.aclose()
