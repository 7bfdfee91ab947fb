"""Whatever breaks off in the middle: nothing is half done, and it can be finished."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Final

import anyio
import pytest
from anyio.lowlevel import checkpoint
from attrs import evolve

from voicesession.core.errors import (
    SessionNotFound,
    StoreTimeout,
    StoreUnavailable,
    TemplateNotFound,
)
from voicesession.core.events import DetailsChanged
from voicesession.core.session import Session
from voicesession.core.templates import TemplateId
from voicesession.ports.documents import RevisionConflict, Write
from voicesession.ports.storage import EVERYTHING, Storage
from voicesession.stores.documents import DocumentStorage, MemoryDocumentDriver, contention
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
    tombstones_of,
)

HOUR = timedelta(hours=1)
SAID: Final = [an_utterance(f"u{number:03}", start_us=number) for number in range(120)]


class Fragile(MemoryDocumentDriver):
    """A medium that stops answering: before a write, or after it was done."""

    def __init__(self) -> None:
        super().__init__(largest_document_bytes=12_288)
        self.writes_left: int | None = None
        self.answers_last = True
        self.writes = 0

    async def write(self, writes: Sequence[Write], /) -> None:
        self.writes += 1
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left < 0:
                raise StoreUnavailable("the medium is away")
        await super().write(writes)
        if self.writes_left == 0 and not self.answers_last:
            raise StoreTimeout("the medium did not answer")


async def _talkative(storage: Storage) -> Session:
    """A session with 120 utterances, a task, a follower and a long transcript."""
    session = await live(storage, room_name="blue")
    said = change_of(session, *map(heard, SAID), utterances=SAID, tasks=[a_task()])
    await storage.sessions.commit(said)
    told = DetailsChanged(at=START, fields=("transcript_final",))
    change = change_of(said.session, told, transcript_final="x" * 40_000)
    await storage.sessions.commit(change)
    await put(storage, a_session("later", previous_session_id=session.id))
    return change.session


async def _is_whole(storage: Storage, session: Session) -> bool:
    """Whether the session is there, with all that belongs to it; it is not there in part."""
    try:
        stored = await storage.sessions.load(session.id, HOME)
    except SessionNotFound:
        for read in (
            storage.sessions.journal(session.id, EVERYTHING),
            storage.transcripts.utterances(session.id, EVERYTHING),
            storage.tasks.of_session(session.id, EVERYTHING),
        ):
            with pytest.raises(SessionNotFound):
                await read
        assert list(await storage.tasks.claim(["enhancement"], duration=HOUR)) == []
        assert len(await tombstones_of(storage, HOME)) == 1
        assert (await storage.sessions.count_open(HOME, user_id=None))[1] == 1
        return False
    assert stored == session
    assert len(await storage.sessions.journal(session.id, HOME, limit=1_000)) == session.seq
    assert list(await storage.transcripts.utterances(session.id, HOME)) == SAID
    assert len(await storage.tasks.of_session(session.id, HOME)) == 1
    assert list(await tombstones_of(storage, HOME)) == []
    return True


def _collections(driver: Fragile) -> set[str]:
    return {key.collection for key in driver._kept}


async def _delete(storage: Storage, session: Session) -> None:
    await storage.sessions.delete(session.id, HOME, tombstone=a_tombstone())


@pytest.mark.parametrize("answers_last", [True, False])
@pytest.mark.parametrize("goes_on", ["again", "reopened"])
async def test_a_deletion_that_breaks_off_anywhere_can_be_finished(
    goes_on: str, answers_last: bool
) -> None:
    writes_left = 0
    while True:
        driver = Fragile()
        async with DocumentStorage(driver) as storage:
            session = await _talkative(storage)
            driver.writes_left, driver.answers_last = writes_left, answers_last
            broke_off = False
            try:
                await _delete(storage, session)
            except StoreUnavailable:
                broke_off = True
            driver.writes_left = None
            there = await _is_whole(storage, session)
            assert there == (writes_left == 0)
            if goes_on == "again" and broke_off:
                if there or "erasures" in _collections(driver):
                    await _delete(storage, session)
                else:  # only the answer to the last write was missing
                    with pytest.raises(SessionNotFound):
                        await _delete(storage, session)
        async with DocumentStorage(driver) as storage:
            if not there or goes_on == "again":
                assert _collections(driver) == {"sessions", "tombstones"}
                assert not await _is_whole(storage, session)
        if not broke_off:
            break
        writes_left += 1
    assert writes_left > 4


async def test_a_deletion_that_broke_off_says_that_it_is_to_be_repeated() -> None:
    driver = Fragile()
    async with DocumentStorage(driver) as storage:
        session = await _talkative(storage)
        driver.writes_left = 1
        with pytest.raises(StoreTimeout, match="do the same again"):
            await _delete(storage, session)
        driver.writes_left = None
        await _delete(storage, session)
        with pytest.raises(SessionNotFound):
            await _delete(storage, session)


async def test_a_new_session_with_the_id_of_one_half_erased_meets_nothing_of_it() -> None:
    driver = Fragile()
    async with DocumentStorage(driver) as storage:
        session = await _talkative(storage)
        driver.writes_left = 1
        with pytest.raises(StoreTimeout):
            await _delete(storage, session)
        driver.writes_left = None
        new = await live(storage, session.id)
        assert await storage.sessions.load(new.id, HOME) == new
        assert len(await storage.sessions.journal(new.id, HOME)) == new.seq
        assert list(await storage.transcripts.utterances(new.id, HOME)) == []
        assert list(await storage.tasks.of_session(new.id, HOME)) == []
    async with DocumentStorage(driver) as storage:
        assert await storage.sessions.load(new.id, HOME) == new
        assert len(await storage.sessions.journal(new.id, HOME)) == new.seq


async def test_words_are_forgotten_all_at_once_and_erased_by_whoever_comes_next() -> None:
    driver = Fragile()
    async with DocumentStorage(driver) as storage:
        session = await _talkative(storage)
        driver.writes_left = 2
        with pytest.raises(StoreTimeout):
            await storage.transcripts.delete_utterances(session.id, HOME)
        driver.writes_left = None
        assert list(await storage.transcripts.utterances(session.id, HOME)) == []
        assert "utterances" in _collections(driver)
    async with DocumentStorage(driver):
        assert not _collections(driver) & {"utterances", "erasures"}


async def test_a_template_whose_deletion_broke_off_is_named_by_nobody_in_the_end() -> None:
    driver = Fragile()
    template_id = TemplateId("tmpl_1")
    async with DocumentStorage(driver) as storage:
        await storage.templates.put(a_template())
        session = a_session(session_template_id=template_id)
        await put(storage, session)
        driver.writes_left, driver.answers_last = 1, False
        with pytest.raises(StoreTimeout):
            await storage.templates.delete(template_id, HOME)
        driver.writes_left = None
        with pytest.raises(TemplateNotFound):
            await storage.templates.get(template_id, HOME)
        await storage.templates.put(a_template(name="another of this id"))
        nameless = evolve(session, session_template_id=None)
        assert await storage.sessions.load(session.id, HOME) == nameless
    assert "erasures" not in _collections(driver)


async def test_a_change_that_breaks_off_is_there_whole_or_not_at_all_and_can_be_repeated() -> None:
    for writes_left, answers_last in ((0, True), (1, False)):
        driver = Fragile()
        async with DocumentStorage(driver) as storage:
            session = await live(storage)
            change = change_of(session, *map(heard, SAID), utterances=SAID, tasks=[a_task()])
            driver.writes_left, driver.answers_last = writes_left, answers_last
            with pytest.raises(StoreUnavailable):
                await storage.sessions.commit(change)
            driver.writes_left = None
            was_written = (await storage.sessions.load(session.id, HOME)).seq == change.session.seq
            assert was_written == (not answers_last)
            if not was_written:
                await storage.sessions.commit(change)
            assert await storage.sessions.load(session.id, HOME) == change.session
            assert list(await storage.transcripts.utterances(session.id, HOME)) == SAID


_CALLS: Final[dict[str, Callable[[Storage, Session], Coroutine[Any, Any, object]]]] = {
    "delete": _delete,
    "forget": lambda storage, session: storage.transcripts.delete_utterances(session.id, HOME),
    "take": lambda storage, session: storage.sessions.take_lease(
        session.id, HOME, worker_id="w1", duration=HOUR
    ),
    "sweep": lambda storage, _: storage.sessions.take_due(worker_id="w1", duration=HOUR),
    "claim": lambda storage, _: storage.tasks.claim(["enhancement"], duration=HOUR),
}


@pytest.mark.parametrize("name", _CALLS)
async def test_a_call_that_is_cancelled_at_any_await_can_be_made_again(name: str) -> None:
    for checkpoints in range(14):
        async with DocumentStorage(MemoryDocumentDriver()) as storage:
            session = await live(storage, deadline_at=START)
            change = change_of(session, heard(SAID[0]), utterances=SAID[:1], tasks=[a_task()])
            await storage.sessions.commit(change)
            async with anyio.create_task_group() as group:
                group.start_soon(_CALLS[name], storage, session)
                for _ in range(checkpoints):
                    await checkpoint()
                group.cancel_scope.cancel()
            if name == "delete":
                try:
                    await _delete(storage, session)
                except SessionNotFound:
                    assert len(await tombstones_of(storage, HOME)) == 1
            else:
                await _CALLS[name](storage, session)
                assert (await storage.sessions.load(session.id, HOME)).seq == change.session.seq


async def test_who_always_meets_somebody_faster_is_told_so_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contention, "_LONGEST_WAIT_S", 0.0)

    async def beaten() -> None:
        raise RevisionConflict("sessions", "s1")

    with pytest.raises(StoreUnavailable, match="40 times"):
        await contention.persistently(beaten)
