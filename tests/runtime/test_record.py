"""One writer of a session, on a store that is slow to answer and has others to serve."""

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from voicesession.core.deadlines import LifePolicy
from voicesession.core.errors import InvalidState, StoreTimeout
from voicesession.core.events import (
    ConnectRequested,
    EndRequested,
    PauseRequested,
    SessionEvent,
    TransportReady,
    UtteranceFinished,
    WarningRaised,
)
from voicesession.core.identity import DEFAULT_TENANT, SessionId
from voicesession.core.session import Session
from voicesession.core.states import EndReason
from voicesession.core.utterance import Speaker, Utterance, UtteranceId
from voicesession.ports.storage import Change, Scope
from voicesession.runtime.record import SessionRecord
from voicesession.stores.memory import MemoryStorage
from voicesession.stores.memory.sessions import MemorySessions
from voicesession.stores.memory.shelves import Shelves

START = datetime(2026, 1, 1, tzinfo=UTC)
HOME = Scope(DEFAULT_TENANT)
NEW = Session(
    id=SessionId("s1"),
    created_at=START,
    updated_at=START,
    state_since=START,
    last_activity_at=START,
)


class SilentStore(MemorySessions):
    """Writes, or does not, and in any case does not answer: as often as it is told to."""

    def __init__(self, shelves: Shelves) -> None:
        super().__init__(shelves)
        self.written: list[bool] = []

    async def commit(self, change: Change, /) -> None:
        if not self.written:
            await super().commit(change)
            return
        if self.written.pop(0):
            await super().commit(change)
        raise StoreTimeout("no answer")


@pytest.fixture
async def store() -> AsyncGenerator[SilentStore]:
    async with MemoryStorage() as storage:
        store = SilentStore(storage.sessions._shelves)
        await store.commit(Change(session=NEW, expected_seq=None))
        yield store


def a_record(store: SilentStore) -> SessionRecord:
    return SessionRecord(store, NEW, policy=LifePolicy())


def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


async def journal(store: SilentStore) -> Sequence[SessionEvent]:
    return [entry.event for entry in await store.journal(NEW.id, HOME)]


def heard(seconds: int, utterance_id: str = "utt_1") -> UtteranceFinished:
    return UtteranceFinished(
        at=at(seconds),
        utterance_id=UtteranceId(utterance_id),
        start_us=0,
        end_us=1,
        word_count=2,
    )


async def live(store: SilentStore) -> SessionRecord:
    record = a_record(store)
    await record.apply(ConnectRequested(at=at(1)), TransportReady(at=at(2)))
    return record


@pytest.mark.parametrize("happened", [True, False])
async def test_words_whose_first_attempt_is_unknown_count_once(
    store: SilentStore, happened: bool
) -> None:
    record = await live(store)
    said = Utterance(
        id=UtteranceId("utt_1"), speaker=Speaker.USER, start_us=0, end_us=1, text="hi you"
    )
    store.written = [happened]
    with pytest.raises(StoreTimeout):
        await record.apply(heard(3), utterances=[said])
    session = await record.apply(heard(9), utterances=[said])
    assert (session.utterance_count, session.word_count, session.seq) == (1, 2, 3)
    assert session == await store.load(NEW.id, HOME)
    assert (await journal(store))[2:] == [heard(3 if happened else 9)]


async def test_every_attempt_may_be_unknown(store: SilentStore) -> None:
    record = await live(store)
    store.written = [False, True, False]
    for seconds in (3, 4):
        with pytest.raises(StoreTimeout):
            await record.apply(heard(seconds))
    assert (await record.apply(heard(5))).utterance_count == 1
    assert (await journal(store))[2:] == [heard(4)]


async def test_an_unknown_attempt_that_others_have_overtaken_is_found_all_the_same(
    store: SilentStore,
) -> None:
    record = await live(store)
    store.written = [True]
    with pytest.raises(StoreTimeout):
        await record.apply(heard(3))
    await record.refresh()
    await record.apply(WarningRaised(at=at(4), code="slow"))
    assert (await record.apply(heard(5))).utterance_count == 1
    assert [type(event) for event in (await journal(store))[2:]] == [
        UtteranceFinished,
        WarningRaised,
    ]


async def test_an_attempt_in_whose_place_another_writer_was_is_made_again(
    store: SilentStore,
) -> None:
    record, other = await live(store), a_record(store)
    await other.refresh()
    store.written = [False]
    with pytest.raises(StoreTimeout):
        await record.apply(heard(3))
    await other.apply(PauseRequested(at=at(4)))
    session = await record.apply(heard(5))
    assert (session.utterance_count, session.state) == (1, "PAUSED")
    assert (await journal(store))[2:] == [PauseRequested(at=at(4)), heard(5)]


async def test_two_unknown_attempts_are_told_apart(store: SilentStore) -> None:
    record = await live(store)
    store.written = [False, True]
    for utterance_id in ("utt_1", "utt_2"):
        with pytest.raises(StoreTimeout):
            await record.apply(heard(3, utterance_id))
    for utterance_id in ("utt_2", "utt_1"):
        await record.apply(heard(4, utterance_id))
    assert (await journal(store))[2:] == [heard(3, "utt_2"), heard(4, "utt_1")]


async def test_a_command_that_happened_after_all_is_no_mistake_the_second_time(
    store: SilentStore,
) -> None:
    record = await live(store)
    store.written = [True]
    with pytest.raises(StoreTimeout):
        await record.apply(PauseRequested(at=at(3)))
    assert (await record.apply(PauseRequested(at=at(4)))).seq == 3
    with pytest.raises(InvalidState):
        await record.apply(PauseRequested(at=at(5)))


async def test_several_events_are_one_attempt(store: SilentStore) -> None:
    record = a_record(store)
    store.written = [True]
    both = (ConnectRequested(at=at(1)), TransportReady(at=at(1)))
    with pytest.raises(StoreTimeout):
        await record.apply(*both)
    assert (await record.apply(*both)).seq == 2
    assert await journal(store) == list(both)


async def test_fields_alone_are_simply_written_again(store: SilentStore) -> None:
    record = await live(store)
    store.written = [True]
    with pytest.raises(StoreTimeout):
        await record.apply(transcript_final="hello")
    assert (await record.apply(transcript_final="hello")).transcript_final == "hello"
    assert (await store.load(NEW.id, HOME)).seq == 2


async def test_an_ended_session_is_to_be_looked_at_when_its_retention_ends(
    store: SilentStore,
) -> None:
    record = await live(store)
    ended = await record.apply(EndRequested(at=at(3), reason=EndReason.COMPLETED))
    assert ended.deadline_at == at(3) + timedelta(days=NEW.retention_days)
    held = await record.apply(legal_hold=True)
    assert held.deadline_at is None
    assert evolve(held, legal_hold=False, deadline_at=ended.deadline_at) == ended
