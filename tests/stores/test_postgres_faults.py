"""Whatever happens to the server or to the way there: nothing half-written, and it goes on."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
import pytest
from anyio.lowlevel import checkpoint
from tests.patience import answered
from tests.servers.postgres_server import PostgresServer
from tests.servers.proxy import Fault, FaultyProxy, Harm, Way, running_proxy

from voicesession.core.errors import (
    InvalidValue,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
    VersionConflict,
)
from voicesession.core.identity import SessionId
from voicesession.core.session import Session
from voicesession.ports.storage import Change
from voicesession.stores.sql import PostgresStorage
from voicesession.testing.contracts.storage.examples import (
    HOME,
    a_session,
    an_utterance,
    change_of,
    heard,
    live,
    put,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def proxy(postgres: PostgresServer) -> AsyncGenerator[FaultyProxy]:
    async with running_proxy(postgres.port) as proxy:
        yield proxy


@pytest.fixture
async def storage(postgres_url: str) -> AsyncGenerator[PostgresStorage]:
    async with PostgresStorage(postgres_url, pool_size=3) as storage:
        yield storage


@pytest.fixture
async def distant(
    postgres: PostgresServer,
    postgres_url: str,
    proxy: FaultyProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncGenerator[PostgresStorage]:
    """A storage with one connection, which goes through the proxy."""
    # A connection that was being made when its server hung is given up after this time.
    monkeypatch.setattr("voicesession.stores.sql.postgres._WAITS_FOR_CONNECTION_S", 2.0)
    port = int(proxy.url.rpartition(":")[2])
    url = postgres.url(postgres_url.rpartition("/")[2], port=port)
    async with PostgresStorage(url, pool_size=1) as storage:
        yield storage


@asynccontextmanager
async def a_stranger(url: str) -> AsyncGenerator["asyncpg.Connection[Any]"]:
    """A connection that is not ours."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def spoken(session: Session, name: str = "u1") -> Change:
    said = an_utterance(name)
    return change_of(session, heard(said), utterances=[said])


async def is_whole(storage: PostgresStorage, session_id: SessionId) -> Session:
    """A session, its journal and its words belong to the same commit."""
    session = await storage.sessions.load(session_id, HOME)
    journal = await storage.sessions.journal(session_id, HOME)
    utterances = await storage.transcripts.utterances(session_id, HOME)
    assert [entry.seq for entry in journal] == list(range(1, session.seq + 1))
    assert len(utterances) == session.utterance_count
    return session


# --- many at once -------------------------------------------------------------------------


async def test_commits_that_wait_go_together_and_each_is_whole(storage: PostgresStorage) -> None:
    sessions = [await live(storage, f"s{number:02}") for number in range(40)]
    statements = swaps_of(storage)
    async with anyio.create_task_group() as group:
        for session in sessions:
            group.start_soon(storage.sessions.commit, spoken(session))
    assert len(statements) <= 3
    for session in sessions:
        assert (await is_whole(storage, session.id)).utterance_count == 1


async def test_one_that_is_refused_does_not_hinder_those_beside_it(
    storage: PostgresStorage,
) -> None:
    await put(storage, a_session("holder", room_name="blue"))
    sessions = [await live(storage, f"s{number}") for number in range(5)]
    stale = spoken(sessions[0])
    await storage.sessions.commit(stale)
    taken = change_of(sessions[1], heard(an_utterance()), room_name="blue")
    outcomes = await asyncio.gather(
        *(storage.sessions.commit(c) for c in (stale, taken, *map(spoken, sessions[2:]))),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes[:2]] == [VersionConflict, InvalidValue]
    assert outcomes[2:] == [None, None, None]
    for session in sessions:
        await is_whole(storage, session.id)


async def test_a_session_that_somebody_holds_does_not_hold_up_the_others(
    storage: PostgresStorage, postgres_url: str
) -> None:
    held, free = await live(storage, "held"), await live(storage, "free")
    async with a_stranger(postgres_url) as stranger, anyio.create_task_group() as group:
        await stranger.execute("BEGIN; SELECT 1 FROM voice_sessions WHERE id = 'held' FOR UPDATE")
        group.start_soon(storage.sessions.commit, spoken(held))
        await storage.sessions.commit(spoken(free))
        await stranger.execute("COMMIT")
    assert (await is_whole(storage, held.id)).utterance_count == 1


def swaps_of(storage: PostgresStorage) -> list[int]:
    """A list that grows by the size of each statement in which commits go together."""
    sizes: list[int] = []
    gathering = storage._database._gathering
    swap = gathering._swap

    async def counted(changes: Sequence[Change]) -> frozenset[str]:
        sizes.append(len(changes))
        return await swap(changes)

    gathering._swap = counted
    return sizes


# --- what the server answers -----------------------------------------------------------------


async def the_journal_answers(url: str, code: str, times: int) -> None:
    """Let the server refuse the next writes to a journal, with one of its own error codes."""
    async with a_stranger(url) as stranger:
        await stranger.execute(
            f"""
            CREATE SEQUENCE refusals;
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('refusals') <= {times} THEN
                    RAISE EXCEPTION 'refused' USING ERRCODE = '{code}';
                END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON voice_journal
                FOR EACH ROW EXECUTE FUNCTION refuse();
            """
        )


@pytest.mark.parametrize("code", ["40001", "40P01"])  # serialisation, deadlock
async def test_who_lost_a_race_is_run_again(
    storage: PostgresStorage, postgres_url: str, code: str
) -> None:
    session = await live(storage)
    await the_journal_answers(postgres_url, code, times=3)
    await storage.sessions.commit(spoken(session))
    assert (await is_whole(storage, session.id)).utterance_count == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("53100", StoreUnavailable),  # disk full
        ("53300", StoreUnavailable),  # too many connections
        ("55P03", StoreUnavailable),  # a lock that was not to be had
        ("57014", StoreUnavailable),  # cancelled by an operator
        ("25006", StoreUnavailable),  # a standby
        ("22000", StoreError),
        ("XX000", StoreError),
    ],
)
async def test_what_the_server_refuses_is_told_in_our_words_and_leaves_nothing(
    storage: PostgresStorage, postgres_url: str, code: str, kind: type[StoreError]
) -> None:
    session = await live(storage)
    await the_journal_answers(postgres_url, code, times=2)
    with pytest.raises(StoreError, match="refused") as caught:
        await storage.sessions.commit(spoken(session))
    assert type(caught.value) is kind
    assert caught.value.retryable is (kind is StoreUnavailable)
    assert await is_whole(storage, session.id) == session
    await storage.sessions.commit(spoken(session))


async def test_a_lock_that_is_not_to_be_had_is_unavailable_and_then_free_again(
    storage: PostgresStorage, postgres_url: str
) -> None:
    session = await live(storage)
    async with a_stranger(postgres_url) as stranger:
        name = postgres_url.rpartition("/")[2]
        await stranger.execute(f"ALTER DATABASE {name} SET lock_timeout = '20ms'")
        await stranger.execute("BEGIN; SELECT 1 FROM voice_sessions FOR UPDATE")
        async with PostgresStorage(postgres_url) as impatient:
            with pytest.raises(StoreUnavailable, match="lock timeout"):
                await impatient.sessions.commit(spoken(session))
            await stranger.execute("COMMIT")
            await impatient.sessions.commit(spoken(session))
    await is_whole(storage, session.id)


# --- the way there -----------------------------------------------------------------------------


async def test_a_restart_between_two_operations_is_not_noticed(
    storage: PostgresStorage, postgres: PostgresServer
) -> None:
    session = await live(storage)
    await anyio.to_thread.run_sync(postgres.restart)
    assert await storage.sessions.load(session.id, HOME) == session
    await storage.sessions.commit(spoken(session))
    await is_whole(storage, session.id)


async def test_a_restart_in_the_middle_leaves_everything_whole(
    storage: PostgresStorage, postgres: PostgresServer
) -> None:
    sessions = [await live(storage, f"s{number}") for number in range(6)]
    restarted = anyio.Event()

    async def talk(session: Session) -> None:
        while not restarted.is_set():
            change = spoken(session, f"u{session.seq}")
            try:
                await storage.sessions.commit(change)
                session = change.session
            except StoreUnavailable:
                await checkpoint()
            except VersionConflict:  # it was written, and nobody could say so
                session = await storage.sessions.load(session.id, HOME)

    async with anyio.create_task_group() as group:
        for session in sessions:
            group.start_soon(talk, session)
        await anyio.to_thread.run_sync(postgres.restart)
        restarted.set()
    for session in sessions:
        after = await is_whole(storage, session.id)
        await storage.sessions.commit(spoken(after, "afterwards"))


async def test_a_server_that_is_not_there_is_unavailable(postgres_url: str) -> None:
    nowhere = "postgresql://u:secret@127.0.0.1:1/d"
    with pytest.raises(StoreUnavailable) as caught:
        async with PostgresStorage(nowhere):
            pass
    assert "secret" not in str(caught.value)


async def test_a_connection_that_is_cut_before_anything_is_committed_is_not_noticed(
    distant: PostgresStorage, proxy: FaultyProxy
) -> None:
    for pattern in (b"BEGIN", b"INSERT INTO voice_sessions"):
        proxy.harm(Fault(harm=Harm.CUT, way=Way.TO_SERVER, once_seen=pattern))
        session_id = f"s{len(pattern)}"
        await put(distant, a_session(session_id))
        await is_whole(distant, SessionId(session_id))


@pytest.mark.parametrize("harm", [Harm.CUT, Harm.STALL])
@pytest.mark.parametrize("way", Way)
async def test_an_unanswered_commit_is_unknown_and_whole_and_the_next_one_works(
    distant: PostgresStorage,
    proxy: FaultyProxy,
    monkeypatch: pytest.MonkeyPatch,
    harm: Harm,
    way: Way,
) -> None:
    session = await live(distant)
    proxy.harm(Fault(harm=harm, way=way, once_seen=b"utterance_finished"))
    with monkeypatch.context() as hurried:
        hurried.setattr("voicesession.stores.sql.postgres.database._ANSWERS_WITHIN_S", 1)
        with pytest.raises(StoreTimeout):
            await distant.sessions.commit(spoken(session))
    after = await is_whole(distant, session.id)
    await distant.sessions.commit(spoken(after, "u2"))


async def test_a_hung_server_is_not_waited_for_and_costs_no_connection(
    distant: PostgresStorage, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await live(distant)
    proxy.harm(Fault(harm=Harm.STALL, way=Way.TO_CLIENT), forever=True)
    with monkeypatch.context() as hurried:
        hurried.setattr("voicesession.stores.sql.postgres.database._ANSWERS_WITHIN_S", 0.1)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await distant.sessions.load(session.id, HOME)
    proxy.harm()
    assert await answered(lambda: distant.sessions.load(session.id, HOME)) == session


async def test_who_finds_no_connection_free_is_told_so_and_nothing_is_written(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicesession.stores.sql.postgres._WAITS_FOR_CONNECTION_S", 1.0)
    async with PostgresStorage(postgres_url, pool_size=1) as storage:
        async with storage._connections.lend():
            with pytest.raises(StoreUnavailable, match="no connection was free") as caught:
                await put(storage, a_session())
        assert not isinstance(caught.value, StoreTimeout)
        await put(storage, a_session())


# --- callers that give up ------------------------------------------------------------------------


def points() -> Iterator[int]:
    return iter(range(0, 24, 2))


async def test_cancelled_callers_leave_store_and_pool_whole(postgres_url: str) -> None:
    async with PostgresStorage(postgres_url, pool_size=1) as storage:
        for point in points():
            session = await live(storage, f"s{point}")
            async with anyio.create_task_group() as group:
                group.start_soon(storage.sessions.commit, spoken(session))
                group.start_soon(put, storage, a_session(f"new{point}"))
                for _ in range(point):
                    await checkpoint()
                group.cancel_scope.cancel()
            await is_whole(storage, session.id)


async def test_tasks_that_asyncio_cancels_leave_store_and_pool_whole(postgres_url: str) -> None:
    async with PostgresStorage(postgres_url, pool_size=1) as storage:
        for point in points():
            session = await live(storage, f"s{point}")
            writing = [
                asyncio.create_task(storage.sessions.commit(spoken(session))),
                asyncio.create_task(put(storage, a_session(f"new{point}"))),
            ]
            for _ in range(point):
                await asyncio.sleep(0)
            for task in writing:
                task.cancel()
            await asyncio.wait(writing)
            await storage._database.aclose()  # they go on although nobody waits for them
            await is_whole(storage, session.id)
