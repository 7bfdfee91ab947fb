"""Sessions live in one thread; others come in by one door, or not at all."""

import inspect
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from inspect import Parameter, iscoroutinefunction, signature
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
        waited_for: list[Callable[[], Awaitable[object]]] = [
            handle.pause,
            handle.disconnected,
            handle.end,
            handle.live,
            handle.charge,
            handle.cost,
            partial(handle.afford, bytes(640)),
            partial(handle.add_task, "enhancement"),
        ]
        calls: list[Callable[[], object]] = [
            *(partial(anyio.run, each) for each in waited_for),
            partial(handle.audio, Track.USER, bytes(640)),
            partial(handle.partial, "hel"),
            partial(handle.subscribe, print),
            handle.pause_recording,
            handle.resume_recording,
        ]
        for bare in calls:
            with pytest.raises(WrongThread):
                await elsewhere(bare)
        assert handle.is_live
        assert handle.media_us == 0
        assert handle.audio(Track.USER, bytes(640))


def calls_of(face: object) -> list[str]:
    """Every public method."""
    return [
        name for name, _ in inspect.getmembers(type(face), inspect.isfunction) if name[0] != "_"
    ]


FACES = ("budgets", "usage", "recordings", "transcripts", "templates", "rooms", "room_news", "jobs")


@pytest.mark.parametrize("name", FACES)
async def test_so_is_every_call_of_what_hangs_on_the_manager(stage: Stage, name: str) -> None:
    face = getattr(stage.voice.for_tenant("acme"), name)
    assert calls_of(face)
    for call in calls_of(face):
        method = getattr(face, call)
        nothing = [None for each in signature(method).parameters.values() if is_needed(each)]

        def bare(method: Any = method, nothing: list[None] = nothing) -> Any:
            return (
                method(*nothing) if not iscoroutinefunction(method) else anyio.run(method, *nothing)
            )

        with pytest.raises(WrongThread, match="from_thread"):
            await elsewhere(bare)


def is_needed(parameter: Parameter) -> bool:
    by_place = parameter.kind in {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD}
    return by_place and parameter.default is Parameter.empty


async def test_what_hangs_on_the_manager_comes_in_by_its_door(stage: Stage) -> None:
    voice = stage.voice
    made = await elsewhere(lambda: voice.from_thread(voice.templates.create, "Visit"))
    assert await voice.templates.get(made.id) == made
    account = await elsewhere(lambda: voice.from_thread(voice.budgets.account, "user", "ada"))
    assert account == voice.budgets.account("user", "ada")


async def test_a_coroutine_counts_where_it_runs(stage: Stage) -> None:
    made = await elsewhere(partial(stage.voice.templates.create, "Visit"))
    assert (await made).name == "Visit"


async def test_a_manager_that_nobody_has_opened_is_at_home_anywhere() -> None:
    voice = Stage().voice
    account = await elsewhere(partial(voice.budgets.account, "user", "ada"))
    assert account.id == "ada"


async def test_nobody_waits_for_themselves(stage: Stage) -> None:
    with pytest.raises(WrongThread, match="just call it"):
        stage.voice.from_thread(stage.voice.create)


async def test_a_closed_manager_lets_nobody_in() -> None:
    async with Stage() as stage:
        voice: SessionManager = stage.voice
    with pytest.raises(InvalidState):
        voice.from_thread(voice.create)
