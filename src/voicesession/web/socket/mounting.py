"""
The WebSocket under Starlette, and under FastAPI, whose sockets are the same.

``<prefix>/{session_id}/stream`` behind each prefix, ``/ws/voice?session_id=…``, and
``/v1/audio/transcriptions/stream``, which creates the session.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ...runtime.manager import SessionManager
from ..exchange import headers_of, origin_of_connection, peer_of
from ..face import Face
from ..options import WebOptions
from ..principal import Principal
from .door import Door
from .port import Handshake, Socket, SocketClosed

__all__ = ("TRANSCRIPTION_PATH", "VOICE_PATH", "SocketServer", "socket_servers")

VOICE_PATH: Final = "/ws/voice"
TRANSCRIPTION_PATH: Final = "/v1/audio/transcriptions/stream"

SocketServer: TypeAlias = Callable[[WebSocket, SessionManager, Principal | None], Awaitable[None]]
"""Serves one WebSocket; without a principal it finds out by itself who it is."""


def socket_servers(face: Face) -> dict[str, SocketServer]:
    """Return what serves at which path; nothing where the face has no engines to talk with."""
    if face.pipeline is None:
        return {}
    options = face.gate.options
    door = Door(face.gate, face.pipeline)

    async def stream(
        websocket: WebSocket, voice: SessionManager, principal: Principal | None
    ) -> None:
        session_id = websocket.path_params.get("session_id", "")
        handshake = _handshake(websocket, options, voice, principal)
        await door.stream(_Socket(websocket), handshake, session_id)

    async def transcribe(
        websocket: WebSocket, voice: SessionManager, principal: Principal | None
    ) -> None:
        handshake = _handshake(websocket, options, voice, principal)
        await door.transcribe(_Socket(websocket), handshake)

    servers: dict[str, SocketServer] = {
        f"{prefix}/{{session_id}}/stream": stream for prefix in face.prefixes
    }
    return servers | {VOICE_PATH: stream, TRANSCRIPTION_PATH: transcribe}


class _Socket(Socket):
    """A WebSocket of Starlette."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def accept(self, subprotocol: str | None, /) -> None:
        try:
            await self._websocket.accept(subprotocol)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            raise SocketClosed from error

    async def receive(self) -> str | bytes:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise SocketClosed
        text: str | None = message.get("text")
        return message["bytes"] if text is None else text

    async def send(self, message: str | bytes, /) -> None:
        try:
            kind = "text" if isinstance(message, str) else "bytes"
            await self._websocket.send({"type": "websocket.send", kind: message})
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            # Starlette raises RuntimeError for what is sent after a close.
            raise SocketClosed from error

    async def close(self, code: int, reason: str, /) -> None:
        if self._websocket.client_state is WebSocketState.DISCONNECTED:
            return
        try:
            await self._websocket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError, OSError):
            await anyio.lowlevel.checkpoint()  # the other end was faster


def _handshake(
    websocket: WebSocket, options: WebOptions, voice: SessionManager, principal: Principal | None
) -> Handshake:
    headers = headers_of(websocket)
    return Handshake(
        voice=voice,
        principal=principal,
        query=tuple(websocket.query_params.multi_items()),
        headers=headers,
        subprotocols=tuple(websocket.scope.get("subprotocols", ())),
        origin=origin_of_connection(websocket, headers, options),
        peer=peer_of(websocket),
    )
