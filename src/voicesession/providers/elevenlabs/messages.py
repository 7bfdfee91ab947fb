"""
What is said over ElevenLabs' multi-context WebSocket, written and read.

A *context* is one text: it is opened, told what to speak, and closed; then comes its audio, and at
last one message that is final. A flush alone brings no such message, which is why it is closed.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final

from attrs import frozen

from .. import refusals

__all__ = ("NAME", "Piece", "read", "to_speak")

NAME: Final = "elevenlabs"


@frozen(kw_only=True)
class Piece:
    """A piece of audio; characters with the milliseconds at which each ends in it."""

    context: str | None
    pcm: bytes
    characters: tuple[tuple[str, int], ...]
    is_last: bool


def to_speak(text: str, context: str) -> Iterator[str]:
    """Yield the messages that have *text* spoken: a voice is opened by a space, text ends with one."""
    yield json.dumps({"context_id": context, "text": " "})
    yield json.dumps({"context_id": context, "text": f"{text} ", "flush": True})
    yield json.dumps({"context_id": context, "close_context": True})


def read(message: str | bytes) -> Piece:
    """Return what *message* brings.

    Raises:
        ProviderError: It is a refusal, or not what ElevenLabs sends.
    """
    try:
        told: Any = json.loads(message)
        if told.get("error"):
            raise refusals.closed(NAME, told.get("code"), str(told["error"]))
        return Piece(
            context=told.get("contextId"),
            pcm=b64decode(told.get("audio") or ""),
            characters=tuple(_characters(told.get("alignment"))),
            # One word in the vendor's reference, another in its guide.
            is_last=bool(told.get("isFinal") or told.get("is_final")),
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise refusals.malformed(NAME) from error


def _characters(alignment: Any) -> Iterator[tuple[str, int]]:
    if alignment:
        starts, durations = alignment["charStartTimesMs"], alignment["charDurationsMs"]
        for character, start_ms, duration_ms in zip(
            alignment["chars"], starts, durations, strict=True
        ):
            yield str(character), int(start_ms) + int(duration_ms)
