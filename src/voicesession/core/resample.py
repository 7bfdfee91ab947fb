"""
Changes the sample rate of s16 mono audio, as a stream.

A windowed sinc (Kaiser), one row of coefficients for each phase in which an output sample
can lie between two input samples (J. O. Smith, *Digital Audio Resampling*). With ``low``
the lower of the two rates:

* up to 0.40 x ``low`` the level is kept within 0.1 dB;
* from 0.50 x ``low`` on, aliases and images lie 60 dB down.

The stream is not delayed: output sample *n* sounds at ``n / to_hz``, as the input did.
Coefficients are whole numbers in floats, and so is every sum: no rounding happens before
the last step, hence the result is the same to the bit in pieces, in one, and everywhere.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from math import ceil, gcd, pi, sin, sqrt
from operator import mul
from typing import Final, TypeAlias

from .audio import MAX_RATE_HZ, MIN_RATE_HZ
from .errors import InvalidValue

__all__ = ("Resampler",)

_ZERO_CROSSINGS: Final = 20
"""Of the sinc at the lower rate, on each side: what makes the band edge steep."""
_KAISER_BETA: Final = 5.653
"""0.1102 x (60 dB - 8.7), Kaiser's formula."""
_CUTOFF: Final = 0.4536
"""Of the lower rate: the middle of the edge that 20 zero crossings and 60 dB allow."""
_ONE: Final = 1 << 20
_MAX_ROWS: Final = 640
"""As many as 11 025 to 48 000 Hz needs; rates with more phases share rows, 60 dB clean."""

_Row: TypeAlias = tuple[float, ...]
_Phase: TypeAlias = tuple[_Row, int, int]
"""The coefficients, how far the input moves on to the next output, and its phase."""


class Resampler:
    """Turns s16 mono at one rate into s16 mono at another, piece by piece."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        """Prepare for one stream.

        Raises:
            InvalidValue: A rate is not between 8 000 and 48 000 Hz.
        """
        for name, rate_hz in (("from_hz", from_hz), ("to_hz", to_hz)):
            if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
                raise InvalidValue(name, rate_hz, f"{MIN_RATE_HZ} to {MAX_RATE_HZ}")
        self._is_needed = from_hz != to_hz
        self._reach = _reach(from_hz, to_hz)
        self._phases = _phases(from_hz, to_hz) if self._is_needed else ()
        self._begin()

    def push(self, pcm: bytes) -> bytes:
        """Return what can be said after *pcm*; about 20 samples of the lower rate wait.

        Raises:
            InvalidValue: *pcm* has a broken last sample.
        """
        if len(pcm) % 2:
            raise InvalidValue("pcm", f"{len(pcm)} bytes", "16-bit samples")
        if not self._is_needed:
            return pcm
        self._waiting.extend(map(float, struct.unpack(f"<{len(pcm) // 2}h", pcm)))
        return self._resampled()

    def finish(self) -> bytes:
        """Return the rest of the stream; the resampler is then ready for another.

        All pieces together have ``ceil(samples x to_hz / from_hz)`` samples.
        """
        self._waiting.extend([0.0] * self._reach)
        rest = self._resampled()
        self._begin()
        return rest

    def _begin(self) -> None:
        # The first output needs silence before the stream, on its left side.
        self._waiting = [0.0] * (self._reach - 1)
        self._skip = 0
        self._phase = 0

    def _resampled(self) -> bytes:
        samples, phases, width = self._waiting, self._phases, 2 * self._reach
        at, phase, last = self._skip, self._phase, len(samples) - width
        sums: list[float] = []
        while at <= last:
            row, step, phase = phases[phase]
            sums.append(sum(map(mul, row, samples[at : at + width])))
            at += step
        # A big step down may skip samples that have not come yet.
        self._skip = max(0, at - len(samples))
        del samples[:at]
        self._phase = phase
        return _packed([int(total) + _ONE // 2 >> 20 for total in sums])


def _packed(samples: list[int]) -> bytes:
    layout = f"<{len(samples)}h"
    try:
        return struct.pack(layout, *samples)
    except struct.error:  # the sinc overshoots a full-scale edge
        return struct.pack(layout, *(max(-32_768, min(32_767, sample)) for sample in samples))


def _reach(from_hz: int, to_hz: int) -> int:
    return ceil(_ZERO_CROSSINGS * from_hz / min(from_hz, to_hz))


@lru_cache(maxsize=8)
def _phases(from_hz: int, to_hz: int) -> tuple[_Phase, ...]:
    divisor = gcd(from_hz, to_hz)
    count, stride = to_hz // divisor, from_hz // divisor
    rows = min(count, _MAX_ROWS)
    table = [_row(from_hz, to_hz, index / rows) for index in range(rows // 2 + 1)]
    # The kernel is even: the row of 1 - x is that of x backwards.
    table += [row[::-1] for row in reversed(table[: rows - rows // 2])]
    return tuple(
        (table[(phase * rows + count // 2) // count], *divmod(phase + stride, count))
        for phase in range(count)
    )


def _row(from_hz: int, to_hz: int, offset: float) -> _Row:
    reach = _reach(from_hz, to_hz)
    cutoff = _CUTOFF * min(1.0, to_hz / from_hz)
    half_width = _ZERO_CROSSINGS * max(1.0, from_hz / to_hz)
    shape = [_kernel(at - offset, cutoff, half_width) for at in range(1 - reach, reach + 1)]
    scale = _ONE / sum(shape)
    row = [round(value * scale) for value in shape]
    # The largest takes what rounding left over: a constant stays exactly what it is.
    row[reach - 1 + round(offset)] += _ONE - sum(row)
    return tuple(map(float, row))


def _kernel(distance: float, cutoff: float, half_width: float) -> float:
    if abs(distance) >= half_width:
        return 0.0
    angle = 2 * pi * cutoff * distance
    window = _bessel_i0(_KAISER_BETA * sqrt(1 - (distance / half_width) ** 2))
    return window * (sin(angle) / angle if angle else 1.0)


def _bessel_i0(x: float) -> float:
    total = term = 1.0
    for k in range(1, 16):  # converged far below the coefficients' last bit
        term *= (x / (2 * k)) ** 2
        total += term
    return total
