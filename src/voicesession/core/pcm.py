"""
Samples in every supported encoding become 16-bit little-endian PCM.

All functions take bytes and return new ones, sample by sample, without state: pieces
give the same as the whole. The tables of the companded encodings are built from the
definition in ITU-T G.711 (Tables 1 and 2), scaled to 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import pack, unpack
from types import MappingProxyType
from typing import Final

from .audio import AudioFormat, Encoding

__all__ = (
    "alaw_to_s16",
    "f32_to_s16",
    "interleave",
    "mix_to_mono",
    "mulaw_to_s16",
    "s24_to_s16",
    "to_s16_mono",
    "u8_to_s16",
)

_MIN: Final = -32_768
_MAX: Final = 32_767
_HALF: Final = 32_768


def to_s16_mono(pcm: bytes, audio_format: AudioFormat) -> bytes:
    """Return *pcm*, written in *audio_format*, as s16le, mono, at the same rate.

    Two channels are mixed to their mean.

    Raises:
        InvalidValue: The last sample frame is broken.
    """
    audio_format.require_whole_frames(len(pcm))
    samples = _TO_S16[audio_format.encoding](pcm)
    return mix_to_mono(samples) if audio_format.channels == 2 else samples


def mix_to_mono(s16_stereo: bytes) -> bytes:
    """Return the mean of both channels, rounded down; equal channels come back as they are."""
    samples = unpack(f"<{len(s16_stereo) // 2}h", s16_stereo)
    mixed = [(left + right) >> 1 for left, right in zip(samples[::2], samples[1::2], strict=True)]
    return pack(f"<{len(mixed)}h", *mixed)


def interleave(left: bytes, right: bytes) -> bytes:
    """Return two s16 mono tracks of equal length as one of two channels."""
    both = bytearray(2 * len(left))
    both[0::4] = left[0::2]
    both[1::4] = left[1::2]
    both[2::4] = right[0::2]
    both[3::4] = right[1::2]
    return bytes(both)


def mulaw_to_s16(mulaw: bytes) -> bytes:
    """Return the linear samples of G.711 µ-law."""
    return _expanded(mulaw, _MULAW_LOW, _MULAW_HIGH)


def alaw_to_s16(alaw: bytes) -> bytes:
    """Return the linear samples of G.711 A-law."""
    return _expanded(alaw, _ALAW_LOW, _ALAW_HIGH)


def f32_to_s16(f32le: bytes) -> bytes:
    """Return samples of full scale 1.0 as s16: the nearest value, ties upwards.

    What lies outside -1 to 1 is clipped; what is not a number is silence.
    """
    samples = unpack(f"<{len(f32le) // 4}f", f32le)
    # Adding full scale first makes int() round down for negative samples too.
    linear = [
        int(sample * 32_768.0 + 32_768.5) - _HALF if -1.0 <= sample < _F32_CLIPS else _clip(sample)
        for sample in samples
    ]
    return pack(f"<{len(linear)}h", *linear)


def u8_to_s16(u8: bytes) -> bytes:
    """Return the unsigned 8-bit samples of a WAV file as s16."""
    return _expanded(u8, bytes(256), _U8_HIGH)


def s24_to_s16(s24le: bytes) -> bytes:
    """Return the upper 16 of every 24 bits: the value rounded down."""
    linear = bytearray(len(s24le) // 3 * 2)
    linear[0::2] = s24le[1::3]
    linear[1::2] = s24le[2::3]
    return bytes(linear)


# 32 766.5 of 32 768: from here on the nearest value would be more than the largest.
_F32_CLIPS: Final = 32_767.5 / 32_768


def _clip(sample: float) -> int:
    if sample >= _F32_CLIPS:
        return _MAX
    return _MIN if sample < 0 else 0


def _expanded(coded: bytes, low: bytes, high: bytes) -> bytes:
    codes = bytearray(coded)  # which is translated faster than bytes are
    linear = bytearray(2 * len(coded))
    linear[0::2] = codes.translate(low)
    linear[1::2] = codes.translate(high)
    return bytes(linear)


def _mulaw_value(code: int) -> int:
    # Every bit of the code is inverted on the wire. The sign bit of the inverted code
    # means negative; its magnitude in 14 bits is (2 m + 33) 2^s - 33.
    inverted = ~code
    segment, step = inverted >> 4 & 7, inverted & 15
    magnitude = ((2 * step + 33 << segment) - 33) << 2
    return -magnitude if inverted & 0x80 else magnitude


def _alaw_value(code: int) -> int:
    # Every even bit is inverted on the wire. A set sign bit means positive; the magnitude
    # in 13 bits is 2 m + 1 in the first segment, then (2 m + 33) 2^(s - 1).
    plain = code ^ 0x55
    segment, step = plain >> 4 & 7, plain & 15
    magnitude = (2 * step + 33 << segment - 1 if segment else 2 * step + 1) << 3
    return magnitude if plain & 0x80 else -magnitude


def _tables(value: Callable[[int], int]) -> tuple[bytes, bytes]:
    linear = b"".join(pack("<h", value(code)) for code in range(256))
    return linear[0::2], linear[1::2]


_MULAW_LOW, _MULAW_HIGH = _tables(_mulaw_value)
_ALAW_LOW, _ALAW_HIGH = _tables(_alaw_value)
_U8_HIGH: Final = bytes(code ^ 0x80 for code in range(256))

_TO_S16: Final[Mapping[Encoding, Callable[[bytes], bytes]]] = MappingProxyType(
    {
        Encoding.PCM_S16LE: bytes,
        Encoding.PCM_F32LE: f32_to_s16,
        Encoding.MULAW: mulaw_to_s16,
        Encoding.ALAW: alaw_to_s16,
    }
)
