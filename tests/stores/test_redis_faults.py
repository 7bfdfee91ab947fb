"""What becomes of a session when Redis, or the way to it, fails."""

import asyncio
import os
import random
import ssl
import subprocess
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from redis.asyncio import Redis
from tests.patience import answered
from tests.servers.redis_server import RedisServer

from voicesession.core.errors import (
    InvalidConfig,
    SessionNotFound,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
    VersionConflict,
    WrongEventLoop,
)
from voicesession.core.identity import SessionId
from voicesession.core.session import Session
from voicesession.ports.documents import ABSENT, Check, Delete, DocumentKey, Put
from voicesession.ports.storage import Storage
from voicesession.stores.documents import DocumentStorage
from voicesession.stores.documents.redis import RedisDocumentDriver
from voicesession.testing.contracts.storage.examples import (
    HOME,
    a_tombstone,
    an_utterance,
    change_of,
    heard,
    live,
)

SOON = timedelta(milliseconds=300)
KILLS = 25 if os.environ.get("VOICESESSION_PROFILE") == "proof" else 3
KEY = DocumentKey("things", "one")
PASSWORD = "s3cret/with:odd@letters"  # noqa: S105  # of this test's own server


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> Generator[RedisServer]:
    """The server, healthy again after each test whatever was done to it."""
    yield running
    running.resume()
    running.restart()


@pytest.fixture
async def driver(server: RedisServer) -> AsyncGenerator[RedisDocumentDriver]:
    driver = RedisDocumentDriver(server.url, prefix=server.new_prefix(), max_connections=2)
    async with driver:
        yield driver


@pytest.fixture
async def hasty(
    server: RedisServer, driver: RedisDocumentDriver
) -> AsyncGenerator[RedisDocumentDriver]:
    """A driver of the same documents that waits no longer than a test may; it has a connection."""
    hasty = RedisDocumentDriver(
        server.url, prefix=driver._prefix, max_connections=2, answers_within=SOON
    )
    async with AsyncExitStack() as stack:
        stack.push_async_exit(hasty)
        await answered(hasty.now)
        yield hasty


@pytest.fixture
async def storage(driver: RedisDocumentDriver) -> DocumentStorage:
    return DocumentStorage(driver)


async def _say(storage: Storage, session: Session, number: int) -> Session:
    said = an_utterance(f"u{number}", start_us=number)
    change = change_of(session, heard(said), utterances=[said])
    await storage.sessions.commit(change)
    return change.session


async def _is_consistent(storage: Storage, session_id: SessionId) -> Session:
    session = await storage.sessions.load(session_id, HOME)
    journal = await storage.sessions.journal(session_id, HOME, limit=10_000)
    utterances = await storage.transcripts.utterances(session_id, HOME)
    assert [entry.seq for entry in journal] == list(range(1, session.seq + 1))
    assert len(utterances) == session.utterance_count == session.seq - 2
    return session


# --- a server that goes away -----------------------------------------------------------------------


async def test_a_server_that_is_away_is_unavailable_and_nothing_is_lost_when_it_is_back(
    storage: DocumentStorage, server: RedisServer
) -> None:
    session = await _say(storage, await live(storage), 1)
    server.kill()
    for call in (
        storage.sessions.load(session.id, HOME),
        _say(storage, session, 2),
        storage.sessions.count_open(HOME, user_id=None),
    ):
        with pytest.raises(StoreUnavailable) as refusal:
            await call
        assert refusal.value.retryable
    server.start()
    assert await _is_consistent(storage, session.id) == session
    await _say(storage, session, 2)


async def test_a_server_that_was_restarted_between_two_calls_is_not_noticed(
    storage: DocumentStorage, server: RedisServer
) -> None:
    session = await live(storage)
    for number in range(2):
        server.restart()
        session = await _say(storage, session, number)
    assert await _is_consistent(storage, session.id) == session


async def test_connections_that_were_cut_between_two_calls_are_not_noticed(
    storage: DocumentStorage, server: RedisServer
) -> None:
    session = await live(storage)
    for number in range(3):
        assert server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").startswith(b":")
        session = await _say(storage, session, number)


async def test_a_server_that_is_killed_in_the_middle_leaves_every_change_whole(
    storage: DocumentStorage, server: RedisServer
) -> None:
    dice = random.Random(5)
    session = await live(storage)
    for _ in range(KILLS):
        answered = session
        async with anyio.create_task_group() as group:
            group.start_soon(_kill_after, server, dice.randint(1, 400))
            answered = await _talk_until_it_fails(storage, answered)
        server.start()
        session = await _is_consistent(storage, session.id)
        # What was answered is there; the one change without an answer may be.
        assert session.seq in (answered.seq, answered.seq + 1)


async def _talk_until_it_fails(storage: Storage, session: Session) -> Session:
    while True:
        try:
            session = await _say(storage, session, session.seq)
        except StoreUnavailable:
            return session


async def _kill_after(server: RedisServer, checkpoints: int) -> None:
    for _ in range(checkpoints):
        await checkpoint()
    server.kill()


async def test_a_server_that_hangs_makes_a_write_unknown_and_a_repeat_harmless(
    storage: DocumentStorage, hasty: RedisDocumentDriver, server: RedisServer
) -> None:
    session = await live(storage)
    server.hang()
    with pytest.raises(StoreTimeout, match=r"no answer in 0\.3 s"):
        await _say(DocumentStorage(hasty), session, 1)
    server.resume()
    after = await _is_consistent(storage, session.id)
    if after == session:  # the read, which comes before the write, was the one to hang
        after = await _say(storage, session, 1)
    with pytest.raises(VersionConflict):
        await _say(storage, session, 1)
    assert await _is_consistent(storage, session.id) == after
    await answered(hasty.now)


async def test_a_write_that_was_done_without_an_answer_is_there_whole(
    driver: RedisDocumentDriver, hasty: RedisDocumentDriver, server: RedisServer
) -> None:
    await driver.write([Put(KEY, {"n": 1})])
    server.hang()
    with pytest.raises(StoreTimeout):
        await hasty.write([Put(KEY, {"n": 2}), Put(DocumentKey("things", "two"), {"n": 2})])
    server.resume()
    bodies: list[int | None] = []
    while bodies != [2, 2]:  # it was sent: the server does it once it goes on
        found = await driver.get([KEY, DocumentKey("things", "two")])
        bodies = [None if one is None else one.body["n"] for one in found]
        assert bodies in ([1, None], [2, 2])


async def test_a_caller_who_is_cancelled_at_a_hanging_server_waits_for_no_longer_than_promised(
    hasty: RedisDocumentDriver, server: RedisServer
) -> None:
    server.hang()
    with anyio.move_on_after(0.01), pytest.raises(StoreTimeout):
        await hasty.write([Put(KEY, {})])
    server.resume()
    await answered(lambda: hasty.write([Put(KEY, {"n": 1})]))


async def test_who_waits_for_a_connection_of_a_hanging_server_is_told_that_nothing_was_written(
    driver: RedisDocumentDriver, hasty: RedisDocumentDriver, server: RedisServer
) -> None:
    server.hang()
    failures: list[type[Exception]] = []

    async def write(number: int) -> None:
        try:
            await hasty.write([Put(DocumentKey("things", f"{number}"), {})])
        except StoreUnavailable as error:
            failures.append(type(error))

    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(write, number)
    # One had a connection and was sent; one waited for another, and three for either.
    assert sorted(kind.__name__ for kind in failures) == ["StoreTimeout", *["StoreUnavailable"] * 4]
    server.resume()
    keys = [DocumentKey("things", f"{number}") for number in range(5)]
    await driver.write([Put(key, {}) for key in keys])
    assert all(await driver.get(keys))


async def test_more_callers_than_connections_wait_for_each_other(
    driver: RedisDocumentDriver,
) -> None:
    async with anyio.create_task_group() as group:
        for number in range(60):
            group.start_soon(driver.write, [Put(DocumentKey("things", f"{number}"), {})])
    assert all(await driver.get([DocumentKey("things", f"{number}") for number in range(60)]))


# --- answers that get lost -------------------------------------------------------------------------


class Line:
    """A way to the server on which answers can get lost, and the connection with them.

    Attributes:
        loses: How many of the next answers are lost.
        meanwhile: What happens before the caller learns that one is.
    """

    def __init__(self, server: RedisServer) -> None:
        self.loses = 0
        self.meanwhile: Callable[[], Coroutine[Any, Any, object]] | None = None
        self._server = server

    @asynccontextmanager
    async def url(self) -> AsyncGenerator[str]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as proxy:
            yield f"redis://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, asks = await asyncio.open_connection("127.0.0.1", self._server.port)
        while question := await reader.read(1 << 20):
            asks.write(question)
            answer = await answers.read(1 << 20)
            if self.loses:
                self.loses -= 1
                if self.meanwhile is not None:
                    await self.meanwhile()
                break
            writer.write(answer)
        for stream in (writer, asks):
            stream.close()


@pytest.fixture
async def line(server: RedisServer) -> Line:
    return Line(server)


@pytest.fixture
async def far_driver(
    line: Line, driver: RedisDocumentDriver
) -> AsyncGenerator[RedisDocumentDriver]:
    """A driver behind the line, on the same documents as the other one."""
    async with line.url() as url, RedisDocumentDriver(url, prefix=driver._prefix) as far:
        await far.write([Put(KEY, {"n": 0})])
        yield far


async def test_a_write_whose_answer_gets_lost_is_found_to_be_done(
    far_driver: RedisDocumentDriver, line: Line
) -> None:
    (before,) = await far_driver.get([KEY])
    assert before is not None
    line.loses = 1
    await far_driver.write(
        [Check(DocumentKey("things", "x"), ABSENT), Put(KEY, {"n": 1}, before.revision)]
    )
    (after,) = await far_driver.get([KEY])
    assert after is not None
    line.loses = 1
    assert await far_driver.write_each([Put(KEY, {"n": 2}, after.revision)]) == [True]
    line.loses = 1
    (last,) = await far_driver.get([KEY])
    assert last is not None
    assert last.body["n"] == 2


async def test_a_write_that_others_have_written_over_since_its_answer_got_lost_is_unknown(
    far_driver: RedisDocumentDriver, line: Line, driver: RedisDocumentDriver
) -> None:
    line.meanwhile = lambda: driver.write([Put(KEY, {"n": 9})])
    for call in (far_driver.write, far_driver.write_each):
        (before,) = await driver.get([KEY])
        assert before is not None
        line.loses = 1
        with pytest.raises(StoreTimeout):
            await call([Put(KEY, {"n": 1}, before.revision)])
        (after,) = await driver.get([KEY])
        assert after is not None
        assert after.body["n"] == 9


async def test_a_write_whose_answer_gets_lost_with_the_server_is_unknown(
    far_driver: RedisDocumentDriver, line: Line
) -> None:
    line.loses = 2
    with pytest.raises(StoreTimeout):
        await far_driver.write([Put(KEY, {"n": 1})])
    line.loses = 2
    with pytest.raises(StoreUnavailable):
        await far_driver.get([KEY])


# --- a server that refuses -------------------------------------------------------------------------


@asynccontextmanager
async def _set(server: RedisServer, name: str, bad: str, good: str) -> AsyncGenerator[None]:
    assert server.command("CONFIG", "SET", name, bad).startswith(b"+OK")
    yield
    assert server.command("CONFIG", "SET", name, good).startswith(b"+OK")


async def test_a_server_without_memory_refuses_writes_whole_and_still_reads_and_deletes(
    driver: RedisDocumentDriver, server: RedisServer
) -> None:
    other = DocumentKey("things", "two")
    await driver.write([Put(KEY, {"n": 1}), Put(other, {"n": 1})])
    async with _set(server, "maxmemory", "1", "0"):
        for call in (driver.write, driver.write_each):
            with pytest.raises(StoreUnavailable, match="is out of memory"):
                await call([Put(KEY, {"n": 2}), Delete(other)])
        assert [one and one.body["n"] for one in await driver.get([KEY, other])] == [1, 1]
        await driver.write([Delete(other)])
    await driver.write([Put(KEY, {"n": 3})])
    assert [one and one.body["n"] for one in await driver.get([KEY, other])] == [3, None]


async def test_a_server_with_too_few_replicas_refuses_writes_and_nothing_is_written(
    storage: DocumentStorage, server: RedisServer
) -> None:
    session = await live(storage)
    async with _set(server, "min-replicas-to-write", "1", "0"):
        with pytest.raises(StoreUnavailable, match="too few replicas"):
            await _say(storage, session, 1)
        assert await _is_consistent(storage, session.id) == session
    await _say(storage, session, 1)


async def test_a_read_only_replica_reads_and_refuses_writes(
    storage: DocumentStorage, server: RedisServer
) -> None:
    session = await live(storage)
    assert server.command("REPLICAOF", "127.0.0.1", "1").startswith(b"+OK")
    with pytest.raises(StoreUnavailable, match="read-only replica"):
        await _say(storage, session, 1)
    assert await _is_consistent(storage, session.id) == session
    assert server.command("REPLICAOF", "NO", "ONE").startswith(b"+OK")
    await _say(storage, session, 1)


async def test_a_server_that_has_forgotten_the_scripts_is_taught_them_again(
    storage: DocumentStorage, server: RedisServer
) -> None:
    session = await live(storage)
    for number in range(2):
        assert server.command("SCRIPT", "FLUSH").startswith(b"+OK")
        session = await _say(storage, session, number)
    assert await _is_consistent(storage, session.id) == session


async def test_what_is_no_document_of_ours_is_told_apart_from_what_may_pass(
    driver: RedisDocumentDriver, server: RedisServer
) -> None:
    prefix = driver._prefix
    assert server.command("SET", f"{prefix}d:things/one", "of_somebody_else").startswith(b"+OK")
    with pytest.raises(StoreError) as refusal:
        await driver.get([KEY])
    assert not refusal.value.retryable
    assert "somebody" not in str(refusal.value)


# --- cancellation ----------------------------------------------------------------------------------


def _connections_made(server: RedisServer) -> int:
    info = server.command("INFO", "stats").decode()
    (line,) = [line for line in info.split() if line.startswith("total_connections_received")]
    return int(line.split(":")[1])


_CALLS: dict[str, Callable[[Storage, Session], Coroutine[Any, Any, object]]] = {
    "load": lambda storage, session: storage.sessions.load(session.id, HOME),
    "say": lambda storage, session: _say(storage, session, 1),
    "count": lambda storage, _: storage.sessions.count_open(HOME, user_id=None),
    "delete": lambda storage, session: storage.sessions.delete(
        session.id, HOME, tombstone=a_tombstone(session.id)
    ),
}


@pytest.mark.parametrize("name", _CALLS)
async def test_a_call_that_is_cancelled_at_any_await_costs_no_connection_and_leaves_all_whole(
    storage: DocumentStorage, server: RedisServer, name: str
) -> None:
    # However many tasks are cancelled, two connections serve them all.
    await _say(storage, await live(storage, "first"), 0)
    made = _connections_made(server)
    for checkpoints in range(0, 60, 4):
        session = await live(storage, f"s{checkpoints}")
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(_try, _CALLS[name], storage, session)
            for _ in range(checkpoints):
                await checkpoint()
            group.cancel_scope.cancel()
        try:
            await _is_consistent(storage, session.id)
        except StoreError:
            assert name == "delete"
    assert _connections_made(server) - made <= 3  # the second of the two, and those that ask


async def _try(
    call: Callable[[Storage, Session], Coroutine[Any, Any, object]],
    storage: Storage,
    session: Session,
) -> None:
    with suppress(VersionConflict, SessionNotFound):  # one of the three was faster
        await call(storage, session)


async def test_a_task_that_asyncio_itself_cancels_leaves_the_pool_whole(
    driver: RedisDocumentDriver,
) -> None:
    for checkpoints in range(20):
        task = asyncio.create_task(driver.write([Put(KEY, {"n": checkpoints})]))
        for _ in range(checkpoints):
            await checkpoint()
        task.cancel()
        await asyncio.wait([task])
        await driver.write([Put(KEY, {"n": -1})])


# --- opening ---------------------------------------------------------------------------------------


async def test_nobody_at_the_address_is_told_when_it_is_opened(server: RedisServer) -> None:
    server.kill()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        async with DocumentStorage(RedisDocumentDriver(server.url)):
            pass
    server.start()


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis", "", "redis://127.0.0.1?db=x"])
def test_what_is_no_address_of_redis_is_refused_without_showing_it(url: str) -> None:
    secret = f"{url}?password={PASSWORD}"
    with pytest.raises(InvalidConfig) as refusal:
        RedisDocumentDriver(secret)
    assert PASSWORD not in str(refusal.value) + repr(refusal.value)


async def test_a_password_is_used_and_never_shown(server: RedisServer) -> None:
    quoted = PASSWORD.replace("/", "%2F").replace(":", "%3A").replace("@", "%40")
    right = f"redis://:{quoted}@127.0.0.1:{server.port}/0"
    async with AsyncExitStack() as stack:
        async with RedisDocumentDriver(server.url):
            assert server.command("CONFIG", "SET", "requirepass", PASSWORD).startswith(b"+OK")
            client = await stack.enter_async_context(Redis.from_url(right))
            stack.push_async_callback(client.config_set, "requirepass", "")
        async with RedisDocumentDriver(right) as driver:
            assert PASSWORD not in repr(driver)
        for wrong in (right.replace(quoted, f"x{quoted}"), server.url):
            with pytest.raises(StoreError) as refusal:
                async with RedisDocumentDriver(wrong):
                    pass
            assert not refusal.value.retryable
            error: BaseException | None = refusal.value
            while error is not None:
                assert PASSWORD not in f"{error} {error!r} {error.args}"
                error = error.__cause__ or error.__context__


async def test_the_client_of_a_host_is_used_and_left_open(server: RedisServer) -> None:
    for decode in (False, True):
        async with Redis.from_url(server.url, decode_responses=decode) as client:
            driver = RedisDocumentDriver(client, prefix=server.new_prefix())
            async with DocumentStorage(driver) as storage:
                session = await _say(storage, await live(storage), 1)
                assert await _is_consistent(storage, session.id) == session
            assert await client.ping()


async def test_two_prefixes_of_one_database_are_two_media(server: RedisServer) -> None:
    one, other = (RedisDocumentDriver(server.url, prefix=prefix) for prefix in ("one:", "other:"))
    async with one, other:
        await one.write([Put(KEY, {})])
        assert list(await other.get([KEY])) == [None]


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_on_trio_it_says_that_it_runs_on_asyncio_only(
    running: RedisServer, anyio_backend: str
) -> None:
    with pytest.raises(WrongEventLoop, match="Redis"):
        async with RedisDocumentDriver(running.url):
            pass


async def test_rediss_speaks_through_tls_and_trusts_nobody_unasked(
    server: RedisServer, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    _sign_ourselves(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with await asyncio.start_server(
        lambda r, w: _forward(r, w, server.port), "127.0.0.1", 0, ssl=context
    ) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        trusting = f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}"
        async with RedisDocumentDriver(trusting, prefix=server.new_prefix()) as driver:
            await driver.write([Put(KEY, {"n": 1})])
            (stored,) = await driver.get([KEY])
            assert stored is not None
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            async with RedisDocumentDriver(f"rediss://127.0.0.1:{port}"):
                pass


def _sign_ourselves(certificate: Path, key: Path) -> None:
    """Write a certificate for this machine that nobody trusts who is not told to."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)

    async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while piece := await source.read(65_536):
            target.write(piece)
        target.close()

    await asyncio.gather(pass_on(reader, there_writer), pass_on(there_reader, writer))
