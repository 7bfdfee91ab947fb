"""SQLite keeps the contract, and what it has acknowledged it never loses."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest
from attrs import evolve

from voicesession.core.errors import StoreError, StoreUnavailable
from voicesession.core.events import TransportReady
from voicesession.ports.storage import EVERYTHING, Scope, SessionQuery
from voicesession.stores.sql import SqliteStorage
from voicesession.stores.sql.schema import METADATA
from voicesession.testing.contracts.storage import (
    OURS,
    START,
    StorageContract,
    a_session,
    a_tombstone,
    after,
    an_utterance,
    create,
)

ROOT = Path(__file__).parents[2]


class TestSqliteStorage(StorageContract):
    @pytest.fixture
    async def storage(self, tmp_path: Path) -> AsyncGenerator[SqliteStorage]:
        async with SqliteStorage(tmp_path / "voice.db") as storage:
            yield storage


async def test_a_change_that_cannot_be_written_whole_is_not_written_at_all(tmp_path: Path) -> None:
    async with SqliteStorage(tmp_path / "voice.db") as storage:
        old = await create(storage, a_session())
        unstorable = evolve(an_utterance(2), text=object())  # type: ignore[arg-type]
        change = after(old, TransportReady(at=START), utterances=(an_utterance(1), unstorable))
        with pytest.raises(StoreError):
            await storage.commit(change)
        assert await storage.load(old.id, OURS) == old
        assert len(await storage.journal(old.id, OURS)) == 1
        assert await storage.utterances(old.id, OURS) == ()


async def test_what_was_stored_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "voice.db"
    async with SqliteStorage(path) as storage:
        stored = await create(storage, a_session())
    async with SqliteStorage(path) as storage:
        assert await storage.load(stored.id, OURS) == stored


async def test_two_processes_of_one_file_see_each_other(tmp_path: Path) -> None:
    path = tmp_path / "voice.db"
    async with SqliteStorage(path) as one, SqliteStorage(path) as other:
        stored = await create(one, a_session())
        assert await other.load(stored.id, OURS) == stored


async def test_every_acknowledged_commit_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "voice.db"
    writer = subprocess.Popen(  # noqa: ASYNC220, S603 - our own program, and killed below
        [sys.executable, str(Path(__file__).with_name("endless_writer.py")), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(40)]
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    acknowledged += writer.stdout.read().split()
    writer.stdout.close()
    async with SqliteStorage(path) as storage:
        for name in acknowledged:
            session = await storage.load(a_session(name).id, EVERYTHING)
            journal = await storage.journal(session.id, EVERYTHING)
            assert [entry.seq for entry in journal] == list(range(1, session.seq + 1))
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


async def test_cancelled_callers_leave_the_store_whole(tmp_path: Path) -> None:
    async with SqliteStorage(tmp_path / "voice.db") as storage:
        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(create, storage, a_session(f"s{number}"))
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        found = (await storage.find(SessionQuery(limit=100), OURS)).sessions
        for session in found:
            assert len(await storage.journal(session.id, OURS)) == session.seq
        await create(storage, a_session("afterwards"))


async def test_a_file_that_another_process_holds_is_unavailable_and_then_free_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicesession.stores.sql.connections._WAITS_FOR_LOCK_S", 0.05)
    path = tmp_path / "voice.db"
    async with SqliteStorage(path) as storage:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await create(storage, a_session())
        holder.execute("ROLLBACK")
        holder.close()
        await create(storage, a_session())


async def test_a_full_disk_is_unavailable_and_nothing_is_half_written(tmp_path: Path) -> None:
    async with SqliteStorage(tmp_path / "voice.db") as storage:
        writer = storage._connections._writer
        assert writer is not None
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages}")
        big = a_session(metadata_json='{"x":"' + "y" * 16_000 + '"}')
        with pytest.raises(StoreUnavailable, match="full"):
            await create(storage, big)
        assert (await storage.find(SessionQuery(), OURS)).sessions == ()
        writer.execute("PRAGMA max_page_count = 100000")
        await create(storage, big)


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"RIFF....WAVEfmt "])
async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "voice.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"voice\.db"):
        async with SqliteStorage(path):
            pass
    assert path.read_bytes() == content


async def test_a_database_of_a_newer_library_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "voice.db"
    async with SqliteStorage(path):
        pass
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="upgrade the library"):
        async with SqliteStorage(path):
            pass


async def test_a_folder_that_is_not_there_is_an_error_and_stays_away(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"voice\.db"):
        async with SqliteStorage(tmp_path / "nowhere" / "voice.db"):
            pass
    assert not (tmp_path / "nowhere").exists()


async def test_using_it_before_it_is_open_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="async with"):
        await SqliteStorage(tmp_path / "voice.db").load(a_session().id, OURS)
    assert not (tmp_path / "voice.db").exists()


async def test_deleted_words_are_not_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "voice.db"
    async with SqliteStorage(path) as storage:
        secret = a_session(error="a very secret sentence")
        await create(storage, secret)
        await storage.delete(secret.id, OURS, tombstone=a_tombstone())
        assert await storage.tombstones(OURS) == (a_tombstone(),)
        assert await storage.tombstones(Scope(a_session().tenant_id.__class__("globex"))) == ()
    assert b"very secret" not in path.read_bytes()


def test_the_tables_stand_beside_those_of_a_host() -> None:
    assert all(name.startswith("voice_") for name in METADATA.tables)


async def test_a_list_is_read_through_an_index(tmp_path: Path) -> None:
    path = tmp_path / "voice.db"
    async with SqliteStorage(path) as storage:
        await create(storage, a_session())
        reader = storage._connections._reader
        assert reader is not None
        plan = reader.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM voice_sessions WHERE tenant_id = 'acme' "
            "AND listed_at <= 5 AND (listed_at < 5 OR id < 'x') "
            "ORDER BY listed_at DESC, id DESC LIMIT 51"
        ).fetchall()
    steps = [row["detail"] for row in plan]
    assert all("SCAN" not in step and "TEMP B-TREE" not in step for step in steps), steps
