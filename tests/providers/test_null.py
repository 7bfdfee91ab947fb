from __future__ import annotations

import pytest

from voicesession.core.audio import AudioFormat, Encoding
from voicesession.ports.speech import Flushed, Marked, MarksProgress
from voicesession.providers.null import (
    NullSpeechToText,
    NullTextToSpeech,
    NullVoiceActivityDetector,
)
from voicesession.testing.contracts.speech import RecognitionContract, TextToSpeechContract

LOUD = b"\xff\x7f" * 16_000


class TestNullSpeechToText(RecognitionContract):
    @pytest.fixture
    def recogniser(self) -> NullSpeechToText:
        return NullSpeechToText()


class TestNullTextToSpeech(TextToSpeechContract):
    @pytest.fixture
    def speaker(self) -> NullTextToSpeech:
        return NullTextToSpeech()


async def test_the_null_recogniser_hears_nothing_and_answers_in_order() -> None:
    stream = await NullSpeechToText().open(AudioFormat(), language="en")
    assert isinstance(stream, MarksProgress)
    stream.push(LOUD, 0)
    stream.mark()
    stream.flush()
    assert [await anext(stream), await anext(stream)] == [Marked(), Flushed()]
    await stream.aclose()


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("size", [1, 640, 999])
def test_the_null_detector_never_hears_a_voice_and_counts_its_windows(
    encoding: Encoding, size: int
) -> None:
    audio_format = AudioFormat(encoding, 16_000, 1)
    stream = NullVoiceActivityDetector().open(audio_format)
    heard = [p for at in range(0, len(LOUD), size) for p in stream.push(LOUD[at : at + size])]
    assert heard == [0.0] * (audio_format.duration_us(len(LOUD)) // stream.window_us)
    stream.close()


@pytest.mark.parametrize("sample_rate", [8_000, 24_000, 44_100, 48_000])
async def test_a_hum_lasts_about_as_long_as_the_words_would(sample_rate: int) -> None:
    speaker = NullTextToSpeech(sample_rate=sample_rate)
    pieces = [piece async for piece in speaker.speak("one two  three", language="en")]
    assert [mark.text_end for piece in pieces for mark in piece.marks] == [3, 7, 14]
    length_us = speaker.audio_format.duration_us(sum(len(piece.pcm) for piece in pieces))
    assert length_us == pytest.approx(14 * 60_000, rel=0.02)
