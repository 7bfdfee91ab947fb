"""Words, and how they and their sessions are forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from ....core.errors import SessionNotFound
from ....core.events import PauseRequested
from ....core.identity import SessionId
from ....core.session import Session
from ....ports.storage import EVERYTHING, Change, SessionQuery, Storage, Tombstone
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

__all__ = ("ErasureContract",)


async def _talkative(storage: Storage, session_id: str = "s1") -> Session:
    session = await live(storage, session_id)
    said = an_utterance()
    change = change_of(session, heard(said), utterances=[said])
    await storage.sessions.commit(change)
    return change.session


@pytest.mark.anyio
class ErasureContract(OnStorage):
    """Reading words, deleting words, deleting sessions."""

    async def test_utterances_are_read_by_start_and_then_as_they_came(
        self, storage: Storage
    ) -> None:
        session = await live(storage)
        assert list(await storage.transcripts.utterances(session.id, HOME)) == []
        said = [
            an_utterance(utterance_id, start_us=start_us)
            for utterance_id, start_us in (("b", 10), ("c", 2), ("a", 10), ("B", 10))
        ]
        for some in (said[:3], said[3:]):
            change = change_of(session, *map(heard, some), utterances=some)
            await storage.sessions.commit(change)
            session = change.session
        read = await storage.transcripts.utterances(session.id, HOME)
        assert [utterance.id for utterance in read] == ["c", "b", "a", "B"]
        assert sorted(read, key=lambda u: u.id) == sorted(said, key=lambda u: u.id)

    async def test_words_that_replace_others_are_read_as_if_they_came_then(
        self, storage: Storage
    ) -> None:
        session = await live(storage)
        first, second, again = an_utterance("a"), an_utterance("b"), an_utterance("a", text="Oh")
        for some in ([first, second], [again]):
            change = change_of(session, *map(heard, some), utterances=some)
            await storage.sessions.commit(change)
            session = change.session
        read = await storage.transcripts.utterances(session.id, HOME)
        assert list(read) == [second, again]

    async def test_forgotten_words_leave_the_session_and_its_journal(
        self, storage: Storage
    ) -> None:
        session, other = await _talkative(storage, "s1"), await _talkative(storage, "s2")
        journal = await storage.sessions.journal(session.id, HOME)
        await storage.transcripts.delete_utterances(session.id, HOME)
        assert list(await storage.transcripts.utterances(session.id, HOME)) == []
        assert await storage.sessions.load(session.id, HOME) == session
        assert await storage.sessions.journal(session.id, HOME) == journal
        assert len(await storage.transcripts.utterances(other.id, HOME)) == 1
        await storage.transcripts.delete_utterances(session.id, HOME)

    async def test_a_deleted_session_leaves_nothing_but_its_tombstone(
        self, storage: Storage
    ) -> None:
        session = await _talkative(storage)
        await storage.sessions.delete(session.id, HOME, tombstone=a_tombstone())
        with pytest.raises(SessionNotFound):
            await storage.sessions.load(session.id, EVERYTHING)
        with pytest.raises(SessionNotFound):
            await storage.sessions.journal(session.id, EVERYTHING)
        with pytest.raises(SessionNotFound):
            await storage.transcripts.utterances(session.id, EVERYTHING)
        assert (await storage.sessions.find(SessionQuery(), EVERYTHING)).sessions == ()
        assert await storage.sessions.count_open(EVERYTHING, user_id=None) == (0, 0)
        assert list(await tombstones_of(storage, HOME)) == [a_tombstone()]

    async def test_nothing_of_a_deleted_session_comes_back_with_its_id(
        self, storage: Storage
    ) -> None:
        session = await _talkative(storage)
        await storage.sessions.delete(session.id, HOME, tombstone=a_tombstone())
        await put(storage, a_session(session.id))
        assert await storage.sessions.load(session.id, HOME) == a_session(session.id)
        assert list(await storage.sessions.journal(session.id, HOME)) == []
        assert list(await storage.transcripts.utterances(session.id, HOME)) == []

    async def test_what_is_deleted_twice_is_not_there_the_second_time(
        self, storage: Storage
    ) -> None:
        session = await _talkative(storage)
        await storage.sessions.delete(session.id, HOME, tombstone=a_tombstone())
        with pytest.raises(SessionNotFound):
            await storage.sessions.delete(session.id, HOME, tombstone=a_tombstone())
        assert len(await tombstones_of(storage, EVERYTHING)) == 1

    async def test_tombstones_are_read_in_their_order_and_scope(self, storage: Storage) -> None:
        tombstones: dict[str, Tombstone] = {}
        for session_id, scope in (("s2", HOME), ("s1", HOME), ("s3", STRANGERS)):
            await put(storage, a_session(session_id, tenant_id=scope.tenant_id))
            tombstone = evolve(
                a_tombstone(session_id, scope=scope), deleted_by=None, reason=session_id
            )
            await storage.sessions.delete(SessionId(session_id), scope, tombstone=tombstone)
            tombstones[session_id] = tombstone
        assert list(await tombstones_of(storage, HOME)) == [tombstones["s2"], tombstones["s1"]]
        assert list(await tombstones_of(storage, STRANGERS)) == [tombstones["s3"]]
        assert list(await tombstones_of(storage, EVERYTHING)) == list(tombstones.values())

    async def test_a_session_outlives_the_one_that_it_goes_on_from(self, storage: Storage) -> None:
        await put(storage, a_session("first"))
        later = await live(storage, "later", previous_session_id=SessionId("first"))
        tombstone = a_tombstone("first")
        await storage.sessions.delete(SessionId("first"), HOME, tombstone=tombstone)
        unlinked = evolve(later, previous_session_id=None)
        assert await storage.sessions.load(later.id, HOME) == unlinked
        # Its owner still knows the link, and writes on.
        change = change_of(later, PauseRequested(at=START + timedelta(seconds=1)))
        await storage.sessions.commit(change)
        assert await storage.sessions.load(later.id, HOME) == evolve(
            change.session, previous_session_id=None
        )

    async def test_a_deleted_session_frees_its_room(self, storage: Storage) -> None:
        await put(storage, a_session(room_name="blue"))
        await storage.sessions.delete(SessionId("s1"), HOME, tombstone=a_tombstone())
        await storage.sessions.commit(
            Change(session=a_session("s2", room_name="blue"), expected_seq=None)
        )
