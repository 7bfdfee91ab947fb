"""Engines may take their time, and no more than that."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import anyio
import pytest
from anyio.lowlevel import checkpoint

from voicesession.core.errors import ProviderUnavailable
from voicesession.runtime.alarms import Alarms
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.patience import Patience

LIMIT_US = 1_000_000


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
async def alarms(clock: SteppedClock) -> AsyncGenerator[Alarms]:
    alarms = Alarms(clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(alarms.run)
        yield alarms
        tasks.cancel_scope.cancel()


async def pass_time(clock: SteppedClock, duration_us: int) -> None:
    for _ in range(duration_us // 100_000):
        for _ in range(4):
            await checkpoint()
        clock.advance(100_000)
    for _ in range(4):
        await checkpoint()


async def test_who_owes_something_for_too_long_is_given_up(
    alarms: Alarms, clock: SteppedClock
) -> None:
    async def ask() -> None:
        with Patience(alarms, "slow", LIMIT_US):
            await anyio.sleep_forever()

    with pytest.RaisesGroup(ProviderUnavailable):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await pass_time(clock, 2 * LIMIT_US)


async def test_whoever_delivers_in_time_may_go_on_for_ever(
    alarms: Alarms, clock: SteppedClock
) -> None:
    with Patience(alarms, "steady", LIMIT_US) as patience:
        for _ in range(5):
            await pass_time(clock, LIMIT_US - 100_000)
            assert patience.rest() == LIMIT_US - 100_000
            patience.renew()


async def test_while_nothing_is_owed_no_time_runs(alarms: Alarms, clock: SteppedClock) -> None:
    with Patience(alarms, "idle", LIMIT_US) as patience:
        patience.rest()
        await pass_time(clock, 5 * LIMIT_US)
        assert patience.rest() == 0


async def test_what_is_raised_inside_comes_out_as_it_is(
    alarms: Alarms, clock: SteppedClock
) -> None:
    with pytest.raises(KeyError), Patience(alarms, "broken", LIMIT_US):
        raise KeyError("mine")


async def test_a_cancellation_from_outside_is_no_fault_of_the_engine(
    alarms: Alarms, clock: SteppedClock
) -> None:
    with anyio.CancelScope() as scope:
        with Patience(alarms, "innocent", LIMIT_US):
            scope.cancel()
            await checkpoint()
    assert scope.cancelled_caught


async def test_one_task_looks_after_everybody_however_short_their_patience(
    alarms: Alarms, clock: SteppedClock
) -> None:
    gave_up: list[str] = []

    async def ask(name: str, limit_us: int) -> None:
        try:
            with Patience(alarms, name, limit_us):
                await anyio.sleep_forever()
        except ProviderUnavailable as failure:
            gave_up.append(f"{failure.provider} at {clock.monotonic_us()}")

    async with anyio.create_task_group() as tasks:
        for name, limit_us in (("patient", 9), ("hasty", 2), ("usual", 5)):
            tasks.start_soon(ask, name, limit_us * LIMIT_US)
            await pass_time(clock, LIMIT_US)
        await pass_time(clock, 10 * LIMIT_US)
    assert gave_up == ["hasty at 3000000", "usual at 7000000", "patient at 9000000"]


async def test_a_broken_engine_that_was_given_up_is_late_whatever_it_raises_then(
    alarms: Alarms, clock: SteppedClock
) -> None:
    async def ask() -> None:
        with Patience(alarms, "slow", LIMIT_US):
            try:
                await anyio.sleep_forever()
            finally:
                raise KeyError("torn out of its work")

    with pytest.RaisesGroup(ProviderUnavailable):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await pass_time(clock, 2 * LIMIT_US)
