"""
What a session costs in a database, beside what the driver alone and an ORM need.

The driver alone writes the same columns of the same table in one statement, guarded by the same
number; it tells no two errors apart and keeps no contract. The ORM writes three columns.

Every measurement is taken in turns (A B A B …) in one run, so that a busy machine is as unfair
to one as to the other. Databases are fresh, and durable as they are by default.

    python benchmarks/storage.py [--json] [--seconds 1.0] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
from attrs import frozen
from sqlalchemy import BigInteger, Text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.servers.postgres_server import PostgresServer

from voicesession.core.session import Session
from voicesession.ports.storage import Change, RunningStats, SessionQuery, Storage
from voicesession.stores.codec import session_document
from voicesession.stores.sql import PostgresStorage, SqliteStorage
from voicesession.stores.sql.commits import changed_names
from voicesession.testing.contracts.storage.examples import HOME, a_session, put

TASKS = (1, 50)
HOUR = timedelta(hours=1)
DOCUMENT = session_document(a_session())
WORDS = json.dumps(DOCUMENT)
CHANGED = changed_names(by_owner=False)
VALUES = [DOCUMENT[name] for name in CHANGED]

Swap = Callable[[int], Awaitable[None]]
"""One compare-and-swap of the row with this number, by the only task that has it."""


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "raw"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    document: Mapped[str] = mapped_column(Text)


@frozen
class Way:
    name: str
    swap: Swap


def ours(name: str, storage: Storage, sessions: list[Session]) -> Way:
    """A commit of the whole record, with all that the contract asks for."""

    async def swap(number: int) -> None:
        session = sessions[number]
        await storage.sessions.commit(Change(session=session, expected_seq=session.seq))

    return Way(name, swap)


async def with_rows(storage: Storage) -> list[Session]:
    sessions = [a_session(f"s{number}") for number in range(max(TASKS))]
    await put(storage, *sessions)
    return sessions


@asynccontextmanager
async def on_sqlite(folder: Path) -> AsyncGenerator[list[Way]]:
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(SqliteStorage(folder / "voice.db"))
        async with SqliteStorage(folder / "raw.db") as tables:
            await with_rows(tables)
        raw = await stack.enter_async_context(
            aiosqlite.connect(folder / "raw.db", isolation_level=None)
        )
        await raw.execute("PRAGMA synchronous = FULL")
        columns = ", ".join(f"{name} = ?" for name in CHANGED)
        update = f"UPDATE voice_sessions SET {columns} WHERE id = ? AND seq = ?"  # noqa: S608  # our columns

        async def swap(number: int) -> None:
            cursor = await raw.execute(update, [*VALUES, f"s{number}", 0])
            assert cursor.rowcount == 1

        orm = await stack.enter_async_context(with_orm(f"sqlite+aiosqlite:///{folder}/orm.db"))
        yield [ours("voicesession", storage, await with_rows(storage)), Way("aiosqlite", swap), orm]


@asynccontextmanager
async def on_postgres(server: PostgresServer) -> AsyncGenerator[list[Way]]:
    make = asyncio.to_thread
    url, raw_url = await make(server.fresh_database), await make(server.fresh_database)
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(PostgresStorage(url))
        raw = await stack.enter_async_context(asyncpg.create_pool(raw_url, max_size=10))
        async with PostgresStorage(raw_url) as tables:
            await with_rows(tables)
        columns = ", ".join(f"{name} = ${place}" for place, name in enumerate(CHANGED, start=3))
        update = f"UPDATE voice_sessions SET {columns} WHERE id = $1 AND seq = $2"  # noqa: S608  # our columns
        values = [
            json.loads(v) if n == "enabled_panels" and v else v
            for n, v in zip(CHANGED, VALUES, strict=True)
        ]

        async def swap(number: int) -> None:
            done = await raw.execute(update, f"s{number}", 0, *values)
            assert done == "UPDATE 1"

        orm_url = (await make(server.fresh_database)).replace("postgresql:", "postgresql+asyncpg:")
        orm = await stack.enter_async_context(with_orm(orm_url))
        yield [ours("voicesession", storage, await with_rows(storage)), Way("asyncpg", swap), orm]


@asynccontextmanager
async def with_orm(url: str) -> AsyncGenerator[Way]:
    engine = create_async_engine(url)
    begin = async_sessionmaker(engine, expire_on_commit=False).begin
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with begin() as session:
        session.add_all(Row(id=f"s{number}", seq=0, document=WORDS) for number in range(max(TASKS)))

    async def swap(number: int) -> None:
        async with begin() as session:
            row = await session.get_one(Row, f"s{number}")
            row.seq += 1
            row.document = WORDS + str(row.seq)

    yield Way("SQLAlchemy ORM", swap)
    await engine.dispose()


async def rate(way: Way, tasks: int, seconds: float) -> float:
    """Swaps in a second."""
    count, ends = 0, time.perf_counter() + seconds

    async def work(number: int) -> None:
        nonlocal count
        while time.perf_counter() < ends:
            await way.swap(number)
            count += 1

    began = time.perf_counter()
    await asyncio.gather(*map(work, range(tasks)))
    return count / (time.perf_counter() - began)


async def swaps(medium: str, ways: list[Way], rounds: int, seconds: float) -> list[dict[str, Any]]:
    results = []
    for tasks in TASKS:
        rates: dict[str, list[float]] = {way.name: [] for way in ways}
        for _ in range(rounds):
            for way in ways:
                rates[way.name].append(await rate(way, tasks, seconds))
        results += [
            {
                "what": f"{medium}, compare-and-swap, {tasks} at once",
                "way": name,
                "per_second": round(statistics.median(found)),
            }
            for name, found in rates.items()
        ]
    return results


async def once_ms(work: Callable[[], Awaitable[object]], rounds: int) -> float:
    """The median time of *work*, in milliseconds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        await work()
        times.append(1_000 * (time.perf_counter() - began))
    return round(statistics.median(times), 2)


async def bulk(medium: str, storage: Storage, depth: int, rounds: int) -> list[dict[str, Any]]:
    """Leases and stats of a thousand sessions, and a page behind *depth* others."""
    names = [f"b{number:06}" for number in range(depth)]
    for first in range(0, depth, 500):
        await asyncio.gather(
            *(put(storage, a_session(name)) for name in names[first : first + 500])
        )
    held = {a_session(name).id: 1 for name in names[:1_000]}
    await asyncio.gather(
        *(storage.sessions.take_lease(name, HOME, worker_id="w", duration=HOUR) for name in held)
    )
    counted = RunningStats(
        epoch=1,
        audio_duration_us=1_000_000,
        audio_chunks_received=50,
        audio_chunks_processed=50,
        audio_used_us=1_000_000,
    )
    stats = dict.fromkeys(held, counted)
    found = await storage.sessions.find(SessionQuery(limit=50, offset=depth - 100), HOME)
    first_page, deep_page = SessionQuery(limit=50), SessionQuery(cursor=found.next_cursor, limit=50)

    turns = {
        "leases of 1 000 sessions": lambda: storage.sessions.renew_leases(held, duration=HOUR),
        "stats of 1 000 sessions": lambda: storage.sessions.write_stats(stats),
        "the first page of 50": lambda: storage.sessions.find(first_page, HOME),
        f"a page of 50 behind {depth - 50}": lambda: storage.sessions.find(deep_page, HOME),
    }
    for work in turns.values():
        await work()  # compiled, planned and read once
    return [
        {"what": f"{medium}, {what}", "way": "voicesession", "ms": await once_ms(work, 5 * rounds)}
        for what, work in turns.items()
    ]


async def measure(server: PostgresServer, folder: Path, options: Any) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    async with on_sqlite(folder) as ways:
        results += await swaps("SQLite", ways, options.rounds, options.seconds)
    async with on_postgres(server) as ways:
        results += await swaps("PostgreSQL", ways, options.rounds, options.seconds)
    async with SqliteStorage(folder / "bulk.db") as sqlite:
        results += await bulk("SQLite", sqlite, options.depth, options.rounds)
    url = await asyncio.to_thread(server.fresh_database)
    async with PostgresStorage(url) as postgres:
        results += await bulk("PostgreSQL", postgres, options.depth, options.rounds)
    return results


def show(results: list[dict[str, Any]]) -> None:
    for result in results:
        amount = f"{result['ms']} ms" if "ms" in result else f"{result['per_second']:,}/s"
        print(f"{result['what']:<45} {result['way']:<16} {amount:>12}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--depth", type=int, default=100_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
        PostgresServer(in_a_hurry=False) as server,
    ):
        results = asyncio.run(measure(server, Path(folder), options))
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        show(results)


if __name__ == "__main__":
    main()
