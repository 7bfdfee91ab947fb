from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import anyio
import pytest
from tests.patience import PATIENCE_S
from tests.providers.wire.deepgram import DeepgramServer, metadata, results

from voicesession.core.audio import AudioFormat, Encoding
from voicesession.core.errors import InvalidConfig, InvalidValue, WrongEventLoop
from voicesession.ports.speech import (
    DeclaresLimits,
    Endpoint,
    Final,
    Flushed,
    Interim,
    Recognition,
    RecognitionStream,
)
from voicesession.providers.deepgram import DeepgramSpeechToText, listening

FORMAT = AudioFormat()
KEY = "k-secret-1"


@pytest.fixture
def deepgram(server: DeepgramServer, monkeypatch: pytest.MonkeyPatch) -> DeepgramSpeechToText:
    # The server answers every flush, but perhaps late.
    monkeypatch.setattr(listening, "FLUSH_S", 10.0)
    monkeypatch.setattr(listening, "SETTLED_FLUSH_S", 10.0)
    return DeepgramSpeechToText(api_key=KEY, base_url=server.url, vocabulary=["Ada", "Zürich"])


async def heard_until(stream: RecognitionStream, kind: type[Recognition]) -> list[Recognition]:
    heard: list[Recognition] = []
    with anyio.fail_after(PATIENCE_S):
        async for result in stream:
            heard.append(result)
            if isinstance(result, kind):
                break
    return heard


async def test_the_handshake_says_what_the_audio_is_and_who_we_are(
    deepgram: DeepgramSpeechToText, server: DeepgramServer
) -> None:
    stream = await deepgram.open(AudioFormat(Encoding.MULAW, 8_000), language="de-CH")
    await stream.aclose()
    (opened,) = server.opened
    assert opened.path == "/v1/listen"
    assert opened.headers["authorization"] == f"Token {KEY}"
    assert opened.query == {
        "model": ["nova-3"],
        "language": ["de-CH"],
        "encoding": ["mulaw"],
        "sample_rate": ["8000"],
        "channels": ["1"],
        "interim_results": ["true"],
        "punctuate": ["true"],
        "endpointing": ["300"],
        "utterance_end_ms": ["1000"],
        "keyterm": ["Ada", "Zürich"],
    }


async def test_any_language_is_what_deepgram_calls_multi(
    deepgram: DeepgramSpeechToText, server: DeepgramServer
) -> None:
    await (await deepgram.open(FORMAT, language="auto")).aclose()
    assert server.opened[0].query["language"] == ["multi"]


@pytest.mark.parametrize("encoding", [Encoding.PCM_S16LE, Encoding.MULAW, Encoding.ALAW])
async def test_what_deepgram_knows_goes_up_as_it_is(
    deepgram: DeepgramSpeechToText, server: DeepgramServer, encoding: Encoding
) -> None:
    stream = await deepgram.open(AudioFormat(encoding, 8_000), language="en")
    stream.push(bytes(range(200)), 0)
    stream.flush()
    await heard_until(stream, Flushed)
    assert server.audio == bytes(range(200))
    await stream.aclose()


async def test_what_deepgram_does_not_know_goes_up_as_16_bit_mono(
    deepgram: DeepgramSpeechToText, server: DeepgramServer
) -> None:
    stream = await deepgram.open(AudioFormat(Encoding.PCM_F32LE, 48_000, 2), language="en")
    stream.push(bytes(8 * 480), 0)
    stream.flush()
    await heard_until(stream, Flushed)
    assert server.opened[0].query["encoding"] == ["linear16"]
    assert server.opened[0].query["sample_rate"] == ["48000"]
    assert server.audio == bytes(2 * 480)
    await stream.aclose()


async def test_words_come_while_they_are_said_and_are_final_when_asked_for(
    deepgram: DeepgramSpeechToText, server: DeepgramServer
) -> None:
    stream = await deepgram.open(FORMAT, language="en")
    stream.push(server.lexicon.speech("one"), 0)
    await heard_until(stream, Interim)
    stream.push(server.lexicon.speech("two"), 240_000)
    (interim,) = await heard_until(stream, Interim)
    assert isinstance(interim, Interim)
    assert interim.text == "one two"
    stream.flush()
    final, flushed = await heard_until(stream, Flushed)
    assert isinstance(final, Final)
    assert (final.text, final.start_us, final.end_us) == ("one two", 0, 480_000)
    assert final.confidence == 0.98
    assert [(w.text, w.start_us, w.end_us) for w in final.words] == [
        ("one", 0, 240_000),
        ("two", 240_000, 480_000),
    ]
    assert flushed == Flushed()
    await stream.aclose()


async def test_words_behind_a_gap_in_media_time_lie_behind_it(
    deepgram: DeepgramSpeechToText, server: DeepgramServer
) -> None:
    stream = await deepgram.open(FORMAT, language="en")
    stream.push(server.lexicon.speech("one"), 1_000_000)
    stream.push(server.lexicon.speech("two"), 9_000_000)
    stream.flush()
    final = next(r for r in await heard_until(stream, Flushed) if isinstance(r, Final))
    assert [(w.text, w.start_us) for w in final.words] == [("one", 1_000_000), ("two", 9_000_000)]
    await stream.aclose()


async def test_deepgrams_own_idea_of_an_end_is_told(
    deepgram: DeepgramSpeechToText, server: DeepgramServer
) -> None:
    stream = await deepgram.open(FORMAT, language="en")
    stream.push(server.lexicon.speech("one"), 2_000_000)
    (interim,) = await heard_until(stream, Interim)
    assert isinstance(interim, Interim)
    server.tell(metadata(0))
    server.tell({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 0.24})
    assert await heard_until(stream, Endpoint) == [Endpoint(2_240_000)]
    said = Interim(text="one", start_us=0, end_us=240_000, words=())
    server.tell(results(said, 240_000, is_final=True, speech_final=True))
    final, endpoint = await heard_until(stream, Endpoint)
    assert isinstance(final, Final)
    assert endpoint == Endpoint(2_240_000)
    await stream.aclose()


async def test_a_flush_without_an_answer_is_answered_all_the_same(
    server: DeepgramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers_finalize = False
    monkeypatch.setattr(listening, "FLUSH_S", 0.05)
    stream = await DeepgramSpeechToText(api_key=KEY, base_url=server.url).open(
        FORMAT, language="en"
    )
    stream.push(server.lexicon.speech("one"), 0)
    stream.flush()
    stream.flush()
    heard = [r for _ in range(2) for r in await heard_until(stream, Flushed)]
    assert [type(r) for r in heard] == [Interim, Flushed, Flushed]
    await stream.aclose()


@pytest.mark.parametrize(("unheard_us", "answered"), [(500_000, True), (5_000_000, False)])
async def test_a_flush_behind_a_pause_that_deepgram_has_heard_waits_shortly(
    server: DeepgramServer,
    monkeypatch: pytest.MonkeyPatch,
    unheard_us: int,
    answered: bool,
) -> None:
    monkeypatch.setattr(listening, "SETTLED_FLUSH_S", 0.0)
    monkeypatch.setattr(listening, "FLUSH_S", 30.0)
    server.answers_finalize = False
    stream = await DeepgramSpeechToText(
        api_key=KEY, base_url=server.url, patience=timedelta(seconds=60)
    ).open(FORMAT, language="en")
    stream.push(server.lexicon.speech("one"), 0)
    await heard_until(stream, Interim)
    said = Interim(text="one", start_us=0, end_us=240_000)
    server.tell(results(said, 240_000, is_final=True, speech_final=True))
    await heard_until(stream, Endpoint)
    stream.push(server.lexicon.silence(unheard_us), 240_000)
    stream.flush()
    heard: list[Recognition] = []
    with anyio.move_on_after(5 if answered else 0.2):
        heard = await heard_until(stream, Flushed)
    assert heard == ([Flushed()] if answered else [])
    await stream.aclose()


async def test_only_the_answer_to_a_flush_answers_it(
    server: DeepgramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers_finalize = False
    monkeypatch.setattr(listening, "FLUSH_S", 30.0)
    stream = await DeepgramSpeechToText(
        api_key=KEY, base_url=server.url, patience=timedelta(seconds=60)
    ).open(FORMAT, language="en")
    stream.push(server.lexicon.speech("one"), 0)
    await heard_until(stream, Interim)
    stream.flush()
    await server.until(lambda: {"type": "Finalize"} in server.said)
    first = Interim(text="one", start_us=0, end_us=120_000)
    second = Interim(text="two", start_us=120_000, end_us=240_000)
    server.tell(results(first, 120_000, is_final=True))
    server.tell(results(second, 240_000, is_final=True, from_finalize=True))
    heard = await heard_until(stream, Flushed)
    assert [getattr(result, "text", "flushed") for result in heard] == ["one", "two", "flushed"]
    await stream.aclose()


async def test_a_stream_whose_audio_was_answered_may_be_silent_for_ever(
    server: DeepgramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "KEEP_ALIVE_S", 0.4)
    impatient = DeepgramSpeechToText(
        api_key=KEY, base_url=server.url, patience=timedelta(seconds=1)
    )
    stream = await impatient.open(FORMAT, language="en")
    stream.push(server.lexicon.speech("one two three"), 0)
    await heard_until(stream, Interim)
    async with anyio.create_task_group() as group:
        group.start_soon(heard_until, stream, Flushed)
        await server.until(lambda: server.said.count({"type": "KeepAlive"}) >= 3)
        group.cancel_scope.cancel()
    await stream.aclose()


async def test_an_idle_stream_is_kept_alive(
    deepgram: DeepgramSpeechToText, server: DeepgramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "KEEP_ALIVE_S", 0.01)
    stream = await deepgram.open(FORMAT, language="en")
    async with anyio.create_task_group() as group:
        group.start_soon(heard_until, stream, Flushed)
        await server.until(lambda: server.said.count({"type": "KeepAlive"}) >= 3)
        group.cancel_scope.cancel()
    await stream.aclose()


async def test_a_closed_stream_says_so_and_takes_nothing_more(
    deepgram: DeepgramSpeechToText, server: DeepgramServer
) -> None:
    stream = await deepgram.open(FORMAT, language="en")
    await stream.aclose()
    stream.push(bytes(640), 0)
    stream.flush()
    await server.until(lambda: not server.live)
    assert server.said == [{"type": "CloseStream"}]
    assert server.audio == b""


async def test_of_audio_that_deepgram_does_not_take_the_oldest_is_dropped(
    server: DeepgramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "MOST_WAITING_US", 1_000_000)
    deepgram = DeepgramSpeechToText(api_key=KEY, base_url=server.url)
    stream = await deepgram.open(AudioFormat(sample_rate=48_000), language="en")
    assert isinstance(stream, listening.DeepgramStream)
    second = bytes(2 * 48_000)
    # Without an await in between nothing leaves but what the system's own buffers hold.
    for at_s in range(200):
        stream.push(second, at_s * 1_000_000)
        if at_s == 100:
            stream.flush()
    assert stream.dropped_us > 0
    assert stream.dropped_us % 1_000_000 == 0
    assert await heard_until(stream, Flushed) == [Flushed()]
    async with anyio.create_task_group() as group:
        group.start_soon(heard_until, stream, Flushed)  # who reads on has the rest sent
        await server.until(
            lambda: len(server.audio) == (200 - stream.dropped_us // 1_000_000) * len(second)
        )
        group.cancel_scope.cancel()
    await stream.aclose()


async def test_a_broken_sample_is_refused(deepgram: DeepgramSpeechToText) -> None:
    stream = await deepgram.open(FORMAT, language="en")
    with pytest.raises(InvalidValue):
        stream.push(b"abc", 0)
    await stream.aclose()


async def test_a_stream_takes_no_task_and_leaves_none(deepgram: DeepgramSpeechToText) -> None:
    before = asyncio.all_tasks()
    stream = await deepgram.open(FORMAT, language="en")
    stream.push(bytes(640), 0)
    assert asyncio.all_tasks() == before
    await stream.aclose()
    assert asyncio.all_tasks() == before


async def test_neither_key_nor_audio_is_ever_logged(
    deepgram: DeepgramSpeechToText, server: DeepgramServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stream = await deepgram.open(FORMAT, language="en")
    stream.push(b"\x12\x34" * 320, 0)
    stream.flush()
    await heard_until(stream, Flushed)
    await stream.aclose()
    ours = [r.getMessage() for r in caplog.records if r.name != "websockets.server"]
    assert KEY not in repr((ours, deepgram, vars(deepgram), stream))
    assert "12 34" not in repr(ours)


def test_it_says_what_it_takes(deepgram: DeepgramSpeechToText) -> None:
    assert isinstance(deepgram, DeclaresLimits)
    assert deepgram.limits.takes(AudioFormat(Encoding.ALAW, 8_000))
    assert not deepgram.limits.takes(AudioFormat(Encoding.PCM_F32LE))
    deepgram.limits.require(AudioFormat(Encoding.PCM_F32LE))


def test_without_a_key_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
    with pytest.raises(InvalidConfig, match="DEEPGRAM_API_KEY"):
        DeepgramSpeechToText()
    monkeypatch.setenv("DEEPGRAM_API_KEY", "k")
    DeepgramSpeechToText()


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key": "two words"},
        {"api_key": "line\r\nX-Header: 1"},
        {"base_url": "api.deepgram.com"},
        {"base_url": "ftp://api.deepgram.com"},
        {"base_url": f"https://me:{KEY}@host"},
    ],
)
def test_a_setting_that_cannot_be_is_refused_without_being_shown(settings: dict[str, str]) -> None:
    with pytest.raises(InvalidConfig) as refused:
        DeepgramSpeechToText(**({"api_key": "k"} | settings))  # type: ignore[arg-type]
    assert KEY not in str(refused.value)
    assert "two words" not in str(refused.value)


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_another_event_loop_is_refused(server: DeepgramServer, anyio_backend: str) -> None:
    with pytest.raises(WrongEventLoop):
        await DeepgramSpeechToText(api_key=KEY, base_url=server.url).open(FORMAT, language="en")
