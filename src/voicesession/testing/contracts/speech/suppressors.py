"""What every ``NoiseSuppressor`` does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import pi, sin
from struct import pack

import pytest

from ....core.audio import AudioFormat, Encoding
from ....ports.speech import NoiseSuppressionStream, NoiseSuppressor
from .examples import FORMAT, SIZES, name_is_fit_for_metrics, pieces

__all__ = ("NoiseSuppressorContract",)

_TONE = pack("<16000h", *(round(8_000 * sin(2 * pi * 220 * n / 16_000)) for n in range(16_000)))


class NoiseSuppressorContract(ABC):
    """Subclass it and give it a ``suppressor``."""

    @pytest.fixture
    @abstractmethod
    def suppressor(self) -> NoiseSuppressor: ...

    def test_its_name_is_fit_for_metrics(self, suppressor: NoiseSuppressor) -> None:
        assert name_is_fit_for_metrics(suppressor.name)

    @pytest.mark.parametrize("size", SIZES)
    def test_as_much_comes_out_as_went_in_and_never_before_it(
        self, suppressor: NoiseSuppressor, size: int
    ) -> None:
        stream = suppressor.open(FORMAT)
        pushed = made = 0
        for piece, _ in pieces(_TONE, size):
            pushed += len(piece)
            clean = stream.push(piece)
            assert len(clean) % FORMAT.frame_bytes == 0
            made += len(clean)
            assert made <= pushed
        assert made + len(stream.finish()) == pushed
        stream.close()

    @pytest.mark.parametrize("size", SIZES)
    def test_pieces_of_any_size_give_the_same(self, suppressor: NoiseSuppressor, size: int) -> None:
        assert _cleaned(suppressor.open(FORMAT), size) == _cleaned(suppressor.open(FORMAT))

    def test_silence_stays_silent(self, suppressor: NoiseSuppressor) -> None:
        stream = suppressor.open(FORMAT)
        silence = bytes(FORMAT.bytes_at(1_000_000))
        assert stream.push(silence) + stream.finish() == silence

    def test_streams_do_not_hear_each_other(self, suppressor: NoiseSuppressor) -> None:
        one, other = suppressor.open(FORMAT), suppressor.open(FORMAT)
        together = b""
        for piece, _ in pieces(_TONE):
            together += one.push(piece)
            other.push(bytes(len(piece)))
        assert together + one.finish() == _cleaned(suppressor.open(FORMAT))

    def test_a_finished_stream_begins_anew(self, suppressor: NoiseSuppressor) -> None:
        stream = suppressor.open(FORMAT)
        assert _cleaned(stream) == _cleaned(stream)

    @pytest.mark.parametrize("encoding", Encoding)
    @pytest.mark.parametrize("sample_rate", [8_000, 16_000, 48_000])
    def test_it_takes_the_formats_of_callers(
        self, suppressor: NoiseSuppressor, encoding: Encoding, sample_rate: int
    ) -> None:
        audio_format = AudioFormat(encoding, sample_rate, 2)
        track = bytes(audio_format.bytes_at(200_000))
        stream = suppressor.open(audio_format)
        assert len(stream.push(track) + stream.finish()) == len(track)
        stream.close()

    async def test_it_closes_and_twice_is_harmless(self, suppressor: NoiseSuppressor) -> None:
        stream = suppressor.open(FORMAT)
        stream.close()
        stream.close()
        await suppressor.aclose()


def _cleaned(stream: NoiseSuppressionStream, size: int = len(_TONE)) -> bytes:
    return b"".join([stream.push(piece) for piece, _ in pieces(_TONE, size)]) + stream.finish()
