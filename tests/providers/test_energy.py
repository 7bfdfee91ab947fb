from __future__ import annotations

from collections.abc import Callable, Iterable
from math import pi, sin
from random import Random
from struct import pack

import pytest

from voicesession.core.audio import AudioFormat
from voicesession.providers.energy import EnergyVoiceActivityDetector
from voicesession.testing.contracts.speech import VoiceActivityDetectorContract

RATE_HZ = 16_000


def tone(seconds: float, level: float) -> bytes:
    return pack_all(level * sin(2 * pi * 220 * n / RATE_HZ) for n in range(int(seconds * RATE_HZ)))


def noise(seconds: float, rms: float) -> bytes:
    random = Random(3)
    return pack_all(random.gauss(0, rms) for _ in range(int(seconds * RATE_HZ)))


def pack_all(samples: Iterable[float]) -> bytes:
    whole = [int(sample) for sample in samples]
    return pack(f"<{len(whole)}h", *whole)


class TestEnergyVoiceActivityDetector(VoiceActivityDetectorContract):
    @pytest.fixture
    def detector(self) -> EnergyVoiceActivityDetector:
        return EnergyVoiceActivityDetector()

    @pytest.fixture
    def voice(self) -> bytes:
        return tone(1, 3_000) + bytes(16_000) + tone(1, 3_000)


def test_a_steady_noise_is_soon_no_speech_and_a_voice_above_it_is() -> None:
    stream = EnergyVoiceActivityDetector().open(AudioFormat())
    assert max(stream.push(noise(10, 300))[-50:]) < 0.5
    assert min(stream.push(tone(1, 6_000))) > 0.5
    assert max(stream.push(noise(1, 300))[1:]) < 0.5


def test_the_noise_is_found_anew_when_the_room_falls_quiet() -> None:
    stream = EnergyVoiceActivityDetector().open(AudioFormat())
    stream.push(noise(12, 2_000))
    stream.push(noise(0.1, 20))
    assert min(stream.push(tone(0.5, 1_000))) > 0.5


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100])
def test_a_window_lasts_what_it_says(rate_hz: int) -> None:
    stream = EnergyVoiceActivityDetector().open(AudioFormat(sample_rate=rate_hz))
    minute = len(stream.push(bytes(2 * 60 * rate_hz)))
    assert minute * stream.window_us == pytest.approx(60_000_000, rel=0.001)


@pytest.mark.offline
def test_real_speech_is_found(say: Callable[[str], bytes]) -> None:
    speech = EnergyVoiceActivityDetector().open(AudioFormat()).push(say("tell me a long story"))
    assert max(speech[:15]) < 0.5
    assert sum(p > 0.5 for p in speech) > 25
    assert max(speech[-15:]) < 0.5
