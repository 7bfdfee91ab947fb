"""A WebSocket server on this machine, with the faults that vendors have."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from threading import Condition
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import anyio
from anyio import to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal
from attrs import define, field, frozen
from tests.patience import PATIENCE_S
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response


class Fault(StrEnum):
    """What goes wrong behind the handshake."""

    HANG = "hang"
    DEAF = "deaf"
    CUT = "cut"
    GARBAGE = "garbage"
    STRANGE = "strange"
    CLOSE_1008 = "close 1008"
    CLOSE_1011 = "close 1011"


@frozen
class Refusal:
    """An answer in place of the handshake."""

    status: int
    body: str = ""
    retry_after: str | None = None

    def response(self) -> Response:
        headers = Headers({"Content-Length": str(len(self.body.encode()))})
        if self.retry_after is not None:
            headers["Retry-After"] = self.retry_after
        return Response(self.status, "No", headers, self.body.encode())


@frozen
class Opened:
    """A handshake as it came."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


@define
class VendorServer(ABC):
    """Speaks a vendor's protocol at ``url``. What came in is kept for the test to look at."""

    url: str = ""
    fault: Fault | None = None
    refusal: Refusal | None = None
    hangs_at_handshake: bool = False
    opened: list[Opened] = field(factory=list)
    said: list[Any] = field(factory=list)
    """Every JSON message of every client, in order."""
    live: set[ServerConnection] = field(factory=set)
    _portal: BlockingPortal = field(init=False)
    _over: anyio.Event = field(init=False)
    _news: Condition = field(factory=Condition)

    @abstractmethod
    async def converse(self, client: ServerConnection, opened: Opened) -> None:
        """Speak with one client until it goes."""

    @contextmanager
    def running(self) -> Generator[Self]:
        """Serve from a thread of its own, so that a busy client does not slow us down."""
        with (
            start_blocking_portal("asyncio") as self._portal,
            self._portal.wrap_async_context_manager(self._serving()),
        ):
            yield self

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once *condition* holds of what came in."""

        def wait() -> None:
            with self._news:
                assert self._news.wait_for(condition, timeout=PATIENCE_S)

        await to_thread.run_sync(wait)

    def note(self) -> None:
        """Wake whoever waits for something to come in."""
        with self._news:
            self._news.notify_all()

    def tell(self, message: object) -> None:
        """Say *message*, as JSON, to everybody who listens."""
        for client in list(self.live):
            self._portal.call(client.send, json.dumps(message))

    @asynccontextmanager
    async def _serving(self) -> AsyncGenerator[None]:
        self._over = anyio.Event()
        async with serve(
            self._serve, "127.0.0.1", 0, process_request=self._greet, ping_interval=None
        ) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            self.url = f"http://127.0.0.1:{port}"
            yield
            self._over.set()
            for client in list(self.live):
                client.transport.abort()

    async def _greet(self, _client: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        self.opened.append(Opened(parts.path, parse_qs(parts.query), headers))
        if self.hangs_at_handshake:
            await self._over.wait()
        return None if self.refusal is None else self.refusal.response()

    async def _serve(self, client: ServerConnection) -> None:
        self.live.add(client)
        try:
            await self.converse(client, self.opened[-1])
        except ConnectionClosed:
            pass
        finally:
            self.live.discard(client)
            self.note()

    async def goes_wrong(self, client: ServerConnection) -> bool:
        """Do what the fault wants; tell whether the client hears nothing else from us."""
        match self.fault:
            case None:
                return False
            case Fault.HANG:
                pass
            case Fault.DEAF:
                client.transport.pause_reading()
            case Fault.CUT:
                client.transport.abort()
            case Fault.GARBAGE:
                await client.send('{"type": "Resu')
            case Fault.STRANGE:
                await client.send(json.dumps({"type": "Results", "audio": 7, "channel": None}))
            case Fault.CLOSE_1008:
                await client.close(1008, "DATA-0000 unable to decode for key k-secret-1")
            case Fault.CLOSE_1011:
                await client.close(1011, "NET-0001 no audio for key k-secret-1")
        return True

    def heard(self, message: str | bytes) -> Any:
        """Keep and return a client's JSON."""
        told = json.loads(message)
        self.said.append(told)
        self.note()
        return told
