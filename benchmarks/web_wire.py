"""What the web's benchmarks share: servers in processes of their own, and lines to them."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

from attrs import frozen

L = TypeVar("L", bound="Line")

CONVERSATION: Final = "/v1/audio/transcriptions/stream?mode=LS1A"
FRAME_S: Final = 0.02
BINARY: Final = 2
_TEXT: Final = 1
_END_OF_HEAD: Final = b"\r\n\r\n"


def ws_frame(opcode: int, payload: bytes) -> bytes:
    """Return a whole masked frame; the mask is zero, so it need not be applied (RFC 6455)."""
    size = len(payload)
    head = struct.pack("!BB", 0x80 | opcode, 0x80 | min(size, 126))
    return head + (struct.pack("!H", size) if size >= 126 else b"") + bytes(4) + payload


AUDIO: Final = ws_frame(BINARY, bytes(640))
TEXT: Final = ws_frame(_TEXT, b'{"type": "text", "text": "hello"}')
END: Final = ws_frame(_TEXT, b'{"type": "end"}')


@frozen
class Server:
    """One of ``web_servers.py``, in a process of its own."""

    process: subprocess.Popen[str]
    port: int

    @property
    def cpu_s(self) -> float:
        """What it has used so far."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


@asynccontextmanager
async def serving(*names: str) -> AsyncIterator[dict[str, Server]]:
    """Run these servers for the length of the block."""
    program = Path(__file__).with_name("web_servers.py")
    servers: dict[str, Server] = {}
    try:
        for name in names:
            process = subprocess.Popen(  # noqa: ASYNC220, S603  # nothing else runs meanwhile; our own file
                [sys.executable, program, name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            servers[name] = Server(process, int(process.stdout.readline()))
        yield servers
    finally:
        for server in servers.values():
            server.process.kill()
            server.process.wait()


class Line(asyncio.Protocol):
    """A WebSocket of a client that counts what it hears and understands none of it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._transport: asyncio.WriteTransport
        self._head = b""
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {self._path} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n"
            f"connection: Upgrade\r\nsec-websocket-key: {key}\r\n"
            "sec-websocket-version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if self.begun.done():
            self.heard_bytes += len(data)
            return
        self._head += data
        _, upgraded, frames = self._head.partition(_END_OF_HEAD)
        if upgraded and b"session.begin" in frames:
            self.begun.set_result(None)
            self.heard_bytes += len(frames)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.begun.done():
            self.begun.set_exception(exc or ConnectionError(self._head.decode(errors="replace")))

    def send(self, frame: bytes) -> None:
        self._transport.write(frame)


async def connected(port: int, count: int, make: Callable[[], L]) -> Sequence[L]:
    """Open *count* sessions."""
    lines: list[L] = []
    for _ in range(count):
        _, line = await asyncio.get_running_loop().create_connection(make, "127.0.0.1", port)
        await line.begun
        lines.append(line)
    return lines
