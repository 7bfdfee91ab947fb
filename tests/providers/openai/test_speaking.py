from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta

import anyio
import pytest
from tests.patience import PATIENCE_S
from tests.providers.wire.links import Fault
from tests.providers.wire.openai import OpenAIServer
from tests.providers.wire.outcomes import KEY

from voicesession.core.errors import InvalidConfig, ProviderError, ProviderUnavailable
from voicesession.ports.speech import DeclaresLimits
from voicesession.providers.openai import OpenAITextToSpeech
from voicesession.testing.contracts.speech import TextToSpeechContract


class TestOpenAITextToSpeech(TextToSpeechContract):
    @pytest.fixture
    def speaker(self, server: OpenAIServer) -> OpenAITextToSpeech:
        return OpenAITextToSpeech(api_key=KEY, base_url=server.url)


async def spoken(speaker: OpenAITextToSpeech, text: str) -> bytes:
    try:
        with anyio.fail_after(PATIENCE_S):
            async with aclosing(speaker.speak(text, language="en")) as speech:
                return b"".join([piece.pcm async for piece in speech])
    finally:
        await speaker.aclose()


async def test_the_vendor_is_told_the_text_and_the_manner(server: OpenAIServer) -> None:
    speaker = OpenAITextToSpeech(
        "tts-9", voice="ash", instructions="Softly.", api_key=KEY, base_url=server.url
    )
    text = "Hello, this is long enough for pieces that end in the middle of a sample."
    assert await spoken(speaker, text) == b"\x00\x08" * (24 * 20 * len(text))
    (asked,) = server.asked
    assert asked.path == "/v1/audio/speech"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "tts-9",
        "voice": "ash",
        "instructions": "Softly.",
        "response_format": "pcm",
        "input": text,
    }


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.DEAF, Fault.HANG])
async def test_speech_that_breaks_off_is_told(server: OpenAIServer, fault: Fault) -> None:
    server.fault = fault
    speaker = OpenAITextToSpeech(
        api_key=KEY,
        base_url=server.url,
        patience=timedelta(milliseconds=10_000 if fault is Fault.CUT else 1_000),
    )
    with pytest.raises(ProviderUnavailable):
        await spoken(speaker, "Hello there, how are you?")


async def test_a_text_beyond_the_limit_is_refused_before_it_is_sent(server: OpenAIServer) -> None:
    speaker = OpenAITextToSpeech(api_key=KEY, base_url=server.url)
    assert isinstance(speaker, DeclaresLimits)
    with pytest.raises(ProviderError, match="4097 characters; it speaks 4096"):
        await spoken(speaker, "x" * 4_097)
    assert server.asked == []


def test_without_a_key_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InvalidConfig, match="OPENAI_API_KEY"):
        OpenAITextToSpeech()
