"""What leaves by the outlet leaves in order, whichever task sends it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, strategies as st
from tests.patience import PATIENCE_S

from voicesession.core.instants import duration_us
from voicesession.runtime.clock import SteppedClock
from voicesession.web.socket.options import SocketOptions
from voicesession.web.socket.outlet import Outlet
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


def outlet_to(socket: Any, clock: SteppedClock | None = None) -> Outlet:
    return Outlet(
        socket,
        clock or SteppedClock(START),
        SocketOptions(),
        on_lag=lambda: None,
        on_full=lambda: None,
    )


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
        with anyio.fail_after(PATIENCE_S):
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
        with anyio.fail_after(PATIENCE_S):
            await outlet.emptied()


class Patient:
    """A socket whose other end takes a frame when it is let."""

    def __init__(self) -> None:
        self.lets = anyio.Event()

    async def send(self, _frame: str | bytes) -> None:
        await self.lets.wait()


@given(idle_us=st.integers(0, 60_000_000), stuck_us=st.integers(0, 60_000_000))
async def test_patience_lasts_from_when_a_frame_is_sent_until_it_is_taken(
    idle_us: int, stuck_us: int
) -> None:
    clock, patient = SteppedClock(START), Patient()
    within_us = duration_us(SocketOptions().sent_within)
    outlet = outlet_to(patient, clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outlet.run)
        clock.advance(idle_us)
        assert outlet.patient_until_us == idle_us + within_us
        outlet.put(b"frame")
        for _ in range(3):
            await checkpoint()
        clock.advance(stuck_us)
        assert outlet.patient_until_us == idle_us + within_us
        patient.lets.set()
        await outlet.emptied()
        assert outlet.patient_until_us == idle_us + stuck_us + within_us
        tasks.cancel_scope.cancel()
