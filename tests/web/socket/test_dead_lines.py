"""Lines that are dead and do not say so, and bytes that are no WebSocket at all."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from attrs import evolve
from tests.patience import PATIENCE_S
from tests.servers.proxy import Fault, FaultyProxy, Harm, Way, running_proxy

from voicesession import LifePolicy, Session, SessionState
from voicesession.ports.storage import EVERYTHING

HANDSHAKE = (
    b"GET /v1/audio/transcriptions/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SOON = LifePolicy(reconnect_grace=timedelta(seconds=0.3))


@asynccontextmanager
async def behind_proxy(house: Any) -> AsyncGenerator[tuple[FaultyProxy, Any]]:
    port = urlsplit(house.url).port
    assert port is not None
    async with running_proxy(port) as proxy:
        yield proxy, evolve(house, url=proxy.url.replace("http://", "ws://"))


async def stored(house: Any, session_id: str, state: SessionState) -> Session:
    """Return the session once it is stored in *state*; nobody asks the house to look at it."""
    store = house.voice._services.storage.sessions
    with anyio.fail_after(PATIENCE_S):
        while (session := await store.load(session_id, EVERYTHING)).state is not state:
            await anyio.lowlevel.checkpoint()
    found: Session = session
    return found


async def settled(house: Any, tasks_before: int) -> None:
    """Wait until the server has nothing in hand, and no task more than before."""
    with anyio.fail_after(PATIENCE_S):
        while house.voice._worker.owned or len(asyncio.all_tasks()) > tasks_before:
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("way", Way)
async def test_a_client_that_is_gone_without_a_word_is_found_out_and_its_grace_passes(
    open_house: Any, way: Way
) -> None:
    async with open_house(life=SOON, lease=timedelta(seconds=2), ping_s=0.6) as house:
        tasks_before = len(asyncio.all_tasks())
        async with behind_proxy(house) as (proxy, outside), outside.talk() as talker:
            session_id = talker.messages[0]["session_id"]
            proxy.harm(Fault(harm=Harm.STALL, way=way))
            await talker.send("flush")
            paused = await stored(house, session_id, SessionState.PAUSED)
            ended = await stored(house, session_id, SessionState.ENDED)
            assert not house.voice._worker.owned
            talker.socket.transport.abort()
        await settled(house, tasks_before)
    assert paused.pause_reasons == {"disconnected"}
    assert (ended.end_reason, ended.status) == ("disconnected", "interrupted")


async def test_whoever_leaves_before_hearing_of_its_session_leaves_none_that_lives_on(
    open_house: Any,
) -> None:
    soon = evolve(SOON, connect_window=timedelta(seconds=0.3))
    async with open_house(life=soon, lease=timedelta(seconds=2)) as house:
        for told_bytes in (0, 1, 100, 150, 200, 300):
            async with by_hand(house) as stranger:
                await stranger.send(HANDSHAKE)
                await stranger.read(told_bytes)
        with anyio.fail_after(PATIENCE_S):
            while await open_sessions(house):
                await anyio.lowlevel.checkpoint()
        sessions = (await house.voice.find()).sessions
    assert len(sessions) >= 4
    assert {session.end_reason for session in sessions} <= {"disconnected", "connect_timeout"}


async def open_sessions(house: Any) -> int:
    """Return how many have not ended; nobody looks at them, but for the house."""
    store = house.voice._services.storage.sessions
    _of_nobody, of_all = await store.count_open(EVERYTHING, user_id=None)
    count: int = of_all
    return count


# --- no WebSocket at all, or a bad one -------------------------------------------------------


def frame(opcode: int, payload: bytes, *, length: int | None = None, masked: bool = True) -> bytes:
    """Return a frame as it goes over the line, with a mask of zeros; it may lie about its length."""
    mask = b"\0\0\0\0" if masked else b""
    head = bytes([0x80 | opcode, (0x80 if masked else 0) | 127])
    size = len(payload) if length is None else length
    return head + size.to_bytes(8) + mask + payload


TEXT, BINARY, CLOSE = 1, 2, 8
BAD = {
    "no utf-8": frame(TEXT, b'{"type": "text", "text": "\xff\xfe"}'),
    "utf-16": frame(TEXT, '{"type": "flush"}'.encode("utf-16")),
    "half a character": frame(TEXT, '{"type": "text", "text": "😀"}'.encode()[:-4]),
    "half of a pair": frame(TEXT, rb'{"type": "text", "text": "\ud83d"}'),
    "a null": frame(TEXT, rb'{"type": "text", "text": "\u0000"}'),
    "a terabyte of audio": frame(BINARY, b"\0", length=1 << 40),
    "a gigabyte of text": frame(TEXT, b"{", length=1 << 30),
    "no mask": frame(TEXT, b'{"type": "flush"}', masked=False),
    "no such opcode": frame(3, b""),
    "the rest of nothing": frame(0, b"and so on"),
    "no frame": b"GET / HTTP/1.1\r\n\r\n",
}


class Stranger:
    """Whoever speaks to the server by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def read(self, count: int) -> None:
        """Return once so many bytes have come."""
        await self._reader.readexactly(count)

    async def begun(self) -> str:
        """Return the session that has begun for it."""
        told = await self._reader.readuntil(b'"config"')
        return told.partition(b'"session_id":"')[2].partition(b'"')[0].decode()

    async def gone(self) -> bytes:
        """Return what comes until the server has had enough, and closes or drops the line."""
        try:
            return await self._reader.readuntil(bytes([0x80 | CLOSE]))
        except asyncio.IncompleteReadError as dropped:
            return dropped.partial
        except ConnectionError:
            return b""


@asynccontextmanager
async def by_hand(house: Any) -> AsyncGenerator[Stranger]:
    address = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        with anyio.fail_after(PATIENCE_S):
            yield Stranger(reader, writer)
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("bad", BAD)
async def test_what_is_no_message_ends_its_connection_and_no_more(
    house: Any, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    tasks_before = len(asyncio.all_tasks())
    async with by_hand(house) as stranger:
        await stranger.send(HANDSHAKE)
        session_id = await stranger.begun()
        await stranger.send(BAD[bad])
        told = await stranger.gone()
    await settled(house, tasks_before)
    assert b"Traceback" not in told
    assert (await house.voice.get(session_id)).pause_reasons == {"disconnected"}
    ours = [record for record in caplog.records if record.name.startswith("voicesession")]
    assert not [record for record in ours if record.levelname == "ERROR"]


async def test_pieces_of_a_message_are_not_collected_without_an_end(house: Any) -> None:
    opening, more = b"\x02\xff", b"\0\xff"  # binary, and goes on; and goes on
    size = (1 << 20).to_bytes(8) + b"\0\0\0\0"
    sent = 0
    async with by_hand(house) as stranger:
        await stranger.send(HANDSHAKE)
        session_id = await stranger.begun()
        with suppress(ConnectionError):
            await stranger.send(opening + size + bytes(1 << 20))
            while sent < 1_000:
                await stranger.send(more + size + bytes(1 << 20))
                sent += 1
        await stranger.gone()
    assert sent < 100
    assert (await stored(house, session_id, SessionState.PAUSED)).audio_chunks_received == 0


async def test_who_never_finishes_to_knock_holds_up_nobody(house: Any) -> None:
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(by_hand(house)) for _ in range(50)]
        for number, stranger in enumerate(slow):
            await stranger.send(HANDSHAKE[: 20 + 3 * number])
        async with house.talk() as talker:
            await talker.send("text", text="good morning")
            await talker.next("reply.end")
        assert len((await house.voice.find()).sessions) == 1
        await slow[0].send(HANDSHAKE[20:])
        assert await slow[0].begun()
