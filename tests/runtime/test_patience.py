"""Engines may take their time, and no more than that."""

from datetime import UTC, datetime

import anyio
import pytest
from anyio.lowlevel import checkpoint

from voicesession.core.errors import ProviderUnavailable
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.patience import Patience

LIMIT_US = 1_000_000


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))


async def pass_time(clock: SteppedClock, duration_us: int) -> None:
    for _ in range(duration_us // 100_000):
        for _ in range(4):
            await checkpoint()
        clock.advance(100_000)
    for _ in range(4):
        await checkpoint()


async def test_who_owes_something_for_too_long_is_given_up(clock: SteppedClock) -> None:
    async def ask() -> None:
        async with Patience(clock, "slow", LIMIT_US):
            await anyio.sleep_forever()

    with pytest.RaisesGroup(ProviderUnavailable):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await pass_time(clock, 2 * LIMIT_US)


async def test_whoever_delivers_in_time_may_go_on_for_ever(clock: SteppedClock) -> None:
    async with Patience(clock, "steady", LIMIT_US) as patience:
        for _ in range(5):
            await pass_time(clock, LIMIT_US - 100_000)
            assert patience.rest() == LIMIT_US - 100_000
            patience.renew()


async def test_while_nothing_is_owed_no_time_runs(clock: SteppedClock) -> None:
    async with Patience(clock, "idle", LIMIT_US) as patience:
        patience.rest()
        await pass_time(clock, 5 * LIMIT_US)
        assert patience.rest() == 0


async def test_what_is_raised_inside_comes_out_as_it_is(clock: SteppedClock) -> None:
    with pytest.raises(KeyError):
        async with Patience(clock, "broken", LIMIT_US):
            raise KeyError("mine")


async def test_a_cancellation_from_outside_is_no_fault_of_the_engine(clock: SteppedClock) -> None:
    with anyio.CancelScope() as scope:
        async with Patience(clock, "innocent", LIMIT_US):
            scope.cancel()
            await checkpoint()
    assert scope.cancelled_caught
