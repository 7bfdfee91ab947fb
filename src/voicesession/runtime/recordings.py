"""The finished audio of one tenant's sessions, for whoever wants to hear it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Final
from urllib.parse import unquote

from attrs import frozen

from ..core.results import session_folders
from ..core.session import Session
from ..ports.objects import ObjectStore, SignedUrls
from .home import Home, at_home
from .services import Services

__all__ = ("KeptAudio", "Recordings")

_PIECE_BYTES: Final = 256 * 1024
_A_RECORDING: Final = re.compile(r"audio(-\d+)?\.wav")


@frozen(kw_only=True)
class KeptAudio:
    """A finished recording: a 16-bit PCM WAV."""

    key: str
    size_bytes: int

    @property
    def filename(self) -> str:
        """What a browser may save it as."""
        return self.key.rpartition("/")[2]


@at_home
class Recordings:
    """`SessionManager.recordings`. Every method raises StoreError where audio cannot be read."""

    def __init__(self, services: Services, home: Home) -> None:
        self._home = home
        self._objects: ObjectStore | None = services.objects

    async def of(self, session: Session) -> KeptAudio | None:
        """Return the recording that *session* names; None where there is none (yet, or here)."""
        if self._objects is None or session.audio_uri is None:
            return None
        name = session.audio_uri.rpartition("/")[2]
        if not _A_RECORDING.fullmatch(name):
            return None
        for folder in session_folders(session.id, session.tenant_id):
            key = f"{folder}{name}"
            for found in await self._objects.find(key, limit=1):
                if found.key == key and unquote(session.audio_uri).endswith(f"/{key}"):
                    return KeptAudio(key=key, size_bytes=found.size_bytes)
        return None

    async def signed_url(self, audio: KeptAudio, *, expires_in: timedelta) -> str | None:
        """Return a URL from which anybody who has it can fetch *audio*; None where there is none."""
        if not isinstance(self._objects, SignedUrls):
            return None
        return await self._objects.signed_url(audio.key, expires_in=expires_in)

    async def read(
        self, audio: KeptAudio, *, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes]:
        """Yield the bytes from *start* up to, not with, *end*, in pieces of at most 256 KiB."""
        if self._objects is None:
            return
        end = audio.size_bytes if end is None else min(end, audio.size_bytes)
        for piece in range(start, end, _PIECE_BYTES):
            yield await self._objects.get(
                audio.key, start=piece, end=min(piece + _PIECE_BYTES, end)
            )
