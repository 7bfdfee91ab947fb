from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing

import pytest
from tests.providers.wire.elevenlabs import ElevenLabsServer

from voicesession.core.errors import InvalidConfig, ProviderError
from voicesession.ports.speech import DeclaresLimits, SpeechAudio, TextToSpeech
from voicesession.providers.elevenlabs import ElevenLabsTextToSpeech
from voicesession.testing.contracts.speech import TextToSpeechContract

KEY = "k-secret-1"


@pytest.fixture
def speaker(server: ElevenLabsServer) -> ElevenLabsTextToSpeech:
    return ElevenLabsTextToSpeech("ada/1", api_key=KEY, base_url=server.url)


class TestElevenLabsTextToSpeech(TextToSpeechContract):
    @pytest.fixture
    def speaker(self, server: ElevenLabsServer) -> ElevenLabsTextToSpeech:
        return ElevenLabsTextToSpeech("ada", api_key=KEY, base_url=server.url)


async def spoken(speaker: TextToSpeech, text: str, language: str = "en") -> list[SpeechAudio]:
    async with aclosing(speaker.speak(text, language=language)) as speech:
        return [piece async for piece in speech]


async def marked(speaker: TextToSpeech, text: str) -> list[tuple[str, int]]:
    marks = [mark for piece in await spoken(speaker, text) for mark in piece.marks]
    starts = [0, *(mark.text_end for mark in marks)]
    return [
        (text[start : mark.text_end], mark.at_us)
        for start, mark in zip(starts, marks, strict=False)
    ]


async def test_the_vendor_is_told_the_voice_the_text_and_its_end(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    await spoken(speaker, "Hello there.", "de-CH")
    (opened,) = server.opened
    assert opened.path == "/v1/text-to-speech/ada%2F1/stream-input"
    assert opened.headers["xi-api-key"] == KEY
    assert opened.query == {
        "model_id": ["eleven_flash_v2_5"],
        "output_format": ["pcm_16000"],
        "sync_alignment": ["true"],
        "language_code": ["de"],
    }
    assert server.said == [{"text": " "}, {"text": "Hello there. ", "flush": True}, {"text": ""}]


@pytest.mark.parametrize(
    ("model", "language"), [("eleven_flash_v2_5", "auto"), ("eleven_multilingual_v2", "en")]
)
async def test_a_model_that_finds_the_language_by_itself_is_not_told_one(
    server: ElevenLabsServer, model: str, language: str
) -> None:
    speaker = ElevenLabsTextToSpeech("ada", model=model, api_key=KEY, base_url=server.url)
    await spoken(speaker, "Hello.", language)
    assert "language_code" not in server.opened[0].query


async def test_every_word_is_marked_where_it_ends(speaker: ElevenLabsTextToSpeech) -> None:
    assert await marked(speaker, "Well, it's five. Goodbye then!") == [
        ("Well,", 100_000),
        (" it's", 200_000),
        (" five.", 320_000),
        (" Goodbye", 480_000),
        (" then!", 600_000),
    ]


async def test_marks_count_from_the_start_of_the_text_over_all_pieces(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    text = "one two three four five six seven eight nine ten eleven twelve"
    server.odd_pieces = True
    marks = await marked(speaker, text)
    assert [word.strip() for word, _ in marks] == text.split()
    assert [at_us // 20_000 for _, at_us in marks] == pytest.approx(
        [text.index(f"{word} ") + len(word) for word in text.split()[:-1]] + [len(text)], abs=1
    )


async def test_a_sample_that_is_torn_between_two_pieces_is_mended(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    server.odd_pieces = True
    pcm = b"".join(piece.pcm for piece in await spoken(speaker, "word " * 30))
    assert pcm == b"\x00\x08" * (len("word " * 30 + " ") * 320)


async def test_without_alignment_there_is_audio_and_no_mark(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    server.aligns = False
    pieces = await spoken(speaker, "Hello there.")
    assert sum(len(piece.pcm) for piece in pieces) == len("Hello there. ") * 640
    assert all(piece.marks == () for piece in pieces)


@pytest.mark.parametrize("sample_rate", [8_000, 24_000, 44_100])
async def test_it_speaks_at_the_rate_it_was_made_for(
    server: ElevenLabsServer, sample_rate: int
) -> None:
    speaker = ElevenLabsTextToSpeech(
        "ada", api_key=KEY, base_url=server.url, sample_rate=sample_rate
    )
    size = sum(len(piece.pcm) for piece in await spoken(speaker, "Hello"))
    assert speaker.audio_format.duration_us(size) == 120_000
    assert server.opened[0].query["output_format"] == [f"pcm_{sample_rate}"]


async def test_nothing_to_say_connects_nobody(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    assert await spoken(speaker, " \n") == []
    assert server.opened == []


async def test_a_text_beyond_the_models_limit_is_refused_before_it_is_sent(
    server: ElevenLabsServer,
) -> None:
    speaker = ElevenLabsTextToSpeech("ada", model="new", api_key=KEY, base_url=server.url)
    assert isinstance(speaker, DeclaresLimits)
    with pytest.raises(ProviderError, match="2001 characters; new speaks 2000"):
        await spoken(speaker, "x" * 2_001)
    assert server.opened == []


async def test_an_interrupted_text_leaves_neither_task_nor_connection(
    speaker: ElevenLabsTextToSpeech,
) -> None:
    before = asyncio.all_tasks()
    async with aclosing(speaker.speak("word " * 2_000, language="en")) as speech:
        async for _ in speech:
            break
    assert asyncio.all_tasks() == before


async def test_neither_key_nor_text_is_ever_logged(
    speaker: ElevenLabsTextToSpeech, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await spoken(speaker, "A secret wish.")
    ours = [r.getMessage() for r in caplog.records if r.name != "websockets.server"]
    assert KEY not in repr((ours, speaker, vars(speaker)))
    assert "secret wish" not in repr(ours)


def test_settings_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELEVENLABS_API_KEY", raising=False)
    with pytest.raises(InvalidConfig, match="ELEVENLABS_API_KEY"):
        ElevenLabsTextToSpeech("ada")
    monkeypatch.setenv("ELEVENLABS_API_KEY", "k")
    ElevenLabsTextToSpeech("ada")
    with pytest.raises(InvalidConfig, match="voice"):
        ElevenLabsTextToSpeech("")
    with pytest.raises(InvalidConfig, match="sample_rate is 11025"):
        ElevenLabsTextToSpeech("ada", sample_rate=11_025)
