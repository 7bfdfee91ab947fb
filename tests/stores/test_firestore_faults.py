"""What goes wrong between us and Firestore becomes the right error, and nothing half done."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from google.cloud.firestore_v1 import types
from hypothesis import given, settings, strategies as st
from tests.firestore_emulator.faults import Fault, Trouble
from tests.firestore_emulator.server import Emulator, emulator

from voicesession.core.backoff import Backoff
from voicesession.core.errors import StoreError, StoreTimeout, StoreUnavailable
from voicesession.ports.documents import (
    ABSENT,
    Check,
    Delete,
    DocumentKey,
    DocumentQuery,
    Index,
    Put,
    RevisionConflict,
)
from voicesession.stores.documents.firestore import FirestoreDocumentDriver
from voicesession.testing.effort import examples

CALLS = "voicesession.stores.documents.firestore.calls"
BY_SIZE = Index("things", (), ("size",))
ONE, OTHER = DocumentKey("things", "one"), DocumentKey("things", "other")
TRIES = 5
DATABASE = "projects/test/databases/(default)"

DONE = [trouble for trouble in Trouble if trouble.is_done]
NEVER_DONE = [Trouble.UNAVAILABLE, Trouble.ABORTED, Trouble.RESOURCE_EXHAUSTED, Trouble.CUT]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again without much waiting."""
    monkeypatch.setattr(f"{CALLS}._BACKOFF", Backoff(retries=TRIES - 1, first_us=1_000))


@pytest.fixture
async def firestore(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Emulator]:
    async with emulator() as running:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", running.host)
        yield running


@pytest.fixture
async def driver(firestore: Emulator) -> AsyncGenerator[FirestoreDocumentDriver]:
    driver = FirestoreDocumentDriver("test")
    driver.declare([BY_SIZE])
    async with driver:
        yield driver


@pytest.fixture
async def impatient(firestore: Emulator) -> AsyncGenerator[FirestoreDocumentDriver]:
    """Waits for an answer no longer than a test may take."""
    driver = FirestoreDocumentDriver("test", answers_within=timedelta(seconds=0.2))
    driver.declare([BY_SIZE])
    async with driver:
        yield driver


async def body(driver: FirestoreDocumentDriver, key: DocumentKey = ONE) -> dict[str, Any] | None:
    (document,) = await driver.get([key])
    return None if document is None else dict(document.body)


async def revision(driver: FirestoreDocumentDriver, key: DocumentKey = ONE) -> str:
    (document,) = await driver.get([key])
    assert document is not None
    return document.revision


# --- what passes is not seen ----------------------------------------------------------------


@pytest.mark.parametrize("trouble", NEVER_DONE)
async def test_a_write_that_is_turned_away_for_a_moment_is_done_all_the_same(
    firestore: Emulator, driver: FirestoreDocumentDriver, trouble: Trouble
) -> None:
    firestore.fail(Fault("Commit", trouble, times=2))
    await driver.write([Put(ONE, {"n": 1}, ABSENT), Put(OTHER, {})])
    assert await body(driver) == {"n": 1}
    assert firestore.calls.count("Commit") == 3


@pytest.mark.parametrize("trouble", [Trouble.DONE_BUT_UNAVAILABLE, Trouble.DONE_BUT_CUT])
async def test_a_write_whose_answer_is_lost_is_known_to_be_done(
    firestore: Emulator, driver: FirestoreDocumentDriver, trouble: Trouble
) -> None:
    await driver.write([Put(ONE, {"n": 0})])
    for number in range(1, 4):
        firestore.fail(Fault("Commit", trouble))
        before = await revision(driver)
        await driver.write([Put(ONE, {"n": number}, before), Delete(OTHER)])
        assert await body(driver) == {"n": number}


@pytest.mark.parametrize(
    "trouble", [Trouble.UNAVAILABLE, Trouble.ABORTED, Trouble.RESOURCE_EXHAUSTED, Trouble.CUT]
)
async def test_a_read_that_is_turned_away_for_a_moment_is_answered(
    firestore: Emulator, driver: FirestoreDocumentDriver, trouble: Trouble
) -> None:
    await driver.write([Put(ONE, {"size": 1})])
    for rpc in ("BatchGetDocuments", "RunQuery", "RunAggregationQuery"):
        firestore.fail(Fault(rpc, trouble, times=2))
    assert await body(driver) == {"size": 1}
    (found,) = await driver.find(DocumentQuery(index=BY_SIZE, equal={}))
    assert found.key == ONE
    assert await driver.count(BY_SIZE, {}) == 1


async def test_half_an_answer_is_none(firestore: Emulator, driver: FirestoreDocumentDriver) -> None:
    keys = [DocumentKey("things", f"{n}") for n in range(20)]
    await driver.write([Put(key, {"size": 1}) for key in keys])
    for rpc in ("BatchGetDocuments", "RunQuery"):
        firestore.fail(Fault(rpc, Trouble.BROKEN_OFF))
    assert all(await driver.get(keys))
    assert len(await driver.find(DocumentQuery(index=BY_SIZE, equal={}))) == 20


async def test_a_server_that_restarts_between_two_calls_is_not_noticed(
    firestore: Emulator, driver: FirestoreDocumentDriver
) -> None:
    await driver.write([Put(ONE, {"n": 1})])
    await firestore.restart()
    assert await body(driver) == {"n": 1}
    await firestore.restart()
    await driver.write([Put(ONE, {"n": 2}, await revision(driver))])


async def test_single_writes_that_are_turned_away_are_sent_again_and_only_those(
    firestore: Emulator, driver: FirestoreDocumentDriver
) -> None:
    firestore.fail(Fault("BatchWrite", Trouble.ABORTED, times=2))
    firestore.fail(Fault("BatchWrite", Trouble.RESOURCE_EXHAUSTED))
    done = await driver.write_each([Put(ONE, {}, ABSENT), Put(OTHER, {}, "another")])
    assert list(done) == [True, False]
    assert firestore.calls.count("BatchWrite") == 4


async def test_of_several_single_writes_only_those_that_met_others_are_sent_again(
    firestore: Emulator, driver: FirestoreDocumentDriver
) -> None:
    firestore.database(DATABASE).contend(f"{DATABASE}/documents/voice_things/=other", times=2)
    done = await driver.write_each([Put(ONE, {}, ABSENT), Put(OTHER, {}, ABSENT)])
    assert list(done) == [True, True]
    assert firestore.calls.count("BatchWrite") == 3


async def test_a_batch_that_meets_others_is_made_again_whole(
    firestore: Emulator, driver: FirestoreDocumentDriver
) -> None:
    firestore.database(DATABASE).contend(f"{DATABASE}/documents/voice_things/=other", times=2)
    await driver.write([Put(ONE, {}, ABSENT), Put(OTHER, {}, ABSENT)])
    assert firestore.calls.count("Commit") == 3


# --- what lasts has the right name ----------------------------------------------------------


@pytest.mark.parametrize("trouble", [Trouble.ABORTED, Trouble.RESOURCE_EXHAUSTED])
async def test_what_is_turned_away_each_time_is_unavailable_and_not_written(
    firestore: Emulator, driver: FirestoreDocumentDriver, trouble: Trouble
) -> None:
    for rpc, call in (("Commit", driver.write), ("BatchWrite", driver.write_each)):
        firestore.fail(Fault(rpc, trouble, times=TRIES))
        with pytest.raises(StoreUnavailable) as caught:
            await call([Put(ONE, {})])
        assert not isinstance(caught.value, StoreTimeout)
        assert caught.value.retryable
        assert await body(driver) is None


async def test_a_write_that_nobody_answers_for_is_unknown(
    firestore: Emulator, driver: FirestoreDocumentDriver
) -> None:
    firestore.fail(Fault("Commit", Trouble.UNAVAILABLE, times=TRIES))
    with pytest.raises(StoreTimeout) as caught:
        await driver.write([Put(ONE, {})])
    assert caught.value.__cause__ is not None
    assert await body(driver) is None
    firestore.fail(Fault("BatchWrite", Trouble.DONE_BUT_UNAVAILABLE))
    with pytest.raises(StoreTimeout):
        await driver.write_each([Put(ONE, {})])
    assert await body(driver) == {}


@pytest.mark.parametrize("trouble", [Trouble.HANGS, Trouble.DONE_BUT_HANGS])
async def test_a_server_that_hangs_is_not_waited_for_and_a_repeated_write_is_harmless(
    firestore: Emulator,
    driver: FirestoreDocumentDriver,
    impatient: FirestoreDocumentDriver,
    trouble: Trouble,
) -> None:
    for rpc, call in (
        ("Commit", lambda: impatient.write([Put(ONE, {}, ABSENT)])),
        ("BatchWrite", lambda: impatient.write_each([Put(OTHER, {}, ABSENT)])),
        ("BatchGetDocuments", lambda: impatient.get([ONE])),
        ("RunQuery", lambda: impatient.find(DocumentQuery(index=BY_SIZE, equal={}))),
        ("RunAggregationQuery", lambda: impatient.count(BY_SIZE, {})),
    ):
        firestore.fail(Fault(rpc, trouble))
        with pytest.raises(StoreTimeout):
            await call()
    if trouble.is_done:
        with pytest.raises(RevisionConflict):
            await driver.write([Put(ONE, {"n": 2}, ABSENT)])
    else:
        await driver.write([Put(ONE, {"n": 2}, ABSENT)])
    assert await body(driver) == ({} if trouble.is_done else {"n": 2})


async def test_a_lost_answer_that_nothing_tells_about_is_unknown(
    firestore: Emulator, driver: FirestoreDocumentDriver
) -> None:
    await driver.write([Put(ONE, {})])
    firestore.fail(Fault("Commit", Trouble.DONE_BUT_UNAVAILABLE))
    with pytest.raises(StoreTimeout):
        await driver.write([Delete(ONE, await revision(driver))])
    assert await body(driver) is None


async def test_after_a_lost_answer_a_conflict_with_somebody_else_is_unknown_too(
    firestore: Emulator, driver: FirestoreDocumentDriver
) -> None:
    await driver.write([Put(ONE, {"n": 0})])
    stale = await revision(driver)
    await driver.write([Put(ONE, {"n": 1})])
    firestore.fail(Fault("Commit", Trouble.UNAVAILABLE))
    with pytest.raises(StoreTimeout):
        await driver.write([Put(ONE, {"n": 2}, stale)])
    firestore.fail(Fault("Commit", Trouble.UNAVAILABLE))
    firestore.fail(Fault("BatchGetDocuments", Trouble.UNAVAILABLE, times=TRIES))
    with pytest.raises(StoreTimeout):
        await driver.write([Put(ONE, {"n": 2}, stale)])
    assert await body(driver) == {"n": 1}
    with pytest.raises(RevisionConflict):
        await driver.write([Put(ONE, {"n": 2}, stale)])


async def test_a_server_that_is_away_is_unavailable_and_then_there_again(
    firestore: Emulator, driver: FirestoreDocumentDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await driver.write([Put(ONE, {"n": 1})])
    await firestore.stop()
    with pytest.raises(StoreUnavailable):
        await driver.get([ONE])
    with pytest.raises(StoreUnavailable):
        await driver.write([Put(ONE, {"n": 2})])
    await firestore.start()
    # The channel itself waits for a second before it connects again.
    monkeypatch.setattr(f"{CALLS}._BACKOFF", Backoff(retries=50, first_us=100_000))
    assert await body(driver) == {"n": 1}


@pytest.mark.parametrize("rpc", ["Commit", "BatchWrite", "BatchGetDocuments", "RunQuery"])
async def test_what_is_refused_for_good_is_not_tried_again(
    firestore: Emulator, driver: FirestoreDocumentDriver, rpc: str
) -> None:
    calls: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "Commit": lambda: driver.write([Put(ONE, {})]),
        "BatchWrite": lambda: driver.write_each([Put(ONE, {})]),
        "BatchGetDocuments": lambda: driver.get([ONE]),
        "RunQuery": lambda: driver.find(DocumentQuery(index=BY_SIZE, equal={})),
    }
    firestore.fail(Fault(rpc, Trouble.PERMISSION_DENIED))
    with pytest.raises(StoreError, match="PERMISSION_DENIED") as caught:
        await calls[rpc]()
    assert not caught.value.retryable
    assert firestore.calls == [rpc]


# --- who is at fault ------------------------------------------------------------------------


async def test_the_document_that_is_not_as_expected_is_named(
    driver: FirestoreDocumentDriver,
) -> None:
    await driver.write([Put(ONE, {})])
    before = await revision(driver)
    await driver.write([Put(OTHER, {})])
    stale = await revision(driver, OTHER)
    await driver.write([Put(OTHER, {})])
    for write in (Put(OTHER, {}, stale), Delete(OTHER, stale), Check(OTHER, ABSENT)):
        with pytest.raises(RevisionConflict) as caught:
            await driver.write([Check(ONE, before), write])
        assert caught.value.document_id == "other"


async def test_a_query_without_its_index_is_refused_and_says_which(
    firestore: Emulator,
) -> None:
    forgotten = Index("things", ("colour",), ("size",))
    driver = FirestoreDocumentDriver("test")
    driver.declare([forgotten])
    async with driver:
        with pytest.raises(StoreError, match=r"requires an index: voice_things \(colour, size"):
            await driver.find(DocumentQuery(index=forgotten, equal={"colour": "red"}))


async def test_what_was_there_and_is_gone_again_was_a_conflict_all_the_same(
    firestore: Emulator, driver: FirestoreDocumentDriver
) -> None:
    await driver.write([Put(OTHER, {})])
    gone = types.Write.pb(types.Write(delete=f"{DATABASE}/documents/voice_things/=other"))
    firestore.meanwhile("BatchGetDocuments", lambda: firestore.database(DATABASE).commit([gone]))
    with pytest.raises(RevisionConflict) as caught:
        await driver.write([Put(ONE, {}), Put(OTHER, {}, ABSENT)])
    assert caught.value.document_id == "other"


async def test_an_answer_that_says_nothing_of_a_document_is_not_taken_for_its_absence(
    firestore: Emulator, driver: FirestoreDocumentDriver
) -> None:
    await driver.write([Put(ONE, {}), Put(OTHER, {})])
    firestore.fail(Fault("BatchGetDocuments", Trouble.CUT_SHORT))
    with pytest.raises(StoreUnavailable, match="not whole"):
        await driver.get([ONE, OTHER])


# --- cancellation ---------------------------------------------------------------------------


def moments() -> Iterator[int]:
    """Passes of the event loop after which to cancel: after each at first, then less often."""
    passes = 0
    while True:
        yield passes
        passes += 1 + passes // 5


@pytest.mark.parametrize("reading", ["get", "find", "count"])
async def test_a_read_that_is_cancelled_at_any_moment_harms_nobody(
    driver: FirestoreDocumentDriver, reading: str
) -> None:
    await driver.write([Put(ONE, {"size": 1})])
    arguments: dict[str, tuple[Any, ...]] = {
        "get": ([ONE],),
        "find": (DocumentQuery(index=BY_SIZE, equal={}),),
        "count": (BY_SIZE, {}),
    }
    answers: list[Any] = []

    async def read() -> None:
        answers.append(await getattr(driver, reading)(*arguments[reading]))

    for passes in moments():
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            for _ in range(passes):
                await checkpoint()
            group.cancel_scope.cancel()
        assert await body(driver) == {"size": 1}
        if answers:
            return


async def test_a_write_goes_on_to_its_end_although_its_caller_is_cancelled(
    firestore: Emulator, driver: FirestoreDocumentDriver
) -> None:
    firestore.fail(Fault("Commit", Trouble.ABORTED, times=2))
    async with anyio.create_task_group() as group:
        firestore.meanwhile("Commit", group.cancel_scope.cancel)
        group.start_soon(driver.write, [Put(ONE, {}), Put(OTHER, {})])
    assert all(await driver.get([ONE, OTHER]))
    assert firestore.calls.count("Commit") == 3


async def test_a_write_that_asyncio_cancels_at_any_moment_is_whole_or_not_there(
    driver: FirestoreDocumentDriver,
) -> None:
    # Such a cancellation goes through every shield of anyio.
    for passes in moments():
        keys = [DocumentKey("things", f"{side}{passes}") for side in "ab"]
        writing = asyncio.create_task(driver.write([Put(key, {}) for key in keys]))
        for _ in range(passes):
            await asyncio.sleep(0)
        was_done = writing.done()
        writing.cancel()
        await asyncio.wait([writing])
        one, other = await driver.get(keys)
        assert (one is None) == (other is None)
        await driver.write([Put(key, {}) for key in keys])
        if was_done:
            return


# --- all of it together ---------------------------------------------------------------------


@settings(max_examples=examples(10))
@given(
    troubles=st.lists(
        st.tuples(
            st.sampled_from(["Commit", "Commit", "BatchGetDocuments"]),
            st.sampled_from([*NEVER_DONE, Trouble.DONE_BUT_UNAVAILABLE, Trouble.DONE_BUT_CUT]),
            st.integers(1, TRIES + 1),
        ),
        max_size=12,
    )
)
def test_whatever_goes_wrong_what_was_said_of_a_write_is_true(
    troubles: list[tuple[str, Trouble, int]],
) -> None:
    anyio.run(_count_under_troubles, [Fault(rpc, t, times=n) for rpc, t, n in troubles])


async def _count_under_troubles(faults: list[Fault]) -> None:
    """Many add to one count, each once, and leave a receipt in the same batch."""
    done, not_done, counted = set[str](), set[str](), DocumentKey("things", "counted")

    async def add_one(driver: FirestoreDocumentDriver, receipt: str) -> None:
        while True:
            try:
                (before,) = await driver.get([counted])
                assert before is not None
                put = Put(counted, {"n": before.body["n"] + 1}, before.revision)
                await driver.write([put, Put(DocumentKey("receipts", receipt), {}, ABSENT)])
            except RevisionConflict:
                continue
            except StoreTimeout:
                return
            except StoreUnavailable:
                not_done.add(receipt)
                return
            done.add(receipt)
            return

    async with emulator() as running:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FIRESTORE_EMULATOR_HOST", running.host)
            async with FirestoreDocumentDriver("test") as driver:
                await driver.write([Put(counted, {"n": 0})])
                for fault in faults:
                    running.fail(fault)
                names = [f"{number}" for number in range(6)]
                async with anyio.create_task_group() as group:
                    for name in names:
                        group.start_soon(add_one, driver, name)
        documents = running.database(DATABASE).documents
        receipts = {name.rpartition("=")[2] for name in documents if "receipts/" in name}
        (count,) = (kept for name, kept in documents.items() if name.endswith("=counted"))
    assert count.fields["n"].integer_value == len(receipts)
    assert done <= receipts
    assert not not_done & receipts
