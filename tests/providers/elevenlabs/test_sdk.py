"""The vendor's own SDK takes our server for ElevenLabs: so the server speaks its language."""

from __future__ import annotations

import pytest
from anyio import to_thread
from elevenlabs.client import ElevenLabs
from tests.providers.wire.elevenlabs import CHARACTER_MS, ElevenLabsServer


# The SDK asks websockets for a name that it has deprecated.
@pytest.mark.filterwarnings("ignore:ConnectionClosed.code is deprecated:DeprecationWarning")
async def test_the_sdk_hears_what_the_server_says(server: ElevenLabsServer) -> None:
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
