"""SQLite keeps the contract, and what it has acknowledged it never loses."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from tests.patience import PATIENCE_S

from voicesession.core.errors import (
    StoreError,
    StoreTimeout,
    StoreUnavailable,
    VersionConflict,
)
from voicesession.core.identity import SessionId
from voicesession.ports.storage import EVERYTHING, Change, SessionQuery
from voicesession.stores.sql import SqliteStorage
from voicesession.testing.contracts.storage import StorageContract
from voicesession.testing.contracts.storage.examples import (
    HOME,
    a_session,
    an_utterance,
    change_of,
    heard,
    live,
    put,
)

ROOT = Path(__file__).parents[2]
WAITS_FOR_AN_ANSWER_S = "voicesession.stores.sql.sqlite.line._ANSWERS_WITHIN_S"


class TestSqliteStorage(StorageContract):
    @pytest.fixture
    async def storage(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncGenerator[SqliteStorage]:
        # The contract is not about power cuts: not to wait for the disk makes it ten times faster.
        monkeypatch.setattr(
            "voicesession.stores.sql.sqlite.connections._WRITER_SETTINGS",
            ("synchronous = OFF", "foreign_keys = ON"),
        )
        async with SqliteStorage(path) as storage:
            yield storage


def writer_of(storage: SqliteStorage) -> sqlite3.Connection:
    return storage._connections.writer.opened()


class Stall:
    """The writer of a storage, at work until it is let go on."""

    def __init__(self, storage: SqliteStorage) -> None:
        self._storage = storage
        self._began, self._may_go_on = threading.Event(), threading.Event()
        writer_of(storage).create_function("stalled", 0, self._stalled)

    async def write(self) -> str:
        """Write something that takes as long as it is let."""
        return await self._storage._connections.write(
            lambda db: str(db.execute("SELECT stalled()").fetchone()[0])
        )

    async def has_begun(self) -> None:
        """Wait until the writer is at work."""
        assert await anyio.to_thread.run_sync(self._began.wait, PATIENCE_S)

    def let_go_on(self) -> None:
        self._may_go_on.set()

    def _stalled(self) -> str:
        self._began.set()
        self._may_go_on.wait()
        return "written"


async def is_whole(storage: SqliteStorage, session_id: str) -> None:
    """A session, its journal and its words belong to the same commit."""
    session = await storage.sessions.load(SessionId(session_id), EVERYTHING)
    journal = await storage.sessions.journal(session.id, EVERYTHING)
    utterances = await storage.transcripts.utterances(session.id, EVERYTHING)
    assert [entry.seq for entry in journal] == list(range(1, session.seq + 1))
    assert len(utterances) == session.utterance_count


# --- what is acknowledged stays ----------------------------------------------------------


async def test_what_was_stored_is_there_when_the_file_is_opened_again(path: Path) -> None:
    storage = SqliteStorage(path)
    async with storage:
        session = await live(storage)
    for opened_again in (storage, SqliteStorage(path)):
        async with opened_again:
            assert await opened_again.sessions.load(session.id, HOME) == session


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_every_acknowledged_commit_survives_a_kill_and_none_is_there_by_half(
    path: Path,
) -> None:
    program = str(Path(__file__).with_name("endless_writer.py"))
    writer = subprocess.Popen(  # noqa: ASYNC220  # our own program, and killed below
        [sys.executable, program, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(25)]
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    acknowledged += writer.stdout.read().split()
    writer.stdout.close()
    async with SqliteStorage(path) as storage:
        for session_id in acknowledged:
            session = await storage.sessions.load(SessionId(session_id), EVERYTHING)
            assert session.utterance_count == 20
        page = await storage.sessions.find(SessionQuery(limit=100), EVERYTHING)
        for session in page.sessions:
            await is_whole(storage, session.id)
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()


async def test_it_is_durable_and_checks_its_references(path: Path) -> None:
    async with SqliteStorage(path) as storage:
        settings = {
            name: writer_of(storage).execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    full, on = 2, 1
    assert settings == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": on,
        "secure_delete": on,
    }


# --- several at once ----------------------------------------------------------------------


async def test_two_processes_of_one_file_see_each_other_and_only_one_wins(path: Path) -> None:
    async with SqliteStorage(path) as one, SqliteStorage(path) as other:
        session = await live(one)
        assert await other.sessions.load(session.id, HOME) == session
        lost: list[VersionConflict] = []

        async def write(storage: SqliteStorage, number: int) -> None:
            said = an_utterance(f"u{number}")
            try:
                await storage.sessions.commit(change_of(session, heard(said), utterances=[said]))
            except VersionConflict as conflict:
                lost.append(conflict)

        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(write, one if number % 2 else other, number)
        assert len(lost) == 9
        await is_whole(other, session.id)


async def test_many_may_make_the_same_file_at_the_same_time(path: Path) -> None:
    async def open_and_create(number: int) -> None:
        async with SqliteStorage(path) as storage:
            await put(storage, a_session(f"s{number}"))

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(open_and_create, number)
    async with SqliteStorage(path) as storage:
        assert await storage.sessions.count_open(HOME, user_id=None) == (8, 8)


async def test_cancelled_callers_leave_the_store_whole(path: Path) -> None:
    async with SqliteStorage(path) as storage:
        async with anyio.create_task_group() as group:
            for number in range(30):
                group.start_soon(live, storage, f"s{number}")
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        page = await storage.sessions.find(SessionQuery(limit=100), HOME)
        for session in page.sessions:
            await is_whole(storage, session.id)
        await put(storage, a_session("afterwards"))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_that_asyncio_cancels_harms_nobody_behind_it(path: Path) -> None:
    # Such a cancellation goes through every shield of anyio.
    async with SqliteStorage(path) as storage:
        session = await live(storage)
        for number in range(20):
            said = an_utterance(f"u{number}")
            change = change_of(session, heard(said), utterances=[said])
            writing = asyncio.create_task(storage.sessions.commit(change))
            for _ in range(number % 5):
                await asyncio.sleep(0)
            writing.cancel()
            await put(storage, a_session(f"behind_{number}"))
            await asyncio.wait([writing])
            await is_whole(storage, session.id)
            session = await storage.sessions.load(session.id, HOME)


async def test_whoever_is_cancelled_during_a_write_is_told_what_came_of_it(path: Path) -> None:
    async with SqliteStorage(path) as storage:
        stall = Stall(storage)
        told: list[str] = []

        async def write() -> None:
            told.append(await stall.write())
            await anyio.lowlevel.checkpoint()
            told.append("and was not cancelled")

        async with anyio.create_task_group() as group:
            group.start_soon(write)
            await stall.has_begun()
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
            stall.let_go_on()
        assert told == ["written"]


async def test_whoever_is_cancelled_during_a_write_waits_no_longer_than_others(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WAITS_FOR_AN_ANSWER_S, 1)
    async with SqliteStorage(path) as storage:
        stall = Stall(storage)

        async def write() -> None:
            with pytest.raises(StoreTimeout):
                await stall.write()

        async with anyio.create_task_group() as group:
            group.start_soon(write)
            await stall.has_begun()
            group.cancel_scope.cancel()
        monkeypatch.undo()
        stall.let_go_on()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_that_asyncio_cancels_waits_for_nothing(path: Path) -> None:
    async with SqliteStorage(path) as storage:
        stall = Stall(storage)
        writing = asyncio.create_task(stall.write())
        await stall.has_begun()
        writing.cancel()
        await asyncio.wait([writing])
        assert writing.cancelled()
        stall.let_go_on()


# --- when the medium fails ------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
async def test_a_file_that_another_process_holds_is_unavailable_and_then_free_again(
    path: Path,
) -> None:
    async with SqliteStorage(path) as storage:
        session = await live(storage)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked") as caught:
            await put(storage, a_session("s2"))
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert caught.value.retryable
        assert await storage.sessions.load(session.id, HOME) == session
        holder.execute("ROLLBACK")
        holder.close()
        await put(storage, a_session("s2"))


async def test_a_full_disk_is_unavailable_and_nothing_is_half_written(path: Path) -> None:
    async with SqliteStorage(path) as storage:
        session = await live(storage)
        writer = writer_of(storage)
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages}")
        said = [an_utterance(f"u{n}", text="y" * 5_000) for n in range(20)]
        change = change_of(session, *map(heard, said), utterances=said)
        with pytest.raises(StoreUnavailable, match="full"):
            await storage.sessions.commit(change)
        assert await storage.sessions.load(session.id, HOME) == session
        await is_whole(storage, session.id)
        writer.execute("PRAGMA max_page_count = 100000")
        await storage.sessions.commit(change)


async def test_what_fails_after_it_has_written_leaves_nothing_alone_or_beside_others(
    path: Path,
) -> None:
    def delete_and_fail(database: sqlite3.Connection) -> None:
        database.execute("DELETE FROM voice_sessions")
        raise ValueError("after all")

    async with SqliteStorage(path) as storage:

        async def fail() -> None:
            with pytest.raises(ValueError, match="after all"):
                await storage._connections.write(delete_and_fail)

        await put(storage, a_session("before"))
        await fail()
        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(put, storage, a_session(f"s{number}"))
                group.start_soon(fail)
        assert await storage.sessions.count_open(HOME, user_id=None) == (6, 6)


async def test_an_answer_that_takes_too_long_is_not_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SqliteStorage(path) as storage:
        session = await live(storage)
        stall = Stall(storage)
        async with anyio.create_task_group() as group:
            monkeypatch.setattr(WAITS_FOR_AN_ANSWER_S, 1)
            with pytest.raises(StoreTimeout):
                await stall.write()
            monkeypatch.undo()
            await stall.has_begun()
            # Who comes next waits until it is over, and is not confused by what is left of it.
            group.start_soon(
                storage.sessions.commit, Change(session=a_session("s2"), expected_seq=None)
            )
            await anyio.lowlevel.checkpoint()
            stall.let_go_on()
        assert await storage.sessions.load(session.id, HOME) == session
        assert await storage.sessions.load(SessionId("s2"), HOME) == a_session("s2")


async def test_who_waits_behind_what_hangs_is_told_in_time_and_never_served(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SqliteStorage(path) as storage:
        stall = Stall(storage)

        async def write_slowly() -> None:
            with pytest.raises(StoreTimeout):
                await stall.write()

        monkeypatch.setattr(WAITS_FOR_AN_ANSWER_S, 1)
        async with anyio.create_task_group() as group:
            group.start_soon(write_slowly)
            await stall.has_begun()
            with pytest.raises(StoreTimeout):
                await put(storage, a_session("too_late"))
        monkeypatch.undo()
        stall.let_go_on()
        await put(storage, a_session("afterwards"))
        page = await storage.sessions.find(SessionQuery(), HOME)
        assert [session.id for session in page.sessions] == ["afterwards"]


async def test_a_storage_that_nobody_closed_keeps_no_program_from_ending(path: Path) -> None:
    program = f"""
import anyio
from pathlib import Path
from voicesession.stores.sql import SqliteStorage
anyio.run(SqliteStorage(Path({str(path)!r})).__aenter__)
"""
    await anyio.run_process([sys.executable, "-c", program], cwd=ROOT)


async def test_it_is_closed_only_after_what_was_asked_of_it(path: Path) -> None:
    storage = await SqliteStorage(path).__aenter__()
    async with anyio.create_task_group() as group:
        group.start_soon(put, storage, a_session("just_in_time"))
        await anyio.lowlevel.checkpoint()
        await storage.__aexit__(None, None, None)
    with pytest.raises(StoreError, match="not open"):
        await put(storage, a_session("too_late"))
    async with storage:
        assert await storage.sessions.count_open(HOME, user_id=None) == (1, 1)


async def test_a_row_that_cannot_be_read_is_an_error_and_not_left_out(path: Path) -> None:
    async with SqliteStorage(path) as storage:
        session = await live(storage)
        said = an_utterance()
        await storage.sessions.commit(change_of(session, heard(said), utterances=[said]))
        reads: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
            (
                "UPDATE voice_utterances SET words = '{'",
                lambda: storage.transcripts.utterances(session.id, HOME),
            ),
            (
                "UPDATE voice_journal SET entry = '{}'",
                lambda: storage.sessions.journal(session.id, HOME),
            ),
            (
                "UPDATE voice_sessions SET state = '?'",
                lambda: storage.sessions.load(session.id, HOME),
            ),
        ]
        for damage, read in reads:
            writer_of(storage).execute(damage)
            with pytest.raises(StoreError, match="cannot be read"):
                await read()
        with pytest.raises(StoreError, match="cannot be read"):
            await storage.sessions.find(SessionQuery(), HOME)


async def test_a_lease_of_no_possible_number_is_refused(path: Path) -> None:
    async with SqliteStorage(path) as storage:
        for session_id, epoch in (("s1", 2**70), ("\ud800", 1)):
            with pytest.raises(StoreError, match="cannot hold"):
                await storage.sessions.release_lease(SessionId(session_id), epoch=epoch)
