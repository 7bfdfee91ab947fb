"""The vendor's own SDK takes our server for Deepgram: so the server speaks its language."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from tests.patience import PATIENCE_S
from tests.providers.wire.deepgram import DeepgramServer, results

from voicesession.core.audio import AudioFormat
from voicesession.ports.speech import Interim
from voicesession.providers.deepgram import DeepgramSpeechToText

# The SDK asks websockets for names that it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:websockets.* is deprecated:DeprecationWarning")


def sdk(server: DeepgramServer) -> AsyncDeepgramClient:
    http, ws = server.url, server.url.replace("http", "ws")
    environment = DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)
    return AsyncDeepgramClient(api_key="k", environment=environment)


async def test_the_sdk_understands_every_message_of_the_server(server: DeepgramServer) -> None:
    client = sdk(server)
    heard: list[Any] = []
    async with client.listen.v1.connect(
        model="nova-3", encoding="linear16", sample_rate=16_000, interim_results=True
    ) as connection:
        await connection.send_media(server.lexicon.speech("hello world"))
        await connection.send_keep_alive()
        await connection.send_finalize()
        with anyio.fail_after(PATIENCE_S):
            async for message in connection:
                heard.append(message)
                if getattr(message, "from_finalize", False):
                    said = Interim(text="x", start_us=0, end_us=1)
                    server.tell(results(said, 1, is_final=True, speech_final=True))
                    server.tell({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 0.4})
                if message.type == "UtteranceEnd":
                    await connection.send_close_stream()
    kinds = [type(message).__name__ for message in heard]
    assert kinds == [
        "ListenV1Results",
        "ListenV1Results",
        "ListenV1Results",
        "ListenV1UtteranceEnd",
        "ListenV1Metadata",
    ]
    interim, final, *_ = heard
    assert (interim.is_final, interim.channel.alternatives[0].transcript) == (False, "hello world")
    assert (final.is_final, final.from_finalize) == (True, True)
    assert [w.word for w in final.channel.alternatives[0].words] == ["hello", "world"]
    assert heard[3].last_word_end == 0.4
    assert [told["type"] for told in server.said] == ["KeepAlive", "Finalize", "CloseStream"]
    assert server.opened[0].headers["authorization"] == "Token k"


async def test_we_and_the_sdk_open_the_same_door(server: DeepgramServer) -> None:
    ours = await DeepgramSpeechToText(api_key="k", base_url=server.url).open(
        AudioFormat(), language="en"
    )
    await ours.aclose()
    client = sdk(server)
    async with client.listen.v1.connect(
        model="nova-3",
        language="en",
        encoding="linear16",
        sample_rate=16_000,
        channels=1,
        interim_results=True,
        punctuate=True,
        endpointing=300,
        utterance_end_ms=1_000,
    ):
        pass
    mine, theirs = server.opened
    assert (mine.path, mine.query) == (theirs.path, theirs.query)
    assert mine.headers["authorization"] == theirs.headers["authorization"]
