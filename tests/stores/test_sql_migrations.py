"""A database of any past revision is brought up to date with all that is in it, or refused."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from voicesession.core.accounts import Account, Scope as Payer
from voicesession.core.errors import InvalidConfig, StoreError
from voicesession.core.identity import SessionId
from voicesession.core.meters import Meter
from voicesession.core.templates import TemplateId
from voicesession.stores.sql import SqliteStorage, migration, revisions
from voicesession.testing.contracts.storage.examples import (
    HOME,
    START,
    a_full_session,
    a_session,
    a_task,
    a_tombstone,
    an_utterance,
    change_of,
    heard,
    tombstones_of,
)

PAST = revisions.REVISIONS[:-1]
UNLIMITED: dict[str, Any] = {"max_active_us": None, "max_wall_clock_us": None}


def as_left_by(revision: str, path: Path) -> Path:
    """Return a file as that revision left it, with something in each of its tables."""
    script = Path(__file__).with_name(f"test_sql_revision_{revision}.sql")
    with closing(sqlite3.connect(path)) as database:
        database.executescript(script.read_text())
    return path


@pytest.fixture
def first(path: Path) -> Path:
    """Two sessions, and words."""
    return as_left_by("0001", path)


@pytest.fixture
def second(path: Path) -> Path:
    """Three sessions with a template, a task, words, a journal and a budget; one was deleted."""
    return as_left_by("0002", path)


@pytest.fixture
def third(path: Path) -> Path:
    """The second, and a session with limits in which two things were said at once."""
    return as_left_by("0003", path)


@pytest.fixture(params=PAST)
def old(request: pytest.FixtureRequest, path: Path) -> Path:
    return as_left_by(request.param, path)


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


def tables_of(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as database:
        return dict(database.execute("SELECT name, sql FROM sqlite_schema WHERE sql > ''"))


async def test_a_file_of_the_first_revision_is_brought_up_to_date_when_it_is_opened(
    first: Path, url: str
) -> None:
    assert migration.current(url) == "0001"
    async with SqliteStorage(first) as storage:
        session = await storage.sessions.load(SessionId("s1"), HOME)
        # What no table kept until then cannot be referred to any more.
        assert session == a_full_session(
            session_template_id=None, enhancement_job_id=None, legal_hold=False, **UNLIMITED
        )
        later = a_session("s2", previous_session_id=session.id)
        assert await storage.sessions.load(later.id, HOME) == later
        assert await storage.transcripts.utterances(session.id, HOME) == (an_utterance(),)
    assert migration.current(url) == revisions.HEAD
    assert migration.check(url) == []


async def test_a_file_of_the_second_revision_is_brought_up_to_date_when_it_is_opened(
    second: Path, url: str
) -> None:
    assert migration.current(url) == "0002"
    async with SqliteStorage(second) as storage:
        session = await storage.sessions.load(SessionId("s1"), HOME)
        assert session == a_full_session(**UNLIMITED)  # it began when nothing limited it
        (task,) = await storage.tasks.of_session(session.id, HOME)
        assert task == a_task("job_1", session=session)
        template = await storage.templates.get(TemplateId("tmpl_1"), HOME)
        assert (template.max_active_us, template.max_wall_clock_us) == (60_000_000, 90_000_000)
        live = await storage.sessions.load(SessionId("s3"), HOME)
        assert [entry.seq for entry in await storage.sessions.journal(live.id, HOME)] == [1, 2, 3]
        assert await storage.transcripts.utterances(live.id, HOME) == (an_utterance(),)
        assert list(await tombstones_of(storage, HOME)) == [a_tombstone("s4")]
        user = Account(Payer.USER, "ada")
        today, _month = await storage.ledger.standings((user,), (Meter.AUDIO_US,), at=START)
        assert (today.spent, today.held, today.remaining) == (7, 1_000, 3_600_000_000 - 1_007)
    assert migration.current(url) == revisions.HEAD
    assert migration.check(url) == []


async def test_words_of_the_third_revision_that_begin_together_stay_in_the_order_of_their_ids(
    third: Path, url: str
) -> None:
    assert migration.current(url) == "0003"
    async with SqliteStorage(third) as storage:
        session = await storage.sessions.load(SessionId("s3"), HOME)
        assert (session.max_active_us, session.max_wall_clock_us) == (60_000_000, 90_000_000)
        late = an_utterance("a")
        await storage.sessions.commit(change_of(session, heard(late), utterances=[late]))
        read = await storage.transcripts.utterances(session.id, HOME)
        assert [utterance.id for utterance in read] == ["u0", "u1", "a"]
    assert migration.current(url) == revisions.HEAD
    assert migration.check(url) == []


def test_the_references_of_an_old_file_are_whole_afterwards(old: Path, url: str) -> None:
    assert migration.upgrade(url) == revisions.HEAD
    with closing(sqlite3.connect(old)) as database:
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_the_migrations_come_to_the_tables_that_a_new_file_is_given(
    path: Path, url: str, tmp_path: Path
) -> None:
    assert migration.current(url) is None
    migration.upgrade(url)
    assert migration.check(url) == []
    made = tmp_path / "made.db"
    async with SqliteStorage(made):
        pass
    assert migration.check(f"sqlite:///{made}") == []
    assert tables_of(path).keys() == tables_of(made).keys()


def test_a_database_that_is_up_to_date_is_left_as_it_is(path: Path, url: str) -> None:
    migration.upgrade(url)
    before = path.read_bytes()
    assert migration.upgrade(url) == revisions.HEAD
    assert path.read_bytes() == before


def test_a_difference_is_told(path: Path, url: str) -> None:
    migration.upgrade(url)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP INDEX voice_tasks_due")
    (difference,) = migration.check(url)
    assert "voice_tasks_due" in difference


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE voice_revision SET version_num = '9999'", "revision 9999 .* upgrade the library"),
        ("DELETE FROM voice_revision", "half migrated"),
        ("DROP TABLE voice_holds", "half migrated: voice_holds is missing"),
        ("DROP TABLE voice_revision", "nothing says of which revision"),
    ],
)
async def test_what_is_newer_or_half_there_is_refused_and_left_as_it_is(
    path: Path, url: str, damage: str, told: str
) -> None:
    migration.upgrade(url)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(damage)
    before = tables_of(path)
    for use in (migration.upgrade, migration.current, migration.check):
        with pytest.raises(StoreError, match=told):
            use(url)
    with pytest.raises(StoreError, match=told):
        async with SqliteStorage(path):
            pass
    assert tables_of(path) == before


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "nothing"])
def test_an_url_of_no_database_of_ours_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        migration.upgrade(url)
    assert "secret" not in str(caught.value)
