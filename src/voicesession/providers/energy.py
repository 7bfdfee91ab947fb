"""Voice activity by loudness alone: no dependency, for tests and bare installations."""

from __future__ import annotations

from math import exp, log10
from operator import mul
from struct import Struct
from typing import Final

from ..core.audio import AudioFormat
from .intake import Intake

__all__ = ("EnergyVoiceActivityDetector",)

WINDOWS_PER_S: Final = 50
_FULL_SCALE_SQUARED: Final = 32_768.0**2
_QUIETEST_DB: Final = -60.0
"""Of full scale: below it every room is silent, and a track of zeros has no level."""
_SPEECH_ABOVE_NOISE_DB: Final = 12.0
"""Where the probability is one half; ordinary speech stands 15 to 40 dB above a room."""
_SLOPE_DB: Final = 2.0
_NOISE_RISES_DB: Final = 3.0 / WINDOWS_PER_S
"""A second: the noise is never taken to be as loud as speech, which pauses to breathe."""


class EnergyVoiceActivityDetector:
    """Takes for speech what stands out above the noise of the room, at any rate.

    The noise is the quietest of the recent past. A voice and a slammed door are one to it.
    """

    name = "energy"

    def open(self, audio_format: AudioFormat, /) -> EnergyStream:
        return EnergyStream(audio_format)

    async def aclose(self) -> None:
        """Nothing is held."""


class EnergyStream:
    """One track; see `VoiceActivityStream`."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._intake = Intake(audio_format, audio_format.sample_rate)
        samples = audio_format.sample_rate // WINDOWS_PER_S
        self.window_us = samples * 1_000_000 // audio_format.sample_rate
        self._window = Struct(f"<{samples}h")
        self._waiting = bytearray()
        self._noise_db = _QUIETEST_DB

    def push(self, pcm: bytes, /) -> list[float]:
        waiting, window = self._waiting, self._window
        waiting += self._intake.push(pcm)
        probabilities: list[float] = []
        while len(waiting) >= window.size:
            probabilities.append(self._probability(_level_db(window.unpack_from(waiting))))
            del waiting[: window.size]
        return probabilities

    def close(self) -> None:
        """Nothing is held."""

    def _probability(self, level_db: float) -> float:
        self._noise_db = min(level_db, self._noise_db + _NOISE_RISES_DB)
        above_db = level_db - self._noise_db - _SPEECH_ABOVE_NOISE_DB
        return 1 / (1 + exp(-above_db / _SLOPE_DB))


def _level_db(samples: tuple[int, ...]) -> float:
    power = sum(map(mul, samples, samples)) / (len(samples) * _FULL_SCALE_SQUARED)
    return max(_QUIETEST_DB, 10 * log10(power)) if power else _QUIETEST_DB
