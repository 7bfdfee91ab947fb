"""A WebSocket as ASGI has it: what comes and goes, and how a server says that nobody is there."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, Final

import anyio
import pytest
from starlette.types import ASGIApp, Message
from starlette.websockets import WebSocketDisconnect
from tests.patience import PATIENCE_S

import voicesession
from voicesession import Pipeline
from voicesession.providers.null import (
    NullSpeechToText,
    NullTextToSpeech,
    NullVoiceActivityDetector,
)
from voicesession.testing.scripted import CallbackAgent
from voicesession.testing.stage import echo
from voicesession.web.socket.mounting import Wire
from voicesession.web.starlette import voice_app

PIPELINE: Final = Pipeline(
    vad=NullVoiceActivityDetector(),
    stt=NullSpeechToText(),
    tts=NullTextToSpeech(),
    agent=CallbackAgent(echo),
)
CONNECT: Final = {"type": "websocket.connect"}
GONE: Final = {"type": "websocket.disconnect", "code": 1006}


class Server:
    """The part of a server that an application sees, with one client.

    Args:
        says: What the client does, in its order; then it says nothing any more.
        fault: Raised for all that it is sent behind the first *hears* messages.
    """

    def __init__(self, *says: Message, fault: Exception | None = None, hears: int = 1_000) -> None:
        self._says = deque(says)
        self._fault = fault
        self._hears = hears
        self.heard: list[Message] = []

    async def serve(self, app: ASGIApp) -> None:
        scope: dict[str, Any] = {
            "type": "websocket",
            "path": "/v1/audio/transcriptions/stream",
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 50_000),
            "subprotocols": [],
        }
        with anyio.fail_after(PATIENCE_S):
            await app(scope, self._receive, self._send)

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.heard]

    async def _receive(self) -> Message:
        await anyio.lowlevel.checkpoint()
        if not self._says:
            await anyio.sleep_forever()
        return self._says.popleft()

    async def _send(self, message: Message) -> None:
        await anyio.lowlevel.checkpoint()
        if self._fault is not None and len(self.heard) >= self._hears:
            raise self._fault
        self.heard.append(message)


@pytest.fixture
async def app() -> AsyncGenerator[ASGIApp]:
    voice = voicesession.open("memory://")
    async with voice:
        yield voice_app(voice, pipeline=lambda _session: PIPELINE)


@pytest.mark.parametrize("hears", range(3))
@pytest.mark.parametrize("fault", [OSError, RuntimeError, WebSocketDisconnect])
async def test_however_a_server_says_that_the_client_is_gone_the_connection_ends_without_an_error(
    app: ASGIApp, fault: type[Exception], hears: int
) -> None:
    end = {"type": "websocket.receive", "text": '{"type": "end"}'}
    server = Server(CONNECT, end, fault=fault(), hears=hears)
    await server.serve(app)
    assert server.kinds == ["websocket.accept", "websocket.send"][:hears]


async def test_a_connection_that_its_client_has_closed_is_not_closed_again() -> None:
    async with voicesession.open("memory://") as voice:
        server = Server(CONNECT, GONE)
        await server.serve(voice_app(voice, pipeline=lambda _session: PIPELINE))
        page = await voice.find()
    assert "websocket.close" not in server.kinds
    assert [session.pause_reasons for session in page.sessions] == [{"disconnected"}]


async def test_a_frame_is_its_text_or_its_bytes_whichever_of_both_is_there(app: ASGIApp) -> None:
    audio = {"type": "websocket.receive", "bytes": bytes(640), "text": None}
    end = {"type": "websocket.receive", "bytes": None, "text": '{"type": "end"}'}
    server = Server(CONNECT, audio, end)
    await server.serve(app)
    *_, last, closing = server.heard
    assert '"audio_duration_seconds":0.02' in last["text"]
    assert closing == {"type": "websocket.close", "code": 1000, "reason": "ended"}


def test_a_wire_that_is_printed_shows_no_credentials() -> None:
    async def nothing(*_: object) -> Any: ...

    scope = {"type": "websocket", "headers": [(b"authorization", b"Bearer hush")]}
    assert "hush" not in repr(Wire(scope, nothing, nothing))
