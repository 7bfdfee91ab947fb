"""What the document stores do where a medium has limits: split, go on later, or refuse."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from voicesession.core.errors import InvalidValue, SessionNotFound
from voicesession.core.events import DetailsChanged
from voicesession.core.identity import SessionId
from voicesession.core.metadata import metadata_json
from voicesession.core.session import Session
from voicesession.ports.storage import EVERYTHING, Change, Order, Page, RunningStats, SessionQuery
from voicesession.stores.documents import DocumentStorage, MemoryDocumentDriver, lists
from voicesession.testing.contracts.storage.examples import (
    HOME,
    START,
    a_session,
    a_tombstone,
    an_utterance,
    change_of,
    heard,
    live,
    put,
)

LARGEST = 8_192
HOUR = timedelta(hours=1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def driver() -> MemoryDocumentDriver:
    return MemoryDocumentDriver(largest_document_bytes=LARGEST)


@pytest.fixture
async def storage(driver: MemoryDocumentDriver) -> AsyncGenerator[DocumentStorage]:
    async with DocumentStorage(driver) as storage:
        yield storage


def _telling(session: Session, transcript: str | None) -> Change:
    told = DetailsChanged(at=START, fields=("transcript_final",))
    return change_of(session, told, transcript_final=transcript)


# --- long transcripts ----------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["x", "ü", "\N{MUSICAL SYMBOL G CLEF}"])
async def test_a_transcript_too_long_for_one_document_comes_back_whole(
    storage: DocumentStorage, letter: str
) -> None:
    session = await live(storage)
    for length in (9_000, 40_001, 12_345, 10, 30_000):
        transcript = ("." + letter * (length // len(letter.encode())))[:length]
        change = _telling(session, transcript)
        await storage.sessions.commit(change)
        session = change.session
        assert await storage.sessions.load(session.id, HOME) == session
        assert (await storage.sessions.find(SessionQuery(), HOME)).sessions == (session,)


async def test_a_split_transcript_survives_what_is_written_without_a_commit(
    storage: DocumentStorage,
) -> None:
    session = evolve(await live(storage), transcript_final="x" * 20_000)
    await storage.sessions.commit(_telling(evolve(session, transcript_final=None), "x" * 20_000))
    lease = await storage.sessions.take_lease(session.id, HOME, worker_id="w1", duration=HOUR)
    await storage.sessions.renew_leases({session.id: lease.epoch}, duration=HOUR)
    assert (await storage.sessions.load(session.id, HOME)).transcript_final == "x" * 20_000
    await storage.sessions.release_lease(session.id, epoch=lease.epoch)
    assert (await storage.sessions.load(session.id, HOME)).transcript_final == "x" * 20_000


async def test_a_session_that_is_due_is_taken_with_its_long_transcript(
    storage: DocumentStorage,
) -> None:
    session = await live(storage, deadline_at=START)
    change = _telling(session, "x" * 20_000)
    await storage.sessions.commit(change)
    (due,) = await storage.sessions.take_due(worker_id="sweeper", duration=HOUR)
    assert due.session == change.session


async def test_a_shorter_transcript_leaves_no_piece_of_the_longer_one(
    storage: DocumentStorage, driver: MemoryDocumentDriver
) -> None:
    session = await live(storage)
    for transcript in ("hush " * 7_000, "none"):
        change = _telling(session, transcript)
        await storage.sessions.commit(change)
        session = change.session
    assert not any("hush" in str(document) for document in driver._kept.values())


async def test_a_transcript_that_no_batch_could_hold_is_refused_and_changes_nothing(
    storage: DocumentStorage,
) -> None:
    session = await live(storage)
    with pytest.raises(InvalidValue, match="transcript_final is '90000 bytes'; allowed: at most"):
        await storage.sessions.commit(_telling(session, "x" * 90_000))
    assert await storage.sessions.load(session.id, HOME) == session


# --- what cannot be split ------------------------------------------------------------------------


async def test_what_is_too_large_is_refused_by_its_name_and_nothing_is_written(
    storage: DocumentStorage,
) -> None:
    session = await live(storage)
    said = an_utterance(text="x" * LARGEST)
    told = DetailsChanged(at=START, fields=("error",))
    refused: tuple[tuple[str, Change], ...] = (
        ("utterances", change_of(session, heard(said), utterances=[said])),
        ("session", change_of(session, told, error="x" * LARGEST)),
        ("session", change_of(session, told, transcript_partial="x" * LARGEST)),
        (
            "session",
            Change(
                session=a_session("s2", metadata_json=metadata_json({"a": "x" * LARGEST})),
                expected_seq=None,
            ),
        ),
    )
    for name, change in refused:
        with pytest.raises(InvalidValue, match=f"^{name} is '.* bytes'; allowed: at most 8192"):
            await storage.sessions.commit(change)
    assert await storage.sessions.load(session.id, HOME) == session
    assert list(await storage.transcripts.utterances(session.id, HOME)) == []
    with pytest.raises(SessionNotFound):
        await storage.sessions.load(SessionId("s2"), HOME)


async def test_stats_that_are_too_large_stop_all_of_them(storage: DocumentStorage) -> None:
    sessions = [await live(storage, f"s{number}") for number in range(3)]
    for session in sessions:
        await storage.sessions.take_lease(session.id, HOME, worker_id="w1", duration=HOUR)
    counted = RunningStats(
        epoch=1,
        audio_duration_us=1,
        audio_chunks_received=1,
        audio_chunks_processed=1,
        audio_used_us=1,
    )
    stats = {session.id: counted for session in sessions}
    stats[sessions[1].id] = evolve(counted, transcript_partial="x" * LARGEST)
    with pytest.raises(InvalidValue, match="stats"):
        await storage.sessions.write_stats(stats)
    for session in sessions:
        assert (await storage.sessions.load(session.id, HOME)).audio_duration_us == 0


async def test_a_change_of_more_documents_than_a_batch_is_refused_and_changes_nothing(
    storage: DocumentStorage,
) -> None:
    session = await live(storage)
    said = [an_utterance(f"u{number}") for number in range(300)]
    with pytest.raises(InvalidValue, match="change is '601 documents'; allowed: at most 500"):
        await storage.sessions.commit(change_of(session, *map(heard, said), utterances=said))
    assert await storage.sessions.load(session.id, HOME) == session
    assert len(await storage.sessions.journal(session.id, HOME)) == session.seq


async def test_a_change_that_weighs_more_than_a_batch_is_refused_and_changes_nothing(
    storage: DocumentStorage,
) -> None:
    session = await live(storage)
    said = [an_utterance(f"u{number}", text="x" * 3_000) for number in range(15)]
    with pytest.raises(InvalidValue, match=r"change is '\d+ bytes'; allowed: at most 73728"):
        await storage.sessions.commit(change_of(session, *map(heard, said), utterances=said))
    assert await storage.sessions.load(session.id, HOME) == session


async def test_many_leases_and_stats_are_written_however_heavy_their_sessions_are(
    storage: DocumentStorage,
) -> None:
    heavy = metadata_json({"a": "x" * 4_000})
    held: dict[SessionId, int] = {}
    for number in range(120):
        session = a_session(f"s{number}", metadata_json=heavy)
        await put(storage, session)
        await storage.sessions.take_lease(session.id, HOME, worker_id="w1", duration=HOUR)
        held[session.id] = 1
    renewed = await storage.sessions.renew_leases(held, duration=2 * HOUR)
    assert renewed == dict.fromkeys(held, 0)


async def test_a_session_whose_followers_do_not_fit_one_batch_is_deleted_all_the_same(
    storage: DocumentStorage,
) -> None:
    await put(storage, a_session("first"))
    followers = [
        a_session(f"s{number}", previous_session_id=SessionId("first")) for number in range(30)
    ]
    await put(storage, *followers)
    await storage.sessions.delete(SessionId("first"), HOME, tombstone=a_tombstone("first"))
    for follower in followers:
        stored = await storage.sessions.load(follower.id, HOME)
        assert stored == evolve(follower, previous_session_id=None)


# --- lists that no index covers --------------------------------------------------------------------


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many documents are read for one page, few enough for a test."""
    monkeypatch.setattr(lists, "MOST_READ", 7)
    return 7


async def _assorted(storage: DocumentStorage) -> list[str]:
    """Put 40 sessions; return the ids of those in mode b, the oldest first."""
    modes = {number: "b" if number in {3, 4, 20, 36, 37, 38, 39} else "a" for number in range(40)}
    for number, mode in modes.items():
        started_at = START + timedelta(minutes=number)
        await put(storage, a_session(f"s{number:02}", mode=mode, started_at=started_at))
    return [f"s{number:02}" for number, mode in modes.items() if mode == "b"]


@pytest.mark.parametrize("limit", [1, 2, 3, 50, 100])
@pytest.mark.parametrize("order", Order)
async def test_who_follows_the_cursors_sees_everything_once_however_rare_it_is(
    storage: DocumentStorage, patience: int, order: Order, limit: int
) -> None:
    rare = await _assorted(storage)
    expected = rare if order is Order.OLDEST_FIRST else rare[::-1]
    query = SessionQuery(mode="b", order=order, limit=limit)
    forwards = await _walk(storage, query, "next_cursor")
    assert [session.id for page in forwards for session in page.sessions] == expected
    assert any(len(page.sessions) < limit for page in forwards[:-1]) or limit == 1
    last = forwards[-1]
    if last.previous_cursor is not None and last.sessions:
        back = evolve(query, cursor=last.previous_cursor)
        backwards = await _walk(storage, back, "previous_cursor")
        seen = [session.id for page in backwards[::-1] for session in page.sessions]
        assert seen == expected[: -len(last.sessions)]


async def _walk(storage: DocumentStorage, query: SessionQuery, follow: str) -> list[Page]:
    pages: list[Page] = []
    while len(pages) < 50:
        page = await storage.sessions.find(query, HOME)
        pages.append(page)
        cursor = getattr(page, follow)
        if cursor is None:
            return pages
        query = evolve(query, cursor=cursor)
    raise AssertionError("the pages never end")


async def test_an_offset_further_than_is_read_for_a_page_is_refused_with_a_way_out(
    storage: DocumentStorage, patience: int
) -> None:
    await _assorted(storage)
    with pytest.raises(
        InvalidValue, match=r"offset is 20; allowed: at most .*cursors lead further"
    ):
        await storage.sessions.find(SessionQuery(offset=20, limit=1), HOME)
    page = await storage.sessions.find(SessionQuery(offset=5, limit=1), HOME)
    assert [session.id for session in page.sessions] == ["s34"]


async def test_every_filter_is_held_whichever_index_is_read(storage: DocumentStorage) -> None:
    await put(
        storage,
        *(
            a_session(f"s{n}", user_id="ada" if n % 2 else "bob", mode="b" if n % 3 else "a")
            for n in range(12)
        ),
    )
    wanted: dict[str, Any] = {"user_id": "ada", "mode": "b", "state": "IDLE", "status": "active"}
    for scope in (HOME, EVERYTHING):
        page = await storage.sessions.find(SessionQuery(**wanted, order=Order.OLDEST_FIRST), scope)
        assert [s.id for s in page.sessions] == ["s1", "s11", "s5", "s7"]
