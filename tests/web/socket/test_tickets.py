"""A ticket lets one client in, once; and gets back in whoever never heard of a beginning."""

from contextlib import suppress
from typing import Any

import anyio
import httpx2
import pytest
from tests.patience import PATIENCE_S
from websockets.exceptions import ConnectionClosed

from voicesession import AudioFormat, Pipeline
from voicesession.testing.scripted import (
    CallbackAgent,
    Lexicon,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedVoiceActivityDetector,
)
from voicesession.testing.stage import echo


async def a_ticket(house: Any, session_id: str) -> dict[str, Any]:
    """Return what a backend that may write to the session is told."""
    address = house.url.replace("ws://", "http://")
    async with httpx2.AsyncClient(base_url=address, headers={"x-api-key": "ada"}) as http:
        answer = await http.post(f"/v1/sessions/{session_id}/ticket")
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


def path_with(told: dict[str, Any], session_id: str) -> str:
    return f"/v1/sessions/{session_id}/stream?ticket={told['ticket']}"


async def refused(house: Any, path: str) -> int:
    async with house.connect(path) as talker:
        await talker.send("flush")  # which is no attach
        code: int = await talker.closed()
        return code


@pytest.fixture
async def guarded(open_house: Any, keys: Any) -> Any:
    async with open_house(authenticator=keys) as house:
        yield house


async def a_session_of_ada(house: Any) -> str:
    session_id: str = (await house.voice.for_tenant("acme").create(user_id="ada")).id
    return session_id


async def test_a_ticket_is_good_once_whether_or_not_its_client_is_still_there(
    guarded: Any,
) -> None:
    session_id = await a_session_of_ada(guarded)
    path = path_with(await a_ticket(guarded, session_id), session_id)
    async with guarded.connect(path) as talker:
        await talker.next("session.begin")
        assert await refused(guarded, path) == 1008
        await talker.send("text", text="still mine")
        await talker.next("reply.end")
    with anyio.fail_after(PATIENCE_S):
        while guarded.voice._worker.owned:
            await anyio.lowlevel.checkpoint()
    assert await refused(guarded, path) == 1008


async def test_a_ticket_that_was_used_on_another_worker_is_used_up(
    open_house: Any, keys: Any, tmp_path: Any
) -> None:
    store = f"sqlite:///{tmp_path / 'voice.db'}"
    here = open_house(store=store, authenticator=keys)
    there = open_house(store=store, authenticator=keys)
    async with here as one, there as other:
        session_id = await a_session_of_ada(one)
        path = path_with(await a_ticket(one, session_id), session_id)
        async with one.connect(path) as talker:
            await talker.next("session.begin")
            assert await refused(other, path) == 1008
            await talker.send("text", text="still mine")
            await talker.next("reply.end")


async def test_of_two_that_come_with_one_ticket_at_once_one_gets_in_at_most(
    open_house: Any, keys: Any, tmp_path: Any
) -> None:
    store = f"sqlite:///{tmp_path / 'voice.db'}"
    here = open_house(store=store, authenticator=keys)
    there = open_house(store=store, authenticator=keys)
    async with here as one, there as other:
        for _ in range(5):
            session_id = await a_session_of_ada(one)
            path = path_with(await a_ticket(one, session_id), session_id)
            begun: list[Any] = []
            async with anyio.create_task_group() as tasks:
                for house in (one, other, one, other):
                    tasks.start_soon(come, house, path, begun)
            assert len(begun) <= 1


async def come(house: Any, path: str, begun: list[Any]) -> None:
    """Note whether the session begins for somebody who comes by *path*."""
    async with house.connect(path) as talker:
        with suppress(ConnectionClosed):
            await talker.send("flush")
            await talker.next("session.begin")
            begun.append(house)


async def test_the_token_of_a_ticket_takes_a_session_over_whose_beginning_was_never_heard(
    guarded: Any,
) -> None:
    session_id = await a_session_of_ada(guarded)
    unheard = path_with(await a_ticket(guarded, session_id), session_id)
    async with guarded.connect(unheard) as first:
        await first.next("session.begin")
        told = await a_ticket(guarded, session_id)
        async with guarded.back(told | {"session_id": session_id}, 0) as back:
            assert (await back.next("session.begin"))["session_id"] == session_id
            assert await first.closed() == 4409


class LateSpeechToText(ScriptedSpeechToText):
    """A recogniser whose first stream is opened only when that is allowed."""

    def __init__(self, lexicon: Lexicon) -> None:
        super().__init__(lexicon)
        self.is_asked = anyio.Event()
        self.may_open = anyio.Event()

    async def open(self, audio_format: AudioFormat, /, *, language: str) -> Any:
        if not self.is_asked.is_set():
            self.is_asked.set()
            await self.may_open.wait()
        return await super().open(audio_format, language=language)


async def test_who_comes_back_while_the_session_is_about_to_begin_takes_it_over(
    open_house: Any, keys: Any
) -> None:
    lexicon = Lexicon(word_us=100_000)
    late = LateSpeechToText(lexicon)
    pipeline = Pipeline(
        vad=ScriptedVoiceActivityDetector(),
        stt=late,
        tts=ScriptedTextToSpeech(lexicon),
        agent=CallbackAgent(echo),
    )
    async with open_house(authenticator=keys, pipeline=lambda _: pipeline) as house:
        session_id = await a_session_of_ada(house)
        path = path_with(await a_ticket(house, session_id), session_id)
        async with house.connect(path) as first:
            await late.is_asked.wait()
            told = await a_ticket(house, session_id)
            assert await refused(house, path_with(told, session_id)) == 4400
            async with house.back(told | {"session_id": session_id}, 0) as back:
                await back.next("session.begin")
                late.may_open.set()
                assert await first.closed() == 4409
                await back.send("text", text="good morning")
                await back.next("reply.end")
    assert not first.all("session.begin")


async def test_attach_is_the_first_message_also_where_the_session_has_not_begun(
    guarded: Any,
) -> None:
    session_id = await a_session_of_ada(guarded)
    told = await a_ticket(guarded, session_id)
    attach = {"session_id": session_id, "resume_token": told["resume_token"], "last_seq": 0}
    async with guarded.connect(path_with(told, session_id)) as talker:
        await talker.send("attach", **attach)
        await talker.next("session.begin")
        await talker.send("text", text="good morning")
        await talker.next("reply.end")
        await talker.send("attach", **attach)
        assert await talker.closed() == 4400
