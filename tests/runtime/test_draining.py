"""A worker that leaves takes nothing new, waits, and hands over the rest with every word."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import anyio
import pytest
from tests.patience import PATIENCE_S

from voicesession.core.errors import Draining, InvalidValue, StoreUnavailable
from voicesession.core.states import EndReason, PauseReason, SessionState
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage
from voicesession.testing.phone import Phone
from voicesession.testing.stage import Stage

SECOND_US = 1_000_000
AT_ONCE = timedelta()


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
async def stage(storage: MemoryStorage) -> AsyncGenerator[Stage]:
    async with Stage(storage=storage) as stage:
        yield stage


async def until_waiting() -> None:
    await anyio.wait_all_tasks_blocked()


async def test_a_leaving_worker_takes_no_new_sessions_of_any_tenant(stage: Stage) -> None:
    voice = stage.voice
    waiting = await voice.create(user_id="ada")
    assert await voice.drain() == ()
    assert voice.is_draining
    for face in (voice, voice.for_tenant("acme")):
        with pytest.raises(Draining) as refusal:
            await face.create(user_id="ada")
        assert refusal.value.retryable
    with pytest.raises(Draining):
        async with voice.attach(waiting.id):
            pytest.fail("it was taken")
    with pytest.raises(Draining):
        async with voice.converse(waiting.id, stage.pipeline()):
            pytest.fail("it was taken")
    assert (await voice.get(waiting.id)).state is SessionState.CONNECTING


async def test_what_is_in_hand_may_come_to_its_end(stage: Stage) -> None:
    handed_over: list[str] = []

    async def leave() -> None:
        handed_over.extend(await stage.voice.drain())
        handed_over.append("done")

    async with anyio.create_task_group() as tasks:
        async with stage.call() as (call, phone):
            tasks.start_soon(leave)
            await phone.say("good morning")
            await phone.wait(2 * SECOND_US)
            assert handed_over == []
            assert phone.heard_words == ["you", "said", "good", "morning"]
        assert call.session.end_reason is EndReason.COMPLETED
    assert handed_over == ["done"]


async def test_what_takes_longer_is_handed_over_with_every_word(
    stage: Stage, storage: MemoryStorage
) -> None:
    async with stage.call() as (call, phone):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: stage.voice.drain(within=timedelta(seconds=1)))
            await until_waiting()
            await phone.say("please remember this")
            stage.clock.advance(SECOND_US)
        assert call.is_over
        assert call.session.pause_reasons == {PauseReason.SHUTDOWN}
        await heard_nothing_more(phone)
    assert call.session.end_reason is None

    other = Services(storage=storage, worker_id="other", clock=stage.clock)
    async with SessionManager(other) as voice, voice.attach(call.session.id) as handle:
        assert (await handle.live()).state is SessionState.LIVE
        assert (await voice.transcript(call.session.id)).text == "please remember this"


async def heard_nothing_more(phone: Phone) -> None:
    heard = len(phone.heard)
    await phone.say("is anybody there")
    assert len(phone.heard) == heard


async def test_a_second_signal_forces(stage: Stage) -> None:
    async with stage.call() as (call, _phone):
        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: stage.voice.drain(within=timedelta(hours=1)))
                await until_waiting()
                assert not call.is_over
                await stage.voice.drain(within=AT_ONCE)
        assert call.session.pause_reasons == {PauseReason.SHUTDOWN}


async def test_a_session_that_is_being_taken_meanwhile_is_let_go(
    stage: Stage, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await stage.voice.create(user_id="ada")
    take_lease = storage.sessions.take_lease

    async def slow(*args: object, **kwargs: object) -> object:
        lease = await take_lease(*args, **kwargs)  # type: ignore[arg-type]
        await stage.voice.drain()
        return lease

    monkeypatch.setattr(storage.sessions, "take_lease", slow)
    with pytest.raises(Draining):
        async with stage.voice.attach(session.id):
            pytest.fail("it was taken")
    assert (await stage.voice.get(session.id)).worker_id is None


async def test_a_store_that_is_away_does_not_keep_a_worker_from_leaving(
    stage: Stage, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    async with stage.call() as (first, _), stage.call() as (second, _):
        monkeypatch.setattr(storage.sessions, "commit", away)
        await stage.voice.drain(within=AT_ONCE)
        assert first.is_over
        assert second.is_over
        monkeypatch.undo()


async def test_a_manager_that_is_opened_again_takes_sessions_again(storage: MemoryStorage) -> None:
    stage = Stage(storage=storage)
    async with stage:
        await stage.voice.drain()
    async with stage:
        assert not stage.voice.is_draining
        assert (await stage.voice.create(user_id="ada")).state is SessionState.CONNECTING


async def test_nobody_leaves_in_the_past(stage: Stage) -> None:
    with pytest.raises(InvalidValue):
        await stage.voice.drain(within=timedelta(seconds=-1))
    assert not stage.voice.is_draining
