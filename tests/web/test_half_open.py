"""Readers of a stream who are gone, or do not read, and do not say so. Real sockets."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, TypeAlias

import anyio
import pytest
import uvicorn
from attrs import define
from starlette.types import ASGIApp
from tests.patience import PATIENCE_S
from tests.servers.proxy import Fault, Harm, Way, running_proxy
from tests.servers.uvicorn_server import running_uvicorn

from voicesession import SessionManager, Track
from voicesession.web.options import WebOptions

SESSIONS = "/v1/sessions"
SOON = timedelta(seconds=0.3)
KERNEL_BYTES = 4_096
"""What the system is asked to keep for either end, so that little of a stream fits in between."""
MOST_UNSENT_BYTES = 320 * 1024
"""What uvicorn keeps before it makes us wait, 64 KiB, and one more piece: of a recording 256."""
EVENTS = 2_000

AppMaker: TypeAlias = Callable[..., ASGIApp]
OpenHouse: TypeAlias = Callable[..., AbstractAsyncContextManager["House"]]


@define
class House:
    """A server that has one stream to give away, and what it holds."""

    server: uvicorn.Server
    voice: SessionManager
    port: int
    tasks_before: int

    async def asked(self, path: str, port: int | None = None) -> socket.socket:
        """Ask for what is streamed at *path*; return the socket that it comes by, unread."""
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        reader.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(reader, ("127.0.0.1", port or self.port))
        head = f"GET {SESSIONS}{path} HTTP/1.1\r\nhost: localhost\r\n"
        accept = "accept: text/event-stream\r\n\r\n"
        await loop.sock_sendall(reader, (head + accept).encode())
        return reader

    async def status_of(self, path: str) -> bytes:
        """Return how the next reader is answered."""
        reader = await self.asked(path)
        with reader:
            return (await asyncio.get_running_loop().sock_recv(reader, 100))[:12]

    @property
    def unsent_bytes(self) -> int:
        """What waits in the process for whoever does not read."""
        return sum(
            one.transport.get_write_buffer_size() for one in self.server.server_state.connections
        )

    async def begun(self) -> None:
        """Return once something is done for the stream."""
        while not self.server.server_state.tasks:
            await anyio.lowlevel.checkpoint()

    async def given_up(self, path: str) -> None:
        """Return once nothing is done for the stream any more, and the next one gets its place."""
        while self.server.server_state.tasks:
            await anyio.lowlevel.checkpoint()
        assert await self.status_of(path) == b"HTTP/1.1 200"

    async def settled(self) -> None:
        """Return once there is no task more than before there were readers."""
        while len(asyncio.all_tasks()) > self.tasks_before:
            await anyio.lowlevel.checkpoint()


@pytest.fixture
def open_house(voice: SessionManager, make_app: AppMaker) -> OpenHouse:
    """Serves the sessions for the length of a block."""

    @asynccontextmanager
    async def open_one(**options: Any) -> AsyncGenerator[House]:
        app = make_app(voice, options=WebOptions(rate=None, max_streams=1, **options))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        async with running_uvicorn(server, buffered=KERNEL_BYTES, waits=False) as port:
            with anyio.fail_after(PATIENCE_S):
                yield House(server, voice, port, len(asyncio.all_tasks()))

    return open_one


async def a_long_story(voice: SessionManager) -> str:
    """Return where more events are told than fit between the two ends of a connection."""
    session = await voice.create()
    for number in range(EVENTS):
        await voice.update(session.id, metadata={"number": number})
    return f"/{session.id}/events"


async def a_long_recording(voice: SessionManager) -> str:
    """Return where one is that is as long."""
    session = await voice.create(store_audio=True)
    async with voice.attach(session.id) as handle:
        await handle.live()
        for _ in range(20):
            handle.audio(Track.USER, bytes(32_000))
        await handle.end()
    return f"/{session.id}/audio"


@pytest.mark.parametrize("something_long", [a_long_story, a_long_recording])
async def test_a_reader_that_never_reads_is_given_up_and_little_is_kept_for_it_meanwhile(
    voice: SessionManager,
    open_house: OpenHouse,
    something_long: Callable[[SessionManager], Awaitable[str]],
) -> None:
    path = await something_long(voice)
    async with open_house(sent_within=SOON) as house:
        with await house.asked(path):
            await house.begun()
            most = 0
            while house.server.server_state.tasks:
                most = max(most, house.unsent_bytes)
                await anyio.lowlevel.checkpoint()
            assert 0 < most <= MOST_UNSENT_BYTES
            await house.given_up(path)
        await house.settled()


async def test_a_reader_behind_a_proxy_that_goes_silent_is_given_up_when_its_time_is_over(
    voice: SessionManager, open_house: OpenHouse
) -> None:
    path = f"/{(await voice.create()).id}/events"
    async with open_house(streams_for=SOON, heartbeat=SOON / 100) as house:
        async with running_proxy(house.port) as proxy:
            proxy.harm(Fault(harm=Harm.STALL, way=Way.TO_CLIENT))
            with await house.asked(path, int(proxy.url.rpartition(":")[2])):
                await house.begun()
                await house.given_up(path)
        await house.settled()
