from __future__ import annotations

import io
import pickle
import wave
from contextlib import suppress
from struct import pack

import pytest
from hypothesis import given, strategies as st

from voicesession.core.audio import AudioFormat, Encoding
from voicesession.core.errors import InvalidValue
from voicesession.core.wav import (
    MAX_WAV_DATA_BYTES,
    InvalidWav,
    WavInfo,
    WavProblem,
    parse_wav_header,
    wav_header,
)
from voicesession.testing.strategies_audio import sample_rates, samples_s16

PCM_SUBFORMAT = b"\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"


def chunk(name: bytes, content: bytes) -> bytes:
    return name + pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def fmt(*, tag: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16) -> bytes:
    frame_bytes = channels * bits // 8
    return pack("<HHIIHH", tag, channels, rate, rate * frame_bytes, frame_bytes, bits)


def riff(*chunks: bytes) -> bytes:
    content = b"WAVE" + b"".join(chunks)
    return b"RIFF" + pack("<I", len(content)) + content


def refused(content: bytes) -> WavProblem:
    with pytest.raises(InvalidWav) as caught:
        parse_wav_header(content)
    return caught.value.problem


@given(samples_s16(), sample_rates(), st.sampled_from((1, 2)))
def test_what_we_write_pythons_wave_reads(samples: bytes, rate_hz: int, channels: int) -> None:
    audio_format = AudioFormat(sample_rate=rate_hz, channels=channels)
    data = samples[: len(samples) - len(samples) % audio_format.frame_bytes]
    with wave.open(io.BytesIO(wav_header(audio_format, len(data)) + data)) as reader:
        assert reader.getnchannels() == channels
        assert reader.getframerate() == rate_hz
        assert reader.getsampwidth() == 2
        assert reader.readframes(reader.getnframes()) == data


@given(
    st.binary(min_size=24, max_size=240),
    st.sampled_from((8, 16, 24)),
    st.sampled_from((1, 2)),
    sample_rates(),
)
def test_what_pythons_wave_writes_we_read(
    noise: bytes, bits: int, channels: int, rate_hz: int
) -> None:
    data = noise[: len(noise) - len(noise) % (channels * bits // 8)]
    written = io.BytesIO()
    with wave.open(written, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(bits // 8)
        writer.setframerate(rate_hz)
        writer.writeframes(data)
    content = written.getvalue()
    info = parse_wav_header(content)
    assert (info.sample_rate, info.channels, info.sample_bits) == (rate_hz, channels, bits)
    assert content[info.data_offset : info.data_end] == data
    assert info.frames == len(data) * 8 // bits // channels
    assert info.duration_us == info.frames * 1_000_000 // rate_hz
    assert len(info.to_s16_mono(data)) == 2 * info.frames


@given(st.binary(max_size=64), st.integers(0, 60))
def test_a_file_that_is_no_wav_fails_in_one_way_only(noise: bytes, keep: int) -> None:
    for content in (noise, riff(noise), wav_header(AudioFormat(), 640)[:keep]):
        with suppress(InvalidWav):
            assert parse_wav_header(content).data_end <= len(content)


@pytest.mark.parametrize(
    "before",
    [
        *((), (chunk(b"LIST", b"INFOISFT odd."),), (chunk(b"bext", bytes(602)),)),
        (chunk(b"id3 ", b"x"), chunk(b"JUNK", bytes(3))),
    ],
)
def test_chunks_that_are_not_audio_are_skipped(before: tuple[bytes, ...]) -> None:
    content = riff(*before, chunk(b"fmt ", fmt()), *before, chunk(b"data", b"abcd"), *before)
    info = parse_wav_header(content)
    assert content[info.data_offset : info.data_end] == b"abcd"


def test_an_extensible_format_is_read() -> None:
    extension = pack("<HHI", 22, 24, 4) + PCM_SUBFORMAT
    described = chunk(b"fmt ", fmt(tag=0xFFFE, channels=2, bits=24, rate=48_000) + extension)
    info = parse_wav_header(riff(described, chunk(b"data", bytes(6))))
    assert info == WavInfo(
        sample_rate=48_000, channels=2, sample_bits=24, data_offset=68, data_bytes=6
    )


def test_a_size_that_its_writer_did_not_know_means_to_the_end() -> None:
    content = riff(chunk(b"fmt ", fmt())) + b"data\xff\xff\xff\xff" + bytes(321)
    assert parse_wav_header(content).data_bytes == 320


def test_a_broken_last_frame_is_left_out() -> None:
    assert (
        parse_wav_header(riff(chunk(b"fmt ", fmt(channels=2)), chunk(b"data", bytes(7)))).data_bytes
        == 4
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", WavProblem.EMPTY),
        (b"RIF", WavProblem.TRUNCATED),
        (b"RIFF\0\0\0\0WAV", WavProblem.TRUNCATED),
        (b"ID3\x04 an mp3 file", WavProblem.NOT_A_WAV),
        (b"RIFF\0\0\0\0AVI LIST", WavProblem.NOT_A_WAV),
        (riff(), WavProblem.TRUNCATED),
        (riff(chunk(b"fmt ", fmt())), WavProblem.TRUNCATED),
        (riff(chunk(b"fmt ", fmt()), chunk(b"data", bytes(640)))[:-1], WavProblem.TRUNCATED),
        (riff(chunk(b"fmt ", fmt()[:14]), chunk(b"data", bytes(2))), WavProblem.TRUNCATED),
        (riff(chunk(b"fmt ", fmt()), chunk(b"data", b"")), WavProblem.EMPTY),
        (riff(chunk(b"fmt ", fmt()), chunk(b"data", b"\0")), WavProblem.EMPTY),
        (riff(chunk(b"data", bytes(2)), chunk(b"fmt ", fmt())), WavProblem.NOT_A_WAV),
    ],
)
def test_what_cannot_be_read_is_refused(content: bytes, problem: WavProblem) -> None:
    assert refused(content) is problem


@pytest.mark.parametrize(
    "described",
    [
        *(fmt(tag=3, bits=32), fmt(tag=7, bits=8), fmt(tag=0x55), fmt(bits=32), fmt(bits=12)),
        *(fmt(channels=3), fmt(channels=0), fmt(rate=7_999), fmt(rate=96_000)),
        fmt()[:12] + pack("<HH", 4, 16),
        fmt(tag=0xFFFE) + pack("<HHI", 22, 16, 4) + b"\x03" + PCM_SUBFORMAT[1:],
        fmt(tag=0xFFFE),
    ],
)
def test_audio_that_is_not_linear_pcm_for_speech_is_refused(described: bytes) -> None:
    content = riff(chunk(b"fmt ", described), chunk(b"data", bytes(24)))
    assert refused(content) is WavProblem.UNSUPPORTED


def test_a_refusal_says_what_is_wrong_in_one_line_and_pickles() -> None:
    with pytest.raises(InvalidWav) as caught:
        parse_wav_header(riff(chunk(b"fmt ", fmt(rate=96_000)), chunk(b"data", bytes(2))))
    text = "the file is of a kind that is not supported: 96000 Hz; allowed: 8000 to 48000 Hz"
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # our own bytes
    assert str(caught.value) == str(copy) == text
    assert copy.problem is WavProblem.UNSUPPORTED


def test_a_broken_frame_is_not_decoded() -> None:
    info = parse_wav_header(riff(chunk(b"fmt ", fmt(channels=2)), chunk(b"data", bytes(8))))
    with pytest.raises(InvalidValue, match="frames of 4 bytes"):
        info.to_s16_mono(bytes(6))


def test_a_stereo_file_is_mixed() -> None:
    info = parse_wav_header(riff(chunk(b"fmt ", fmt(channels=2, bits=8)), chunk(b"data", bytes(2))))
    assert info.to_s16_mono(b"\x80\xff") == pack("<h", 127 << 7)


def test_only_16_bit_pcm_is_written() -> None:
    with pytest.raises(InvalidValue, match="encoding is 'mulaw'; allowed: pcm_s16le"):
        wav_header(AudioFormat(encoding=Encoding.MULAW), 0)


def test_a_header_for_a_broken_frame_is_refused() -> None:
    with pytest.raises(InvalidValue, match="frames of 2 bytes"):
        wav_header(AudioFormat(), 1)


@pytest.mark.parametrize("data_bytes", [-2, MAX_WAV_DATA_BYTES + 2])
def test_more_than_a_wav_can_hold_is_refused(data_bytes: int) -> None:
    with pytest.raises(InvalidValue, match="data_bytes"):
        wav_header(AudioFormat(), data_bytes)


def test_the_largest_wav_still_has_its_sizes_right() -> None:
    header = wav_header(AudioFormat(), MAX_WAV_DATA_BYTES)
    assert header[4:8] == pack("<I", (1 << 32) - 8)
    assert header[40:44] == pack("<I", MAX_WAV_DATA_BYTES)


def test_a_file_that_cannot_be_read_is_refused_as_a_wav() -> None:
    with pytest.raises(InvalidWav) as caught:
        parse_wav_header(b"")
    assert caught.value.field == "wav"
