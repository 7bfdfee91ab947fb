"""How a local engine takes a caller's track: cut anywhere, in any format, at its own rate."""

from __future__ import annotations

from ..core.audio import AudioFormat
from ..core.pcm import to_s16_mono
from ..core.resample import Resampler

__all__ = ("Intake",)


class Intake:
    """Turns one track into s16 mono at the engine's rate, as it comes."""

    def __init__(self, audio_format: AudioFormat, to_hz: int) -> None:
        self._format = audio_format
        self._resampler = Resampler(audio_format.sample_rate, to_hz)
        self._broken = b""

    def push(self, pcm: bytes) -> bytes:
        """Return what *pcm* completes; a broken last sample frame waits for its rest."""
        pcm = self._broken + pcm
        whole = len(pcm) - len(pcm) % self._format.frame_bytes
        self._broken = pcm[whole:]
        return self._resampler.push(to_s16_mono(pcm[:whole], self._format))

    def finish(self) -> bytes:
        """Return the rest; what comes next is another piece of audio."""
        self._broken = b""
        return self._resampler.finish()
