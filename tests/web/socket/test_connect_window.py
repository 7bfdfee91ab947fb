"""A session that nobody connects to in time is over; who comes in time is let in."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import anyio
import httpx2
import pytest
from tests.patience import PATIENCE_S

import voicesession
from voicesession import LifePolicy
from voicesession.ports.storage import EVERYTHING
from voicesession.testing.clock import SteppedClock

WINDOW_US = 30_000_000
OVER = ("ENDED", "error", "connect_timeout")


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(voicesession.open("memory://").now())


@pytest.fixture
async def house(open_house: Any, clock: SteppedClock) -> AsyncGenerator[Any]:
    """A house with the window that is the default, and with time that is turned by hand."""
    async with open_house(clock=clock) as house:
        yield house


async def created(house: Any) -> dict[str, Any]:
    async with httpx2.AsyncClient() as client:
        answer = await client.post(f"{house.url.replace('ws', 'http')}/v1/sessions", json={})
    session: dict[str, Any] = answer.json()["session"]
    return session


async def as_told(house: Any, session_id: str) -> tuple[str, str, str | None]:
    url = f"{house.url.replace('ws', 'http')}/v1/sessions/{session_id}"
    async with httpx2.AsyncClient() as client:
        session = (await client.get(url)).json()["session"]
    return session["state"], session["status"], session["end_reason"]


def test_half_a_minute_is_the_window_that_a_client_has() -> None:
    assert LifePolicy().connect_window == timedelta(microseconds=WINDOW_US)


async def test_who_comes_at_the_last_moment_is_let_in_and_has_all_the_time_from_then_on(
    house: Any, clock: SteppedClock
) -> None:
    session = await created(house)
    clock.advance(WINDOW_US - 1)
    assert await as_told(house, session["id"]) == ("CONNECTING", "active", None)
    async with house.connect(f"/v1/sessions/{session['id']}/stream") as talker:
        await talker.next("session.begin")
        clock.advance(WINDOW_US)
        assert await as_told(house, session["id"]) == ("LIVE", "active", None)


async def test_who_comes_too_late_finds_it_over_and_is_told_why(
    house: Any, clock: SteppedClock
) -> None:
    session = await created(house)
    clock.advance(WINDOW_US)
    assert await as_told(house, session["id"]) == OVER
    async with house.connect(f"/v1/sessions/{session['id']}/stream") as talker:
        await talker.send("flush")
        told = await talker.next("session.end")
        code = await talker.closed()
    assert (told["status"], told["end_reason"]) == OVER[1:]
    assert code == 1000


async def test_a_session_that_nobody_asks_for_ends_as_well(open_house: Any) -> None:
    brief = LifePolicy(connect_window=timedelta(seconds=0.2))
    # By the real time: whose turn it is to look after it, the store says.
    async with open_house(life=brief, lease=timedelta(seconds=0.6)) as house:
        session = await created(house)
        store = house.voice._services.storage.sessions
        with anyio.fail_after(PATIENCE_S):
            while (kept := await store.load(session["id"], EVERYTHING)).ended_at is None:
                await anyio.lowlevel.checkpoint()
    assert kept.end_reason == "connect_timeout"
    assert kept.ended_at - kept.started_at >= brief.connect_window
