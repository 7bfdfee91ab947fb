"""A store that is away for a while is none of the caller's business; for long, it is."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from voicesession.core.errors import LeaseLost, SessionNotActive, StoreUnavailable
from voicesession.core.states import SessionState
from voicesession.runtime.happenings import Failed, UtteranceStored
from voicesession.runtime.pipeline import SessionConfig
from voicesession.stores.memory import MemoryStorage
from voicesession.testing.stage import PATIENT, Stage

SECOND_US = 1_000_000
WHAT_IS_AWAY = ("commit", "load", "journal", "renew_leases", "write_stats", "release_lease")


class LeavingStorage(MemoryStorage):
    """Answers nothing about sessions while it ``is_away``."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        for name in WHAT_IS_AWAY:
            setattr(self.sessions, name, self._unless_away(getattr(self.sessions, name)))

    def _unless_away(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def ask(*args: Any, **kwargs: Any) -> Any:
            if self.is_away:
                raise StoreUnavailable("gone fishing")
            return await method(*args, **kwargs)

        return ask


@pytest.fixture
def storage() -> LeavingStorage:
    return LeavingStorage()


async def test_for_less_than_a_lease_the_conversation_goes_on_and_every_word_is_stored_once(
    storage: LeavingStorage,
) -> None:
    async with Stage(storage=storage) as stage:
        async with stage.call(turns=20) as (call, phone):
            storage.is_away = True
            await phone.say("good morning")
            await phone.wait(3 * SECOND_US)
            await phone.say("are you there")
            await phone.wait(4 * SECOND_US)
            assert call.session.state is SessionState.LIVE
            told = " ".join(phone.heard_words)
            assert told == "you said good morning you said are you there"
            assert stage.happenings(UtteranceStored) == []  # nobody is told of what is not durable
            storage.is_away = False
            await phone.wait(3 * SECOND_US)
            stored = [one.utterance.text for one in stage.happenings(UtteranceStored)]
            assert stored == [
                "good morning",
                "you said good morning",
                "are you there",
                "you said are you there",
            ]
        transcript = await stage.voice.transcript(call.session.id)
    assert [utterance.text for utterance in transcript.utterances] == stored


async def test_words_that_wait_for_it_are_bounded_and_then_the_callers_audio_waits(
    storage: LeavingStorage,
) -> None:
    config = SessionConfig(floor=PATIENT, unstored=2)
    async with Stage(storage=storage) as stage:
        async with stage.call(config=config, turns=20) as (call, phone):
            storage.is_away = True
            call.send_text("one")
            call.send_text("two")
            before_us = call.media_us
            with anyio.move_on_after(0.05) as waiting:
                await call.process_audio(bytes(640))
                await call.process_audio(bytes(640))
            assert waiting.cancelled_caught
            assert call.media_us - before_us <= 20_000
            storage.is_away = False
            async with anyio.create_task_group() as group:
                group.start_soon(phone.wait, SECOND_US)
                while call.media_us < SECOND_US:
                    stage.clock.advance(SECOND_US)  # the next attempt comes with time alone
                    await anyio.wait_all_tasks_blocked()
        texts = [u.text for u in (await stage.voice.transcript(call.session.id)).utterances]
    assert set(texts[:2]) == {"one", "two"}  # of one instant: they have no order


async def test_after_a_lease_the_session_may_be_anothers_and_is_nobodys_here(
    storage: LeavingStorage,
) -> None:
    async with Stage(storage=storage) as stage, stage.call(turns=20) as (call, phone):
        await phone.say("hello")
        storage.is_away = True
        await phone.wait(14 * SECOND_US)
        assert not call.is_over
        await phone.wait(7 * SECOND_US)
        assert call.is_over
        with pytest.raises(SessionNotActive):
            await call.process_audio(bytes(640))
        assert any(isinstance(failed.error, LeaseLost) for failed in stage.happenings(Failed))
        storage.is_away = False
    # Nothing more is written here: whoever sweeps finds it, and pauses it as `worker_lost`.
    assert (await stage.voice.get(call.session.id)).state is SessionState.LIVE
