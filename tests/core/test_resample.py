from __future__ import annotations

import cmath
from math import ceil, hypot, log10, pi, sin, sqrt
from struct import pack, unpack

import pytest
from hypothesis import given, settings, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.resample import Resampler
from voicesession.testing.effort import examples
from voicesession.testing.strategies_audio import cut_up, sample_rates, samples_s16

RATES = [(48_000, 16_000), (8_000, 16_000), (22_050, 16_000), (16_000, 8_000), (44_100, 48_000)]


def resampled(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    resampler = Resampler(from_hz, to_hz)
    return resampler.push(pcm) + resampler.finish()


def sine(pitch_hz: float, rate_hz: int, *, seconds: float = 0.2, level: int = 16_000) -> bytes:
    count = round(rate_hz * seconds)
    return pack(
        f"<{count}h", *(round(level * sin(2 * pi * pitch_hz * n / rate_hz)) for n in range(count))
    )


def level_of(pitch_hz: float, pcm: bytes, rate_hz: int) -> float:
    """The amplitude of one frequency, measured away from the ends under a Hann window."""
    samples = unpack(f"<{len(pcm) // 2}h", pcm)
    samples = samples[len(samples) // 5 : -len(samples) // 5]
    count = len(samples)
    bell = [sin(pi * n / count) ** 2 for n in range(count)]
    turns = (cmath.exp(-2j * pi * pitch_hz * n / rate_hz) for n in range(count))
    pointer = sum(s * w * turn for s, w, turn in zip(samples, bell, turns, strict=True))
    return 2 * hypot(pointer.real, pointer.imag) / sum(bell)


def rms(pcm: bytes) -> float:
    samples = unpack(f"<{len(pcm) // 2}h", pcm)
    samples = samples[len(samples) // 5 : -len(samples) // 5]
    return sqrt(sum(s * s for s in samples) / len(samples))


@settings(max_examples=examples(30))  # the first use of two rates makes their table
@given(st.data(), samples_s16(), sample_rates(), sample_rates())
def test_pieces_give_the_same_bytes_as_the_whole(
    data: st.DataObject, pcm: bytes, from_hz: int, to_hz: int
) -> None:
    resampler = Resampler(from_hz, to_hz)
    pieces = [resampler.push(piece) for piece in data.draw(cut_up(pcm))]
    assert b"".join([*pieces, resampler.finish()]) == resampled(pcm, from_hz, to_hz)


@settings(max_examples=examples(30))  # the first use of two rates makes their table
@given(samples_s16(), sample_rates(), sample_rates())
def test_the_length_is_that_of_the_time(pcm: bytes, from_hz: int, to_hz: int) -> None:
    samples = len(pcm) // 2
    assert len(resampled(pcm, from_hz, to_hz)) // 2 == ceil(samples * to_hz / from_hz)


@given(samples_s16(), sample_rates())
def test_an_equal_rate_changes_nothing(pcm: bytes, rate_hz: int) -> None:
    assert resampled(pcm, rate_hz, rate_hz) == pcm


@settings(max_examples=examples(20))
@given(st.integers(-32_768, 32_767), st.sampled_from(RATES))
def test_a_constant_stays_what_it_is(value: int, rates: tuple[int, int]) -> None:
    from_hz, to_hz = rates
    steady = resampled(pack("<h", value) * 2_000, from_hz, to_hz)
    samples = unpack(f"<{len(steady) // 2}h", steady)
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    assert set(middle) == {value}


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
@pytest.mark.parametrize("part_of_the_band", [0.02, 0.2, 0.4])
def test_a_tone_keeps_its_pitch_and_its_level(
    from_hz: int, to_hz: int, part_of_the_band: float
) -> None:
    pitch_hz = part_of_the_band * min(from_hz, to_hz)
    tone = resampled(sine(pitch_hz, from_hz), from_hz, to_hz)
    assert abs(20 * log10(level_of(pitch_hz, tone, to_hz) / 16_000)) < 0.1
    # Nothing but the tone: what is left beside it is far below.
    assert abs(rms(tone) * 2**0.5 / 16_000 - 1) < 0.012


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(48_000, 16_000), (22_050, 16_000), (16_000, 8_000)]
)
@pytest.mark.parametrize("above_nyquist", [1.0, 1.15, 1.3])
def test_what_would_alias_is_taken_out(from_hz: int, to_hz: int, above_nyquist: float) -> None:
    pitch_hz = above_nyquist * to_hz / 2
    alias = resampled(sine(pitch_hz, from_hz, level=32_000), from_hz, to_hz)
    assert rms(alias) * 2**0.5 < 32_000 / 1_000  # 60 dB down


@pytest.mark.parametrize(("from_hz", "to_hz"), [(8_000, 16_000), (16_000, 48_000)])
def test_no_image_appears_above_the_old_band(from_hz: int, to_hz: int) -> None:
    pitch_hz = 0.3 * from_hz
    tone = resampled(sine(pitch_hz, from_hz, level=32_000), from_hz, to_hz)
    assert level_of(from_hz - pitch_hz, tone, to_hz) < 32_000 / 1_000


def test_rounding_favours_no_side() -> None:
    tone = resampled(sine(400, 48_000, seconds=0.3, level=1_000), 48_000, 16_000)
    samples = unpack(f"<{len(tone) // 2}h", tone)[1_600:-1_600]  # whole periods
    assert abs(sum(samples) / len(samples)) < 0.1


def test_a_stream_is_not_delayed() -> None:
    click = bytes(2 * 800) + pack("<h", 20_000) + bytes(2 * 799)
    heard = resampled(click, 16_000, 48_000)
    samples = unpack(f"<{len(heard) // 2}h", heard)
    assert samples.index(max(samples)) == 3 * 800


def test_rates_without_a_common_divisor_share_rows_and_stay_clean() -> None:
    tone = resampled(sine(1_000, 44_101), 44_101, 16_000)
    assert abs(20 * log10(level_of(1_000, tone, 16_000) / 16_000)) < 0.1


def test_what_overshoots_is_clipped() -> None:
    edges = resampled((pack("<h", 32_767) * 40 + pack("<h", -32_768) * 40) * 10, 16_000, 48_000)
    samples = unpack(f"<{len(edges) // 2}h", edges)
    assert (min(samples), max(samples)) == (-32_768, 32_767)


def test_a_finished_resampler_takes_another_stream() -> None:
    resampler = Resampler(22_050, 16_000)
    tone = sine(440, 22_050, seconds=0.03)
    first = resampler.push(tone) + resampler.finish()
    assert resampler.push(tone) + resampler.finish() == first


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(InvalidValue, match="16-bit samples"):
        Resampler(8_000, 16_000).push(b"\0")


@pytest.mark.parametrize(
    ("from_hz", "to_hz", "named"),
    [(7_999, 16_000, "from_hz is 7999"), (16_000, 48_001, "to_hz is 48001")],
)
def test_a_rate_out_of_range_is_refused(from_hz: int, to_hz: int, named: str) -> None:
    with pytest.raises(InvalidValue, match=f"^{named}; allowed: 8000 to 48000"):
        Resampler(from_hz, to_hz)
