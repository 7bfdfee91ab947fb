from __future__ import annotations

from datetime import timedelta

import anyio
import pytest
from tests.patience import PATIENCE_S
from tests.providers.wire.links import Fault, Refusal
from tests.providers.wire.openai import OpenAIServer
from tests.providers.wire.outcomes import KEY

from voicesession.core.audio import AudioFormat, Encoding
from voicesession.core.errors import ProviderUnavailable
from voicesession.ports.speech import DeclaresLimits, Final, Flushed, Recognition, RecognitionStream
from voicesession.providers.openai import OpenAISpeechToText, utterances
from voicesession.testing.contracts.speech import MarksProgressContract

FORMAT = AudioFormat()


def recogniser_at(
    server: OpenAIServer, patience: timedelta = timedelta(seconds=10)
) -> OpenAISpeechToText:
    return OpenAISpeechToText(api_key=KEY, base_url=server.url, prompt="Ada", patience=patience)


class TestOpenAISpeechToText(MarksProgressContract):
    @pytest.fixture
    def recogniser(self, server: OpenAIServer) -> OpenAISpeechToText:
        return recogniser_at(server)

    @pytest.fixture
    def said(self, server: OpenAIServer) -> tuple[str, bytes]:
        pause = server.lexicon.silence(400_000)
        return "tell me a story", pause + server.lexicon.speech("tell me a story") + pause


async def flushed(stream: RecognitionStream) -> list[Recognition]:
    stream.flush()
    heard: list[Recognition] = []
    with anyio.fail_after(PATIENCE_S):
        async for result in stream:
            if isinstance(result, Flushed):
                break
            heard.append(result)
    return heard


async def test_an_utterance_goes_up_without_the_silence_around_it(server: OpenAIServer) -> None:
    recogniser = recogniser_at(server)
    stream = await recogniser.open(FORMAT, language="de-CH")
    lexicon = server.lexicon
    stream.push(lexicon.silence(5_000_000), 60_000_000)
    stream.push(lexicon.speech("one two"), 65_000_000)
    stream.push(lexicon.silence(3_000_000), 65_480_000)
    (final,) = await flushed(stream)
    assert final == Final(text="one two", start_us=65_000_000, end_us=65_480_000)
    (asked,) = server.asked
    assert asked.path == "/v1/audio/transcriptions"
    wav = asked.body.pop("file")
    assert asked.body == {
        "model": "gpt-4o-mini-transcribe",
        "response_format": "json",
        "prompt": "Ada",
        "language": "de",
    }
    assert FORMAT.duration_us(len(wav) - 44) == 480_000 + 2 * utterances.MARGIN_US
    await stream.aclose()
    await recogniser.aclose()


async def test_silence_costs_nothing(server: OpenAIServer) -> None:
    recogniser = recogniser_at(server)
    stream = await recogniser.open(FORMAT, language="auto")
    stream.push(server.lexicon.silence(5_000_000), 0)
    assert await flushed(stream) == []
    assert server.asked == []
    await stream.aclose()
    await recogniser.aclose()


async def test_any_format_becomes_a_wav_of_16_bits(server: OpenAIServer) -> None:
    recogniser = recogniser_at(server)
    stream = await recogniser.open(AudioFormat(Encoding.MULAW, 8_000), language="auto")
    stream.push(b"\x10\x90" * 4_000, 0)
    await flushed(stream)
    wav = server.asked[0].body["file"]
    assert (wav[:4], int.from_bytes(wav[24:28], "little")) == (b"RIFF", 8_000)
    assert "language" not in server.asked[0].body
    await stream.aclose()
    await recogniser.aclose()


async def test_of_an_endless_utterance_the_oldest_is_dropped(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(utterances, "LONGEST_US", 480_000)
    recogniser = recogniser_at(server)
    stream = await recogniser.open(FORMAT, language="en")
    for index, word in enumerate(("one", "two", "three", "four")):
        stream.push(server.lexicon.speech(word), index * 240_000)
    assert await flushed(stream) == [Final(text="three four", start_us=480_000, end_us=960_000)]
    assert stream.dropped_us == 480_000
    await stream.aclose()
    await recogniser.aclose()


@pytest.mark.parametrize(
    "trouble", [Fault.CUT, Fault.HANG, Refusal(500), Refusal(429, retry_after="1")]
)
async def test_an_utterance_that_failed_is_tried_again_when_the_stream_is_read_on(
    server: OpenAIServer, trouble: Fault | Refusal
) -> None:
    hangs = trouble is Fault.HANG
    recogniser = recogniser_at(server, timedelta(milliseconds=2_000 if hangs else 10_000))
    stream = await recogniser.open(FORMAT, language="en")
    stream.push(server.lexicon.speech("one two"), 0)
    if isinstance(trouble, Fault):
        server.fault = trouble
    else:
        server.refusal = trouble
    with pytest.raises(ProviderUnavailable):
        await flushed(stream)
    server.fault = server.refusal = None
    heard = [await anext(stream), await anext(stream)]
    assert heard == [Final(text="one two", start_us=0, end_us=480_000), Flushed()]
    await stream.aclose()
    await recogniser.aclose()


async def test_whoever_is_cancelled_loses_no_utterance(server: OpenAIServer) -> None:
    recogniser = recogniser_at(server)
    stream = await recogniser.open(FORMAT, language="en")
    stream.push(server.lexicon.speech("one two"), 0)
    server.fault = Fault.HANG
    with anyio.move_on_after(0.1):
        await flushed(stream)
    server.fault = None
    assert await anext(stream) == Final(text="one two", start_us=0, end_us=480_000)
    await stream.aclose()
    await recogniser.aclose()


def test_it_says_what_it_takes(server: OpenAIServer) -> None:
    recogniser = recogniser_at(server)
    assert isinstance(recogniser, DeclaresLimits)
    assert recogniser.limits.longest_audio_us == utterances.LONGEST_US
