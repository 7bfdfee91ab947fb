"""What others have measured: audio used in all, and what is left of a user's day."""

from collections.abc import AsyncGenerator

import pytest

import voicesession
from voicesession import (
    InvalidValue,
    SessionAlreadyActive,
    SessionManager,
    SessionNotActive,
    SessionNotFound,
    Track,
)
from voicesession.core.meters import Meter

A_MINUTE_US = 60_000_000


@pytest.fixture
async def voice() -> AsyncGenerator[SessionManager]:
    async with voicesession.open("memory://") as voice:
        yield voice


async def spent(voice: SessionManager, user_id: str = "ada") -> float | None:
    return (await voice.budgets.get_budget_status(user_id))["audio_minutes"]["used"]


async def test_only_what_is_new_is_charged_and_a_repeat_charges_nothing(
    voice: SessionManager,
) -> None:
    session = await voice.create(user_id="ada")
    for minutes in (0.1, 0.1, "0.3", 0.3):
        session = await voice.usage.set_audio_minutes(session.id, minutes)
    assert session.audio_used_us == 18_000_000
    assert await spent(voice) == 0.3
    assert (await voice.get(session.id)).worker_id is None


async def test_less_than_is_recorded_is_refused_and_changes_nothing(voice: SessionManager) -> None:
    session = await voice.create(user_id="ada")
    before = await voice.usage.set_audio_minutes(session.id, 2)
    with pytest.raises(InvalidValue, match=r"2\.0 or more"):
        await voice.usage.set_audio_minutes(session.id, 1)
    assert (await voice.get(session.id)).seq == before.seq
    assert await spent(voice) == 2


async def test_it_may_exhaust_a_budget_and_then_the_session_pauses(voice: SessionManager) -> None:
    session = await voice.create(user_id="ada")
    await voice.usage.set_remaining_today(session.id, {Meter.AUDIO_US: A_MINUTE_US})
    async with voice.attach(session.id) as handle:
        await handle.live()
        handle.audio(Track.USER, bytes(3_200))
        paused = await voice.usage.set_audio_minutes(session.id, 2)
        assert paused.pause_reasons == {"budget_exhausted"}
        assert handle.session.audio_used_us == 2 * A_MINUTE_US


async def test_who_is_counted_by_another_worker_or_is_over_is_left_alone() -> None:
    async with voicesession.open("memory://") as here:
        session = await here.create(user_id="ada")
        lease = await here._services.storage.sessions.take_lease(
            session.id, here._scope, worker_id="elsewhere", duration=here._services.lease
        )
        with pytest.raises(SessionAlreadyActive):
            await here.usage.set_audio_minutes(session.id, 1)
        assert (await here.get(session.id)).epoch == lease.epoch
        await here.end(session.id)
        for wish in (
            here.usage.set_audio_minutes(session.id, 1),
            here.usage.set_remaining_today(session.id, {Meter.AUDIO_US: 1}),
        ):
            with pytest.raises((SessionNotActive, SessionAlreadyActive)):
                await wish
        with pytest.raises(SessionNotFound):
            await here.usage.set_audio_minutes("sess_x", 1)
        assert await spent(here) == 0


async def test_what_is_left_is_set_for_the_meters_that_are_named(voice: SessionManager) -> None:
    session = await voice.create(user_id="ada")
    await voice.budgets.track_usage("ada", audio_minutes=3)
    await voice.usage.set_remaining_today(session.id, {Meter.VIDEO_TOKENS: 9})
    session = await voice.usage.set_remaining_today(session.id, {Meter.AUDIO_US: A_MINUTE_US})
    left = session.daily_budget_remaining
    assert left is not None
    assert (left.audio_us, left.video_tokens, left.screen_tokens) == (A_MINUTE_US, 9, None)
    status = await voice.budgets.get_budget_status("ada")
    assert status["audio_minutes"]["limit"] == 4
    assert status["audio_minutes"]["remaining"] == 1
    nobodys = await voice.create()
    with pytest.raises(InvalidValue, match="daily_budget_remaining"):
        await voice.usage.set_remaining_today(nobodys.id, {Meter.AUDIO_US: 1})
