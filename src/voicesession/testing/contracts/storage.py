"""What every storage does: see `voicesession.ports.storage` for the rules in words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio
import pytest
from attrs import evolve

from ...core.errors import (
    InvalidValue,
    LeaseLost,
    SessionExists,
    SessionNotActive,
    SessionNotFound,
    VersionConflict,
)
from ...core.events import (
    ConnectRequested,
    DetailsChanged,
    EndRequested,
    PauseRequested,
    SessionEvent,
    TransportReady,
)
from ...core.identity import SessionId, TenantId
from ...core.journal import JournalEntry
from ...core.life import apply
from ...core.session import Session
from ...core.states import EndReason, SessionState, SessionStatus
from ...core.utterance import Speaker, Utterance, UtteranceId, Word
from ...ports.storage import (
    EVERYTHING,
    Change,
    Order,
    RunningStats,
    Scope,
    SessionQuery,
    Storage,
    Tombstone,
)

__all__ = ("StorageContract",)

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
ACME: Final = TenantId("acme")
OURS: Final = Scope(ACME)
THEIRS: Final = Scope(TenantId("globex"))
LONG: Final = timedelta(minutes=10)


def a_session(name: str = "s1", **changes: Any) -> Session:
    """Return a session that has never been stored."""
    base = Session(
        id=SessionId(name),
        tenant_id=ACME,
        created_at=START,
        updated_at=START,
        state_since=START,
        last_activity_at=START,
    )
    return evolve(base, **changes)


def an_utterance(number: int, text: str = "hello") -> Utterance:
    """Return one utterance of the user, at its own second."""
    start_us = number * 1_000_000
    word = Word(text=text, start_us=start_us, end_us=start_us + 400_000, confidence=0.5)
    return Utterance(
        id=UtteranceId(f"utt_{number}"),
        speaker=Speaker.USER,
        start_us=start_us,
        end_us=start_us + 500_000,
        text=text,
        words=(word,),
    )


def after(
    session: Session,
    *events: SessionEvent,
    epoch: int | None = None,
    utterances: tuple[Utterance, ...] = (),
    **changes: Any,
) -> Change:
    """Return the change that *events* make of the stored *session*."""
    new = session
    entries: list[JournalEntry] = []
    for event in events:
        new = apply(new, event)
        entries.append(JournalEntry(new.seq, event))
    return Change(
        session=evolve(new, **changes),
        expected_seq=session.seq,
        epoch=epoch,
        entries=tuple(entries),
        utterances=utterances,
    )


def connected(at: datetime = START) -> ConnectRequested:
    return ConnectRequested(at=at)


async def create(storage: Storage, session: Session, *, started_at: datetime = START) -> Session:
    """Store *session* as the manager does: new, with the first event of its journal."""
    event = connected(max(started_at, session.created_at))
    stored = apply(session, event)
    entry = JournalEntry(1, event)
    await storage.sessions.commit(Change(session=stored, expected_seq=None, entries=(entry,)))
    return stored


async def own(storage: Storage, session: Session, worker: str = "w1") -> Session:
    """Take the lease of a stored session; return it as it is stored then."""
    await storage.sessions.take_lease(session.id, OURS, worker_id=worker, duration=LONG)
    return await storage.sessions.load(session.id, OURS)


@pytest.mark.anyio
class StorageContract(ABC):
    """Subclass it and give it a ``storage`` fixture: open, empty, and closed afterwards."""

    @pytest.fixture
    @abstractmethod
    def storage(self) -> Storage:
        """Return an open, empty storage."""

    # --- commit ---------------------------------------------------------------------------

    async def test_what_is_committed_is_what_is_loaded(self, storage: Storage) -> None:
        stored = await create(
            storage,
            a_session(
                user_id="ada",
                language="de",
                secrets_blurred=("phone", "email"),
                enabled_panels=("chat",),
                metadata_json='{"a":[1,"ü"]}',
                audio_duration_us=1_234_567,
                audio_used_us=7,
            ),
        )
        assert await storage.sessions.load(stored.id, OURS) == stored

    async def test_an_id_is_taken_once_in_all_tenants(self, storage: Storage) -> None:
        stored = await create(storage, a_session(user_id="ada"))
        for again in (a_session(), a_session(tenant_id=TenantId("globex"))):
            with pytest.raises(SessionExists):
                await create(storage, again)
        assert await storage.sessions.load(stored.id, OURS) == stored
        assert len(await storage.sessions.journal(stored.id, OURS)) == 1

    async def test_a_stale_write_is_refused_and_changes_nothing(self, storage: Storage) -> None:
        old = await create(storage, a_session())
        first = after(old, TransportReady(at=START))
        await storage.sessions.commit(first)
        stale = after(
            old, EndRequested(at=START, reason=EndReason.ERROR), utterances=(an_utterance(1),)
        )
        with pytest.raises(VersionConflict):
            await storage.sessions.commit(stale)
        assert await storage.sessions.load(old.id, OURS) == first.session
        assert [e.seq for e in await storage.sessions.journal(old.id, OURS)] == [1, 2]
        assert await storage.transcripts.utterances(old.id, OURS) == ()

    async def test_of_many_racing_writers_exactly_one_wins(self, storage: Storage) -> None:
        old = await create(storage, a_session())
        outcomes: list[str] = []

        async def write(number: int) -> None:
            mine = after(old, DetailsChanged(at=START, fields=()), error=str(number))
            try:
                await storage.sessions.commit(mine)
            except VersionConflict:
                outcomes.append("lost")
            else:
                outcomes.append("won")

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(write, number)
        assert sorted(outcomes) == ["lost"] * 7 + ["won"]
        assert len(await storage.sessions.journal(old.id, OURS)) == 2

    async def test_changing_what_is_not_there_is_an_error(self, storage: Storage) -> None:
        nobody = apply(a_session(), connected())
        with pytest.raises(SessionNotFound):
            await storage.sessions.commit(after(nobody, TransportReady(at=START)))
        stored = await create(storage, a_session())
        foreign = evolve(stored, tenant_id=TenantId("globex"))
        with pytest.raises(SessionNotFound):
            await storage.sessions.commit(after(foreign, TransportReady(at=START)))

    async def test_instants_are_the_same_whatever_zone_they_came_in(self, storage: Storage) -> None:
        moment = datetime.fromisoformat("2026-03-29T02:59:59.999999+02:00")
        stored = await create(storage, a_session(created_at=moment, updated_at=moment))
        loaded = await storage.sessions.load(stored.id, OURS)
        assert loaded.created_at == moment
        assert loaded.created_at.utcoffset() == timedelta()

    # --- scope ----------------------------------------------------------------------------

    async def test_what_lies_outside_the_scope_does_not_exist(self, storage: Storage) -> None:
        stored = await own(storage, await create(storage, a_session(user_id="ada")))
        sessions, transcripts = storage.sessions, storage.transcripts
        attempts: list[Callable[[], Coroutine[Any, Any, object]]] = [
            lambda: sessions.load(stored.id, THEIRS),
            lambda: sessions.journal(stored.id, THEIRS),
            lambda: sessions.delete(stored.id, THEIRS, tombstone=a_tombstone()),
            lambda: sessions.take_lease(stored.id, THEIRS, worker_id="w2", duration=LONG),
            lambda: transcripts.utterances(stored.id, THEIRS),
            lambda: transcripts.delete_utterances(stored.id, THEIRS),
        ]
        for attempt in attempts:
            with pytest.raises(SessionNotFound):
                await attempt()
        assert (await sessions.find(SessionQuery(), THEIRS)).sessions == ()
        assert await sessions.count_open(THEIRS, user_id="ada") == (0, 0)
        assert await sessions.load(stored.id, OURS) == stored

    async def test_an_operator_sees_every_tenant(self, storage: Storage) -> None:
        await create(storage, a_session("s1", user_id="ada"))
        await create(storage, a_session("s2", user_id="ada", tenant_id=TenantId("globex")))
        found = await storage.sessions.find(SessionQuery(), EVERYTHING)
        assert {session.id for session in found.sessions} == {"s1", "s2"}
        assert await storage.sessions.count_open(EVERYTHING, user_id="ada") == (2, 2)
        assert (await storage.sessions.load(SessionId("s2"), EVERYTHING)).tenant_id == "globex"

    async def test_only_sessions_that_have_not_ended_are_open(self, storage: Storage) -> None:
        await create(storage, a_session("s1", user_id="ada"))
        await create(storage, a_session("s2"))
        over = await create(storage, a_session("s3", user_id="ada"))
        end = EndRequested(at=START, reason=EndReason.COMPLETED)
        await storage.sessions.commit(after(over, end))
        assert await storage.sessions.count_open(OURS, user_id="ada") == (1, 2)
        assert await storage.sessions.count_open(OURS, user_id=None) == (1, 2)

    # --- lists ----------------------------------------------------------------------------

    async def test_pages_meet_without_a_gap_or_a_double_in_both_orders(
        self, storage: Storage
    ) -> None:
        for number in range(7):
            # Two by two at the same instant: then the id decides.
            at = START + timedelta(hours=number // 2)
            await create(storage, a_session(f"s{number}", created_at=at, updated_at=at))
        for order, expected in (
            (Order.OLDEST_FIRST, [f"s{n}" for n in range(7)]),
            (Order.NEWEST_FIRST, [f"s{n}" for n in reversed(range(7))]),
        ):
            assert await self._walk(storage, SessionQuery(order=order, limit=3)) == expected

    async def test_who_goes_back_sees_the_page_they_came_from(self, storage: Storage) -> None:
        for number in range(6):
            await create(storage, a_session(f"s{number}"))
        query = SessionQuery(limit=2, order=Order.OLDEST_FIRST)
        first = await storage.sessions.find(query, OURS)
        second = await storage.sessions.find(evolve(query, cursor=first.next_cursor), OURS)
        third = await storage.sessions.find(evolve(query, cursor=second.next_cursor), OURS)
        assert (first.previous_cursor, third.next_cursor) == (None, None)
        back = await storage.sessions.find(evolve(query, cursor=third.previous_cursor), OURS)
        assert back.sessions == second.sessions
        again = await storage.sessions.find(evolve(query, cursor=back.previous_cursor), OURS)
        assert again == first
        forth = await storage.sessions.find(evolve(query, cursor=again.next_cursor), OURS)
        assert forth.sessions == second.sessions

    async def test_a_page_holds_although_sessions_are_created_before_it(
        self, storage: Storage
    ) -> None:
        for number in range(4):
            await create(storage, a_session(f"s{number}"))
        query = SessionQuery(limit=2)
        first = await storage.sessions.find(query, OURS)
        await create(storage, a_session("s9", created_at=START + timedelta(hours=1)))
        second = await storage.sessions.find(evolve(query, cursor=first.next_cursor), OURS)
        assert [s.id for s in (*first.sessions, *second.sessions)] == ["s3", "s2", "s1", "s0"]

    async def test_all_filters_hold_together(self, storage: Storage) -> None:
        await create(storage, a_session("other", user_id="bob", mode="LS1A"))
        for number in range(4):
            at = START + timedelta(hours=number)
            wanted = a_session(
                f"s{number}",
                user_id="ada",
                mode="transcription",
                metadata_json='{"room":"blue","floor":1}',
                created_at=at,
                updated_at=at,
            )
            await create(storage, wanted)
        query = SessionQuery(
            state=SessionState.CONNECTING,
            status=SessionStatus.ACTIVE,
            user_id="ada",
            mode="transcription",
            since=START + timedelta(hours=1),
            until=START + timedelta(hours=3),
            metadata={"room": "blue"},
        )
        assert [s.id for s in (await storage.sessions.find(query, OURS)).sessions] == ["s2", "s1"]
        nothing: list[dict[str, Any]] = [
            {"state": SessionState.LIVE},
            {"status": SessionStatus.COMPLETED},
            {"user_id": "bob"},
            {"mode": "LS1A"},
            {"since": START + timedelta(hours=3)},
            {"until": START + timedelta(hours=1)},
            {"metadata": {"room": "red"}},
            {"metadata": {"floor": "1"}},  # a number is not its text
            {"metadata": {'ro"om': "blue"}},
        ]
        for changes in nothing:
            narrowed = evolve(query, **changes)
            assert (await storage.sessions.find(narrowed, OURS)).sessions == (), changes

    async def test_an_offset_skips_and_its_page_leads_back(self, storage: Storage) -> None:
        for number in range(5):
            await create(storage, a_session(f"s{number}"))
        query = SessionQuery(order=Order.OLDEST_FIRST, limit=2, offset=2)
        page = await storage.sessions.find(query, OURS)
        assert [s.id for s in page.sessions] == ["s2", "s3"]
        back = await storage.sessions.find(
            evolve(query, offset=0, cursor=page.previous_cursor), OURS
        )
        assert [s.id for s in back.sessions] == ["s0", "s1"]

    @pytest.mark.parametrize("cursor", ["", "x", "????", "W10=", "WzEsMiwzLDRd", "é"])
    async def test_a_broken_cursor_is_refused(self, storage: Storage, cursor: str) -> None:
        with pytest.raises(InvalidValue, match="cursor"):
            await storage.sessions.find(SessionQuery(cursor=cursor), OURS)

    async def test_a_cursor_of_the_other_order_is_refused(self, storage: Storage) -> None:
        for number in range(3):
            await create(storage, a_session(f"s{number}"))
        page = await storage.sessions.find(SessionQuery(limit=1), OURS)
        query = SessionQuery(limit=1, order=Order.OLDEST_FIRST, cursor=page.next_cursor)
        with pytest.raises(InvalidValue, match="cursor"):
            await storage.sessions.find(query, OURS)

    # --- journal and words ------------------------------------------------------------------

    async def test_the_journal_is_read_from_where_the_reader_was(self, storage: Storage) -> None:
        session = await create(storage, a_session())
        for number in range(2, 6):
            event = DetailsChanged(at=START, fields=(f"n{number}",))
            change = after(session, event)
            await storage.sessions.commit(change)
            session = change.session
        journal = storage.sessions.journal
        assert [e.seq for e in await journal(session.id, OURS)] == [1, 2, 3, 4, 5]
        assert [e.seq for e in await journal(session.id, OURS, after=2, limit=2)] == [3, 4]
        assert await journal(session.id, OURS, after=5) == ()
        assert (await journal(session.id, OURS, after=1, limit=1))[0].event == DetailsChanged(
            at=START, fields=("n2",)
        )

    async def test_utterances_come_in_the_order_of_media_time(self, storage: Storage) -> None:
        session = await create(storage, a_session())
        late, early = an_utterance(2, "world"), an_utterance(1)
        agent = evolve(
            an_utterance(3),
            speaker=Speaker.AGENT,
            generated_text="Good morning",
            spoken_text="Good",
            interrupted=True,
            words=(),
        )
        said = (agent, late, early)
        await storage.sessions.commit(after(session, TransportReady(at=START), utterances=said))
        assert await storage.transcripts.utterances(session.id, OURS) == (early, late, agent)

    async def test_an_utterance_with_a_stored_id_replaces_it(self, storage: Storage) -> None:
        session = await create(storage, a_session())
        change = after(session, TransportReady(at=START), utterances=(an_utterance(1, "helo"),))
        await storage.sessions.commit(change)
        details = DetailsChanged(at=START, fields=())
        await storage.sessions.commit(
            after(change.session, details, utterances=(an_utterance(1, "hello"),))
        )
        (only,) = await storage.transcripts.utterances(session.id, OURS)
        assert only.text == "hello"

    async def test_forgotten_words_leave_the_journal_as_it_is(self, storage: Storage) -> None:
        session = await create(storage, a_session())
        change = after(session, TransportReady(at=START), utterances=(an_utterance(1),))
        await storage.sessions.commit(change)
        await storage.transcripts.delete_utterances(session.id, OURS)
        assert await storage.transcripts.utterances(session.id, OURS) == ()
        assert len(await storage.sessions.journal(session.id, OURS)) == 2

    # --- leases and running stats -------------------------------------------------------------

    async def test_each_new_owner_has_a_higher_epoch(self, storage: Storage) -> None:
        session = await create(storage, a_session())
        take = storage.sessions.take_lease
        first = await take(session.id, OURS, worker_id="w1", duration=LONG)
        second = await take(session.id, OURS, worker_id="w2", duration=LONG)
        assert (first.epoch, second.epoch) == (1, 2)
        stored = await storage.sessions.load(session.id, OURS)
        assert (stored.worker_id, stored.epoch) == ("w2", 2)
        assert stored.lease_expires_at == second.expires_at
        assert stored.seq == session.seq

    async def test_an_owner_that_was_replaced_is_refused(self, storage: Storage) -> None:
        first = await own(storage, await create(storage, a_session()))
        await own(storage, first, "w2")
        late = after(first, TransportReady(at=START), epoch=first.epoch)
        with pytest.raises(LeaseLost):
            await storage.sessions.commit(late)
        assert (await storage.sessions.load(first.id, OURS)).seq == first.seq

    async def test_a_session_that_has_ended_has_no_owner_and_gets_none(
        self, storage: Storage
    ) -> None:
        owned = await own(storage, await create(storage, a_session()))
        end = EndRequested(at=START, reason=EndReason.COMPLETED)
        await storage.sessions.commit(after(owned, end, epoch=owned.epoch))
        stored = await storage.sessions.load(owned.id, OURS)
        assert (stored.worker_id, stored.lease_expires_at) == (None, None)
        assert await storage.sessions.renew_leases({owned.id: owned.epoch}, duration=LONG) == {}
        with pytest.raises(SessionNotActive):
            await own(storage, owned, "w2")

    async def test_only_leases_that_still_hold_are_renewed_and_tell_the_seq(
        self, storage: Storage
    ) -> None:
        mine = await own(storage, await create(storage, a_session("s1")))
        lost = await own(storage, await create(storage, a_session("s2")))
        given_up = await own(storage, await create(storage, a_session("s3")))
        await own(storage, lost, "w2")
        await storage.sessions.release_lease(given_up.id, epoch=given_up.epoch)
        held = {s.id: s.epoch for s in (mine, lost, given_up)} | {SessionId("gone"): 1}
        command = after(mine, TransportReady(at=START))
        await storage.sessions.commit(command)
        renewed = await storage.sessions.renew_leases(held, duration=LONG * 2)
        assert renewed == {mine.id: command.session.seq}
        before, now = mine.lease_expires_at, (await storage.sessions.load(mine.id, OURS))
        assert before is not None
        assert now.lease_expires_at is not None
        assert now.lease_expires_at > before

    async def test_a_released_lease_is_gone_and_an_old_one_cannot_be_released(
        self, storage: Storage
    ) -> None:
        first = await own(storage, await create(storage, a_session()))
        second = await own(storage, first, "w2")
        await storage.sessions.release_lease(first.id, epoch=first.epoch)
        assert (await storage.sessions.load(first.id, OURS)).worker_id == "w2"
        await storage.sessions.release_lease(first.id, epoch=second.epoch)
        assert (await storage.sessions.load(first.id, OURS)).worker_id is None

    async def test_a_command_brings_neither_an_old_lease_nor_old_stats_back(
        self, storage: Storage
    ) -> None:
        seen = await create(storage, a_session())
        live = after(seen, TransportReady(at=START))
        await storage.sessions.commit(live)
        owned = await own(storage, seen)
        await storage.sessions.write_stats({seen.id: counted(owned.epoch, 90_000_000)})
        await storage.sessions.commit(after(live.session, PauseRequested(at=START)))
        stored = await storage.sessions.load(seen.id, OURS)
        assert stored.state is SessionState.PAUSED
        assert (stored.worker_id, stored.epoch) == ("w1", 1)
        assert stored.audio_duration_us == 90_000_000
        assert stored.audio_chunks_received == 3

    async def test_the_owner_writes_its_stats_with_its_changes(self, storage: Storage) -> None:
        owned = await own(storage, await create(storage, a_session()))
        change = after(owned, TransportReady(at=START), epoch=owned.epoch, audio_duration_us=40_000)
        await storage.sessions.commit(change)
        stored = await storage.sessions.load(owned.id, OURS)
        assert stored.audio_duration_us == 40_000

    async def test_stats_of_a_session_that_is_no_longer_ours_are_left_out(
        self, storage: Storage
    ) -> None:
        first = await own(storage, await create(storage, a_session("s1")))
        other = await own(storage, await create(storage, a_session("s2")))
        await own(storage, first, "w2")
        await storage.sessions.write_stats(
            {
                first.id: counted(first.epoch, 10_000_000),
                other.id: counted(other.epoch, 20_000_000),
                SessionId("gone"): counted(1, 1),
            }
        )
        assert (await storage.sessions.load(first.id, OURS)).audio_duration_us == 0
        stored = await storage.sessions.load(other.id, OURS)
        assert stored.audio_duration_us == 20_000_000
        assert stored.transcript_partial == "so far"

    # --- delete ---------------------------------------------------------------------------

    async def test_a_deleted_session_is_gone_with_all_that_was_its_own(
        self, storage: Storage
    ) -> None:
        stored = await create(storage, a_session())
        change = after(stored, TransportReady(at=START), utterances=(an_utterance(1),))
        await storage.sessions.commit(change)
        later = await create(storage, a_session("s2", previous_session_id=stored.id))
        await storage.sessions.delete(stored.id, OURS, tombstone=a_tombstone())
        for attempt in (
            storage.sessions.load(stored.id, OURS),
            storage.sessions.journal(stored.id, OURS),
            storage.transcripts.utterances(stored.id, OURS),
        ):
            with pytest.raises(SessionNotFound):
                await attempt
        assert (await storage.sessions.load(later.id, OURS)).previous_session_id is None
        again = await create(storage, a_session())
        assert await storage.transcripts.utterances(again.id, OURS) == ()

    async def _walk(self, storage: Storage, query: SessionQuery) -> list[str]:
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = await storage.sessions.find(evolve(query, cursor=cursor), OURS)
            seen += [session.id for session in page.sessions]
            cursor = page.next_cursor
            if cursor is None:
                return seen


def a_tombstone() -> Tombstone:
    """Return what is left of a session of ours."""
    return Tombstone(
        tenant_id=ACME, session_hash="0" * 64, deleted_at=START, deleted_by="ada", reason="test"
    )


def counted(epoch: int, audio_duration_us: int) -> RunningStats:
    """Return running stats of an owner."""
    return RunningStats(
        epoch=epoch,
        audio_duration_us=audio_duration_us,
        audio_chunks_received=3,
        audio_chunks_processed=2,
        audio_used_us=1,
        transcript_partial="so far",
    )
