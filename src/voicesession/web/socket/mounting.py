"""
The WebSocket under ASGI: of a server, or of the framework that stands in front of one.

``<prefix>/{session_id}/stream`` behind each prefix, ``/ws/voice?session_id=…``, and
``/v1/audio/transcriptions/stream``, which creates the session.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import anyio
from attrs import field, frozen
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from ...runtime.manager import SessionManager
from ..exchange import headers_of, origin_of_connection, peer_of
from ..face import Face
from ..options import WebOptions
from ..principal import Principal
from .door import Door
from .port import Handshake, Socket, SocketClosed

__all__ = ("TRANSCRIPTION_PATH", "VOICE_PATH", "SocketServer", "Wire", "socket_servers")

VOICE_PATH: Final = "/ws/voice"
TRANSCRIPTION_PATH: Final = "/v1/audio/transcriptions/stream"

_GONE: Final = (WebSocketDisconnect, RuntimeError, OSError)
"""What is raised for a message to somebody who is not there any more: OSError by ASGI's word,
RuntimeError by Starlette and uvicorn once the connection is closed from this side."""


@frozen
class Wire:
    """A WebSocket that nobody has accepted yet, as ASGI has it."""

    scope: Scope = field(repr=False)  # with the headers, and so with credentials
    receive: Receive
    send: Send


SocketServer: TypeAlias = Callable[[Wire, SessionManager, Principal | None], Awaitable[None]]
"""Serves one WebSocket; without a principal it finds out by itself who it is."""


def socket_servers(face: Face) -> dict[str, SocketServer]:
    """Return what serves at which path; nothing where the face has no engines to talk with."""
    if face.pipeline is None:
        return {}
    options = face.gate.options
    door = Door(face.gate, face.pipeline)

    async def stream(wire: Wire, voice: SessionManager, principal: Principal | None) -> None:
        session_id = wire.scope["path_params"].get("session_id", "")
        handshake = _handshake(wire, options, voice, principal)
        await door.stream(_Socket(wire), handshake, session_id)

    async def transcribe(wire: Wire, voice: SessionManager, principal: Principal | None) -> None:
        await door.transcribe(_Socket(wire), _handshake(wire, options, voice, principal))

    servers: dict[str, SocketServer] = {
        f"{prefix}/{{session_id}}/stream": stream for prefix in face.prefixes
    }
    return servers | {VOICE_PATH: stream, TRANSCRIPTION_PATH: transcribe}


class _Socket(Socket):
    """A WebSocket of ASGI; every frame of a call passes here, so there is little in its way."""

    def __init__(self, wire: Wire) -> None:
        self._receive = wire.receive
        self._send = wire.send
        self._is_gone = False

    async def accept(self, subprotocol: str | None, /) -> None:
        accept: Message = {"type": "websocket.accept", "subprotocol": subprotocol, "headers": []}
        try:
            await self._receive()  # says that somebody wants to connect
            await self._send(accept)
        except _GONE as error:
            raise SocketClosed from error

    async def receive(self) -> str | bytes:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._is_gone = True
            raise SocketClosed
        text: str | None = message.get("text")
        return message["bytes"] if text is None else text

    async def send(self, message: str | bytes, /) -> None:
        kind = "text" if isinstance(message, str) else "bytes"
        try:
            await self._send({"type": "websocket.send", kind: message})
        except _GONE as error:
            raise SocketClosed from error

    async def close(self, code: int, reason: str, /) -> None:
        if self._is_gone:
            return
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except _GONE:
            await anyio.lowlevel.checkpoint()  # the other end was faster


def _handshake(
    wire: Wire, options: WebOptions, voice: SessionManager, principal: Principal | None
) -> Handshake:
    connection = HTTPConnection(wire.scope)
    headers = headers_of(connection)
    return Handshake(
        voice=voice,
        principal=principal,
        query=tuple(connection.query_params.multi_items()),
        headers=headers,
        subprotocols=tuple(wire.scope.get("subprotocols", ())),
        origin=origin_of_connection(connection, headers, options),
        peer=peer_of(connection),
    )
