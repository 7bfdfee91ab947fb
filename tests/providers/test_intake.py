from __future__ import annotations

from itertools import pairwise

from hypothesis import given, strategies as st

from voicesession.core.audio import AudioFormat, Encoding
from voicesession.core.pcm import to_s16_mono
from voicesession.core.resample import Resampler
from voicesession.providers.intake import Intake

FORMATS = st.builds(
    AudioFormat,
    st.sampled_from(Encoding),
    st.sampled_from([8_000, 11_025, 16_000, 48_000]),
    st.sampled_from([1, 2]),
)


@given(FORMATS, st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=8))
def test_however_a_track_is_cut_the_engine_hears_the_same(
    audio_format: AudioFormat, pcm: bytes, cuts: list[int]
) -> None:
    intake = Intake(audio_format, 16_000)
    edges = [0, *sorted(cuts), len(pcm)]
    heard = b"".join(intake.push(pcm[a:b]) for a, b in pairwise(edges))
    heard += intake.finish()
    whole = pcm[: len(pcm) - len(pcm) % audio_format.frame_bytes]
    resampler = Resampler(audio_format.sample_rate, 16_000)
    assert heard == resampler.push(to_s16_mono(whole, audio_format)) + resampler.finish()


def test_after_the_end_another_piece_begins_on_a_whole_frame() -> None:
    intake = Intake(AudioFormat(), 16_000)
    assert intake.push(b"\x01\x02\x03") == b"\x01\x02"
    assert intake.finish() == b""
    assert intake.push(b"\x05\x06") == b"\x05\x06"
