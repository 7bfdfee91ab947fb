"""
What a session costs in a database, beside what the driver alone and an ORM need.

The driver alone writes the same columns of the same table in one statement, guarded by the same
number; it tells no two errors apart and keeps no contract. The ORM writes three columns.

A turn is what the user said, what the agent answered, and the state after it. google-adk's
DatabaseSessionService takes it in two writes; it is measured where google-adk is installed.

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
from importlib.util import find_spec
from itertools import count
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

from voicesession.core.events import ReplyFinished
from voicesession.core.journal import JournalEntry
from voicesession.core.life import apply
from voicesession.core.metadata import metadata_json
from voicesession.core.session import Session
from voicesession.core.snapshots import changed
from voicesession.core.utterance import Speaker, Utterance, UtteranceId
from voicesession.ports.storage import Change, RunningStats, SessionQuery, Storage
from voicesession.stores.codec import session_document
from voicesession.stores.sql import PostgresStorage, SqliteStorage
from voicesession.stores.sql.commits import changed_names
from voicesession.testing.contracts.storage.examples import (
    HOME,
    START,
    a_session,
    heard,
    live,
    put,
)

TASKS = (1, 50)
WARM_UPS = 5
HOUR = timedelta(hours=1)
DOCUMENT = session_document(a_session())
WORDS = json.dumps(DOCUMENT)
CHANGED = changed_names(by_owner=False)
VALUES = [DOCUMENT[name] for name in CHANGED]
QUESTION = "When does the next train to Winterthur leave?"
ANSWER = "At four minutes past nine, from platform three."

Write = Callable[[int], Awaitable[None]]
"""Writes the session with this number once, by the only task that has it."""


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
    write: Write


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


def words(utterance_id: str, speaker: Speaker, text: str) -> Utterance:
    return Utterance(
        id=UtteranceId(utterance_id), speaker=speaker, start_us=0, end_us=500_000, text=text
    )


def spoken(reply: Utterance) -> ReplyFinished:
    return ReplyFinished(
        at=START, utterance_id=reply.id, start_us=0, heard_us=reply.end_us, interrupted=False
    )


@asynccontextmanager
async def turns_on_sqlite(folder: Path) -> AsyncGenerator[list[Way]]:
    async with SqliteStorage(folder / "turns.db") as storage, AsyncExitStack() as stack:
        sessions = [await live(storage, f"s{number}") for number in range(max(TASKS))]
        numbers = count()

        async def append(number: int) -> None:
            turn = next(numbers)
            said = words(f"q{turn}", Speaker.USER, QUESTION)
            reply = words(f"a{turn}", Speaker.AGENT, ANSWER)
            after, entries = sessions[number], list[JournalEntry]()
            for event in (heard(said), spoken(reply)):
                after = apply(after, event)
                entries.append(JournalEntry(after.seq, event))
            after = changed(after, metadata_json=metadata_json({"turn": turn}))
            await storage.sessions.commit(
                Change(
                    session=after,
                    expected_seq=sessions[number].seq,
                    entries=tuple(entries),
                    utterances=(said, reply),
                )
            )
            sessions[number] = after

        ways = [Way("voicesession", append)]
        if find_spec("google.adk") is None:
            print("google-adk is not installed: no turn of its own is measured", file=sys.stderr)
        else:
            ways.append(await stack.enter_async_context(with_adk(folder / "adk.db")))
        yield ways


@asynccontextmanager
async def with_adk(path: Path) -> AsyncGenerator[Way]:
    from google.adk.events import Event, EventActions
    from google.adk.sessions import DatabaseSessionService
    from google.genai.types import Content, Part

    async with DatabaseSessionService(f"sqlite+aiosqlite:///{path}") as service:
        sessions = [
            await service.create_session(app_name="bench", user_id="ada", session_id=f"s{number}")
            for number in range(max(TASKS))
        ]
        numbers = count()

        async def append(number: int) -> None:
            turn = next(numbers)
            for author, text in (("user", QUESTION), ("agent", ANSWER)):
                content = Content(role=author, parts=[Part(text=text)])
                actions = EventActions(state_delta={"turn": turn})
                event = Event(author=author, content=content, actions=actions)
                await service.append_event(sessions[number], event)

        yield Way("google-adk", append)


async def rate(way: Way, tasks: int, seconds: float) -> float:
    """Writes in a second."""
    count, ends = 0, time.perf_counter() + seconds

    async def work(number: int) -> None:
        nonlocal count
        while time.perf_counter() < ends:
            await way.write(number)
            count += 1

    began = time.perf_counter()
    await asyncio.gather(*map(work, range(tasks)))
    return count / (time.perf_counter() - began)


async def rates_of(what: str, ways: list[Way], rounds: int, seconds: float) -> list[dict[str, Any]]:
    results = []
    for tasks in TASKS:
        rates: dict[str, list[float]] = {way.name: [] for way in ways}
        for _ in range(rounds):
            for way in ways:
                rates[way.name].append(await rate(way, tasks, seconds))
        results += [
            {
                "what": f"{what}, {tasks} at once",
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


async def fill(storage: Storage, depth: int) -> list[str]:
    """Make so many sessions, which begin one after the other; return their names."""
    names = [f"b{number:06}" for number in range(depth)]
    for first in range(0, depth, 500):
        await asyncio.gather(
            *(
                put(storage, a_session(name, started_at=START + timedelta(seconds=first + n)))
                for n, name in enumerate(names[first : first + 500])
            )
        )
    return names


async def bulk(
    medium: str, storage: Storage, names: list[str], rounds: int
) -> list[dict[str, Any]]:
    """Leases and stats of a thousand sessions, and a page behind all others."""
    depth = len(names)
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
        for _ in range(WARM_UPS):
            await work()  # compiled, planned, and the rows spread out by their first new states
    return [
        {"what": f"{medium}, {what}", "way": "voicesession", "ms": await once_ms(work, 5 * rounds)}
        for what, work in turns.items()
    ]


async def measure(server: PostgresServer, folder: Path, options: Any) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    async with on_sqlite(folder) as ways:
        results += await rates_of("SQLite, compare-and-swap", ways, options.rounds, options.seconds)
    async with turns_on_sqlite(folder) as ways:
        results += await rates_of("SQLite, a turn", ways, options.rounds, options.seconds)
    async with on_postgres(server) as ways:
        results += await rates_of(
            "PostgreSQL, compare-and-swap", ways, options.rounds, options.seconds
        )
    async with SqliteStorage(folder / "bulk.db") as sqlite:
        names = await fill(sqlite, options.depth)
        results += await bulk("SQLite", sqlite, names, options.rounds)
    url = await asyncio.to_thread(server.fresh_database)
    async with PostgresStorage(url) as postgres:
        names = await fill(postgres, options.depth)
        # Or the server would do so by itself, in the middle of a measurement.
        await asyncio.to_thread(server.run, "VACUUM ANALYZE", url.rpartition("/")[2])
        results += await bulk("PostgreSQL", postgres, names, options.rounds)
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
