from __future__ import annotations

from collections.abc import Callable

import pytest

from voicesession.core.audio import AudioFormat, Encoding
from voicesession.core.pcm import interleave
from voicesession.core.resample import Resampler
from voicesession.ports.speech import Final, Recognition
from voicesession.providers.offline.decoding import Decoder, Decoders
from voicesession.providers.offline.hearing import Hearing
from voicesession.providers.offline.jsgf import parse_grammar
from voicesession.providers.offline.pocketsphinx import MIN_SCORE

pytestmark = pytest.mark.offline

GRAMMAR = "#JSGF V1.0;\ngrammar test;\npublic <a> = hello | tell me a long story;"
FORMAT = AudioFormat()
PAUSE_US = 400_000
"""What stands around each sentence that ``say`` says."""


@pytest.fixture(scope="module")
def decoders() -> Decoders:
    return Decoders(parse_grammar(GRAMMAR))


@pytest.fixture
def hearing(decoders: Decoders) -> Hearing:
    return Hearing(FORMAT, decoders, MIN_SCORE)


@pytest.fixture(scope="module")
def story(say: Callable[[str], bytes]) -> bytes:
    return say("tell me a long story")


def hear(
    hearing: Hearing, pcm: bytes, at_us: int = 0, fmt: AudioFormat = FORMAT
) -> list[Recognition]:
    size = fmt.bytes_at(20_000)
    return [
        result
        for at in range(0, len(pcm), size)
        for result in hearing.hear(pcm[at : at + size], at_us + fmt.duration_us(at))
    ]


def assert_story(final: Recognition | None, begins_us: int) -> None:
    assert isinstance(final, Final)
    assert final.text == "tell me a long story"
    assert final.confidence is not None
    assert final.start_us == pytest.approx(begins_us + PAUSE_US, abs=150_000)
    assert [word.text for word in final.words] == final.text.split()


def test_nothing_comes_before_it_is_asked_for(hearing: Hearing, story: bytes) -> None:
    assert hear(hearing, story, 5_000_000) == []
    assert_story(hearing.conclude(), 5_000_000)
    assert hearing.conclude() is None


@pytest.mark.parametrize(
    "audio_format",
    [
        AudioFormat(sample_rate=48_000, channels=2),
        AudioFormat(sample_rate=44_100),
    ],
)
def test_other_formats_are_understood_and_timed_alike(
    decoders: Decoders, story: bytes, audio_format: AudioFormat
) -> None:
    resampler = Resampler(16_000, audio_format.sample_rate)
    pcm = resampler.push(story) + resampler.finish()
    if audio_format.channels == 2:
        pcm = interleave(pcm, pcm)
    hearing = Hearing(audio_format, decoders, MIN_SCORE)
    assert hear(hearing, pcm, 1_000_000, audio_format) == []
    assert_story(hearing.conclude(), 1_000_000)


def test_a_telephone_is_understood(decoders: Decoders, story: bytes) -> None:
    resampler = Resampler(16_000, 8_000)
    samples = memoryview(resampler.push(story) + resampler.finish()).cast("h")
    mulaw = bytes(_mulaw(sample) for sample in samples)
    audio_format = AudioFormat(Encoding.MULAW, 8_000)
    hearing = Hearing(audio_format, decoders, MIN_SCORE)
    hear(hearing, mulaw, 0, audio_format)
    assert_story(hearing.conclude(), 0)


def _mulaw(sample: int) -> int:
    sign, magnitude = (0x80, -sample) if sample < 0 else (0, sample)
    biased = min(magnitude, 32_635) + 132
    segment = biased.bit_length() - 8
    return ~(sign | segment << 4 | biased >> segment + 3 & 15) & 0xFF


def test_each_utterance_lies_where_it_was_pushed(hearing: Hearing, story: bytes) -> None:
    for begins_us in (0, 10_000_000, 10_000_000 + FORMAT.duration_us(len(story)), 90_000_000):
        hear(hearing, story, begins_us)
        assert_story(hearing.conclude(), begins_us)


def test_a_jump_in_time_within_an_utterance_is_seen(hearing: Hearing, story: bytes) -> None:
    half = FORMAT.bytes_at(900_000)
    hear(hearing, story[:half], 0)
    hear(hearing, story[half:], 7_000_000)
    final = hearing.conclude()
    assert_story(final, 0)
    assert final is not None
    assert final.words[0].start_us < 1_000_000
    assert final.words[-1].start_us > 7_000_000


def test_after_three_quiet_seconds_the_words_come_unasked(hearing: Hearing, story: bytes) -> None:
    results = hear(hearing, story + bytes(FORMAT.bytes_at(4_000_000)))
    assert len(results) == 1
    assert_story(results[0], 0)
    assert hearing.conclude() is None


def test_quiet_for_minutes_costs_no_memory_and_no_decoder(
    hearing: Hearing, story: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(_self: Decoders) -> None:
        raise AssertionError("a decoder was taken for silence")

    with monkeypatch.context() as patched:
        patched.setattr(Decoders, "take", taken)
        hear(hearing, bytes(FORMAT.bytes_at(120_000_000)))
    assert len(hearing._kept) <= FORMAT.bytes_at(500_000)
    begins_us = 120_000_000
    hear(hearing, story, begins_us)
    assert_story(hearing.conclude(), begins_us)


def test_talk_without_end_is_decided_every_thirty_seconds(
    hearing: Hearing, story: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided: list[int] = []

    def decide(_decoder: Decoder, utterance: bytes) -> None:
        decided.append(FORMAT.duration_us(len(utterance)))

    monkeypatch.setattr(Decoder, "decide", decide)
    voice_alone = story[FORMAT.bytes_at(PAUSE_US) : -FORMAT.bytes_at(PAUSE_US)]
    talk = voice_alone * (31_000_000 // FORMAT.duration_us(len(voice_alone)) + 1)
    assert hear(hearing, talk) == []
    assert decided == [30_000_000]
    assert len(hearing._kept) < FORMAT.bytes_at(3_000_000)
    hearing.close()


def test_what_sounds_too_little_like_a_sentence_is_dropped(
    decoders: Decoders, story: bytes
) -> None:
    strict = Hearing(FORMAT, decoders, 0.99)
    hear(strict, story)
    assert strict.conclude() is None


def test_interim_words_come_once_each(hearing: Hearing, story: bytes) -> None:
    assert hearing.interim() is None
    texts: list[str] = []
    for at in range(0, len(story), 6_400):
        hear(hearing, story[at : at + 6_400], FORMAT.duration_us(at))
        interim = hearing.interim()
        assert hearing.interim() is None
        if interim is not None:
            texts.append(interim.text)
            assert PAUSE_US - 200_000 < interim.start_us <= interim.end_us
    assert texts[-1] == "tell me a long story"
    hearing.conclude()
    assert hearing.interim() is None


def test_the_same_audio_gives_the_same_words_however_it_is_cut(
    decoders: Decoders, story: bytes
) -> None:
    finals: list[Final | None] = []
    for size in (640, 322, 10_000, len(story)):
        hearing = Hearing(FORMAT, decoders, MIN_SCORE)
        for at in range(0, len(story), size):
            list(hearing.hear(story[at : at + size], FORMAT.duration_us(at)))
        finals.append(hearing.conclude())
    assert finals == finals[:1] * 4


def test_closing_gives_the_decoder_back(decoders: Decoders, hearing: Hearing, story: bytes) -> None:
    decoders.clear()
    hear(hearing, story[: len(story) // 2])
    decoder = hearing._decoder
    assert decoder is not None
    hearing.close()
    hearing.close()
    assert decoders.take() is decoder
    with pytest.raises(IndexError):
        decoders._idle.pop()
