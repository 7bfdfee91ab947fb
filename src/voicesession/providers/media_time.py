"""Where the samples that an engine counts lie in the session's media time, which may jump."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from ..core.audio import AudioFormat

__all__ = ("MediaTimes",)

_JUMP_US: Final = 1_000


class MediaTimes:
    """Turns places in an engine's own track into media time.

    Args:
        audio_format: What the track is pushed in.
        engine_hz: The rate that the engine counts samples at.
    """

    def __init__(self, audio_format: AudioFormat, engine_hz: int) -> None:
        self._format = audio_format
        self._engine = AudioFormat(sample_rate=engine_hz)
        self._anchors: list[tuple[int, int]] = []
        self._pushed_bytes: int | None = None

    def jumps(self, at_us: int) -> bool:
        """Whether *at_us* is not where the last piece ended."""
        if self._pushed_bytes is None:
            return True
        expected_us = self._anchors[-1][1] + self._format.duration_us(self._pushed_bytes)
        return abs(at_us - expected_us) > _JUMP_US

    def anchor(self, sample: int, at_us: int) -> None:
        """Note that *sample* lies at *at_us*, and what follows goes on from there."""
        self._anchors.append((sample, at_us))
        self._pushed_bytes = 0

    def advance(self, size_bytes: int) -> None:
        """Note that *size_bytes* of the track have come."""
        self._pushed_bytes = (self._pushed_bytes or 0) + size_bytes

    def forget_position(self) -> None:
        """Have the next piece say anew where it lies."""
        self._pushed_bytes = None

    def forget_before(self, sample: int) -> None:
        """Drop the anchors that no later question needs."""
        first = bisect_right(self._anchors, sample, key=lambda anchor: anchor[0]) - 1
        del self._anchors[: max(0, first)]

    def at(self, sample: int) -> int:
        """Return the media time of *sample*."""
        index = bisect_right(self._anchors, sample, key=lambda anchor: anchor[0]) - 1
        anchored, at_us = self._anchors[max(0, index)]
        return at_us + self._engine.time_of(sample - anchored)
