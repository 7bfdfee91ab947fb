"""A TCP proxy that harms the connections that go through it, as told."""

from __future__ import annotations

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from ssl import SSLContext

from attrs import frozen

__all__ = ("Fault", "FaultyProxy", "Harm", "Way", "running_proxy")

_CHUNK_BYTES = 65_536
_DELAY_S = 0.01


class Way(Enum):
    """Where to."""

    TO_SERVER = auto()
    TO_CLIENT = auto()


class Harm(Enum):
    """What is done to a connection."""

    CUT = auto()
    STALL = auto()
    CORRUPT = auto()
    DELAY = auto()


@frozen(kw_only=True)
class Fault:
    """Harm one way of a connection at a byte.

    Attributes:
        once_seen: A pattern: the connection on which it passes to the server is harmed.
        at_byte: Counted on the way that is harmed, from when it was seen.
    """

    harm: Harm
    way: Way
    at_byte: int = 0
    once_seen: bytes = b""


class FaultyProxy:
    """Passes everything on to a port of this machine, with the faults it is told."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._faults: list[Fault] = []
        self._lasts = False
        self._awaited: list[tuple[bytes, asyncio.Event]] = []
        self._lines: set[_Line] = set()
        self.url = ""
        self.accepted = 0

    def harm(self, *faults: Fault, forever: bool = False) -> None:
        """Harm what passes from now on: by each of *faults* once, or by all again and again."""
        self._faults, self._lasts = list(faults), forever
        for line in self._lines:
            line.heal()

    def close(self) -> None:
        """Close what is open."""
        for line in self._lines:
            line.close()

    async def saw(self, pattern: bytes) -> None:
        """Return when *pattern* passes on its way to the server."""
        event = asyncio.Event()
        self._awaited.append((pattern, event))
        await event.wait()

    async def connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one connection, until either side ends it."""
        self.accepted += 1
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        line = _Line(writer, server_writer)
        self._lines.add(line)
        try:
            async with asyncio.TaskGroup() as group:
                up = group.create_task(self._pass(line, Way.TO_SERVER, reader, server_writer))
                down = group.create_task(self._pass(line, Way.TO_CLIENT, server_reader, writer))
                _, waiting = await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
                for task in waiting:
                    task.cancel()
        finally:
            self._lines.remove(line)
            line.close()

    async def _pass(
        self, line: _Line, way: Way, reader: StreamReader, writer: StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(_CHUNK_BYTES):
                if way is Way.TO_SERVER:
                    self._look_at(data, line)
                passed, harm = line.harmed(way, data)
                writer.write(passed)
                await writer.drain()
                if harm is Harm.CUT:
                    return
                if harm is Harm.STALL:
                    await asyncio.Event().wait()
                if harm is Harm.DELAY:
                    await asyncio.sleep(_DELAY_S)

    def _look_at(self, data: bytes, line: _Line) -> None:
        for pattern, event in self._awaited:
            if re.search(pattern, data):
                event.set()
        for fault in self._faults:
            if not line.is_harmed and re.search(fault.once_seen, data):
                line.suffer(fault)
                if not self._lasts:
                    self._faults.remove(fault)
                return


class _Line:
    """A connection, and what is done to it."""

    def __init__(self, *ends: StreamWriter) -> None:
        self._ends = ends
        self._fault: Fault | None = None
        self._left_bytes = 0

    @property
    def is_harmed(self) -> bool:
        return self._fault is not None

    def suffer(self, fault: Fault) -> None:
        self._fault, self._left_bytes = fault, fault.at_byte

    def heal(self) -> None:
        self._fault = None

    def close(self) -> None:
        for end in self._ends:
            end.transport.abort()

    def harmed(self, way: Way, data: bytes) -> tuple[bytes, Harm | None]:
        """Return what of *data* is passed on, and what happens after it."""
        fault, at = self._fault, self._left_bytes
        if fault is None or way is not fault.way:
            return data, None
        self._left_bytes = max(0, at - len(data))
        if at >= len(data):
            return data, None
        if fault.harm is Harm.CORRUPT:
            self._fault = None
            return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :], None
        return data if fault.harm is Harm.DELAY else data[:at], fault.harm


@asynccontextmanager
async def running_proxy(port: int, tls: SSLContext | None = None) -> AsyncGenerator[FaultyProxy]:
    """Run a proxy before *port* in this event loop.

    Args:
        tls: What clients speak to it; to *port* it speaks without.
    """
    proxy = FaultyProxy(port)
    server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0, ssl=tls)
    scheme = "http" if tls is None else "https"
    proxy.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
        await server.wait_closed()
