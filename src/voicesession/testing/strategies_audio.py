"""Hypothesis strategies for audio: formats, samples, and streams cut into pieces."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

from ..core.audio import AudioFormat, Encoding
from ..core.timeline import Span

__all__ = ("audio_formats", "cut_up", "sample_rates", "samples_s16", "spans")

_COMMON_RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


def sample_rates() -> st.SearchStrategy[int]:
    """Rates in Hz: mostly those that people use, sometimes any that is allowed."""
    return st.one_of(st.sampled_from(_COMMON_RATES), st.integers(8_000, 48_000))


def audio_formats() -> st.SearchStrategy[AudioFormat]:
    """Every encoding, one or two channels, any rate."""
    return st.builds(
        AudioFormat,
        encoding=st.sampled_from(Encoding),
        sample_rate=sample_rates(),
        channels=st.sampled_from((1, 2)),
    )


def samples_s16(*, max_samples: int = 400) -> st.SearchStrategy[bytes]:
    """s16le samples of any value, at most *max_samples* of them."""
    return st.binary(max_size=2 * max_samples).map(lambda data: data[: len(data) // 2 * 2])


@st.composite
def cut_up(draw: st.DrawFn, whole: bytes, *, multiple: int = 2) -> list[bytes]:
    """*whole* in pieces, each a multiple of *multiple* bytes, some empty."""
    places = draw(st.lists(st.integers(0, len(whole) // multiple), max_size=6))
    edges = [0, *sorted(place * multiple for place in places), len(whole)]
    return [whole[start:end] for start, end in pairwise(edges)]


@st.composite
def spans(draw: st.DrawFn, *, max_us: int) -> Span:
    """A stretch of media time that begins before *max_us*."""
    from_us = draw(st.integers(0, max_us - 1))
    return Span(from_us, from_us + draw(st.integers(1, max_us)))
