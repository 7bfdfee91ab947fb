"""What happens between reading and writing: whoever is overtaken decides anew."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from tests.stores.overtaken import Overtaken

from voicesession.core.accounts import Account, HoldId, Limit, Scope as AccountScope
from voicesession.core.errors import (
    InvalidValue,
    LeaseLost,
    SessionExists,
    SessionNotActive,
    SessionNotFound,
    TemplateNotFound,
    VersionConflict,
)
from voicesession.core.events import EndRequested, PauseRequested
from voicesession.core.identity import SessionId
from voicesession.core.ledger import LedgerEntry, Want
from voicesession.core.meters import Meter
from voicesession.core.states import EndReason
from voicesession.core.templates import TemplateId
from voicesession.core.windows import Window
from voicesession.ports.storage import Change, RunningStats, Storage
from voicesession.stores.documents import DocumentStorage
from voicesession.testing.contracts.storage.examples import (
    HOME,
    START,
    a_session,
    a_task,
    a_template,
    a_tombstone,
    an_utterance,
    change_of,
    heard,
    live,
    put,
)

HOUR = timedelta(hours=1)


@pytest.fixture
def driver() -> Overtaken:
    return Overtaken()


@pytest.fixture
async def storage(driver: Overtaken) -> AsyncGenerator[DocumentStorage]:
    async with DocumentStorage(driver) as storage:
        yield storage


@pytest.fixture
async def elsewhere(driver: Overtaken) -> AsyncGenerator[DocumentStorage]:
    """The storage of another worker: within one, entries wait for each other."""
    async with DocumentStorage(driver) as storage:
        yield storage


async def _delete(storage: Storage, session_id: str) -> None:
    await storage.sessions.delete(SessionId(session_id), HOME, tombstone=a_tombstone(session_id))


# --- creating ----------------------------------------------------------------------------------------


async def test_a_session_does_not_go_on_from_one_that_is_being_deleted(
    storage: DocumentStorage, driver: Overtaken
) -> None:
    await put(storage, a_session("first"))
    later = a_session("later", previous_session_id=SessionId("first"))
    driver.meanwhile = lambda: _delete(storage, "first")
    with pytest.raises(SessionNotFound, match="first"):
        await put(storage, later)


async def test_a_session_that_came_after_somebody_looked_is_unlinked_too(
    storage: DocumentStorage, driver: Overtaken
) -> None:
    await put(storage, a_session("first"))
    later = a_session("later", previous_session_id=SessionId("first"))
    driver.meanwhile = lambda: put(storage, later)
    await _delete(storage, "first")
    stored = await storage.sessions.load(later.id, HOME)
    assert stored == evolve(later, previous_session_id=None)


async def test_a_session_does_not_name_a_template_that_is_being_deleted(
    storage: DocumentStorage, driver: Overtaken
) -> None:
    await storage.templates.put(a_template())
    session = a_session(session_template_id="tmpl_1")
    driver.meanwhile = lambda: storage.templates.delete(TemplateId("tmpl_1"), HOME)
    with pytest.raises(TemplateNotFound):
        await storage.sessions.commit(Change(session=session, expected_seq=None))


async def test_a_room_and_an_id_go_to_who_is_faster(
    storage: DocumentStorage, driver: Overtaken
) -> None:
    driver.meanwhile = lambda: put(storage, a_session("s1", room_name="blue"))
    with pytest.raises(InvalidValue, match="room_name"):
        await put(storage, a_session("s2", room_name="blue"))
    driver.meanwhile = lambda: put(storage, a_session("s3"))
    with pytest.raises(SessionExists):
        await put(storage, a_session("s3", mode="mine"))


# --- changing ----------------------------------------------------------------------------------------


async def test_a_commit_that_is_overtaken_is_a_conflict_and_changes_nothing(
    storage: DocumentStorage, driver: Overtaken
) -> None:
    session = await live(storage)
    pause = change_of(session, PauseRequested(at=START))
    driver.meanwhile = lambda: storage.sessions.commit(pause)
    said = an_utterance()
    with pytest.raises(VersionConflict):
        await storage.sessions.commit(change_of(session, heard(said), utterances=[said]))
    assert await storage.sessions.load(session.id, HOME) == pause.session
    assert list(await storage.transcripts.utterances(session.id, HOME)) == []


async def test_a_commit_survives_what_is_written_without_one(
    storage: DocumentStorage, driver: Overtaken
) -> None:
    session = await live(storage)
    lease = await storage.sessions.take_lease(session.id, HOME, worker_id="w1", duration=HOUR)
    driver.meanwhile = lambda: storage.sessions.renew_leases(
        {session.id: lease.epoch}, duration=2 * HOUR
    )
    pause = change_of(session, PauseRequested(at=START), epoch=lease.epoch)
    await storage.sessions.commit(pause)
    stored = await storage.sessions.load(session.id, HOME)
    assert stored.seq == pause.session.seq
    assert stored.lease_expires_at is not None
    assert stored.lease_expires_at > lease.expires_at


async def test_who_loses_the_lease_in_the_middle_of_a_commit_is_told_so(
    storage: DocumentStorage, driver: Overtaken
) -> None:
    session = await live(storage)
    lease = await storage.sessions.take_lease(session.id, HOME, worker_id="w1", duration=HOUR)
    driver.meanwhile = lambda: storage.sessions.take_lease(
        session.id, HOME, worker_id="w2", duration=HOUR
    )
    with pytest.raises(LeaseLost):
        await storage.sessions.commit(
            change_of(session, PauseRequested(at=START), epoch=lease.epoch)
        )


async def test_renewals_and_stats_survive_a_commit_and_stop_at_a_new_owner(
    storage: DocumentStorage, driver: Overtaken
) -> None:
    session = await live(storage)
    await storage.sessions.take_lease(session.id, HOME, worker_id="w1", duration=HOUR)
    pause = change_of(session, PauseRequested(at=START))
    driver.meanwhile = lambda: storage.sessions.commit(pause)
    renewed = await storage.sessions.renew_leases({session.id: 1}, duration=HOUR)
    assert renewed == {session.id: pause.session.seq}
    counted = RunningStats(
        epoch=1,
        audio_duration_us=1,
        audio_chunks_received=1,
        audio_chunks_processed=1,
        audio_used_us=1,
    )
    driver.meanwhile = lambda: storage.sessions.take_lease(
        session.id, HOME, worker_id="w2", duration=HOUR
    )
    await storage.sessions.write_stats({session.id: counted})
    assert (await storage.sessions.load(session.id, HOME)).audio_duration_us == 0


async def test_a_session_that_ends_while_its_lease_is_taken_has_no_owner(
    storage: DocumentStorage, driver: Overtaken
) -> None:
    session = await live(storage)
    end = change_of(session, EndRequested(at=START, reason=EndReason.COMPLETED))
    driver.meanwhile = lambda: storage.sessions.commit(end)
    with pytest.raises(SessionNotActive):
        await storage.sessions.take_lease(session.id, HOME, worker_id="w1", duration=HOUR)
    assert (await storage.sessions.load(session.id, HOME)).worker_id is None


async def test_words_that_are_forgotten_while_more_are_said_are_forgotten(
    storage: DocumentStorage, driver: Overtaken
) -> None:
    session = await live(storage)
    said = an_utterance()
    change = change_of(session, heard(said), utterances=[said])
    driver.meanwhile = lambda: storage.transcripts.delete_utterances(session.id, HOME)
    await storage.sessions.commit(change)
    assert list(await storage.transcripts.utterances(session.id, HOME)) == [said]
    driver.meanwhile = lambda: storage.sessions.commit(
        change_of(change.session, heard(said), utterances=[an_utterance("u2")])
    )
    await storage.transcripts.delete_utterances(session.id, HOME)
    assert list(await storage.transcripts.utterances(session.id, HOME)) == []


# --- tasks -------------------------------------------------------------------------------------------


async def test_a_task_is_not_claimed_from_a_session_that_is_deleted_meanwhile(
    storage: DocumentStorage, driver: Overtaken
) -> None:
    session = a_session()
    await storage.sessions.commit(Change(session=session, expected_seq=None, tasks=(a_task(),)))
    driver.meanwhile = lambda: _delete(storage, "s1")
    assert list(await storage.tasks.claim(["enhancement"], duration=HOUR)) == []


async def test_those_tasks_that_have_waited_longest_come_first_whatever_they_are(
    storage: DocumentStorage,
) -> None:
    for number, kind in enumerate(("a", "b", "a", "b", "c")):
        session = a_session(f"s{number}")
        waiting = a_task("t", session=session, type=kind, due_at=START - number * HOUR)
        await storage.sessions.commit(Change(session=session, expected_seq=None, tasks=(waiting,)))
    for expected in (["s3", "s2"], ["s1", "s0"], []):
        claimed = await storage.tasks.claim(["a", "b"], duration=HOUR, limit=2)
        assert [task.session_id for task in claimed] == expected


# --- the books ---------------------------------------------------------------------------------------

ACCOUNT = Account(AccountScope.TENANT, "default")


def _entry(**what: Any) -> LedgerEntry:
    return LedgerEntry(at=START, accounts=(ACCOUNT,), **what)


def _want(hold_id: str, amount: int) -> Want:
    return Want(hold_id=HoldId(hold_id), meter=Meter.AUDIO_US, amount=amount)


def _limit(amount: int) -> Limit:
    return Limit(account=ACCOUNT, meter=Meter.AUDIO_US, window=Window.DAY, amount=amount)


async def test_nothing_is_granted_that_is_granted_to_somebody_else_meanwhile(
    storage: DocumentStorage, elsewhere: DocumentStorage, driver: Overtaken
) -> None:
    await storage.ledger.set_limit(_limit(100), at=START)
    driver.meanwhile = lambda: elsewhere.ledger.post(_entry(reserve=[_want("h1", 70)]))
    posted = await storage.ledger.post(_entry(reserve=[_want("h2", 70)]))
    assert posted.grants[0].amount == 30


async def test_nothing_is_granted_above_a_limit_that_is_set_meanwhile(
    storage: DocumentStorage, driver: Overtaken
) -> None:
    driver.meanwhile = lambda: storage.ledger.set_limit(_limit(10), at=START)
    posted = await storage.ledger.post(_entry(reserve=[_want("h1", 70)]))
    assert posted.grants[0].amount == 10


async def test_a_hold_that_is_settled_meanwhile_is_not_settled_again(
    storage: DocumentStorage, elsewhere: DocumentStorage, driver: Overtaken
) -> None:
    await storage.ledger.post(_entry(reserve=[_want("h1", 70)]))
    settle = _entry(settle={HoldId("h1"): 50})
    driver.meanwhile = lambda: elsewhere.ledger.post(settle)
    with pytest.raises(InvalidValue, match="hold_id"):
        await storage.ledger.post(settle)
    (day, _) = await storage.ledger.standings([ACCOUNT], [Meter.AUDIO_US], at=START)
    assert (day.spent, day.held) == (50, 0)


async def test_what_is_refused_was_so_at_one_instant(
    storage: DocumentStorage, elsewhere: DocumentStorage, driver: Overtaken
) -> None:
    # The hold is not there when it is looked for, and is when the refusal is confirmed.
    driver.meanwhile = lambda: elsewhere.ledger.post(_entry(reserve=[_want("h1", 70)]))
    posted = await storage.ledger.post(_entry(settle={HoldId("h1"): 50}))
    assert posted.grants == ()
    (day, _) = await storage.ledger.standings([ACCOUNT], [Meter.AUDIO_US], at=START)
    assert (day.spent, day.held) == (50, 0)
