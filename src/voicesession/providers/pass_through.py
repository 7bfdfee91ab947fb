"""No noise suppression: what goes in comes out."""

from __future__ import annotations

from ..core.audio import AudioFormat

__all__ = ("PassThroughNoiseSuppressor",)


class PassThroughNoiseSuppressor:
    """Leaves every track as it is."""

    name = "none"

    def open(self, audio_format: AudioFormat, /) -> PassThroughStream:
        return PassThroughStream(audio_format)

    async def aclose(self) -> None:
        """Nothing is held."""


class PassThroughStream:
    """One track; see `NoiseSuppressionStream`."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._frame_bytes = audio_format.frame_bytes
        self._broken = b""

    def push(self, pcm: bytes, /) -> bytes:
        if self._broken:
            pcm = self._broken + pcm
        excess = len(pcm) % self._frame_bytes
        if not excess:
            self._broken = b""
            return pcm
        self._broken = pcm[-excess:]
        return pcm[:-excess]

    def finish(self) -> bytes:
        self._broken = b""  # a broken sample frame is none
        return b""

    def close(self) -> None:
        """Nothing is held."""
