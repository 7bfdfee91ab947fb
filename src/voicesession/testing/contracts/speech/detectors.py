"""What every ``VoiceActivityDetector`` does."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest

from ....core.audio import AudioFormat, Encoding
from ....ports.speech import VoiceActivityDetector, VoiceActivityStream
from .examples import FORMAT, FRAME_BYTES, SIZES, name_is_fit_for_metrics, pieces

__all__ = ("VoiceActivityDetectorContract",)


class VoiceActivityDetectorContract(ABC):
    """Subclass it and give it a ``detector`` and a ``voice``."""

    @pytest.fixture
    @abstractmethod
    def detector(self) -> VoiceActivityDetector: ...

    @pytest.fixture
    @abstractmethod
    def voice(self) -> bytes:
        """Some seconds of speech, s16le, mono, 16 kHz."""

    def test_its_name_is_fit_for_metrics(self, detector: VoiceActivityDetector) -> None:
        assert name_is_fit_for_metrics(detector.name)

    def test_every_window_gets_one_probability(
        self, detector: VoiceActivityDetector, voice: bytes
    ) -> None:
        stream = detector.open(FORMAT)
        probabilities = stream.push(voice)
        assert len(probabilities) == FORMAT.duration_us(len(voice)) // stream.window_us
        assert all(0 <= probability <= 1 for probability in probabilities)

    def test_a_voice_is_speech_and_silence_is_not(
        self, detector: VoiceActivityDetector, voice: bytes
    ) -> None:
        silence = bytes(FORMAT.bytes_at(1_000_000))
        assert max(detector.open(FORMAT).push(silence)) < 0.5
        assert max(detector.open(FORMAT).push(voice)) > 0.5

    @pytest.mark.parametrize("size", [*SIZES, 1, 2])
    def test_pieces_of_any_size_give_the_same(
        self, detector: VoiceActivityDetector, voice: bytes, size: int
    ) -> None:
        whole = detector.open(FORMAT).push(voice[:32_000])
        stream = detector.open(FORMAT)
        assert _heard(stream, voice[:32_000], size) == pytest.approx(whole, abs=1e-6)

    def test_streams_do_not_hear_each_other(
        self, detector: VoiceActivityDetector, voice: bytes
    ) -> None:
        alone = _heard(detector.open(FORMAT), voice)
        one, other = detector.open(FORMAT), detector.open(FORMAT)
        together: list[float] = []
        for piece, _ in pieces(voice):
            together.extend(one.push(piece))
            other.push(bytes(len(piece)))
        assert together == pytest.approx(alone, abs=1e-6)

    def test_a_stream_knows_nothing_of_the_one_before(
        self, detector: VoiceActivityDetector, voice: bytes
    ) -> None:
        first = detector.open(FORMAT)
        heard = _heard(first, voice)
        first.close()
        assert _heard(detector.open(FORMAT), voice) == pytest.approx(heard, abs=1e-6)

    def test_closing_twice_is_harmless(self, detector: VoiceActivityDetector) -> None:
        stream = detector.open(FORMAT)
        stream.close()
        stream.close()
        one, other = detector.open(FORMAT), detector.open(FORMAT)
        assert one.push(bytes(64_000)) == pytest.approx(other.push(bytes(64_000)), abs=1e-6)

    @pytest.mark.parametrize("encoding", Encoding)
    @pytest.mark.parametrize("sample_rate", [8_000, 16_000, 48_000])
    def test_it_takes_the_formats_of_callers(
        self, detector: VoiceActivityDetector, encoding: Encoding, sample_rate: int
    ) -> None:
        audio_format = AudioFormat(encoding, sample_rate, 2)
        stream = detector.open(audio_format)
        probabilities = stream.push(bytes(audio_format.bytes_at(10 * stream.window_us)))
        # A resampler may hold the last window back.
        assert 9 <= len(probabilities) <= 10
        stream.close()

    async def test_it_closes(self, detector: VoiceActivityDetector) -> None:
        detector.open(FORMAT).close()
        await detector.aclose()


def _heard(stream: VoiceActivityStream, pcm: bytes, size: int = FRAME_BYTES) -> list[float]:
    return [p for piece, _ in pieces(pcm, size) for p in stream.push(piece)]
