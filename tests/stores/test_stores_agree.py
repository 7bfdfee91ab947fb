"""SQLite and memory cannot be told apart, whatever is done to them."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import evolve
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from voicesession.core.errors import VoiceSessionError
from voicesession.core.identity import SessionId, TenantId
from voicesession.core.journal import JournalEntry
from voicesession.core.life import apply, is_legal
from voicesession.core.session import Session
from voicesession.core.states import SessionState, SessionStatus
from voicesession.ports.storage import (
    EVERYTHING,
    Change,
    Order,
    RunningStats,
    Scope,
    SessionQuery,
    Storage,
)
from voicesession.stores.memory import MemoryStorage
from voicesession.stores.sql import SqliteStorage
from voicesession.testing.contracts.storage import START, a_tombstone, an_utterance
from voicesession.testing.strategies_life import events

IDS = st.sampled_from(["a", "b", "c"]).map(SessionId)
TENANTS = st.sampled_from(["t1", "t2"]).map(TenantId)
SCOPES = TENANTS.map(Scope) | st.just(EVERYTHING)
USERS = st.sampled_from([None, "ada", "bob"])
MODES = st.sampled_from(["LS1A", "transcription"])
INSTANTS = st.integers(0, 5).map(lambda hours: START + timedelta(hours=hours))
QUERIES = st.builds(
    SessionQuery,
    state=st.none() | st.sampled_from(SessionState),
    status=st.none() | st.sampled_from(SessionStatus),
    user_id=USERS,
    mode=st.none() | MODES,
    since=st.none() | INSTANTS,
    until=st.none() | INSTANTS,
    metadata=st.just({}) | st.just({"room": "blue"}),
    order=st.sampled_from(Order),
    limit=st.integers(1, 3),
    offset=st.integers(0, 2),
)


class StoresAgree(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.stores: list[Storage] = [
            MemoryStorage(),
            SqliteStorage(Path(self.folder.name) / "voice.db"),
        ]
        self.known: dict[SessionId, Session] = {}
        for store in self.stores:
            self.runner.run(store.__aenter__())

    def both(self, call: Callable[[Storage], Coroutine[Any, Any, Any]]) -> Any:
        seen: list[Any] = []
        for store in self.stores:
            try:
                seen.append(self.runner.run(call(store)))
            except VoiceSessionError as error:
                seen.append((type(error), error.args))
        assert seen[0] == seen[1]
        return seen[0]

    def load(self, session_id: SessionId) -> Session | None:
        # The stores stamp leases with their own time, which is all that may differ.
        loaded = [
            evolve(found, lease_expires_at=None)
            for store in self.stores
            if isinstance(found := self.runner.run(self._load(store, session_id)), Session)
        ]
        assert len(loaded) in (0, 2)
        if loaded:
            assert loaded[0] == loaded[1]
        return loaded[0] if loaded else None

    @staticmethod
    async def _load(store: Storage, session_id: SessionId) -> Session | None:
        try:
            return await store.sessions.load(session_id, EVERYTHING)
        except VoiceSessionError:
            return None

    @rule(name=IDS, tenant=TENANTS, user=USERS, mode=MODES, at=INSTANTS, blue=st.booleans())
    def create(
        self, name: SessionId, tenant: TenantId, user: str | None, mode: str, at: Any, blue: bool
    ) -> None:
        session = Session(
            id=name,
            tenant_id=tenant,
            user_id=user,
            mode=mode,
            created_at=at,
            updated_at=at,
            state_since=at,
            last_activity_at=at,
            metadata_json='{"room":"blue"}' if blue else "{}",
        )
        self.both(lambda s: s.sessions.commit(Change(session=session, expected_seq=None)))
        self.load(name)

    @rule(
        name=IDS,
        event=events(),
        stale=st.integers(0, 1),
        epoch=st.none() | st.integers(0, 2),
        words=st.lists(st.integers(0, 3), max_size=2, unique=True),
        audio_us=st.integers(0, 10**7),
    )
    def change(
        self,
        name: SessionId,
        event: Any,
        stale: int,
        epoch: int | None,
        words: list[int],
        audio_us: int,
    ) -> None:
        before = self.load(name)
        if before is None or not is_legal(before, event) or before.seq < stale:
            return
        base = evolve(before, seq=before.seq - stale)
        after = evolve(apply(base, event), audio_duration_us=audio_us)
        change = Change(
            session=after,
            expected_seq=base.seq,
            epoch=epoch,
            entries=(JournalEntry(after.seq, event),),
            utterances=tuple(an_utterance(number) for number in words),
        )
        self.both(lambda s: s.sessions.commit(change))
        self.load(name)

    @rule(name=IDS, scope=SCOPES, after=st.integers(0, 3))
    def read(self, name: SessionId, scope: Scope, after: int) -> None:
        self.both(lambda s: s.sessions.journal(name, scope, after=after))
        self.both(lambda s: s.transcripts.utterances(name, scope))
        self.both(lambda s: s.sessions.count_open(scope, user_id="ada"))

    @rule(query=QUERIES, scope=SCOPES)
    def list(self, query: SessionQuery, scope: Scope) -> None:
        async def pages(store: Storage) -> Any:
            page = await store.sessions.find(query, scope)
            seen = [[session.id for session in page.sessions]]
            for cursor in (page.next_cursor, page.previous_cursor):
                if cursor is not None:
                    beside = await store.sessions.find(
                        evolve(query, cursor=cursor, offset=0), scope
                    )
                    seen.append([session.id for session in beside.sessions])
            return seen, page.next_cursor, page.previous_cursor

        self.both(pages)

    @rule(name=IDS, scope=SCOPES, worker=st.sampled_from(["w1", "w2"]))
    def take(self, name: SessionId, scope: Scope, worker: str) -> None:
        async def epoch(store: Storage) -> int:
            lease = await store.sessions.take_lease(
                name, scope, worker_id=worker, duration=timedelta(hours=1)
            )
            return lease.epoch

        self.both(epoch)
        self.load(name)

    @rule(name=IDS, epoch=st.integers(0, 2))
    def lease(self, name: SessionId, epoch: int) -> None:
        held = {name: epoch}
        self.both(lambda s: s.sessions.renew_leases(held, duration=timedelta(hours=1)))
        stats = RunningStats(
            epoch=epoch,
            audio_duration_us=123_456,
            audio_chunks_received=epoch,
            audio_chunks_processed=epoch,
            audio_used_us=7,
        )
        self.both(lambda s: s.sessions.write_stats({name: stats}))
        self.load(name)

    @rule(name=IDS, epoch=st.integers(0, 2))
    def release(self, name: SessionId, epoch: int) -> None:
        self.both(lambda s: s.sessions.release_lease(name, epoch=epoch))
        self.load(name)

    @rule(name=IDS, scope=SCOPES)
    def forget(self, name: SessionId, scope: Scope) -> None:
        self.both(lambda s: s.transcripts.delete_utterances(name, scope))

    @rule(name=IDS, scope=SCOPES)
    def delete(self, name: SessionId, scope: Scope) -> None:
        self.both(lambda s: s.sessions.delete(name, scope, tombstone=a_tombstone()))
        self.load(name)

    def teardown(self) -> None:
        for store in self.stores:
            self.runner.run(store.__aexit__(None, None, None))
        self.runner.close()
        self.folder.cleanup()


TestStoresAgree = StoresAgree.TestCase
TestStoresAgree.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
