from __future__ import annotations

from struct import pack, unpack

import pytest
from hypothesis import given, strategies as st

from voicesession.core import pcm
from voicesession.core.audio import AudioFormat, Encoding
from voicesession.core.errors import InvalidValue
from voicesession.testing.strategies_audio import audio_formats, cut_up, samples_s16


def s16(*values: int) -> bytes:
    return pack(f"<{len(values)}h", *values)


def values_of(samples: bytes) -> tuple[int, ...]:
    return unpack(f"<{len(samples) // 2}h", samples)


@given(st.data(), audio_formats(), st.binary(max_size=800))
def test_pieces_are_converted_to_the_same_as_the_whole(
    data: st.DataObject, audio_format: AudioFormat, noise: bytes
) -> None:
    whole = noise[: len(noise) - len(noise) % audio_format.frame_bytes]
    pieces = data.draw(cut_up(whole, multiple=audio_format.frame_bytes))
    converted = pcm.to_s16_mono(whole, audio_format)
    assert b"".join(pcm.to_s16_mono(piece, audio_format) for piece in pieces) == converted
    assert len(converted) == 2 * audio_format.frames_in(len(whole))


@given(samples_s16())
def test_s16_mono_comes_back_as_it_is(samples: bytes) -> None:
    assert pcm.to_s16_mono(samples, AudioFormat()) == samples


def test_a_broken_last_frame_is_refused() -> None:
    with pytest.raises(InvalidValue, match="frames of 4 bytes"):
        pcm.to_s16_mono(bytes(6), AudioFormat(channels=2))


# Values from ITU-T G.711, tables 1a, 1b, 2a and 2b: the ends of the segments, scaled
# from 13 (A-law) and 14 bits (µ-law) to 16.
@pytest.mark.parametrize(
    ("code", "value"),
    [
        *((0x80, 8031 << 2), (0x8F, 4191 << 2), (0x90, 3999 << 2), (0x9F, 2079 << 2)),
        *((0xA0, 1983 << 2), (0xAF, 1023 << 2), (0xEF, 33 << 2), (0xF0, 30 << 2)),
        *((0xFE, 2 << 2), (0xFF, 0), (0x7F, 0), (0x7E, -2 << 2), (0x00, -8031 << 2)),
    ],
)
def test_mulaw_is_what_the_standard_says(code: int, value: int) -> None:
    assert values_of(pcm.mulaw_to_s16(bytes([code]))) == (value,)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        *((0xAA, 4032 << 3), (0xA5, 2112 << 3), (0xBA, 2016 << 3), (0xB5, 1056 << 3)),
        *((0xC5, 33 << 3), (0xDA, 31 << 3), (0xD5, 1 << 3), (0x55, -1 << 3), (0x2A, -4032 << 3)),
    ],
)
def test_alaw_is_what_the_standard_says(code: int, value: int) -> None:
    assert values_of(pcm.alaw_to_s16(bytes([code]))) == (value,)


def test_companded_codes_grow_with_their_values() -> None:
    mulaw = values_of(pcm.mulaw_to_s16(bytes(range(0xFF, 0x7F, -1))))
    alaw = values_of(pcm.alaw_to_s16(bytes(code ^ 0x55 for code in range(0x80, 0x100))))
    for positive in (mulaw, alaw):
        assert list(positive) == sorted(set(positive))


def test_the_sign_bit_of_a_companded_code_mirrors_it() -> None:
    upper, lower = bytes(range(0x80, 0x100)), bytes(range(0x80))
    for decode in (pcm.mulaw_to_s16, pcm.alaw_to_s16):
        assert [-value for value in values_of(decode(upper))] == list(values_of(decode(lower)))


@given(st.integers(-32_768, 32_767))
def test_a_float_of_a_16_bit_value_is_that_value(value: int) -> None:
    assert values_of(pcm.f32_to_s16(pack("<f", value / 32_768))) == (value,)


@given(st.floats(width=32, allow_nan=True, allow_infinity=True))
def test_any_float_becomes_a_sample(sample: float) -> None:
    (value,) = values_of(pcm.f32_to_s16(pack("<f", sample)))
    if sample != sample:  # noqa: PLR0124  # the definition of not a number
        assert value == 0
    else:
        clipped = max(-32_768.0, min(32_767.0, sample * 32_768))
        assert abs(value - clipped) <= 0.5


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        *((1.0, 32_767), (-1.0, -32_768), (float("inf"), 32_767), (float("-inf"), -32_768)),
        *((float("nan"), 0), (32_767.5 / 32_768, 32_767), (0.5 / 32_768, 1), (-0.5 / 32_768, 0)),
    ],
)
def test_floats_are_clipped_and_rounded_to_the_nearest(sample: float, value: int) -> None:
    assert values_of(pcm.f32_to_s16(pack("<f", sample))) == (value,)


@given(samples_s16())
def test_equal_channels_mix_to_themselves(samples: bytes) -> None:
    assert pcm.mix_to_mono(pcm.interleave(samples, samples)) == samples


@given(st.lists(st.tuples(st.integers(-32_768, 32_767), st.integers(-32_768, 32_767))))
def test_channels_are_interleaved_in_order_and_mixed_to_their_mean(
    frames: list[tuple[int, int]],
) -> None:
    left, right = s16(*(one for one, _ in frames)), s16(*(other for _, other in frames))
    both = pcm.interleave(left, right)
    assert values_of(both) == tuple(value for frame in frames for value in frame)
    assert values_of(pcm.mix_to_mono(both)) == tuple((one + other) // 2 for one, other in frames)


def test_two_channels_of_any_encoding_are_mixed() -> None:
    stereo = AudioFormat(encoding=Encoding.MULAW, channels=2)
    assert values_of(pcm.to_s16_mono(b"\x80\x00\x80\x80", stereo)) == (0, 32_124)


@given(st.lists(st.integers(0, 255)))
def test_8_bit_samples_are_centred_and_scaled(codes: list[int]) -> None:
    assert values_of(pcm.u8_to_s16(bytes(codes))) == tuple((code - 128) << 8 for code in codes)


@given(st.lists(st.integers(-(1 << 23), (1 << 23) - 1)))
def test_24_bit_samples_keep_their_upper_16_bits(values: list[int]) -> None:
    s24 = b"".join(value.to_bytes(3, "little", signed=True) for value in values)
    assert values_of(pcm.s24_to_s16(s24)) == tuple(value >> 8 for value in values)
