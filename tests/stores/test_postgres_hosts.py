"""PostgreSQL beside a host: its pool, its engine, its schema, and the tables that it upgrades."""

import asyncio
from datetime import timedelta
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.servers.postgres_server import PostgresServer

import voicesession
from voicesession.core.errors import InvalidConfig, StoreError, WrongEventLoop
from voicesession.core.metadata import metadata_json
from voicesession.ports.storage import EVERYTHING, RunningStats, SessionQuery
from voicesession.stores.pages import position_of
from voicesession.stores.sql import PostgresStorage, migration, revisions
from voicesession.stores.sql.leases import renew
from voicesession.stores.sql.lists import page
from voicesession.stores.sql.postgres.dialect import PostgresDialect
from voicesession.stores.sql.statement import Statement, Values
from voicesession.testing.contracts.storage.examples import (
    HOME,
    a_full_session,
    a_session,
    an_utterance,
    change_of,
    heard,
    live,
    put,
)

HOUR = timedelta(hours=1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_the_hosts_own_pool_is_used_and_left_open(postgres_url: str) -> None:
    async with asyncpg.create_pool(postgres_url, min_size=1, max_size=2) as pool:
        async with PostgresStorage(pool) as storage:
            session = await live(storage)
            assert await storage.sessions.load(session.id, HOME) == session
        assert await pool.fetchval("SELECT count(*) FROM voice_sessions") == 1


async def test_the_hosts_own_engine_is_used_and_left_open(postgres_url: str) -> None:
    engine = create_async_engine(postgres_url.replace("postgresql:", "postgresql+asyncpg:"))
    async with PostgresStorage(engine) as storage:
        session = await live(storage, metadata_json=metadata_json({"b": 1.5, "a": "x"}))
        assert await storage.sessions.load(session.id, HOME) == session
    async with engine.connect() as connection:
        rows = await connection.exec_driver_sql("SELECT count(*) FROM voice_sessions")
        assert rows.scalar_one() == 1
    await engine.dispose()


async def test_it_does_not_matter_which_codecs_the_host_gives_its_connections(
    postgres_url: str,
) -> None:
    async def with_json(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        await connection.set_type_codec("jsonb", encoder=str, decoder=len, schema="pg_catalog")

    async with (
        asyncpg.create_pool(postgres_url, min_size=1, max_size=1, init=with_json) as pool,
        PostgresStorage(pool) as storage,
    ):
        session = await live(storage, metadata_json=metadata_json({"team": "a"}))
        assert await storage.sessions.load(session.id, HOME) == session
        found = await storage.sessions.find(SessionQuery(metadata={"team": "a"}), HOME)
        assert found.sessions == (session,)


async def test_the_tables_may_lie_in_a_schema_of_their_own(postgres: PostgresServer) -> None:
    url = await anyio.to_thread.run_sync(lambda: postgres.fresh_database(empty=True))
    await anyio.to_thread.run_sync(postgres.run, "CREATE SCHEMA talk", url.rpartition("/")[2])
    await anyio.to_thread.run_sync(lambda: migration.upgrade(url, schema="talk"))
    async with PostgresStorage(url, schema="talk") as storage:
        session = await live(storage)
        lease = await storage.sessions.take_lease(session.id, HOME, worker_id="w", duration=HOUR)
        assert lease.epoch == 1
        assert await storage.sessions.count_open(EVERYTHING, user_id=None) == (1, 1)
    with pytest.raises(StoreError, match="db upgrade"):
        async with PostgresStorage(url):
            pass


def test_trio_is_told_that_this_needs_asyncio(postgres_url: str) -> None:
    async def use() -> None:
        async with PostgresStorage(postgres_url):
            pass

    with pytest.raises(WrongEventLoop, match="PostgresStorage"):
        anyio.run(use, backend="trio")


# --- the tables -----------------------------------------------------------------------------------


def test_the_migrations_come_to_the_tables_that_are_declared(postgres: PostgresServer) -> None:
    url = postgres.fresh_database(empty=True)
    assert migration.current(url) is None
    assert migration.upgrade(url) == revisions.HEAD
    assert migration.upgrade(url) == revisions.HEAD
    assert migration.current(url) == revisions.HEAD
    assert list(migration.check(url)) == []


async def test_a_database_of_the_second_revision_keeps_its_sessions(
    postgres: PostgresServer, postgres_url: str
) -> None:
    async with PostgresStorage(postgres_url) as storage:
        await put(storage, a_full_session())
        talked = await live(storage, "s2")
        said = an_utterance()
        await storage.sessions.commit(change_of(talked, heard(said), utterances=[said]))
    older = """
        ALTER TABLE voice_utterances DROP COLUMN place;
        ALTER TABLE voice_sessions DROP COLUMN max_active_us, DROP COLUMN max_wall_clock_us;
        UPDATE voice_revision SET version_num = '0002'
    """
    await anyio.to_thread.run_sync(postgres.run, older, postgres_url.rpartition("/")[2])
    assert await anyio.to_thread.run_sync(migration.upgrade, postgres_url) == revisions.HEAD
    assert await anyio.to_thread.run_sync(migration.check, postgres_url) == []
    async with PostgresStorage(postgres_url) as storage:
        kept = await storage.sessions.load(a_full_session().id, HOME)
        assert await storage.transcripts.utterances(talked.id, HOME) == (said,)
    assert kept == a_full_session(max_active_us=None, max_wall_clock_us=None)


def test_of_many_who_upgrade_at_once_one_does_it(postgres: PostgresServer) -> None:
    url = postgres.fresh_database(empty=True)

    async def all_at_once() -> list[str]:
        upgrades = (asyncio.to_thread(migration.upgrade, url) for _ in range(3))
        return await asyncio.gather(*upgrades)

    assert asyncio.run(all_at_once()) == [revisions.HEAD] * 3


async def test_workers_may_upgrade_when_they_start_and_one_of_them_does_it(
    postgres: PostgresServer,
) -> None:
    url = await anyio.to_thread.run_sync(lambda: postgres.fresh_database(empty=True))

    async def start(number: int) -> None:
        async with PostgresStorage(url, upgrades=True) as storage:
            await put(storage, a_session(f"s{number}"))

    await asyncio.gather(*map(start, range(3)))
    assert await anyio.to_thread.run_sync(migration.check, url) == []


def test_an_address_is_read_as_the_driver_reads_it(postgres: PostgresServer) -> None:
    url = postgres.fresh_database(empty=True)
    options = "sslmode=disable&application_name=migration&upgrade=true"
    assert migration.upgrade(f"{url}?{options}") == revisions.HEAD
    assert migration.current(f"{url}?{options}") == revisions.HEAD


async def test_an_address_may_ask_for_the_upgrade(postgres: PostgresServer) -> None:
    url = await anyio.to_thread.run_sync(lambda: postgres.fresh_database(empty=True))
    async with voicesession.open(f"{url}?upgrade=true") as voice:
        await voice.create()
    async with voicesession.open(f"{url}?upgrade=false") as voice:
        assert len((await voice.find()).sessions) == 1


async def test_a_database_that_cannot_be_upgraded_is_not_opened(
    postgres: PostgresServer, postgres_url: str
) -> None:
    newer = "UPDATE voice_revision SET version_num = '9999'"
    await anyio.to_thread.run_sync(postgres.run, newer, postgres_url.rpartition("/")[2])
    with pytest.raises(StoreError, match=r"revision 9999 .* upgrade the library"):
        async with PostgresStorage(postgres_url, upgrades=True):
            raise AssertionError


async def test_the_tables_of_a_hosts_own_pool_are_the_hosts_to_upgrade(postgres_url: str) -> None:
    async with asyncpg.create_pool(postgres_url, min_size=0) as pool:
        with pytest.raises(InvalidConfig, match="upgrades"):
            PostgresStorage(pool, upgrades=True)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE voice_revision SET version_num = '9999'", "revision 9999 .* upgrade the library"),
        ("DELETE FROM voice_revision", "half migrated"),
        ("DROP TABLE voice_holds", "half migrated: voice_holds is missing"),
    ],
)
def test_what_is_newer_or_half_there_is_refused(
    postgres: PostgresServer, postgres_url: str, damage: str, told: str
) -> None:
    postgres.run(damage, postgres_url.rpartition("/")[2])

    async def use() -> None:
        async with PostgresStorage(postgres_url):
            pass

    for refused in (lambda: migration.upgrade(postgres_url), lambda: asyncio.run(use())):
        with pytest.raises(StoreError, match=told):
            refused()


# --- how it is read and written ----------------------------------------------------------------


async def test_a_list_is_read_through_an_index_in_its_order(postgres_url: str) -> None:
    async with PostgresStorage(postgres_url) as storage:
        await put(storage, *(a_session(f"s{n}") for n in range(3)))
        first = await storage.sessions.find(SessionQuery(limit=1), HOME)
    query = SessionQuery(cursor=first.next_cursor)
    statement, values = page(query, position_of(query), HOME)
    settings = "SET enable_seqscan = off; SET enable_sort = off"
    plan = await explained(postgres_url, statement, values, after=settings)
    assert "Index Scan" in plan
    assert "voice_sessions_listed" in plan
    assert "Sort" not in plan


async def test_leases_are_renewed_by_id_although_statistics_know_of_no_owner(
    postgres_url: str,
) -> None:
    async with PostgresStorage(postgres_url) as storage:
        await put(storage, *(a_session(f"s{n}") for n in range(100)))
    held = {a_session(f"s{n}").id: 1 for n in range(100)}
    statement, values = next(renew(held, HOUR))
    assert not isinstance(values, list)
    plan = await explained(postgres_url, statement, values, after="VACUUM ANALYZE voice_sessions")
    # Its index seems empty, and so the cheapest to read for each that is given.
    assert "voice_sessions_owned" not in plan


async def explained(url: str, statement: Statement, values: Values, *, after: str) -> str:
    compiled = PostgresDialect().compiled(statement)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(after)
        rows = await connection.fetch(f"EXPLAIN {compiled.text}", *compiled.places(values))
    finally:
        await connection.close()
    return "\n".join(row[0] for row in rows)


async def test_leases_and_stats_of_a_thousand_sessions_are_two_statements(
    postgres_url: str,
) -> None:
    async with PostgresStorage(postgres_url) as storage:
        sessions = [a_session(f"s{number:04}") for number in range(1_000)]
        async with anyio.create_task_group() as group:
            for first in range(0, 1_000, 100):  # all at once would wait too long for a connection
                group.start_soon(put, storage, *sessions[first : first + 100])
        for session in sessions[:3]:
            await storage.sessions.take_lease(session.id, HOME, worker_id="w", duration=HOUR)
        asked = statements_of(storage)
        held = {session.id: 1 for session in sessions}
        renewed = await storage.sessions.renew_leases(held, duration=HOUR)
        stats = RunningStats(
            epoch=1,
            audio_duration_us=1,
            audio_chunks_received=2,
            audio_chunks_processed=3,
            audio_used_us=4,
        )
        await storage.sessions.write_stats(dict.fromkeys(held, stats))
        assert renewed.keys() == {session.id for session in sessions[:3]}
        assert len(asked) == 2
        assert (await storage.sessions.load(sessions[0].id, HOME)).audio_used_us == 4


def statements_of(storage: PostgresStorage) -> list[Any]:
    """A list that grows by each statement that is run."""
    asked: list[Any] = []
    database = storage._database
    answer = database._answer

    async def noted(*what: Any) -> Any:
        asked.append(what)
        return await answer(*what)

    database._answer = noted  # type: ignore[assignment, method-assign]
    return asked
