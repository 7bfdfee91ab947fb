"""
WAV files of linear PCM: the header that we write, and any header that we read.

The format is RIFF (Microsoft's *Multimedia Programming Interface*, 1991) with
WAVE_FORMAT_EXTENSIBLE (2001): chunks of a four-letter name, a 32-bit size and the
content, padded to an even length. We write one form only, which every program reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from struct import pack, unpack_from
from types import MappingProxyType
from typing import Final

from attrs import frozen

from .audio import MAX_RATE_HZ, MIN_RATE_HZ, AudioFormat, Encoding
from .errors import InvalidValue
from .pcm import mix_to_mono, s24_to_s16, u8_to_s16

__all__ = (
    "MAX_WAV_DATA_BYTES",
    "WAV_HEADER_BYTES",
    "InvalidWav",
    "WavInfo",
    "WavProblem",
    "parse_wav_header",
    "wav_header",
)

WAV_HEADER_BYTES: Final = 44
MAX_WAV_DATA_BYTES: Final = (1 << 32) - WAV_HEADER_BYTES
"""Sizes in RIFF have 32 bits; this is the largest that leaves both of ours even."""

_CHUNK_HEAD_BYTES: Final = 8
_FMT_BYTES: Final = 16
_FMT_EXTENSIBLE_BYTES: Final = 40
_TAG_PCM: Final = 1
_TAG_EXTENSIBLE: Final = 0xFFFE
_PCM_SUBFORMAT: Final = bytes.fromhex("0100000000001000800000aa00389b71")
_UNKNOWN_SIZE: Final = 0xFFFF_FFFF
"""What a program writes that streams a WAV and cannot go back."""


class WavProblem(StrEnum):
    """What is wrong with a file that should be a WAV."""

    NOT_A_WAV = "not a WAV file"
    TRUNCATED = "truncated"
    EMPTY = "without audio"
    UNSUPPORTED = "of a kind that is not supported"


class InvalidWav(InvalidValue):
    """The file cannot be read as a PCM WAV; ``problem`` says which way."""

    def __init__(self, problem: WavProblem, found: str, allowed: str) -> None:
        super().__init__("wav", found, allowed)
        self.args = (problem, found, allowed)
        self.problem = problem

    def __str__(self) -> str:
        return f"the file is {self.problem}: {self.value}; allowed: {self.allowed}"


def wav_header(audio_format: AudioFormat, data_bytes: int) -> bytes:
    """Return the 44 bytes that make *data_bytes* of s16 PCM behind them a WAV file.

    Raises:
        InvalidValue: The format is not s16le, or the data ends within a sample frame or
            is more than one WAV file can hold.
    """
    if audio_format.encoding is not Encoding.PCM_S16LE:
        raise InvalidValue("encoding", str(audio_format.encoding), Encoding.PCM_S16LE)
    audio_format.require_whole_frames(data_bytes)
    if not 0 <= data_bytes <= MAX_WAV_DATA_BYTES:
        raise InvalidValue("data_bytes", data_bytes, f"0 to {MAX_WAV_DATA_BYTES}")
    frame_bytes, rate = audio_format.frame_bytes, audio_format.sample_rate
    return pack(
        "<4sI4s 4sIHHIIHH 4sI",
        *(b"RIFF", WAV_HEADER_BYTES - _CHUNK_HEAD_BYTES + data_bytes, b"WAVE"),
        *(b"fmt ", _FMT_BYTES, _TAG_PCM, audio_format.channels, rate),
        *(rate * frame_bytes, frame_bytes, 16),
        *(b"data", data_bytes),
    )


@frozen(kw_only=True)
class WavInfo:
    """What a WAV file holds, and where.

    Attributes:
        channels: 1 or 2, interleaved.
        sample_bits: 8 (unsigned), 16 or 24.
        data_offset: Where the first sample lies in the file.
        data_bytes: How many bytes of samples follow; whole sample frames.
    """

    sample_rate: int
    channels: int
    sample_bits: int
    data_offset: int
    data_bytes: int

    @property
    def frames(self) -> int:
        """How many sample frames the file holds."""
        return self.data_bytes // (self.channels * self.sample_bits // 8)

    @property
    def duration_us(self) -> int:
        """How long the file plays, rounded down to whole microseconds."""
        return self.frames * 1_000_000 // self.sample_rate

    @property
    def data_end(self) -> int:
        """Where the samples end in the file."""
        return self.data_offset + self.data_bytes

    def to_s16_mono(self, data: bytes) -> bytes:
        """Return *data*, whole sample frames out of this file, as s16 mono.

        Raises:
            InvalidValue: The last sample frame is broken.
        """
        frame_bytes = self.channels * self.sample_bits // 8
        if len(data) % frame_bytes:
            raise InvalidValue("data", f"{len(data)} bytes", f"frames of {frame_bytes} bytes")
        samples = _TO_S16[self.sample_bits](data)
        return mix_to_mono(samples) if self.channels == 2 else samples


def parse_wav_header(content: bytes) -> WavInfo:
    """Return what the WAV file *content* holds; chunks that are not audio are skipped.

    A size of the audio that its writer did not know means: up to the end of the file.

    Args:
        content: The whole file.

    Raises:
        InvalidWav: It is no WAV, ends too soon, has no audio, or has audio that is not
            8, 16 or 24-bit linear PCM of one or two channels at 8 to 48 kHz.
    """
    if not content:
        raise InvalidWav(WavProblem.EMPTY, "0 bytes", "a WAV file")
    if content[:4] != b"RIFF"[: len(content)] or content[8:12] != b"WAVE"[: len(content[8:12])]:
        raise InvalidWav(WavProblem.NOT_A_WAV, f"it begins with {content[:12]!r}", "RIFF … WAVE")
    described: WavInfo | None = None
    at = 12
    while True:
        name, size = _chunk_head(content, at)
        at += _CHUNK_HEAD_BYTES
        if name == b"data" and size == _UNKNOWN_SIZE:
            size = len(content) - at
        if at + size > len(content):
            found = f"{name!r} needs {size} bytes and has {len(content) - at}"
            raise InvalidWav(WavProblem.TRUNCATED, found, "the whole file")
        if name == b"fmt ":
            described = _described(content[at : at + size])
        elif name == b"data":
            return _located(described, at, size)
        at += size + size % 2


def _chunk_head(content: bytes, at: int) -> tuple[bytes, int]:
    if at + _CHUNK_HEAD_BYTES > len(content):
        found = f"no audio within {len(content)} bytes"
        raise InvalidWav(WavProblem.TRUNCATED, found, "the whole file")
    name, size = unpack_from("<4sI", content, at)
    return name, size


def _described(fmt: bytes) -> WavInfo:
    if len(fmt) < _FMT_BYTES:
        raise InvalidWav(WavProblem.TRUNCATED, f"a format of {len(fmt)} bytes", "16 or more")
    tag, channels, rate, _, frame_bytes, bits = unpack_from("<HHIIHH", fmt)
    is_pcm = tag == _TAG_PCM or (
        tag == _TAG_EXTENSIBLE
        and len(fmt) >= _FMT_EXTENSIBLE_BYTES
        and fmt[24:_FMT_EXTENSIBLE_BYTES] == _PCM_SUBFORMAT
    )
    for is_supported, found, allowed in (
        (is_pcm, f"format tag {tag:#06x}", "linear PCM"),
        (bits in _TO_S16, f"{bits}-bit samples", "8, 16 or 24 bits"),
        (channels in (1, 2), f"{channels} channels", "1 or 2"),
        (MIN_RATE_HZ <= rate <= MAX_RATE_HZ, f"{rate} Hz", f"{MIN_RATE_HZ} to {MAX_RATE_HZ} Hz"),
        (frame_bytes == channels * bits // 8, f"frames of {frame_bytes} bytes", "packed samples"),
    ):
        if not is_supported:
            raise InvalidWav(WavProblem.UNSUPPORTED, found, allowed)
    return WavInfo(
        sample_rate=rate, channels=channels, sample_bits=bits, data_offset=0, data_bytes=0
    )


def _located(described: WavInfo | None, offset: int, size: int) -> WavInfo:
    if described is None:
        raise InvalidWav(WavProblem.NOT_A_WAV, "audio without a format before it", "a WAV file")
    frame_bytes = described.channels * described.sample_bits // 8
    data_bytes = size - size % frame_bytes
    if not data_bytes:
        raise InvalidWav(WavProblem.EMPTY, "0 samples", "at least one")
    return WavInfo(
        sample_rate=described.sample_rate,
        channels=described.channels,
        sample_bits=described.sample_bits,
        data_offset=offset,
        data_bytes=data_bytes,
    )


_TO_S16: Final[Mapping[int, Callable[[bytes], bytes]]] = MappingProxyType(
    {8: u8_to_s16, 16: bytes, 24: s24_to_s16}
)
