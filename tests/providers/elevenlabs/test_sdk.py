"""
The vendor's own SDK takes our server for ElevenLabs: so the server speaks its language.

It has a client for single texts, which are spoken in the same pieces as contexts are. For contexts
it has the messages, and no client: by those is judged what both of us say.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest
from anyio import to_thread
from pydantic import BaseModel
from tests.providers.wire.elevenlabs import CHARACTER_MS, ElevenLabsServer

from voicesession.providers.elevenlabs import ElevenLabsTextToSpeech


# The SDK asks websockets for a name that it has deprecated.
@pytest.mark.filterwarnings("ignore:ConnectionClosed.code is deprecated:DeprecationWarning")
async def test_the_sdk_hears_what_the_server_says(server: ElevenLabsServer) -> None:
    from elevenlabs.client import ElevenLabs  # half a second: not where tests are collected

    def converse() -> bytes:
        client = ElevenLabs(api_key="k", base_url=server.url)
        # It only ever asks for TLS: there is no public way to send it to a plain server.
        client.text_to_speech._ws_base_url = server.url.replace("http", "ws")
        pieces = client.text_to_speech.convert_realtime(
            "ada",
            text=iter(["Hello ", "there. "]),
            model_id="eleven_flash_v2_5",
            output_format="pcm_16000",
        )
        return b"".join(pieces)

    pcm = await to_thread.run_sync(converse)
    (opened,) = server.opened
    assert opened.path == "/v1/text-to-speech/ada/stream-input"
    assert opened.headers["xi-api-key"] == "k"
    assert opened.query == {"model_id": ["eleven_flash_v2_5"], "output_format": ["pcm_16000"]}
    opening, *texts, end = [told["text"] for told in server.said]
    assert (opening, end) == (" ", "")
    assert "".join(texts).split() == ["Hello", "there."]
    assert len(pcm) == len("".join(texts)) * 2 * 16 * CHARACTER_MS


def is_one(kind: type[BaseModel], told: dict[str, Any]) -> bool:
    """Whether *told* is such a message: it has all that it needs, and no name unknown to the SDK."""
    return not kind.model_validate(told).model_extra


async def test_the_sdk_knows_every_message_of_a_context(server: ElevenLabsServer) -> None:
    from elevenlabs import types

    speaker = ElevenLabsTextToSpeech("ada", api_key="k", base_url=server.url)
    async with aclosing(speaker.speak("Hello there.", language="en")) as speech:
        async for _ in speech:
            pass
    await speaker.aclose()
    begin, say, close = server.said
    assert is_one(types.InitializeConnectionMulti, begin)
    assert is_one(types.SendTextMulti, say)
    assert is_one(types.CloseContext, close)
    *pieces, last = server.sent
    assert all(is_one(types.AudioOutputMulti, piece) for piece in pieces)
    assert is_one(types.FinalOutputMulti, last)
