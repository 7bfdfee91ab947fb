"""SQLite and memory cannot be told apart, whatever is done to them."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from voicesession.core.errors import SessionNotFound, VoiceSessionError
from voicesession.core.events import SessionEvent
from voicesession.core.identity import SessionId, TenantId
from voicesession.core.journal import JournalEntry
from voicesession.core.life import apply, is_legal
from voicesession.core.metadata import metadata_json
from voicesession.core.session import Session
from voicesession.core.states import SessionState, SessionStatus
from voicesession.ports.storage import (
    EVERYTHING,
    Change,
    Order,
    Page,
    RunningStats,
    Scope,
    SessionQuery,
    Storage,
)
from voicesession.stores.memory import MemoryStorage
from voicesession.stores.sql import SqliteStorage
from voicesession.stores.sql.sqlite import connections
from voicesession.testing.contracts.storage.examples import (
    START,
    a_session,
    a_tombstone,
    an_utterance,
    tombstones_of,
)
from voicesession.testing.strategies_life import events

HOUR = timedelta(hours=1)
NAMES = [SessionId(name) for name in "abcd"]
IDS = st.sampled_from(NAMES)
TENANTS = st.sampled_from(["t1", "t2"]).map(TenantId)
SCOPES = TENANTS.map(Scope) | st.just(EVERYTHING)
USERS = st.sampled_from([None, "ada", "bob"])
MODES = st.sampled_from(["LS1A", "transcription"])
ROOMS = st.none() | st.sampled_from(["blue", "red"])
INSTANTS = st.integers(0, 5).map(lambda hours: START + timedelta(hours=hours))
METADATA = st.dictionaries(st.sampled_from(["team", 'o"dd']), st.sampled_from(["a", "b"]))
EPOCHS = st.integers(0, 3)
NEW_SESSIONS = st.builds(
    lambda name, at, metadata, **fields: evolve(
        a_session(name, metadata_json=metadata_json(metadata), **fields),
        **dict.fromkeys(("created_at", "updated_at", "state_since", "last_activity_at"), at),
    ),
    IDS,
    INSTANTS,
    METADATA,
    tenant_id=TENANTS,
    user_id=USERS,
    mode=MODES,
    room_name=ROOMS,
    previous_session_id=st.none() | IDS,
)
QUERIES = st.builds(
    SessionQuery,
    state=st.none() | st.sampled_from(SessionState),
    status=st.none() | st.sampled_from(SessionStatus),
    user_id=USERS,
    mode=st.none() | MODES,
    since=st.none() | INSTANTS,
    until=st.none() | INSTANTS,
    metadata=st.just({}) | METADATA,
    order=st.sampled_from(Order),
    limit=st.integers(1, 3),
    offset=st.integers(0, 2),
)
COUNTED = st.builds(
    RunningStats,
    epoch=EPOCHS,
    audio_duration_us=st.integers(0, 10**12),
    audio_chunks_received=st.integers(0, 9),
    audio_chunks_processed=st.integers(0, 9),
    audio_used_us=st.integers(0, 10**12),
    transcript_partial=st.none() | st.just("Hel"),
)


class StoresAgree(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()  # to wait for the disk would take most of the time
        self.patch.setattr(
            connections, "_WRITER_SETTINGS", ("synchronous = OFF", "foreign_keys = ON")
        )
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.stores: tuple[Storage, ...] = (
            MemoryStorage(),
            SqliteStorage(Path(self.folder.name) / "voice.db"),
        )
        for store in self.stores:
            self.runner.run(store.__aenter__())

    def teardown(self) -> None:
        for store in self.stores:
            self.runner.run(store.__aexit__(None, None, None))
        self.runner.close()
        self.folder.cleanup()
        self.patch.undo()

    def both(self, call: Callable[[Storage], Coroutine[Any, Any, Any]]) -> Any:
        """What both answer to *call*, or the error that both raise."""
        answers: list[Any] = []
        for store in self.stores:
            try:
                answers.append(self.runner.run(call(store)))
            except VoiceSessionError as error:
                answers.append((type(error), error.args))
        assert answers[0] == answers[1]
        return answers[0]

    # --- writing ------------------------------------------------------------------------

    @rule(session=NEW_SESSIONS)
    def create(self, session: Session) -> None:
        self.both(lambda s: s.sessions.commit(Change(session=session, expected_seq=None)))

    @rule(
        name=IDS,
        event=events(),
        stale=st.sampled_from([0, 0, 0, 1]),
        epoch=st.none() | EPOCHS,
        words=st.lists(st.integers(0, 3), max_size=2),
        audio_us=st.integers(0, 10**7),
        room_name=ROOMS,
    )
    def change(
        self,
        name: SessionId,
        event: SessionEvent,
        stale: int,
        epoch: int | None,
        words: list[int],
        audio_us: int,
        room_name: str | None,
    ) -> None:
        before = self.both(lambda s: loaded(s, name))
        if not isinstance(before, Session) or not is_legal(before, event) or before.seq < stale:
            return
        built_on = evolve(before, seq=before.seq - stale)
        after = evolve(apply(built_on, event), audio_duration_us=audio_us, room_name=room_name)
        change = Change(
            session=after,
            expected_seq=built_on.seq,
            epoch=epoch,
            entries=(JournalEntry(after.seq, event),),
            utterances=tuple(
                an_utterance(f"u{n}", start_us=n // 2, text=event.at.isoformat()) for n in words
            ),
        )
        self.both(lambda s: s.sessions.commit(change))

    @rule(name=IDS, scope=SCOPES, worker_id=st.sampled_from(["w1", "w2"]))
    def take(self, name: SessionId, scope: Scope, worker_id: str) -> None:
        async def epoch(store: Storage) -> int:
            lease = await store.sessions.take_lease(name, scope, worker_id=worker_id, duration=HOUR)
            return lease.epoch

        self.both(epoch)

    @rule(held=st.dictionaries(IDS, EPOCHS))
    def renew(self, held: dict[SessionId, int]) -> None:
        self.both(lambda s: s.sessions.renew_leases(held, duration=HOUR))

    @rule(stats=st.dictionaries(IDS, COUNTED))
    def count(self, stats: dict[SessionId, RunningStats]) -> None:
        self.both(lambda s: s.sessions.write_stats(stats))

    @rule(name=IDS, epoch=EPOCHS)
    def release(self, name: SessionId, epoch: int) -> None:
        self.both(lambda s: s.sessions.release_lease(name, epoch=epoch))

    @rule(name=IDS, scope=SCOPES)
    def forget(self, name: SessionId, scope: Scope) -> None:
        self.both(lambda s: s.transcripts.delete_utterances(name, scope))

    @rule(name=IDS, scope=SCOPES)
    def delete(self, name: SessionId, scope: Scope) -> None:
        tombstone = a_tombstone(name, scope=scope)
        self.both(lambda s: s.sessions.delete(name, scope, tombstone=tombstone))

    # --- reading ------------------------------------------------------------------------

    @rule(query=QUERIES, scope=SCOPES)
    def list(self, query: SessionQuery, scope: Scope) -> None:
        async def pages(store: Storage) -> list[Page]:
            page = await store.sessions.find(query, scope)
            beside = [
                await store.sessions.find(evolve(query, cursor=cursor, offset=0), scope)
                for cursor in (page.next_cursor, page.previous_cursor)
                if cursor is not None
            ]
            return [
                evolve(page, sessions=tuple(map(without_time, page.sessions)))
                for page in (page, *beside)
            ]

        self.both(pages)

    @rule(name=IDS, scope=SCOPES, after=st.integers(0, 3), limit=st.integers(1, 3))
    def read(self, name: SessionId, scope: Scope, after: int, limit: int) -> None:
        self.both(lambda s: s.sessions.journal(name, scope, after=after, limit=limit))
        self.both(lambda s: s.transcripts.utterances(name, scope))

    @rule(scope=SCOPES, user_id=USERS)
    def survey(self, scope: Scope, user_id: str | None) -> None:
        self.both(lambda s: s.sessions.count_open(scope, user_id=user_id))
        self.both(lambda s: tombstones_of(s, scope))

    @invariant()
    def all_sessions_are_the_same(self) -> None:
        for name in NAMES:
            self.both(lambda s, name=name: loaded(s, name))  # type: ignore[misc]


async def loaded(store: Storage, name: SessionId) -> Session | None:
    try:
        return without_time(await store.sessions.load(name, EVERYTHING))
    except SessionNotFound:
        return None


def without_time(session: Session) -> Session:
    """The stores stamp leases with their own time, which is all that may differ."""
    if session.lease_expires_at is None:
        return session
    return evolve(session, lease_expires_at=START)


TestStoresAgree = StoresAgree.TestCase
TestStoresAgree.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
