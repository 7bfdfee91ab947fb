from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import anyio
import pytest
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidConfig, InvalidValue, ProviderError
from voicesession.ports.speech import SpeechAudio, SpeechMark
from voicesession.providers.offline import espeak as adapter
from voicesession.providers.offline.espeak import EspeakTextToSpeech
from voicesession.providers.offline.espeak_library import Espeak, Piece, Speaking, Voice, espeak
from voicesession.testing.contracts.speech import TextToSpeechContract

pytestmark = pytest.mark.offline

STORY = "Once upon a time there was a lighthouse keeper, who counted every wave. " * 12


class TestEspeakTextToSpeech(TextToSpeechContract):
    @pytest.fixture
    def speaker(self) -> EspeakTextToSpeech:
        return EspeakTextToSpeech()


async def spoken(
    text: str, *, language: str = "en", speaker: EspeakTextToSpeech | None = None
) -> list[SpeechAudio]:
    speaker = speaker or EspeakTextToSpeech()
    async with aclosing(speaker.speak(text, language=language)) as speech:
        return [piece async for piece in speech]


async def marked(text: str) -> list[str]:
    ends = [mark.text_end for piece in await spoken(text) for mark in piece.marks]
    return [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def pcm(pieces: list[SpeechAudio]) -> bytes:
    return b"".join(piece.pcm for piece in pieces)


async def test_every_word_has_a_mark_with_its_punctuation() -> None:
    assert await marked("Well, it's five. Goodbye then!") == [
        "Well,",
        " it's",
        " five.",
        " Goodbye",
        " then!",
    ]


async def test_marks_count_characters_whatever_their_bytes() -> None:
    words = await marked("Ünïcödé wörds — and 😀 then\0 \ud800 some")
    assert words[0] == "Ünïcödé"
    assert words[-1] == " some"


async def test_the_last_mark_is_the_whole_text_and_all_its_audio() -> None:
    for text in ("hello", "hello there", STORY.strip(), "One. Two", "x" * 300):
        pieces = await spoken(text)
        length_us = EspeakTextToSpeech().audio_format.duration_us(len(pcm(pieces)))
        last = [mark for piece in pieces for mark in piece.marks][-1]
        assert last.text_end == len(text)
        assert 0 <= length_us - last.at_us < 30_000


async def test_a_long_text_is_made_part_by_part_as_it_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[str] = []
    start = Espeak.start

    def noted(engine: Espeak, speaking: Speaking) -> None:
        started.append(speaking.text)
        start(engine, speaking)

    monkeypatch.setattr(Espeak, "start", noted)
    async with aclosing(EspeakTextToSpeech().speak(STORY, language="en")) as speech:
        await anext(speech)
        assert len(started) == 1
        assert len(started[0]) <= adapter.LONGEST_PART
        async for _ in speech:
            pass
    assert "".join(started) == STORY
    assert all(part.endswith(" ") for part in started)


async def test_closing_early_stops_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Speaking] = []
    start = Espeak.start

    def noted(engine: Espeak, speaking: Speaking) -> None:
        said.append(speaking)
        start(engine, speaking)

    monkeypatch.setattr(Espeak, "start", noted)
    async with aclosing(EspeakTextToSpeech().speak(STORY, language="en")) as speech:
        await anext(speech)
    assert [speaking.is_cancelled for speaking in said] == [True]


async def test_a_faster_voice_takes_less_time() -> None:
    slow = EspeakTextToSpeech(rate_wpm=100)
    fast = EspeakTextToSpeech(rate_wpm=300)
    text = "How long have we been talking?"
    assert len(pcm(await spoken(text, speaker=fast))) < 0.6 * len(
        pcm(await spoken(text, speaker=slow))
    )


@pytest.mark.parametrize("language", ["de", "de-AT", "fr", "pt-BR", "zh", "no", "uk", "en-gb"])
async def test_it_speaks_other_languages(language: str) -> None:
    assert len(pcm(await spoken("Madame Curie", language=language))) > 20_000


async def test_auto_and_its_own_language_are_its_own_voice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen: list[Voice] = []
    choose = Espeak._choose

    def noted(engine: Espeak, voice: Voice) -> None:
        chosen.append(voice)
        choose(engine, voice)

    monkeypatch.setattr(Espeak, "_choose", noted)
    speaker = EspeakTextToSpeech("en-us+f3")
    for language in ("auto", "en", "en-GB", "EN_us", "de"):
        await spoken("Hi", language=language, speaker=speaker)
    assert [voice.name for voice in chosen] == ["en-us+f3"] * 5 + ["de"]
    assert [voice.by_language for voice in chosen] == [False] * 5 + [True]


async def test_a_language_that_it_does_not_speak_is_a_provider_error() -> None:
    with pytest.raises(ProviderError, match="tlh"):
        await spoken("nuqneH", language="tlh")
    assert pcm(await spoken("Still here"))


async def test_a_failure_of_the_engine_is_a_provider_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_arguments: Any) -> int:
        return 1

    monkeypatch.setattr(espeak()._library, "espeak_Synth", fails)
    with pytest.raises(ProviderError, match="espeak_Synth failed with 1"):
        await spoken("Hello")


@pytest.mark.parametrize(
    ("voice", "rate_wpm", "pitch", "field"),
    [
        ("nobody", 160, 50, "voice"),
        ("", 160, 50, "voice"),
        ("en-us", 79, 50, "rate_wpm"),
        ("en-us", 451, 50, "rate_wpm"),
        ("en-us", 160, -1, "pitch"),
        ("en-us", 160, 100, "pitch"),
    ],
)
def test_a_voice_that_cannot_be_is_refused(
    voice: str, rate_wpm: int, pitch: int, field: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        EspeakTextToSpeech(voice, rate_wpm=rate_wpm, pitch=pitch)
    assert caught.value.field == field


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(InvalidConfig, match=r'pip install "voicesession\[offline\]"'):
        Espeak()


def test_a_text_cancelled_in_the_line_is_never_made() -> None:
    speaking = Speaking(STORY, Voice(name="en-us", rate_wpm=160, pitch=50))
    speaking.cancel()
    espeak().start(speaking)
    assert speaking.take() == []
    assert speaking.take() == []


def test_audio_made_before_a_failure_comes_before_the_error() -> None:
    speaking = Speaking("", Voice(name="en-us", rate_wpm=160, pitch=50))
    piece = Piece(b"\0\0")
    speaking.add(piece)
    speaking.end(ProviderError("espeak", "it broke"))
    assert speaking.take() == [piece]
    for _ in range(2):
        with pytest.raises(ProviderError, match="it broke"):
            speaking.take()


async def test_many_listeners_share_one_engine() -> None:
    lengths: dict[str, int] = {}

    async def listen(voice: str) -> None:
        speaker = EspeakTextToSpeech(voice)
        lengths[voice] = len(pcm(await spoken(STORY[:400], speaker=speaker)))

    async with anyio.create_task_group() as group:
        for voice in ("en-us", "en-us+f3", "en-us+m3", "de", "fr"):
            group.start_soon(listen, voice)
    assert len(lengths) == 5
    assert min(lengths.values()) > 200_000


@given(st.text(alphabet=" \n.,!?:;ab", max_size=1_000))
def test_the_parts_are_the_whole_text_but_for_blanks(text: str) -> None:
    parts = list(adapter._parts(text))
    assert all(0 < end - start <= adapter.LONGEST_PART for start, end in parts)
    assert "".join(text[a:b] for a, b in parts).split() == text.split()
    edges = [0, *(edge for part in parts for edge in part), len(text)]
    assert edges == sorted(edges)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("a. " + "b " * 200, "a. "),
        ("a, " + "b " * 200, "a, "),
        ("b" * 300, "b" * adapter.LONGEST_PART),
        ("a " + "b" * 300, "a "),
    ],
)
def test_a_part_ends_where_it_hurts_least(text: str, first: str) -> None:
    start, end = next(adapter._parts(text))
    assert text[start:end] == first


async def test_a_mark_is_a_mark_of_the_port() -> None:
    generator: AsyncGenerator[SpeechAudio] = EspeakTextToSpeech().speak("Hello", language="en")
    async with aclosing(generator) as speech:
        marks = [mark async for piece in speech for mark in piece.marks]
    assert all(isinstance(mark, SpeechMark) for mark in marks)
