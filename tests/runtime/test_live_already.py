"""Who attaches to a session that somebody else has made LIVE: a webhook was faster."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from voicesession.core.accounts import Limit
from voicesession.core.errors import BudgetExhausted, InvalidState, QuotaExceeded
from voicesession.core.meters import Meter
from voicesession.core.rooms import generate_room_name
from voicesession.core.session import Session
from voicesession.core.states import SessionState
from voicesession.core.timeline import Track
from voicesession.core.windows import Window
from voicesession.recording.file import FileObjectStore
from voicesession.recording.recorder import SpoolRecorder
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage
from voicesession.testing.stage import Stage

START = datetime(2026, 6, 30, 12, tzinfo=UTC)
SECOND = bytes(32_000)
SECOND_US = 1_000_000


@pytest.fixture
async def voice(tmp_path: Path) -> AsyncGenerator[SessionManager]:
    objects = FileObjectStore(tmp_path)
    services = Services(
        storage=MemoryStorage(),
        clock=SteppedClock(START),
        worker_id="w1",
        recorder=SpoolRecorder(tmp_path / ".spool", objects),
        objects=objects,
    )
    async with SessionManager(services) as manager:
        yield manager


async def live_by_webhook(voice: SessionManager, number: int = 1, at: datetime = START) -> Session:
    room = generate_room_name(at, number.to_bytes(3))
    await voice.create(user_id="ada", room_name=room, store_audio=True)
    session = await voice.room_news.joined(room, "ada", joined_at=at)
    assert session is not None
    assert session.state is SessionState.LIVE
    return session


async def limit(voice: SessionManager, meter: Meter, window: Window, amount: int) -> None:
    account = voice.budgets.account("user", "ada")
    await voice.budgets.set_limit(Limit(account=account, meter=meter, window=window, amount=amount))


async def reserved_us(voice: SessionManager) -> int:
    today, _month = await voice.budgets.standings(
        voice.budgets.account("user", "ada"), [Meter.AUDIO_US]
    )
    return today.held


async def test_its_budget_and_its_recording_begin_and_its_journal_stays_as_it_was(
    voice: SessionManager,
) -> None:
    await limit(voice, Meter.AUDIO_US, Window.DAY, 100 * SECOND_US)
    session = await live_by_webhook(voice)
    async with voice.attach(session.id) as handle:
        live = await handle.live()
        assert (live.state, live.seq) == (SessionState.LIVE, session.seq)
        assert await reserved_us(voice) > 0
        assert handle.audio(Track.USER, SECOND)
        ended = await handle.end()
    assert len(await voice.journal(session.id)) == session.seq + 1  # and the end
    assert ended.audio_uri is not None
    assert not ended.audio_partial
    assert ended.audio_duration_seconds == 1


async def test_they_begin_once_however_often_it_is_said(voice: SessionManager) -> None:
    await limit(voice, Meter.AUDIO_US, Window.DAY, 100 * SECOND_US)
    session = await live_by_webhook(voice)
    async with voice.attach(session.id) as handle:
        first = await handle.live()
        reserved = await reserved_us(voice)
        assert await handle.live() == first
        assert await reserved_us(voice) == reserved
        while handle.audio(Track.USER, SECOND):
            pass  # what was reserved is used up, and is not reserved anew by saying it
        spent = handle.session.audio_used_us
        assert (await handle.live()).audio_used_us == spent


async def test_a_session_without_a_seat_or_a_budget_stays_as_it_was(voice: SessionManager) -> None:
    await limit(voice, Meter.SESSIONS, Window.SESSION, 1)
    first, second = [await live_by_webhook(voice, number) for number in (1, 2)]
    async with voice.attach(first.id) as one, voice.attach(second.id) as other:
        await one.live()
        with pytest.raises(QuotaExceeded):
            await other.live()
        assert other.session.seq == second.seq
        await one.end()
        await limit(voice, Meter.AUDIO_US, Window.DAY, 0)
        with pytest.raises(BudgetExhausted):
            await other.live()
        assert not other.audio(Track.USER, SECOND)


async def test_one_that_is_over_is_not_live_again(voice: SessionManager) -> None:
    session = await live_by_webhook(voice)
    async with voice.attach(session.id) as handle:
        await handle.live()
        ended = await handle.end()
        with pytest.raises(InvalidState):
            await handle.live()
        assert handle.session == ended


async def test_a_conversation_is_held_in_it_as_in_any_other() -> None:
    async with Stage() as stage:
        session = await live_by_webhook(stage.voice, at=stage.clock.now())
        async with stage.call(session_id=session.id, turns=1) as (call, phone):
            await phone.say("hello")
            await phone.wait(3 * SECOND_US)
            texts = [said.text for said in (await stage.voice.transcript(session.id)).utterances]
            assert call.session.seq > session.seq
        assert texts == ["hello", "you said hello"]
