"""Audio as other runtimes carry it (s16 at any rate), brought to what a session keeps."""

from __future__ import annotations

from ..core.audio import AudioFormat
from ..core.errors import InvalidValue
from ..core.pcm import mix_to_mono
from ..core.resample import Resampler

__all__ = ("MonoTrack", "kept_format")


def kept_format(audio_format: AudioFormat) -> AudioFormat:
    """Return *audio_format* if another runtime's audio can be kept in it.

    Raises:
        InvalidValue: It is not s16, mono. Create the session with the rate of the runtime:
            then nothing is resampled.
    """
    if audio_format != audio_format.plain:
        raise InvalidValue("audio_format", audio_format, "pcm_s16le, 1 channel, any rate")
    return audio_format


class MonoTrack:
    """One voice, brought to mono at the session's rate; the rate it comes in may change."""

    def __init__(self, to_hz: int) -> None:
        self._to_hz = to_hz
        self._from_hz = to_hz
        self._resampler = Resampler(to_hz, to_hz)

    def take(self, s16: bytes, rate_hz: int, channels: int) -> bytes:
        """Return what can be said after *s16*; a few samples wait where it is resampled.

        Raises:
            InvalidValue: The rate is not between 8 000 and 48 000 Hz.
        """
        if rate_hz != self._from_hz:
            self._resampler, self._from_hz = Resampler(rate_hz, self._to_hz), rate_hz
        return self._resampler.push(mix_to_mono(s16) if channels == 2 else s16)
