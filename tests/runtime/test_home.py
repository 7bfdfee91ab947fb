"""Sessions live in one thread; others come in by one door, or not at all."""

import threading
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any

import anyio.to_thread
import pytest

from voicesession.core.errors import InvalidState, SessionNotFound, WrongThread
from voicesession.core.states import SessionState
from voicesession.core.timeline import Track
from voicesession.runtime.manager import SessionManager
from voicesession.testing.stage import Stage


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    async with Stage() as stage:
        yield stage


async def elsewhere(function: Callable[[], Any]) -> Any:
    """What comes of *function* in another thread."""
    return await anyio.to_thread.run_sync(function)


async def test_another_thread_comes_in_through_the_manager(stage: Stage) -> None:
    voice = stage.voice
    session = await elsewhere(lambda: voice.from_thread(voice.create, user_id="ada"))
    found = await elsewhere(lambda: voice.from_thread(voice.get, session.id))
    assert found == session
    usage = await elsewhere(lambda: voice.from_thread(voice.budgets.get_budget_status, "ada"))
    assert usage["audio_minutes"]["used"] == 0


async def test_what_is_called_runs_in_the_thread_of_the_sessions(stage: Stage) -> None:
    assert (
        await elsewhere(lambda: stage.voice.from_thread(threading.get_ident))
        == threading.get_ident()
    )


async def test_plain_calls_of_a_live_session_come_in_as_well(stage: Stage) -> None:
    async with stage.call() as (call, phone):
        handle = await elsewhere(lambda: stage.voice.from_thread(call.say, "hello there"))
        await phone.wait(2_000_000)
        assert handle.spoken_text == "hello there"


async def test_an_error_comes_out_where_the_call_was_made(stage: Stage) -> None:
    voice = stage.voice
    with pytest.raises(SessionNotFound):
        await elsewhere(lambda: voice.from_thread(voice.pause, "nobody"))


@pytest.mark.parametrize("name", ["get", "pause", "resume", "end", "delete", "transcript"])
async def test_a_bare_call_from_a_foreign_thread_is_refused(stage: Stage, name: str) -> None:
    session = await stage.voice.create(user_id="ada")

    def bare() -> None:
        anyio.run(getattr(stage.voice, name), session.id)

    with pytest.raises(WrongThread, match="from_thread"):
        await elsewhere(bare)
    assert (await stage.voice.get(session.id)).state is SessionState.CONNECTING


async def test_so_is_one_of_a_session_in_hand(stage: Stage) -> None:
    session = await stage.voice.create(user_id="ada")
    async with stage.voice.attach(session.id) as handle:
        await handle.live()
        for bare in (handle.pause, handle.disconnected, handle.end):
            with pytest.raises(WrongThread):
                await elsewhere(partial(anyio.run, bare))
        assert handle.is_live
        assert handle.audio(Track.USER, bytes(640))


async def test_nobody_waits_for_themselves(stage: Stage) -> None:
    with pytest.raises(WrongThread, match="just call it"):
        stage.voice.from_thread(stage.voice.create)


async def test_a_closed_manager_lets_nobody_in() -> None:
    async with Stage() as stage:
        voice: SessionManager = stage.voice
    with pytest.raises(InvalidState):
        voice.from_thread(voice.create)
