"""The vendor's own SDK takes our server for OpenAI: so the server speaks its language."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import pytest
from tests.providers.wire.openai import Call, OpenAIServer

from voicesession.core.audio import AudioFormat
from voicesession.core.wav import wav_header

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def sdk(server: OpenAIServer) -> AsyncGenerator[AsyncOpenAI]:
    from openai import AsyncOpenAI  # half a second: not where tests are collected

    async with AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0) as client:
        yield client


async def test_the_sdk_understands_a_chat(server: OpenAIServer, sdk: AsyncOpenAI) -> None:
    server.replies = [["Hel", "lo", Call("weather", '{"city": "Bern"}')]]
    text = arguments = ""
    finish = usage = None
    stream = await sdk.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hi."}], stream=True
    )
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            text += choice.delta.content or ""
            for call in choice.delta.tool_calls or ():
                assert call.function is not None
                arguments += call.function.arguments or ""
    assert (text, arguments, finish) == ("Hello", '{"city": "Bern"}', "tool_calls")
    assert usage is not None
    assert usage.total_tokens == 8
    assert server.asked[0].headers["authorization"] == "Bearer k"


async def test_the_sdk_hears_speech(server: OpenAIServer, sdk: AsyncOpenAI) -> None:
    speech = sdk.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input="Hello.", response_format="pcm"
    )
    async with speech as response:
        pcm = b"".join([piece async for piece in response.iter_bytes()])
    assert len(pcm) == 2 * 24 * 20 * len("Hello.")
    assert server.asked[0].body == {
        "model": "gpt-4o-mini-tts",
        "voice": "alloy",
        "input": "Hello.",
        "response_format": "pcm",
    }


async def test_the_sdk_has_a_file_written_down(server: OpenAIServer, sdk: AsyncOpenAI) -> None:
    pcm = server.lexicon.speech("one two")
    wav = wav_header(AudioFormat(), len(pcm)) + pcm
    written = await sdk.audio.transcriptions.create(
        model="gpt-4o-mini-transcribe", file=("a.wav", wav, "audio/wav"), language="en"
    )
    assert written.text == "one two"
    assert server.asked[0].path == "/v1/audio/transcriptions"
    assert server.asked[0].body["language"] == "en"
