"""The web server under ``serve`` waits for nobody for ever. Real sockets, and a short limit."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import pytest
from anyio.abc import SocketStream
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from tests.patience import PATIENCE_S
from tests.servers.uvicorn_server import running_uvicorn
from websockets.asyncio.client import connect

from voicesession.cli.server import Server, server_of

HEAD_WITHIN = timedelta(seconds=0.4)
TAKEN_WITHIN = 3 * HEAD_WITHIN
REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
LAST_REQUEST = b"GET /much HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
HANDSHAKE = (
    b"GET /flood HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
MUCH_BYTES = 2 * 1024 * 1024
"""More than the system keeps for a client."""
KERNEL_BYTES = 4_096
"""What it is asked to keep of ours, so that we see when a client takes some."""


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn runs on asyncio."""
    return "asyncio"


@pytest.fixture
def finish() -> anyio.Event:
    """Lets the slow answer come."""
    return anyio.Event()


@pytest.fixture
async def server(finish: anyio.Event) -> AsyncGenerator[Server]:
    async def quick(_request: Request) -> Response:
        return PlainTextResponse("here")

    async def slow(_request: Request) -> Response:
        await finish.wait()
        return PlainTextResponse("there")

    async def much(_request: Request) -> Response:
        return PlainTextResponse(bytes(MUCH_BYTES))

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    async def flood(websocket: WebSocket) -> None:
        await websocket.accept()
        with anyio.move_on_after(TAKEN_WITHIN.total_seconds()):
            while True:
                await websocket.send_bytes(bytes(KERNEL_BYTES))

    calls = [Route("/", quick), Route("/slow", slow), Route("/much", much)]
    app = Starlette(routes=[*calls, WebSocketRoute("/ws", echo), WebSocketRoute("/flood", flood)])
    server = server_of(app, head_within=HEAD_WITHIN, taken_within=TAKEN_WITHIN)
    async with running_uvicorn(server, buffered=KERNEL_BYTES):
        yield server
        finish.set()


@pytest.fixture
def port(server: Server) -> int:
    number: int = server.servers[0].sockets[0].getsockname()[1]
    return number


@asynccontextmanager
async def client(port: int) -> AsyncGenerator[SocketStream]:
    with anyio.fail_after(PATIENCE_S):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            yield stream


async def every_connection_ended(server: Server) -> None:
    while server.server_state.connections:
        await anyio.lowlevel.checkpoint()


async def told(stream: SocketStream, last: bytes) -> bytes:
    """Read on until *last* has come."""
    heard = b""
    while not heard.endswith(last):
        heard += await stream.receive()
    return heard


async def is_closed(stream: SocketStream) -> bool:
    """Wait until the other end has closed; whatever else it says is not expected."""
    try:
        return not await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return True


async def test_who_says_nothing_is_sent_away(port: int) -> None:
    async with client(port) as silent:
        assert await is_closed(silent)


async def test_who_sends_a_head_byte_by_byte_is_sent_away(port: int) -> None:
    async with client(port) as dripping, anyio.create_task_group() as tasks:

        async def drip() -> None:
            try:
                await dripping.send(b"GET / HTTP/1.1\r\n")
                while True:
                    await dripping.send(b"x: y\r\n")
                    await anyio.sleep(HEAD_WITHIN.total_seconds() / 10)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

        tasks.start_soon(drip)
        assert await is_closed(dripping)
        tasks.cancel_scope.cancel()


async def test_who_was_answered_once_has_no_more_patience_for_a_second_head(port: int) -> None:
    async with client(port) as dripping:
        await dripping.send(REQUEST)
        await told(dripping, b"here")
        await dripping.send(REQUEST[:10])
        assert await is_closed(dripping)


async def test_who_asks_again_in_time_is_answered_for_as_long(port: int) -> None:
    async with client(port) as asking:
        for _ in range(4):
            await asking.send(REQUEST)
            await told(asking, b"here")
            async with client(port) as silent:  # and so it was looked at both of them
                assert await is_closed(silent)


async def test_an_answer_may_take_its_time(port: int, finish: anyio.Event) -> None:
    async with client(port) as patient:
        await patient.send(REQUEST.replace(b"/", b"/slow", 1))
        for _ in range(3):
            async with client(port) as silent:
                assert await is_closed(silent)
        finish.set()
        assert await told(patient, b"there")


async def test_a_web_socket_may_be_silent(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/ws") as talker:
        for _ in range(3):
            async with client(port) as silent:
                assert await is_closed(silent)
        await talker.send("still here")
        assert await talker.recv() == "still here"


async def test_who_takes_nothing_of_a_last_answer_is_not_waited_for(
    server: Server, port: int
) -> None:
    async with client(port) as deaf:
        await deaf.send(LAST_REQUEST)
        while not server.server_state.total_requests:
            await anyio.lowlevel.checkpoint()
        await every_connection_ended(server)


async def test_who_takes_nothing_more_of_a_web_socket_is_not_waited_for(
    server: Server, port: int
) -> None:
    async with client(port) as deaf:
        await deaf.send(HANDSHAKE)
        while not server.server_state.tasks:
            await anyio.lowlevel.checkpoint()
        await every_connection_ended(server)


async def test_who_takes_a_last_answer_slowly_gets_all_of_it(port: int) -> None:
    async with client(port) as slow:
        await slow.send(LAST_REQUEST)
        heard_bytes = 0
        for _ in range(2 * TAKEN_WITHIN // HEAD_WITHIN):  # and so it was looked at twice
            heard_bytes += len(await slow.receive(MUCH_BYTES // 8))
            async with client(port) as silent:
                assert await is_closed(silent)
        async for piece in slow:
            heard_bytes += len(piece)
    assert heard_bytes > MUCH_BYTES
