"""What lies outside the scope of a call does not exist."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import product
from typing import Any, Final, TypeAlias

import pytest
from attrs import evolve

from ....core.errors import SessionNotFound
from ....core.events import PauseRequested
from ....core.identity import SessionId, TenantId
from ....ports.storage import EVERYTHING, Page, Scope, SessionQuery, Storage
from .examples import (
    HOME,
    START,
    STRANGERS,
    OnStorage,
    a_session,
    a_tombstone,
    an_utterance,
    change_of,
    heard,
    live,
    put,
    tombstones_of,
)

__all__ = ("ScopeContract",)

_Call: TypeAlias = Callable[[Storage, SessionId, Scope], Awaitable[Any]]

_CALLS: Final[dict[str, _Call]] = {
    "load": lambda storage, id_, scope: storage.sessions.load(id_, scope),
    "journal": lambda storage, id_, scope: storage.sessions.journal(id_, scope),
    "delete": lambda storage, id_, scope: storage.sessions.delete(
        id_, scope, tombstone=a_tombstone()
    ),
    "take_lease": lambda storage, id_, scope: storage.sessions.take_lease(
        id_, scope, worker_id="w1", duration=timedelta(hours=1)
    ),
    "utterances": lambda storage, id_, scope: storage.transcripts.utterances(id_, scope),
    "delete_utterances": lambda storage, id_, scope: storage.transcripts.delete_utterances(
        id_, scope
    ),
}
_NO_IDS: Final = ("", "../s1", "s1\0", "\ud800", "s1'--", "%", "s" * 1000)


@pytest.mark.anyio
class ScopeContract(OnStorage):
    """Tenants cannot see, count, change or delete each other's sessions."""

    @pytest.mark.parametrize("name", _CALLS)
    async def test_a_strangers_session_is_not_there(self, storage: Storage, name: str) -> None:
        session = await live(storage)
        said = an_utterance()
        change = change_of(session, heard(said), utterances=[said])
        await storage.sessions.commit(change)
        with pytest.raises(SessionNotFound):
            await _CALLS[name](storage, session.id, STRANGERS)
        assert await storage.sessions.load(session.id, HOME) == change.session
        assert list(await storage.transcripts.utterances(session.id, HOME)) == [said]
        assert list(await tombstones_of(storage, EVERYTHING)) == []

    @pytest.mark.parametrize("name", _CALLS)
    async def test_an_operator_reaches_every_session(self, storage: Storage, name: str) -> None:
        session = await live(storage)
        await _CALLS[name](storage, session.id, EVERYTHING)

    async def test_what_is_no_id_names_no_session(self, storage: Storage) -> None:
        session = await live(storage)
        for call, session_id, scope in product(_CALLS.values(), _NO_IDS, (HOME, EVERYTHING)):
            with pytest.raises(SessionNotFound):
                await call(storage, SessionId(session_id), scope)
        assert await storage.sessions.load(session.id, HOME) == session

    async def test_a_stranger_cannot_commit_to_a_session(self, storage: Storage) -> None:
        session = await live(storage)
        theirs = change_of(
            evolve(session, tenant_id=TenantId("strangers")), PauseRequested(at=START)
        )
        with pytest.raises(SessionNotFound):
            await storage.sessions.commit(theirs)
        assert await storage.sessions.load(session.id, HOME) == session

    async def test_a_stranger_finds_and_counts_nothing(self, storage: Storage) -> None:
        session = await live(storage, user_id="ada")
        assert await storage.sessions.find(SessionQuery(), STRANGERS) == Page(sessions=())
        assert await storage.sessions.find(SessionQuery(), EVERYTHING) == Page(sessions=(session,))
        assert await storage.sessions.count_open(STRANGERS, user_id="ada") == (0, 0)
        assert await storage.sessions.count_open(EVERYTHING, user_id="ada") == (1, 1)

    async def test_a_cursor_opens_nobody_elses_list(self, storage: Storage) -> None:
        await put(storage, *(a_session(f"s{n}") for n in range(3)))
        await put(storage, a_session("a_strangers", tenant_id=TenantId("strangers")))
        page = await storage.sessions.find(SessionQuery(limit=1), HOME)
        query = SessionQuery(cursor=page.next_cursor)
        theirs = await storage.sessions.find(query, STRANGERS)
        assert [session.id for session in theirs.sessions] == ["a_strangers"]
