"""Neighbours who would write the same documents come one after the other, and nobody is held up."""

from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from trio.testing import MockClock

from voicesession.core.accounts import Account, HoldId, Limit, Scope
from voicesession.core.errors import StoreUnavailable
from voicesession.core.ledger import LedgerEntry, Want
from voicesession.core.meters import Meter
from voicesession.core.windows import Window
from voicesession.ports.documents import RevisionConflict, Write
from voicesession.stores.documents import DocumentStorage, MemoryDocumentDriver
from voicesession.stores.documents.turns import Turns
from voicesession.testing.contracts.storage.examples import START

TENANT = Account(Scope.TENANT, "default")


class Told(MemoryDocumentDriver):
    """A medium that tells how often somebody's work was in vain, or is away."""

    is_away = False
    in_vain = 0

    async def write(self, writes: Sequence[Write], /) -> None:
        if self.is_away:
            await anyio.sleep(10)
            raise StoreUnavailable("the medium is away")
        await checkpoint()
        try:
            await super().write(writes)
        except RevisionConflict:
            self.in_vain += 1
            raise


def _slice(number: int) -> LedgerEntry:
    want = Want(hold_id=HoldId(f"h{number}"), meter=Meter.AUDIO_US, amount=10)
    return LedgerEntry(at=START, accounts=[TENANT], reserve=[want])


async def test_sessions_of_one_worker_do_not_undo_each_others_work() -> None:
    driver = Told()
    async with DocumentStorage(driver) as storage:
        daily = Limit(account=TENANT, meter=Meter.AUDIO_US, window=Window.DAY, amount=1_000)
        await storage.ledger.set_limit(daily, at=START)
        async with anyio.create_task_group() as group:
            for number in range(30):
                group.start_soon(storage.ledger.post, _slice(number))
        day, _ = await storage.ledger.standings([TENANT], [Meter.AUDIO_US], at=START)
    assert day.held == 300
    assert driver.in_vain == 0


@pytest.mark.parametrize("at_once", [1, 3])
async def test_so_many_of_one_name_are_at_work_and_others_do_not_wait_for_them(
    at_once: int,
) -> None:
    turns = Turns(at_once=at_once)
    at_work = dict.fromkeys(("acme", "globex"), 0)
    most = dict(at_work)

    async def work(name: str) -> None:
        async with turns.turn(name):
            at_work[name] += 1
            most[name] = max(most[name], at_work[name])
            await checkpoint()
            at_work[name] -= 1

    async with turns.turn("acme"), anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(work, "globex")
    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(work, "acme")
    assert most == {"acme": at_once, "globex": at_once}


class TestWhereTimeIsMocked:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, Any]]:
        return "trio", {"clock": MockClock(autojump_threshold=0)}

    async def test_a_store_that_is_away_fails_for_all_at_about_the_same_time(self) -> None:
        driver = Told()
        driver.is_away = True
        failed_at: list[float] = []

        async def book(number: int) -> None:
            with pytest.raises(StoreUnavailable, match="away"):
                await storage.ledger.post(_slice(number))
            failed_at.append(anyio.current_time())

        async with DocumentStorage(driver) as storage:
            began = anyio.current_time()
            async with anyio.create_task_group() as group:
                for number in range(20):
                    group.start_soon(book, number)
        assert len(failed_at) == 20
        assert max(failed_at) - began == 11
