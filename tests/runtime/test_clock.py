"""Time that is turned by hand wakes sleepers when it has come, and never runs back."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from voicesession.runtime.clock import SteppedClock, SystemClock

START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_sleeper_wakes_when_its_time_has_come_and_not_before() -> None:
    clock = SteppedClock(START)
    woken: list[int] = []

    async def sleeper(until_us: int) -> None:
        await clock.sleep_until(until_us)
        woken.append(until_us)

    async with anyio.create_task_group() as tasks:
        for until_us in (30, 10, 20):
            tasks.start_soon(sleeper, until_us)
        await anyio.wait_all_tasks_blocked()
        clock.advance(19)
        await anyio.wait_all_tasks_blocked()
        assert woken == [10]
        clock.advance(11)
    assert sorted(woken) == [10, 20, 30]


async def test_sleeping_until_the_past_returns_at_once() -> None:
    clock = SteppedClock(START)
    clock.advance(5)
    await clock.sleep_until(5)
    await SystemClock().sleep_until(0)


def test_the_instant_moves_with_the_clock() -> None:
    clock = SteppedClock(START)
    clock.advance(1_500_000)
    assert clock.now() == START + timedelta(seconds=1.5)
    assert clock.monotonic_us() == 1_500_000


def test_time_cannot_be_turned_back() -> None:
    with pytest.raises(ValueError, match="turn the clock back"):
        SteppedClock(START).advance(-1)


def test_the_system_clock_is_aware_and_does_not_run_back() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic_us() <= clock.monotonic_us()
