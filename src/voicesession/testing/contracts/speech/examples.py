"""The audio and the manners that the suites share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ....core.audio import AudioFormat

__all__ = ("FORMAT", "PATIENCE_S", "SIZES", "name_is_fit_for_metrics", "pieces")

FORMAT: Final = AudioFormat()
FRAME_BYTES: Final = FORMAT.bytes_at(20_000)
SIZES: Final = (FRAME_BYTES, 322, 7_778)
"""What callers push at a time: a frame of 20 ms, and what no window is a multiple of."""
PATIENCE_S: Final = 60


def name_is_fit_for_metrics(name: str) -> bool:
    """Whether *name* is short, lower case and without spaces."""
    return 0 < len(name) <= 40 and name == name.lower() and name.isascii() and " " not in name


def pieces(pcm: bytes, size: int = FRAME_BYTES) -> Iterator[tuple[bytes, int]]:
    """Yield *pcm* in pieces of *size* bytes, each with its place in time."""
    for at in range(0, len(pcm), size):
        yield pcm[at : at + size], FORMAT.duration_us(at)
