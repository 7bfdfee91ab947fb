"""A WAV file as a caller's voice: read piece by piece, never as a whole."""

from __future__ import annotations

import mmap
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from ..core.audio import AudioFormat
from ..core.resample import Resampler
from ..core.wav import InvalidWav, WavInfo, parse_wav_header
from .failures import WrongUse

__all__ = ("WavFile", "open_wav")

_TAKEN_AS_IT_IS_HZ: Final = frozenset({8_000, 16_000})
_OTHERWISE_HZ: Final = 16_000


class WavFile:
    """The audio of one file, as s16 mono at a rate that the engines take as it is.

    At any other rate both of them would resample it, and that is what costs.
    """

    def __init__(self, content: bytes, info: WavInfo) -> None:
        self._content = content
        self._info = info
        rate_hz = info.sample_rate
        self.audio_format = AudioFormat(
            sample_rate=rate_hz if rate_hz in _TAKEN_AS_IT_IS_HZ else _OTHERWISE_HZ
        )

    def pieces(self, piece_us: int) -> Iterator[bytes]:
        """Yield all of it, some *piece_us* at a time; the last ones may be short."""
        resampler = Resampler(self._info.sample_rate, self.audio_format.sample_rate)
        for frames in self._pieces(piece_us):
            yield resampler.push(self._info.to_s16_mono(frames))
        yield resampler.finish()

    def _pieces(self, piece_us: int) -> Iterator[bytes]:
        info = self._info
        clock = AudioFormat(sample_rate=info.sample_rate)
        frame_bytes = info.data_bytes // info.frames
        start, count = 0, 0
        while start < info.frames:
            count += 1
            # From the sum: at 11 025 Hz a piece is half a sample longer than the one before.
            end = min(info.frames, clock.frames_at(count * piece_us))
            at = info.data_offset
            yield self._content[at + start * frame_bytes : at + end * frame_bytes]
            start = end


@contextmanager
def open_wav(path: Path) -> Generator[WavFile]:
    """Have the WAV file at *path* open for the length of the block.

    Raises:
        WrongUse: It is not there, cannot be read, or is no WAV that we know.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise WrongUse(f"{path}: {error.strerror}") from error
    with file, _mapped(file.fileno(), path) as content:
        try:
            info = parse_wav_header(content)
        except InvalidWav as error:
            raise WrongUse(f"{path}: {error}") from error
        yield WavFile(content, info)


@contextmanager
def _mapped(file: int, path: Path) -> Generator[bytes]:
    if path.stat().st_size == 0:  # which cannot be mapped
        yield b""
        return
    try:
        content = mmap.mmap(file, 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise WrongUse(f"{path}: not a file that can be read") from error
    with content:
        # Slices of it are bytes, and that is all anybody asks for.
        yield cast("bytes", content)
