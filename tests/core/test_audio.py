from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from voicesession.core.audio import AudioFormat, Encoding
from voicesession.core.errors import InvalidValue
from voicesession.testing.strategies_audio import audio_formats


@given(audio_formats(), st.integers(0, 10**9))
def test_frames_turn_into_time_and_back(audio_format: AudioFormat, frames: int) -> None:
    assert audio_format.nearest_frame(audio_format.time_of(frames)) == frames


@given(audio_formats(), st.integers(0, 10**10))
def test_the_time_of_bytes_is_the_time_of_their_frames(
    audio_format: AudioFormat, size_bytes: int
) -> None:
    frames = audio_format.frames_in(size_bytes)
    assert audio_format.duration_us(size_bytes) == audio_format.time_of(frames)
    assert 0 <= size_bytes - frames * audio_format.frame_bytes < audio_format.frame_bytes


@given(audio_formats(), st.integers(0, 10**12))
def test_a_byte_offset_lies_on_a_whole_frame_not_after_its_time(
    audio_format: AudioFormat, at_us: int
) -> None:
    offset = audio_format.bytes_at(at_us)
    assert offset == audio_format.frames_at(at_us) * audio_format.frame_bytes
    assert audio_format.duration_us(offset) <= at_us


@given(audio_formats(), st.integers(0, 10**12))
def test_the_nearest_frame_is_at_most_half_a_frame_away(
    audio_format: AudioFormat, at_us: int
) -> None:
    away = audio_format.nearest_frame(at_us) * 1_000_000 - at_us * audio_format.sample_rate
    assert abs(away) <= 500_000


@pytest.mark.parametrize(
    ("encoding", "channels", "frame_bytes"),
    [
        (Encoding.PCM_S16LE, 1, 2),
        (Encoding.PCM_S16LE, 2, 4),
        (Encoding.PCM_F32LE, 1, 4),
        (Encoding.PCM_F32LE, 2, 8),
        (Encoding.MULAW, 1, 1),
        (Encoding.ALAW, 2, 2),
    ],
)
def test_a_frame_is_one_sample_of_each_channel(
    encoding: Encoding, channels: int, frame_bytes: int
) -> None:
    assert AudioFormat(encoding=encoding, channels=channels).frame_bytes == frame_bytes


@given(audio_formats())
def test_plain_is_one_voice_in_16_bits_at_the_same_rate(audio_format: AudioFormat) -> None:
    plain = audio_format.plain
    assert plain == AudioFormat(sample_rate=audio_format.sample_rate)
    assert plain.plain is plain


def test_a_format_is_what_a_client_that_says_nothing_sends() -> None:
    assert AudioFormat() == AudioFormat(encoding="pcm_s16le", sample_rate=16_000, channels=1)


@pytest.mark.parametrize("sample_rate", [0, -1, 7_999, 48_001])
def test_a_rate_outside_speech_is_refused(sample_rate: int) -> None:
    with pytest.raises(InvalidValue, match="8000 to 48000 Hz"):
        AudioFormat(sample_rate=sample_rate)


@pytest.mark.parametrize("channels", [0, 3])
def test_more_than_two_channels_are_refused(channels: int) -> None:
    with pytest.raises(InvalidValue, match="channels"):
        AudioFormat(channels=channels)


def test_whole_frames_pass_and_a_broken_one_is_refused() -> None:
    stereo = AudioFormat(channels=2)
    stereo.require_whole_frames(0)
    stereo.require_whole_frames(640)
    with pytest.raises(InvalidValue, match="pcm is '6 bytes'; allowed: frames of 4 bytes"):
        stereo.require_whole_frames(6)


@pytest.mark.parametrize(
    ("size_bytes", "frames", "duration_us"),
    [(0, 0, 0), (3, 1, 125), (7, 3, 375), (320, 160, 20_000)],
)
def test_bytes_are_counted_in_whole_frames_and_whole_microseconds(
    size_bytes: int, frames: int, duration_us: int
) -> None:
    telephone = AudioFormat(sample_rate=8_000)
    counted = telephone.frames_in(size_bytes), telephone.duration_us(size_bytes)
    assert counted == (frames, duration_us)
    assert {type(count) for count in counted} == {int}


def test_a_time_between_two_frames_is_that_of_the_one_before() -> None:
    cd = AudioFormat(sample_rate=44_100)
    assert [cd.frames_at(at_us) for at_us in (0, 22, 23, 45, 46, 1_000_000)] == [
        0,
        0,
        1,
        1,
        2,
        44_100,
    ]
    assert [cd.time_of(frames) for frames in (0, 1, 2, 44_100)] == [0, 22, 45, 1_000_000]
    assert type(cd.frames_at(23)) is type(cd.time_of(1)) is int
