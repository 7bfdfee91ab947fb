"""What anybody may tell a session: only at a version, past a raised budget, and never when over."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

import voicesession
from voicesession import (
    BudgetExhausted,
    SessionExpired,
    SessionManager,
    SessionNotActive,
    VersionConflict,
)
from voicesession.core.accounts import Account, Scope
from voicesession.core.deadlines import LifePolicy
from voicesession.core.meters import Meter
from voicesession.core.windows import Window
from voicesession.runtime.clock import SteppedClock, SystemClock


@pytest.fixture
async def voice() -> AsyncGenerator[SessionManager]:
    async with voicesession.open("memory://") as voice:
        yield voice


@pytest.mark.parametrize("is_owned", [True, False], ids=["by its owner", "past an owner"])
async def test_details_change_only_at_the_version_that_was_seen(
    voice: SessionManager, is_owned: bool
) -> None:
    session = await voice.create(user_id="ada")

    async def change() -> None:
        changed = await voice.update(session.id, metadata={"a": 1}, expected_seq=session.seq)
        assert changed.seq == session.seq + 1
        with pytest.raises(VersionConflict):
            await voice.update(session.id, metadata={"a": 2}, expected_seq=session.seq)
        assert (await voice.get(session.id)).metadata == {"a": 1}

    if not is_owned:
        await change()
        return
    async with voice.attach(session.id):
        await change()


async def test_a_session_that_its_budget_has_paused_resumes_once_there_is_room(
    voice: SessionManager,
) -> None:
    session = await voice.create(user_id="ada")
    await voice.usage.set_remaining_today(session.id, {Meter.AUDIO_US: 60_000_000})
    async with voice.attach(session.id) as handle:
        await handle.live()
        await handle.charge(audio_minutes=1)
        await voice.pause(session.id)
        with pytest.raises(BudgetExhausted, match="day of the user"):
            await voice.resume(session.id)
        account = Account(Scope.USER, "ada", voice.tenant_id)
        await voice.budgets.raise_limit(account, Meter.AUDIO_US, Window.DAY, by=60_000_000)
        resumed = await voice.resume(session.id)
        assert resumed.pause_reasons == frozenset()


async def test_a_session_that_is_over_is_not_resumed() -> None:
    clock = SteppedClock(SystemClock().now())
    life = LifePolicy(connect_window=timedelta(days=1), time_to_live=timedelta(minutes=1))
    async with voicesession.open("memory://", clock=clock, life=life) as voice:
        ended, expired = await voice.create(), await voice.create()
        await voice.end(ended.id)
        clock.advance(61_000_000)
        with pytest.raises(SessionNotActive):
            await voice.resume(ended.id)
        with pytest.raises(SessionExpired):
            await voice.resume(expired.id)


async def test_whether_anybody_has_it_is_known_and_nothing_else(voice: SessionManager) -> None:
    acme = voice.for_tenant("acme")
    session = await acme.create()
    template = await acme.templates.create("Talk")
    assert await voice.is_known(session.id)
    assert await voice.templates.is_known(template.id)
    assert not await voice.is_known("sess_x")
    assert not await voice.templates.is_known("tmpl_x")
