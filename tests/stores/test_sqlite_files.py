"""What SQLite makes of files: which it opens, which it refuses, and what it leaves in them."""

import sqlite3
from pathlib import Path
from typing import Any

import anyio
import pytest

from voicesession.core.errors import InvalidValue, StoreError
from voicesession.core.identity import SessionId
from voicesession.stores.sql import SqliteStorage
from voicesession.stores.sql.schema import METADATA
from voicesession.stores.sql.sqlite.connections import Connections
from voicesession.testing.contracts.storage.examples import (
    HOME,
    a_session,
    a_tombstone,
    an_utterance,
    change_of,
    heard,
    live,
    put,
)


async def open_and_close(path: Path) -> None:
    async with SqliteStorage(path):
        pass


def files_beside(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"RIFF....WAVEfmt "])
async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    path: Path, content: bytes
) -> None:
    await anyio.Path(path).write_bytes(content)
    with pytest.raises(StoreError, match=r"voice\.db"):
        await open_and_close(path)
    assert files_beside(path) == {"voice.db": content}


async def test_a_database_of_a_newer_library_is_refused(path: Path) -> None:
    await open_and_close(path)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE voice_revision SET version_num = '0099'")
    database.close()
    with pytest.raises(StoreError, match=r"revision 0099 .* upgrade the library"):
        await open_and_close(path)


async def test_its_tables_stand_beside_those_of_a_host(path: Path) -> None:
    with sqlite3.connect(path) as host:
        host.execute("CREATE TABLE users (id TEXT)")
        host.execute("PRAGMA user_version = 7")
    await open_and_close(path)
    assert host.execute("PRAGMA user_version").fetchone() == (7,)
    names = {name for (name,) in host.execute("SELECT name FROM sqlite_schema WHERE sql > ''")}
    host.close()
    assert all(name == "users" or name.startswith("voice_") for name in names)
    assert set(METADATA.tables) < names


async def test_a_host_that_has_our_names_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as host:
        host.execute("CREATE TABLE voice_utterances (id TEXT)")
    with pytest.raises(StoreError, match="voice_utterances already exists"):
        await open_and_close(path)
    assert host.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (1,)
    host.close()


@pytest.mark.parametrize("place", ["nowhere/voice.db", ".", ":memory:"])
async def test_where_no_file_can_be_there_is_an_error_and_nothing_new(
    tmp_path: Path, place: str
) -> None:
    with pytest.raises(StoreError):
        await open_and_close(Path(place) if place == ":memory:" else tmp_path / place)
    assert files_beside(tmp_path / "voice.db") == {}


async def test_a_path_with_a_nul_character_is_refused() -> None:
    with pytest.raises(InvalidValue, match="path"):
        SqliteStorage(Path("nul\0.db"))


@pytest.mark.usefixtures("impatient")
async def test_a_file_that_was_made_in_vain_is_removed_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "voicesession.stores.sql.sqlite.files.making_of_sqlite_tables", lambda: ("CREATE no table",)
    )
    with pytest.raises(StoreError):
        await open_and_close(path)
    assert files_beside(path) == {}


async def test_a_file_that_may_not_be_written_is_refused(path: Path) -> None:
    await open_and_close(path)
    connections = SqliteStorage(path)._connections
    connections._connect = lambda: sqlite3.connect(  # type: ignore[method-assign]
        f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    with pytest.raises(StoreError, match="readonly") as caught:
        await connections.open(lambda db: db.execute("DELETE FROM voice_sessions").close())
    assert not caught.value.retryable


class Contested(sqlite3.Connection):
    """A connection to a file that others are about to open, so that SQLite refuses its log."""

    refusals = 0

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if "journal_mode" in statement and self.refusals:
            self.refusals -= 1
            raise sqlite3.OperationalError("database is locked")
        return super().execute(statement, *values)


@pytest.mark.parametrize(("refusals", "opens"), [(1, True), (99, True), (100, False)])
@pytest.mark.usefixtures("impatient")
def test_who_opens_a_new_file_together_with_others_tries_again_for_a_while(
    path: Path, refusals: int, opens: bool
) -> None:
    contested = sqlite3.connect(path, factory=Contested)
    contested.refusals = refusals
    try:
        Connections(path)._log_ahead(contested)
    except sqlite3.OperationalError:
        assert not opens
    else:
        assert opens
    contested.close()


async def test_it_is_opened_once_at_a_time_and_used_only_while_it_is_open(path: Path) -> None:
    storage = SqliteStorage(path)
    with pytest.raises(StoreError, match="async with"):
        await storage.sessions.load(SessionId("s1"), HOME)
    assert files_beside(path) == {}
    async with storage:
        with pytest.raises(StoreError, match="open already"):
            await storage.__aenter__()
        await put(storage, a_session())
    with pytest.raises(StoreError, match="async with"):
        await storage.sessions.load(SessionId("s1"), HOME)
    await storage._connections.aclose()  # twice is harmless


WORDS = "a very secret sentence "


def files_with_the_words(path: Path) -> list[str]:
    return [name for name, content in files_beside(path).items() if WORDS.encode() in content]


async def test_deleted_words_are_in_no_file_any_more(path: Path) -> None:
    async with SqliteStorage(path) as storage:
        for session_id in ("s1", "s2"):
            session = await live(storage, session_id, transcript_partial=WORDS * 100)
            said = an_utterance(text=WORDS * 100)
            change = change_of(session, heard(said), utterances=[said], transcript_partial=None)
            await storage.sessions.commit(change)
        assert files_with_the_words(path)
        await storage.sessions.delete(SessionId("s1"), HOME, tombstone=a_tombstone())
        await storage.transcripts.delete_utterances(SessionId("s2"), HOME)
        assert files_with_the_words(path) == []


@pytest.mark.usefixtures("impatient")
async def test_words_are_deleted_although_somebody_reads_old_pages(path: Path) -> None:
    async with SqliteStorage(path) as storage:
        session = await live(storage)
        said = an_utterance(text=WORDS)
        await storage.sessions.commit(change_of(session, heard(said), utterances=[said]))
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM voice_utterances").fetchall()
        await storage.transcripts.delete_utterances(session.id, HOME)
        assert await storage.transcripts.utterances(session.id, HOME) == ()
        reader.close()
    assert files_with_the_words(path) == []
