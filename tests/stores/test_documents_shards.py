"""A tenant's line spread over several documents: nobody can tell, and nobody overspends."""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, settings, strategies as st
from tests.stores.overtaken import Overtaken

from voicesession.core.accounts import Account, HoldId, Level, Limit, Scope
from voicesession.core.errors import InvalidValue
from voicesession.core.ledger import LedgerEntry, Want
from voicesession.core.meters import Meter
from voicesession.core.windows import Window
from voicesession.ports.documents import Write
from voicesession.stores.documents import DocumentStorage, MemoryDocumentDriver
from voicesession.testing.contracts.storage.examples import START
from voicesession.testing.contracts.storage.ledgers import LedgerContract
from voicesession.testing.effort import examples

TENANT = Account(Scope.TENANT, "default")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Watched(MemoryDocumentDriver):
    """A medium that counts what is done to each balance."""

    def __init__(self) -> None:
        super().__init__()
        self.written: Counter[str] = Counter()

    async def write(self, writes: Sequence[Write], /) -> None:
        await super().write(writes)
        for write in writes:
            if write.key.collection == "balances":
                self.written[f"{type(write).__name__} {write.key.id}"] += 1


class TestLedgerInShards(LedgerContract):
    @pytest.fixture
    async def storage(self) -> AsyncGenerator[DocumentStorage]:
        async with DocumentStorage(MemoryDocumentDriver(), shards=4) as storage:
            yield storage


@pytest.mark.parametrize("shards", [0, -1, 51])
def test_a_line_has_one_shard_or_some(shards: int) -> None:
    with pytest.raises(InvalidValue, match="shards"):
        DocumentStorage(MemoryDocumentDriver(), shards=shards)


def _limit(amount: int) -> Limit:
    return Limit(account=TENANT, meter=Meter.AUDIO_US, window=Window.DAY, amount=amount)


def _entry(session: str, **what: Any) -> LedgerEntry:
    return LedgerEntry(at=START, accounts=(Account(Scope.SESSION, session), TENANT), **what)


def _want(hold_id: str, amount: int) -> Want:
    return Want(hold_id=HoldId(hold_id), meter=Meter.AUDIO_US, amount=amount)


async def test_far_from_a_limit_each_entry_writes_one_shard() -> None:
    driver = Watched()
    async with DocumentStorage(driver, shards=10) as storage:
        await storage.ledger.set_limit(_limit(1_000_000), at=START)
        await storage.ledger.post(_entry("s0", charge={Meter.AUDIO_US: 1}))
        driver.written.clear()
        for number in range(100):
            await storage.ledger.post(_entry("s0", reserve=[_want(f"h{number}", 10)]))
    puts = {name: n for name, n in driver.written.items() if name.startswith("Put")}
    # One of the session, one of its tenant's day, one of its tenant's month.
    assert sum(puts.values()) == 300
    assert sum(n for name, n in driver.written.items() if name.startswith("Check")) == 0
    busiest = sorted(puts.values())[:-1]
    assert max(busiest) < 40
    assert len(busiest) > 15


async def test_near_a_limit_the_last_unit_is_granted_and_not_one_more() -> None:
    async with DocumentStorage(MemoryDocumentDriver(), shards=7) as storage:
        await storage.ledger.set_limit(_limit(100), at=START)
        granted = [
            (await storage.ledger.post(_entry("s0", reserve=[_want(f"h{n}", 9)]))).grants[0].amount
            for n in range(14)
        ]
    assert granted == [9] * 11 + [1, 0, 0]


async def test_each_level_is_told_once_whoever_comes_to_it() -> None:
    async with DocumentStorage(MemoryDocumentDriver(), shards=7) as storage:
        await storage.ledger.set_limit(_limit(100), at=START)
        levels: list[Level] = []

        async def charge(number: int) -> None:
            for _ in range(10):
                entry = _entry(f"s{number}", charge={Meter.AUDIO_US: 3})
                posted = await storage.ledger.post(entry)
                levels.extend(standing.level for standing in posted.risen)

        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(charge, number)
        assert levels == [Level.WARNED, Level.EXHAUSTED]
        day, month = await storage.ledger.standings([TENANT], [Meter.AUDIO_US], at=START)
        assert (day.spent, month.spent) == (150, 150)


async def test_a_limit_that_is_lowered_takes_back_what_was_dealt() -> None:
    async with DocumentStorage(MemoryDocumentDriver(), shards=4) as storage:
        for amount in (1_000, 20, 30, 1_000):
            await storage.ledger.set_limit(_limit(amount), at=START)
            await storage.ledger.post(_entry("s0", charge={Meter.AUDIO_US: 10}))
        await storage.ledger.drop_limit(TENANT, Meter.AUDIO_US, Window.DAY)
        await storage.ledger.post(_entry("s0", charge={Meter.AUDIO_US: 900}))
        await storage.ledger.set_limit(_limit(1_000), at=START)
        posted = await storage.ledger.post(_entry("s0", reserve=[_want("h1", 500)]))
        assert posted.grants[0].amount == 60


@pytest.mark.parametrize("before", ["lowered", "used up", "given back"])
async def test_two_who_cannot_see_each_other_share_what_is_left(before: str) -> None:
    for _ in range(6):  # the shards are drawn: a few times they are the same one
        driver = Overtaken()
        async with DocumentStorage(driver, shards=4) as storage:
            ledger = storage.ledger
            await ledger.set_limit(_limit(1_000 if before == "lowered" else 100), at=START)
            await ledger.post(_entry("s0", charge={Meter.AUDIO_US: 0}, reserve=[_want("h", 1)]))
            if before == "lowered":
                await ledger.set_limit(_limit(41), at=START)
            elif before == "used up":
                for number in range(59):
                    await ledger.post(_entry("s0", reserve=[_want(f"used{number}", 1)]))
            else:
                await ledger.post(_entry("s0", reserve=[_want("all", 99)]))
                await ledger.post(_entry("s0", release=[HoldId("all")]))
            left = (await ledger.standings([TENANT], [Meter.AUDIO_US], at=START))[0].remaining
            assert left in (40, 99)
            driver.meanwhile = partial(ledger.post, _entry("s1", reserve=[_want("h1", left - 20)]))
            posted = await ledger.post(_entry("s2", reserve=[_want("h2", 25)]))
            assert posted.grants[0].amount == 20


async def test_more_shards_go_on_with_what_fewer_have_counted() -> None:
    driver = MemoryDocumentDriver()
    async with DocumentStorage(driver) as storage:
        await storage.ledger.set_limit(_limit(100), at=START)
        await storage.ledger.post(_entry("s0", charge={Meter.AUDIO_US: 60}))
    async with DocumentStorage(driver, shards=8) as storage:
        posted = await storage.ledger.post(_entry("s0", reserve=[_want("h1", 90)]))
        assert posted.grants[0].amount == 40


class Slow(MemoryDocumentDriver):
    """A medium on which others come in between whenever the test says so."""

    def __init__(self, pauses: list[int]) -> None:
        super().__init__()
        self._pauses = pauses

    async def write(self, writes: Sequence[Write], /) -> None:
        for _ in range(self._pauses.pop() if self._pauses else 0):
            await checkpoint()
        await super().write(writes)


@settings(max_examples=examples(30), deadline=None)
@given(
    limit=st.integers(0, 120),
    shards=st.integers(1, 5),
    turns=st.lists(
        st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), max_size=5), max_size=4
    ),
    pauses=st.lists(st.integers(0, 30), max_size=40),
)
def test_whoever_comes_in_between_spent_and_held_never_pass_a_limit(
    limit: int, shards: int, turns: list[list[tuple[int, int]]], pauses: list[int]
) -> None:
    async def spend() -> None:
        driver = Slow(pauses)
        async with DocumentStorage(driver, shards=shards) as storage:
            await storage.ledger.set_limit(_limit(limit), at=START)

            async def turn(number: int, slices: list[tuple[int, int]]) -> None:
                # Each is a worker of its own: within one, entries wait for each other.
                ledger = DocumentStorage(driver, shards=shards).ledger
                for place, (wanted, used) in enumerate(slices):
                    hold = f"h{number}_{place}"
                    posted = await ledger.post(_entry(f"s{number}", reserve=[_want(hold, wanted)]))
                    day, _ = await storage.ledger.standings([TENANT], [Meter.AUDIO_US], at=START)
                    assert day.spent + day.held <= limit
                    granted = posted.grants[0].amount
                    if granted:
                        settle = {HoldId(hold): min(used, granted)}
                        await ledger.post(_entry(f"s{number}", settle=settle))

            async with anyio.create_task_group() as group:
                for number, slices in enumerate(turns):
                    group.start_soon(turn, number, slices)
            day, _ = await storage.ledger.standings([TENANT], [Meter.AUDIO_US], at=START)
            assert (day.spent <= limit, day.held) == (True, 0)

    anyio.run(spend)
