"""What a commit does: all of it, or nothing, and never over somebody else's write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from attrs import evolve

from ....core.errors import (
    InvalidValue,
    LeaseLost,
    SessionExists,
    SessionNotFound,
    VersionConflict,
)
from ....core.events import DetailsChanged, PauseRequested, ResumeRequested
from ....core.identity import SessionId, TenantId
from ....core.journal import JournalEntry
from ....core.session import DailyRemaining, Session
from ....core.utterance import Speaker, Utterance, Word
from ....ports.storage import Change, Scope, Storage
from .examples import (
    HOME,
    START,
    STRANGERS,
    OnStorage,
    a_full_session,
    a_session,
    a_task,
    an_utterance,
    change_of,
    heard,
    live,
    put,
)

__all__ = ("CommitContract",)

_HOUR = timedelta(hours=1)
_72_YEARS_US = 72 * 366 * 24 * 3_600_000_000
_UNSTORABLE = (
    an_utterance(text="nul \0"),
    an_utterance(text="lone surrogate \ud800"),
    an_utterance("nul\0"),
    an_utterance("../../etc/passwd"),
    an_utterance(""),
    evolve(an_utterance(), generated_text="\0"),
    evolve(an_utterance(), spoken_text="\0"),
    evolve(an_utterance(), words=(Word(text="\0", start_us=0, end_us=0),)),
)


async def _everything(
    storage: Storage, session: Session
) -> tuple[Session, Sequence[JournalEntry], Sequence[Utterance]]:
    scope = Scope(session.tenant_id)
    return (
        await storage.sessions.load(session.id, scope),
        await storage.sessions.journal(session.id, scope),
        await storage.transcripts.utterances(session.id, scope),
    )


@pytest.mark.anyio
class CommitContract(OnStorage):
    """Snapshots, journals and words, as commits write them."""

    async def test_what_was_committed_is_what_is_loaded(self, storage: Storage) -> None:
        session = a_full_session()
        await put(storage, session)
        assert await storage.sessions.load(session.id, HOME) == session

    async def test_an_empty_session_is_loaded_as_empty_as_it_was(self, storage: Storage) -> None:
        session = a_session()
        await put(storage, session)
        assert await storage.sessions.load(session.id, HOME) == session

    async def test_every_changeable_field_is_changed(self, storage: Storage) -> None:
        bare = a_session(user_id="ada", created_by="the host")
        full = a_full_session(
            **{
                name: getattr(bare, name)
                for name in (
                    *("mode", "language", "model", "encoding", "sample_rate", "channels"),
                    *("store_audio", "store_transcript", "enhance_on_end", "retention_days"),
                    *("max_active_us", "max_wall_clock_us"),
                    *("device_type", "client_version", "key_hash", "session_template_id"),
                )
            }
        )
        await put(storage, bare)
        lease = await storage.sessions.take_lease(bare.id, HOME, worker_id="w", duration=_HOUR)
        job = a_task("job_1")
        await storage.sessions.commit(
            Change(session=full, expected_seq=0, epoch=lease.epoch, tasks=(job,))
        )
        stored = await storage.sessions.load(bare.id, HOME)
        assert stored == evolve(
            full, worker_id="w", epoch=lease.epoch, lease_expires_at=lease.expires_at
        )

    async def test_a_taken_id_is_refused_in_every_tenant(self, storage: Storage) -> None:
        session = a_session()
        await put(storage, session)
        for tenant_id in (session.tenant_id, TenantId("strangers")):
            with pytest.raises(SessionExists):
                await put(storage, a_session(tenant_id=tenant_id, mode="another"))
        assert await storage.sessions.load(session.id, HOME) == session

    async def test_a_session_that_is_not_there_cannot_be_changed(self, storage: Storage) -> None:
        with pytest.raises(SessionNotFound):
            await storage.sessions.commit(Change(session=a_session(), expected_seq=0))
        with pytest.raises(SessionNotFound):
            await storage.sessions.load(SessionId("s1"), HOME)

    async def test_a_stale_write_is_refused_and_changes_nothing(self, storage: Storage) -> None:
        session = await live(storage)
        said, late = an_utterance("said"), an_utterance("late")
        await storage.sessions.commit(change_of(session, heard(said), utterances=[said]))
        before = await _everything(storage, session)
        with pytest.raises(VersionConflict):
            await storage.sessions.commit(
                change_of(session, heard(late), utterances=[late], error="mine")
            )
        assert await _everything(storage, session) == before

    async def test_a_write_from_the_future_is_refused(self, storage: Storage) -> None:
        session = await live(storage)
        ahead = change_of(session, PauseRequested(at=START)).session
        with pytest.raises(VersionConflict):
            await storage.sessions.commit(change_of(ahead, ResumeRequested(at=START)))
        assert await storage.sessions.load(session.id, HOME) == session

    async def test_the_repeat_of_a_write_is_harmless(self, storage: Storage) -> None:
        creation = Change(session=a_session(), expected_seq=None)
        await storage.sessions.commit(creation)
        with pytest.raises(SessionExists):
            await storage.sessions.commit(creation)
        event = DetailsChanged(at=START, fields=("error",))
        session = await live(storage, "s2")
        change = change_of(session, event)
        await storage.sessions.commit(change)
        before = await _everything(storage, session)
        with pytest.raises(VersionConflict):
            await storage.sessions.commit(change)
        assert await _everything(storage, session) == before

    async def test_of_many_racing_writers_exactly_one_wins(self, storage: Storage) -> None:
        session = await live(storage)
        winners: list[Utterance] = []
        conflicts: list[VersionConflict] = []

        async def write(number: int) -> None:
            said = an_utterance(f"u{number}")
            try:
                await storage.sessions.commit(change_of(session, heard(said), utterances=[said]))
            except VersionConflict as conflict:
                conflicts.append(conflict)
            else:
                winners.append(said)

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(write, number)
        assert (len(winners), len(conflicts)) == (1, 7)
        stored, journal, utterances = await _everything(storage, session)
        assert stored.seq == session.seq + 1 == len(journal)
        assert list(utterances) == winners
        assert journal[-1].event == heard(winners[0])

    async def test_of_many_racing_creators_exactly_one_wins(self, storage: Storage) -> None:
        won: list[str] = []

        async def create(mode: str) -> None:
            try:
                await put(storage, a_session(mode=mode))
            except SessionExists:
                return
            won.append(mode)

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(create, f"mode {number}")
        assert [(await storage.sessions.load(SessionId("s1"), HOME)).mode] == won

    async def test_a_write_of_a_worker_without_the_lease_is_refused_and_changes_nothing(
        self, storage: Storage
    ) -> None:
        session = await live(storage)
        old = await storage.sessions.take_lease(session.id, HOME, worker_id="a", duration=_HOUR)
        await storage.sessions.take_lease(session.id, HOME, worker_id="b", duration=_HOUR)
        before = await _everything(storage, session)
        said = an_utterance()
        for epoch in (old.epoch, old.epoch + 2, 0):
            change = change_of(session, heard(said), epoch=epoch, utterances=[said])
            with pytest.raises(LeaseLost):
                await storage.sessions.commit(change)
        assert await _everything(storage, session) == before

    async def test_a_worker_without_the_lease_is_told_so_even_if_the_session_went_on(
        self, storage: Storage
    ) -> None:
        session = await live(storage)
        old = await storage.sessions.take_lease(session.id, HOME, worker_id="a", duration=_HOUR)
        new = await storage.sessions.take_lease(session.id, HOME, worker_id="b", duration=_HOUR)
        pause = PauseRequested(at=START)
        await storage.sessions.commit(change_of(session, pause, epoch=new.epoch))
        with pytest.raises(LeaseLost):
            await storage.sessions.commit(change_of(session, pause, epoch=old.epoch))

    async def test_a_command_needs_no_lease(self, storage: Storage) -> None:
        session = await live(storage)
        await storage.sessions.take_lease(session.id, HOME, worker_id="a", duration=_HOUR)
        await storage.sessions.commit(change_of(session, PauseRequested(at=START)))
        stored = await storage.sessions.load(session.id, HOME)
        assert (stored.state, stored.seq) == ("PAUSED", session.seq + 1)

    async def test_one_word_that_cannot_be_stored_stops_the_whole_change(
        self, storage: Storage
    ) -> None:
        session = await live(storage)
        good = an_utterance("good")
        before = await _everything(storage, session)
        for bad in _UNSTORABLE:
            change = change_of(session, heard(good), utterances=[good, bad], error="mine")
            with pytest.raises(InvalidValue):
                await storage.sessions.commit(change)
            assert await _everything(storage, session) == before

    async def test_what_would_not_come_back_as_it_was_is_refused(self, storage: Storage) -> None:
        bad_fields: tuple[dict[str, Any], ...] = (
            {"audio_duration_us": _72_YEARS_US},
            {"audio_used_us": _72_YEARS_US},
            {"daily_budget_remaining": DailyRemaining(audio_us=_72_YEARS_US)},
            {"retention_days": 2**40},
            {"metadata_json": "{no JSON"},
            {"metadata_json": '{"a":' + "[" * 5_000},
        )
        for bad in bad_fields:
            with pytest.raises(InvalidValue):
                await put(storage, a_session(**bad))
        with pytest.raises(SessionNotFound):
            await storage.sessions.load(SessionId("s1"), HOME)

    async def test_a_refused_creation_leaves_the_id_free(self, storage: Storage) -> None:
        bad = Change(session=a_session(), expected_seq=None, utterances=(an_utterance("/"),))
        with pytest.raises(InvalidValue):
            await storage.sessions.commit(bad)
        await put(storage, a_session())

    async def test_an_utterance_with_a_stored_id_replaces_it(self, storage: Storage) -> None:
        session = await live(storage)
        other = an_utterance("u2", start_us=600_000)
        first, second = an_utterance(text="Hallo"), evolve(an_utterance(), speaker=Speaker.AGENT)
        for said in (first, second):
            change = change_of(session, heard(said), utterances=[said, other])
            await storage.sessions.commit(change)
            session = change.session
        assert await storage.transcripts.utterances(session.id, HOME) == (second, other)

    async def test_two_sessions_may_use_the_same_utterance_ids(self, storage: Storage) -> None:
        for session_id, text in (("s1", "one"), ("s2", "two")):
            session = await live(storage, session_id)
            said = an_utterance(text=text)
            await storage.sessions.commit(change_of(session, heard(said), utterances=[said]))
        (said,) = await storage.transcripts.utterances(SessionId("s1"), HOME)
        assert said.text == "one"

    async def test_no_two_sessions_have_the_same_room(self, storage: Storage) -> None:
        await put(storage, a_session("s1", room_name="blue"), a_session("s2"), a_session("s3"))
        with pytest.raises(InvalidValue, match="room_name"):
            await put(storage, a_session("s4", room_name="blue", tenant_id=TenantId("strangers")))
        changed = evolve(a_session("s2"), room_name="blue")
        with pytest.raises(InvalidValue, match="room_name"):
            await storage.sessions.commit(Change(session=changed, expected_seq=0))
        assert await storage.sessions.load(SessionId("s2"), HOME) == a_session("s2")
        with pytest.raises(SessionNotFound):
            await storage.sessions.load(SessionId("s4"), STRANGERS)
        kept = evolve(a_session("s1", room_name="blue"), error="and its own room is no other's")
        await storage.sessions.commit(Change(session=kept, expected_seq=0))

    @pytest.mark.parametrize("tenant", ["default", "strangers"])
    async def test_a_session_goes_on_only_from_one_that_is_there_for_its_tenant(
        self, storage: Storage, tenant: str
    ) -> None:
        previous = SessionId("previous")
        if tenant == "strangers":
            await put(storage, a_session("previous"))
        orphan = a_session(tenant_id=TenantId(tenant), previous_session_id=previous)
        with pytest.raises(SessionNotFound, match="previous"):
            await put(storage, orphan)
        await put(storage, a_session("its_own", tenant_id=TenantId(tenant)))
        await put(storage, evolve(orphan, previous_session_id=SessionId("its_own")))

    async def test_the_journal_is_read_in_order_and_in_pieces(self, storage: Storage) -> None:
        session = await live(storage)
        for event in (PauseRequested(at=START), ResumeRequested(at=START)):
            change = change_of(session, event)
            await storage.sessions.commit(change)
            session = change.session
        whole = await storage.sessions.journal(session.id, HOME)
        assert [entry.seq for entry in whole] == [1, 2, 3, 4]
        assert [entry.type for entry in whole][2:] == ["pause_requested", "resume_requested"]
        for after in range(6):
            for limit in range(1, 6):
                piece = await storage.sessions.journal(session.id, HOME, after=after, limit=limit)
                assert list(piece) == list(whole)[after : after + limit]

    async def test_a_journal_cannot_be_read_from_nowhere_or_without_end(
        self, storage: Storage
    ) -> None:
        session = await live(storage)
        for after, limit in ((0, 0), (0, -1), (-1, 1), (2**63, 1), (0, 2**63)):
            with pytest.raises(InvalidValue):
                await storage.sessions.journal(session.id, HOME, after=after, limit=limit)

    async def test_many_entries_and_utterances_fit_one_commit(self, storage: Storage) -> None:
        session = await live(storage)
        said = [an_utterance(f"u{n:03}", start_us=n) for n in range(200)]
        change = change_of(session, *map(heard, said), utterances=said)
        await storage.sessions.commit(change)
        stored, _, utterances = await _everything(storage, session)
        assert stored == change.session
        assert list(utterances) == said
        journal = await storage.sessions.journal(session.id, HOME, after=2, limit=200)
        assert tuple(journal) == change.entries

    async def test_a_cancelled_commit_is_there_whole_or_not_at_all(self, storage: Storage) -> None:
        said = an_utterance()
        for checkpoints in range(10):
            session = await live(storage, f"s{checkpoints}")
            change = change_of(session, heard(said), utterances=[said])
            async with anyio.create_task_group() as group:
                group.start_soon(storage.sessions.commit, change)
                for _ in range(checkpoints):
                    await checkpoint()
                group.cancel_scope.cancel()
            stored, journal, utterances = await _everything(storage, session)
            assert stored in (session, change.session)
            assert len(journal) == stored.seq
            assert len(utterances) == stored.utterance_count
            if stored == session:
                await storage.sessions.commit(change)
