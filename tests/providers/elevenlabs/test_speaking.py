from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

import anyio
import pytest
from tests.providers.wire.elevenlabs import MOST_CONTEXTS, ElevenLabsServer
from tests.providers.wire.links import Fault

from voicesession.core.errors import InvalidConfig, ProviderError
from voicesession.ports.speech import DeclaresLimits, SpeechAudio, TextToSpeech
from voicesession.providers.elevenlabs import ElevenLabsTextToSpeech, connections
from voicesession.providers.elevenlabs.connections import MOST_KEPT
from voicesession.testing.contracts.speech import TextToSpeechContract

KEY = "k-secret-1"


Make = Callable[..., ElevenLabsTextToSpeech]


@pytest.fixture
async def make(server: ElevenLabsServer) -> AsyncGenerator[Make]:
    """Makes speakers that are closed in the end."""
    async with AsyncExitStack() as stack:

        def make(voice: str = "ada", **settings: Any) -> ElevenLabsTextToSpeech:
            speaker = ElevenLabsTextToSpeech(voice, api_key=KEY, base_url=server.url, **settings)
            stack.push_async_callback(speaker.aclose)
            return speaker

        yield make


@pytest.fixture
async def speaker(make: Make) -> ElevenLabsTextToSpeech:
    return make("ada/1")


class TestElevenLabsTextToSpeech(TextToSpeechContract):
    @pytest.fixture
    async def speaker(self, make: Make) -> ElevenLabsTextToSpeech:
        return make()


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
    assert opened.path == "/v1/text-to-speech/ada%2F1/multi-stream-input"
    assert opened.headers["xi-api-key"] == KEY
    assert opened.query == {
        "model_id": ["eleven_flash_v2_5"],
        "output_format": ["pcm_16000"],
        "sync_alignment": ["true"],
        "inactivity_timeout": ["60"],
        "language_code": ["de"],
    }
    assert server.said == [
        {"context_id": "text-0", "text": " "},
        {"context_id": "text-0", "text": "Hello there. ", "flush": True},
        {"context_id": "text-0", "close_context": True},
    ]


@pytest.mark.parametrize(
    ("model", "language"), [("eleven_flash_v2_5", "auto"), ("eleven_multilingual_v2", "en")]
)
async def test_a_model_that_finds_the_language_by_itself_is_not_told_one(
    make: Make, server: ElevenLabsServer, model: str, language: str
) -> None:
    await spoken(make(model=model), "Hello.", language)
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
    make: Make, server: ElevenLabsServer, sample_rate: int
) -> None:
    speaker = make(sample_rate=sample_rate)
    size = sum(len(piece.pcm) for piece in await spoken(speaker, "Hello"))
    assert speaker.audio_format.duration_us(size) == 120_000
    assert server.opened[0].query["output_format"] == [f"pcm_{sample_rate}"]


async def test_nothing_to_say_connects_nobody(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    assert await spoken(speaker, " \n") == []
    assert server.opened == []


async def test_a_text_beyond_the_models_limit_is_refused_before_it_is_sent(
    make: Make, server: ElevenLabsServer
) -> None:
    speaker = make(model="new")
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


async def test_a_whole_reply_and_the_next_need_one_connection(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    for sentence in ("Good morning.", "It is five.", "Goodbye!"):
        assert sum(len(piece.pcm) for piece in await spoken(speaker, sentence)) > 0
    assert len(server.opened) == 1
    assert [told["context_id"] for told in server.said] == [
        f"text-{number}" for number in (0, 0, 0, 1, 1, 1, 2, 2, 2)
    ]


async def test_another_language_needs_a_connection_of_its_own(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    for language in ("en", "de", "en", "de"):
        await spoken(speaker, "Radio.", language)
    assert [opened.query["language_code"] for opened in server.opened] == [["en"], ["de"]]


async def test_texts_at_once_have_a_connection_each_and_only_so_many_are_kept(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    many = MOST_KEPT + 4
    async with anyio.create_task_group() as group:
        for _ in range(many):
            group.start_soon(spoken, speaker, "word " * 50)
    assert len(server.opened) == many
    await server.until(lambda: len(server.live) == MOST_KEPT)
    await speaker.aclose()
    await server.until(lambda: not server.live)


async def test_however_often_it_is_interrupted_no_text_runs_into_the_vendors_limit(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    for _ in range(3 * MOST_CONTEXTS):
        async with aclosing(speaker.speak("word " * 100, language="en")) as speech:
            async for _ in speech:
                break
    assert await spoken(speaker, "Still here.")
    assert not any("error" in told for told in server.sent)


async def test_a_connection_that_the_vendor_has_left_is_not_spoken_into(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    server.goes_silently = True
    for number in range(1, 4):
        assert await spoken(speaker, "Hello.")
        assert len(server.opened) == number


async def test_a_connection_that_breaks_as_it_is_used_again_costs_nothing_but_another(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer
) -> None:
    await spoken(speaker, "Hello.")

    async def cut_once() -> None:
        await server.until(lambda: len(server.said) > 3)
        server.fault = None

    server.fault = Fault.CUT
    async with anyio.create_task_group() as group:
        group.start_soon(cut_once)
        assert await spoken(speaker, "Hello again.")
    assert len(server.opened) == 2


async def test_a_connection_is_kept_only_so_long(
    speaker: ElevenLabsTextToSpeech, server: ElevenLabsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "KEPT_S", 0.0)
    for _ in range(3):
        await spoken(speaker, "Hello.")
    assert len(server.opened) == 3
    await server.until(lambda: not server.live)


def test_one_speaker_serves_one_event_loop_after_the_other(server: ElevenLabsServer) -> None:
    speaker = ElevenLabsTextToSpeech("ada", api_key=KEY, base_url=server.url)

    async def speak() -> None:
        assert await spoken(speaker, "Hello.")

    async def speak_and_close() -> None:
        await speak()
        await speaker.aclose()

    asyncio.run(speak())
    # Nobody closed what the first loop has left open; that is noticed once it is collected.
    with pytest.warns(ResourceWarning):  # noqa: PT031  # neither line alone always warns
        asyncio.run(speak_and_close())
        gc.collect()
    assert len(server.opened) == 2


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
