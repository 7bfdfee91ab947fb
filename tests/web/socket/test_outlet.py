"""What leaves by the outlet leaves in order, whichever task sends it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, strategies as st

from voicesession.core.instants import duration_us
from voicesession.runtime.clock import SteppedClock
from voicesession.web.socket.options import SocketOptions
from voicesession.web.socket.outlet import Outlet, TooSlow
from voicesession.web.socket.port import SocketClosed

START: Final = datetime(2026, 11, 2, 9, tzinfo=UTC)


class Reader:
    """A socket whose other end takes as many turns of the event loop for a frame as it says."""

    def __init__(self, turns: list[int]) -> None:
        self._turns = iter(turns)
        self.heard: list[str | bytes] = []

    async def send(self, frame: str | bytes) -> None:
        self.heard.append(frame)
        for _ in range(next(self._turns, 0)):
            await checkpoint()


def outlet_to(socket: object) -> Outlet:
    return Outlet(socket, SteppedClock(START), SocketOptions(), lambda: None)  # type: ignore[arg-type]


@given(
    sent_here=st.lists(st.booleans(), max_size=30),
    turns=st.lists(st.integers(0, 3), max_size=30),
    pauses=st.lists(st.integers(0, 3), max_size=30),
)
async def test_each_frame_leaves_once_and_in_order_whichever_task_sends_it(
    sent_here: list[bool], turns: list[int], pauses: list[int]
) -> None:
    reader = Reader(turns)
    outlet = outlet_to(reader)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outlet.run)
        pausing = iter(pauses)
        for number, is_sent_here in enumerate(sent_here):
            if is_sent_here:
                outlet.add(bytes([number]))
                await outlet.send_all()
            else:
                outlet.put(bytes([number]))
            for _ in range(next(pausing, 0)):
                await checkpoint()
        with anyio.fail_after(5):
            await outlet.emptied()
        tasks.cancel_scope.cancel()
    assert reader.heard == [bytes([number]) for number in range(len(sent_here))]


class Leaving:
    """A socket whose other end goes while it is sent its first frame."""

    async def send(self, _frame: str | bytes) -> None:
        await checkpoint()
        raise SocketClosed


async def test_who_fails_to_send_leaves_nobody_waiting_for_the_rest() -> None:
    outlet = outlet_to(Leaving())

    async def run() -> None:
        with pytest.raises(SocketClosed):
            await outlet.run()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await outlet.emptied()
        outlet.add(b"one")
        outlet.add(b"two")
        with pytest.raises(SocketClosed):
            await outlet.send_all()
        with anyio.fail_after(5):
            await outlet.emptied()


class Patient:
    """A socket whose other end takes a frame when it is let."""

    def __init__(self) -> None:
        self.lets = anyio.Event()

    async def send(self, _frame: str | bytes) -> None:
        await self.lets.wait()


@given(sent_after_us=st.integers(0, 60_000_000), sends_here=st.booleans())
async def test_a_frame_that_is_not_taken_in_time_is_noticed_then_and_no_sooner(
    sent_after_us: int, sends_here: bool
) -> None:
    clock, patient = SteppedClock(START), Patient()
    within_us = duration_us(SocketOptions().sent_within)
    outlet = Outlet(patient, clock, SocketOptions(), lambda: None)  # type: ignore[arg-type]
    noticed_us: list[int] = []

    async def watch() -> None:
        with pytest.raises(TooSlow):
            await outlet.watch()
        noticed_us.append(clock.monotonic_us())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outlet.run)
        tasks.start_soon(watch)
        await turns()
        await step(clock, sent_after_us)
        assert not noticed_us
        outlet.add(b"frame")
        if sends_here:
            tasks.start_soon(outlet.send_all)
        else:
            outlet.put(b"another")
        await turns()
        await step(clock, within_us - 1)
        assert not noticed_us
        await step(clock, 1)
        tasks.cancel_scope.cancel()
    assert noticed_us == [sent_after_us + within_us]


async def test_a_frame_that_is_taken_late_and_in_time_is_no_reason_to_leave() -> None:
    clock, patient = SteppedClock(START), Patient()
    outlet = Outlet(patient, clock, SocketOptions(), lambda: None)  # type: ignore[arg-type]
    within_us = duration_us(SocketOptions().sent_within)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outlet.run)
        tasks.start_soon(outlet.watch)
        for _ in range(3):
            patient.lets = anyio.Event()
            outlet.put(b"frame")
            await turns()
            await step(clock, within_us - 1)
            patient.lets.set()
            await outlet.emptied()
        await step(clock, 3 * within_us)
        tasks.cancel_scope.cancel()


async def step(clock: SteppedClock, duration: int) -> None:
    """Let time pass, and those who slept until then have their turn."""
    clock.advance(duration)
    await turns()


async def turns() -> None:
    """Let the others come to where they wait."""
    for _ in range(10):
        await checkpoint()
