"""Alarms go off at their time, however often that is changed, and never otherwise."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from functools import partial
from weakref import ref

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, strategies as st

from voicesession.runtime.alarms import Alarm, Alarms
from voicesession.runtime.clock import SteppedClock

START = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = 12


async def settle() -> None:
    for _ in range(6):
        await checkpoint()


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
async def alarms(clock: SteppedClock) -> AsyncGenerator[Alarms]:
    alarms = Alarms(clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(alarms.run)
        await settle()
        yield alarms
        tasks.cancel_scope.cancel()


CHANGES = st.one_of(
    st.tuples(st.just("set"), st.integers(0, STEPS)),
    st.tuples(st.sampled_from(["rest", "cancel"]), st.just(0)),
)
PLANS = st.lists(st.tuples(st.integers(0, STEPS - 1), st.integers(0, 2), CHANGES), max_size=20).map(
    lambda plan: sorted(plan, key=lambda step: step[0])
)


class Wall:
    """Three alarms, and beside them what they should do."""

    def __init__(self) -> None:
        self.clock = SteppedClock(START)
        self.alarms = Alarms(self.clock)
        self.gone_off: list[tuple[int, int]] = []
        self.expected: list[tuple[int, int]] = []
        self._due: dict[int, int] = {}
        self._mine = [Alarm(self.alarms, partial(self._note, number)) for number in range(3)]

    def _note(self, number: int) -> None:
        self.gone_off.append((self.clock.monotonic_us(), number))

    def change(self, number: int, change: str, after_us: int) -> None:
        due_us = self.clock.monotonic_us() + after_us
        self._due.pop(number, None)
        if change == "set":
            self._due[number] = due_us
            self._mine[number].set(due_us)
        elif change == "rest":
            self._mine[number].rest()
        else:
            self._mine[number].cancel()
        assert self._mine[number].due_us == self._due.get(number)

    async def pass_time(self, duration_us: int) -> None:
        self.clock.advance(duration_us)
        await settle()
        now_us = self.clock.monotonic_us()
        due = [number for number, due_us in self._due.items() if due_us <= now_us]
        for number in due:
            del self._due[number]
            self.expected.append((now_us, number))


@given(plan=PLANS)
def test_each_goes_off_at_the_time_that_was_set_last_and_only_then(
    plan: list[tuple[int, int, tuple[str, int]]],
) -> None:
    async def play() -> Wall:
        wall = Wall()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wall.alarms.run)
            await settle()
            for now in range(STEPS):
                for _, number, (change, after_us) in (step for step in plan if step[0] == now):
                    wall.change(number, change, after_us)
                await wall.pass_time(0)
                await wall.pass_time(1)
            tasks.cancel_scope.cancel()
        return wall

    wall = anyio.run(play)
    assert sorted(wall.gone_off) == sorted(wall.expected)


async def test_one_that_sets_itself_again_goes_off_once_for_each_time(
    alarms: Alarms, clock: SteppedClock
) -> None:
    times: list[int] = []

    def tick() -> None:
        times.append(len(times))
        ticking.set(10 * (len(times) + 1))

    ticking = Alarm(alarms, tick)
    ticking.set(10)
    clock.advance(45)
    await settle()
    assert len(times) == 4
    assert ticking.due_us == 50


async def test_one_that_is_cancelled_is_kept_by_nobody(alarms: Alarms) -> None:
    class Session:
        def end(self) -> None: ...

    session = Session()
    alarm = Alarm(alarms, session.end)
    alarm.set(1_000)
    alarm.cancel()
    gone = ref(session)
    del session, alarm
    assert gone() is None
