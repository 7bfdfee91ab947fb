"""
Sessions of a server that runs elsewhere: the extra ``client``.

>>> async with VoiceClient("https://voice.example", token=token) as client:
...     session = await client.create(NewSession(store_transcript=True))
...     async with client.stream(session.id) as stream:
...         ...
"""

from __future__ import annotations

from .bookmark import Bookmark
from .errors import (
    IdempotencyConflict,
    MethodNotAllowed,
    NotFound,
    RangeNotSatisfiable,
    RateLimited,
    RequestTimeout,
    TooLarge,
    Unauthenticated,
    Unreachable,
)
from .stream import AgentAudio, Stream
from .voice_client import VoiceClient

__all__ = (
    "AgentAudio",
    "Bookmark",
    "IdempotencyConflict",
    "MethodNotAllowed",
    "NotFound",
    "RangeNotSatisfiable",
    "RateLimited",
    "RequestTimeout",
    "Stream",
    "TooLarge",
    "Unauthenticated",
    "Unreachable",
    "VoiceClient",
)
