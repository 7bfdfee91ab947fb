"""Redis forgets sessions by itself, some time after they have ended, where that is asked for."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import anyio
import pytest
from redis.asyncio import Redis
from tests.patience import PATIENCE_S
from tests.servers.redis_server import RedisServer

from voicesession.core.errors import InvalidValue, SessionNotFound
from voicesession.core.events import EndRequested
from voicesession.core.identity import SessionId
from voicesession.core.session import Session
from voicesession.core.states import EndReason
from voicesession.ports.storage import SessionQuery
from voicesession.stores.documents import DocumentStorage
from voicesession.stores.documents.memory import MemoryDocumentDriver
from voicesession.stores.documents.redis import RedisDocumentDriver
from voicesession.testing.contracts.storage.examples import (
    HOME,
    START,
    a_session,
    a_task,
    an_utterance,
    change_of,
    heard,
    live,
    put,
)

LONG = timedelta(days=1)
SHORT = timedelta(milliseconds=1)
ROOM = "room-1"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def prefix(server: RedisServer) -> str:
    return server.new_prefix()


@pytest.fixture
async def redis(server: RedisServer) -> AsyncGenerator[Any]:
    async with Redis(port=server.port, decode_responses=True) as client:
        yield client


@pytest.fixture
def storage(server: RedisServer, prefix: str) -> Callable[[timedelta], Any]:
    @asynccontextmanager
    async def opened(ttl: timedelta) -> AsyncGenerator[DocumentStorage]:
        driver = RedisDocumentDriver(server.url, prefix=prefix)
        async with DocumentStorage(driver, ttl_after_end=ttl) as storage:
            yield storage

    return opened


async def with_words(storage: DocumentStorage, session_id: str = "s1", **fields: Any) -> Session:
    """Make a live session with a journal, an utterance, a task and a room."""
    session = await live(storage, session_id, **fields)
    said = an_utterance(f"u-{session_id}")
    change = change_of(session, heard(said), utterances=(said,), tasks=(a_task(session=session),))
    await storage.sessions.commit(change)
    return change.session


async def end(storage: DocumentStorage, session: Session, **fields: Any) -> Session:
    change = change_of(
        session,
        EndRequested(at=START, reason=EndReason.COMPLETED),
        **fields,
    )
    await storage.sessions.commit(change)
    return change.session


async def keys_of(redis: Any, prefix: str) -> set[str]:
    return {key async for key in redis.scan_iter(f"{prefix}*")}


async def eventually(is_so: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not await is_so():  # noqa: ASYNC110  # it is the server that changes
            await anyio.sleep(0.005)


async def test_a_session_that_goes_on_is_never_forgotten(
    storage: Any, redis: Any, prefix: str
) -> None:
    async with storage(SHORT) as kept:
        await with_words(kept, room_name=ROOM)
        for key in await keys_of(redis, prefix):
            assert await redis.pttl(key) == -1


async def test_all_that_belongs_to_an_ended_session_is_forgotten_and_its_head_first(
    storage: Any, redis: Any, prefix: str
) -> None:
    async with storage(LONG) as kept:
        await end(kept, await with_words(kept, room_name=ROOM))
        left = {
            key: await redis.pttl(key)
            for key in await keys_of(redis, prefix)
            if key.startswith(f"{prefix}d:")
        }
    head = left.pop(f"{prefix}d:sessions/s1")
    assert 0 < head <= LONG / timedelta(milliseconds=1)
    collections = {key.removeprefix(f"{prefix}d:").partition("/")[0] for key in left}
    assert collections == {"entries", "utterances", "tasks", "rooms"}
    assert all(ttl > head for ttl in left.values())


async def test_what_was_forgotten_was_never_there(storage: Any, redis: Any, prefix: str) -> None:
    async with storage(SHORT) as kept:
        others = [await with_words(kept, f"t{number}") for number in range(3)]
        await end(kept, await with_words(kept, room_name=ROOM))

        async def is_gone() -> bool:
            return not await redis.exists(f"{prefix}d:sessions/s1")

        await eventually(is_gone)
        with pytest.raises(SessionNotFound):
            await kept.sessions.load(SessionId("s1"), HOME)
        for order in ("asc", "desc"):
            found = await kept.sessions.find(SessionQuery(limit=3, order=order), HOME)
            assert {session.id for session in found.sessions} == {other.id for other in others}
        await put(kept, a_session("s1"))


async def test_nothing_of_forgotten_sessions_is_left_once_others_have_ended(
    storage: Any, redis: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicesession.stores.documents.forgetting._LONGER", SHORT)
    async with storage(SHORT) as kept:
        for number in range(3):
            await end(kept, await with_words(kept, f"s{number}"))

        later = count()

        async def is_empty() -> bool:
            await end(kept, await with_words(kept, f"later{next(later)}"))
            left = await keys_of(redis, prefix)
            texts = [str(await redis.zrange(key, 0, -1)) for key in left if ":i:" in key]
            return not any(f"s{number}" in text for text in texts for number in range(3))

        await eventually(is_empty)


async def test_a_legal_hold_keeps_what_would_be_forgotten_until_it_is_lifted(
    storage: Any, redis: Any, prefix: str
) -> None:
    head = f"{prefix}d:sessions/s1"
    async with storage(LONG) as kept:
        ended = await end(kept, await with_words(kept))
        held = change_of(ended, legal_hold=True)
        await kept.sessions.commit(held)
        documents = [key for key in await keys_of(redis, prefix) if f"{prefix}d:" in key]
        assert {await redis.pttl(key) for key in documents} == {-1}
        await kept.sessions.commit(change_of(held.session, legal_hold=False))
        assert await redis.pttl(head) > 0


async def test_a_time_to_live_that_is_none_is_refused(server: RedisServer) -> None:
    with pytest.raises(InvalidValue, match="ttl_after_end"):
        DocumentStorage(RedisDocumentDriver(server.url), ttl_after_end=timedelta())


async def test_a_medium_that_cannot_forget_says_so() -> None:
    with pytest.raises(InvalidValue, match="cannot forget"):
        DocumentStorage(MemoryDocumentDriver(), ttl_after_end=LONG)
