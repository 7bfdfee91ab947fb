from __future__ import annotations

import threading
from collections.abc import Callable

import anyio
import pytest
from anyio.to_thread import run_sync

from voicesession.core.audio import AudioFormat
from voicesession.core.errors import InvalidValue, ProviderError
from voicesession.ports.speech import Final, Flushed, Interim, Marked, Recognition
from voicesession.providers.offline.decoding import Decoder
from voicesession.providers.offline.pocketsphinx import (
    MOST_WAITING_US,
    PocketSphinxSpeechToText,
    PocketSphinxStream,
)
from voicesession.testing.contracts.speech import MarksProgressContract

pytestmark = pytest.mark.offline

GRAMMAR = "#JSGF V1.0;\ngrammar test;\npublic <a> = hello | tell me a long story;"
FORMAT = AudioFormat()


@pytest.fixture
def recogniser() -> PocketSphinxSpeechToText:
    return PocketSphinxSpeechToText(GRAMMAR)


@pytest.fixture
async def stream(recogniser: PocketSphinxSpeechToText) -> PocketSphinxStream:
    return await recogniser.open(FORMAT, language="en-US")


@pytest.fixture(scope="module")
def story(say: Callable[[str], bytes]) -> bytes:
    return say("tell me a long story")


class TestPocketSphinxSpeechToText(MarksProgressContract):
    @pytest.fixture
    def recogniser(self) -> PocketSphinxSpeechToText:
        return PocketSphinxSpeechToText(GRAMMAR)

    @pytest.fixture
    def said(self, say: Callable[[str], bytes]) -> tuple[str, bytes]:
        return "hello", say("hello")


async def until_flushed(stream: PocketSphinxStream) -> list[Recognition]:
    results: list[Recognition] = []
    async for result in stream:
        results.append(result)
        if isinstance(result, Flushed):
            break
    return results


async def test_words_come_while_the_user_speaks(stream: PocketSphinxStream, story: bytes) -> None:
    texts: list[str] = []
    step = FORMAT.bytes_at(200_000)
    voiced = story[: -FORMAT.bytes_at(400_000)]
    for at in range(0, len(voiced), step):
        stream.push(voiced[at : at + step], FORMAT.duration_us(at))
        await stream._decode()
    while stream._results:
        result = await anext(stream)
        assert isinstance(result, Interim)
        texts.append(result.text)
    assert len(texts) > 2
    assert texts[-1] == "tell me a long story"


async def test_a_mark_comes_behind_the_interim_words_so_far(
    stream: PocketSphinxStream, story: bytes
) -> None:
    stream.push(story, 0)
    stream.mark()
    interim, marked = await anext(stream), await anext(stream)
    assert isinstance(interim, Interim)
    assert interim.text == "tell me a long story"
    assert marked == Marked()


async def test_a_little_audio_waits_until_a_flush(stream: PocketSphinxStream, story: bytes) -> None:
    stream.push(story[:3_200], 0)
    with anyio.move_on_after(0.01):
        await anext(stream)
    assert stream._waiting
    stream.flush()
    assert await anext(stream) == Flushed()


async def test_a_cancelled_listener_loses_nothing(stream: PocketSphinxStream, story: bytes) -> None:
    stream.push(story, 0)
    stream.flush()
    heard: list[Recognition] = []

    async def listen() -> None:
        async for result in stream:
            heard.append(result)
            if result == Flushed():
                return

    for _ in range(3):
        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
    if Flushed() not in heard:
        await listen()
    assert [r.text for r in heard if isinstance(r, Final)] == ["tell me a long story"]
    assert heard[-1] == Flushed()


async def test_too_much_waiting_audio_loses_its_oldest_and_no_flush(
    stream: PocketSphinxStream, story: bytes
) -> None:
    most = FORMAT.bytes_at(MOST_WAITING_US)
    stream.push(bytes(1_000_000), 0)
    stream.flush()
    stream.push(bytes(most - len(story)), 31_250_000)
    at_us = 31_250_000 + FORMAT.duration_us(most - len(story))
    stream.push(story, at_us)
    stream.flush()
    assert stream.dropped_us == 31_250_000
    assert await until_flushed(stream) == [Flushed()]
    *_, final, flushed = await until_flushed(stream)
    assert isinstance(final, Final)
    assert final.start_us == pytest.approx(at_us + 400_000, abs=150_000)
    assert flushed == Flushed()


async def test_of_a_piece_longer_than_the_bound_the_end_is_kept(
    stream: PocketSphinxStream, story: bytes
) -> None:
    stream.push(bytes(FORMAT.bytes_at(45_000_000)) + story, 0)
    assert stream.dropped_us == 15_000_000 + FORMAT.duration_us(len(story))
    stream.flush()
    final, _ = [r for r in await until_flushed(stream) if not isinstance(r, Interim)]
    assert isinstance(final, Final)
    assert final.start_us == pytest.approx(45_400_000, abs=150_000)


async def test_a_failure_of_the_engine_is_told_and_its_decoder_not_used_again(
    recogniser: PocketSphinxSpeechToText,
    stream: PocketSphinxStream,
    story: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(_decoder: Decoder, _pcm: bytes) -> None:
        raise RuntimeError("Failed to process")

    with monkeypatch.context() as patched:
        patched.setattr(Decoder, "hear", fails)
        stream.push(story, 0)
        with pytest.raises(ProviderError, match="pocketsphinx: Failed to process"):
            await anext(stream)
    assert [result async for result in stream] == []
    assert len(recogniser._decoders._idle) == 0
    second = await recogniser.open(FORMAT, language="en")
    second.push(story, 0)
    second.flush()
    assert any(isinstance(r, Final) for r in await until_flushed(second))


async def test_closing_while_it_decodes_stops_it_and_gives_the_decoder_back(
    recogniser: PocketSphinxSpeechToText,
    stream: PocketSphinxStream,
    story: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entered, may_go_on = threading.Event(), threading.Event()
    slices = 0
    hear = Decoder.hear

    def slow(decoder: Decoder, pcm: bytes) -> None:
        nonlocal slices
        slices += 1
        entered.set()
        may_go_on.wait(30)
        hear(decoder, pcm)

    monkeypatch.setattr(Decoder, "hear", slow)
    for n in range(4):
        stream.push(story, n * FORMAT.duration_us(len(story)))
    results: list[Recognition] = []

    async def listen() -> None:
        results.extend([result async for result in stream])

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        await run_sync(entered.wait, 30)
        await stream.aclose()
        assert len(recogniser._decoders._idle) == 0
        may_go_on.set()
    assert results == []
    assert len(recogniser._decoders._idle) == 1
    # The first of four pieces was finished, the others were not begun.
    assert slices <= len(story) // 3_200


async def test_a_closed_stream_takes_no_more(stream: PocketSphinxStream, story: bytes) -> None:
    await stream.aclose()
    stream.push(story, 0)
    stream.flush()
    assert [result async for result in stream] == []
    assert not stream._waiting


async def test_a_broken_sample_is_refused(stream: PocketSphinxStream) -> None:
    with pytest.raises(InvalidValue, match="pcm"):
        stream.push(b"\0\0\0", 0)
    assert not stream._waiting


@pytest.mark.parametrize("language", ["de", "fr-FR", "english", ""])
async def test_other_languages_are_refused(
    recogniser: PocketSphinxSpeechToText, language: str
) -> None:
    with pytest.raises(InvalidValue, match="language"):
        await recogniser.open(FORMAT, language=language)


@pytest.mark.parametrize("language", ["auto", "en", "en-GB", "EN_us"])
async def test_english_is_taken(recogniser: PocketSphinxSpeechToText, language: str) -> None:
    await (await recogniser.open(FORMAT, language=language)).aclose()


def test_a_bad_grammar_is_refused_before_any_session(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidValue, match="grammar is 'line 3: ;'"):
        PocketSphinxSpeechToText("#JSGF V1.0;\ngrammar a;\npublic <a> = hello | ;")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("min_score", [-0.1, 1.1])
def test_a_score_is_a_share_of_one(min_score: float) -> None:
    with pytest.raises(InvalidValue, match="min_score"):
        PocketSphinxSpeechToText(GRAMMAR, min_score=min_score)
