"""The WebSockets under FastAPI: what a host's own dependencies say counts before the door opens."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from attrs import evolve
from fastapi import Depends, FastAPI, HTTPException
from starlette.requests import HTTPConnection
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

import voicesession
from voicesession import Pipeline, SessionManager
from voicesession.core.errors import AccessDenied
from voicesession.testing.scripted import (
    CallbackAgent,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedVoiceActivityDetector,
)
from voicesession.testing.stage import echo
from voicesession.web.fastapi import get_principal, get_voice, voice_router
from voicesession.web.options import WebOptions
from voicesession.web.principal import Principal, Unauthenticated
from voicesession.web.tickets import Kind, Passes

NEW = "/v1/audio/transcriptions/stream"
SECRET = bytes(range(32))
ADA = Principal(tenant_id="acme", user_id="ada", scopes={"read", "write"})


@pytest.fixture
def app() -> FastAPI:
    """The host's application."""
    return FastAPI()


@pytest.fixture
def host(house: Any, keys: Any, serve: Any, app: FastAPI) -> Callable[..., Any]:
    """Serves *app* with the sessions of the house, for the length of a block."""

    def pipeline(_session: object) -> Pipeline:
        return Pipeline(
            vad=ScriptedVoiceActivityDetector(),
            stt=ScriptedSpeechToText(house.lexicon),
            tts=ScriptedTextToSpeech(house.lexicon),
            agent=CallbackAgent(echo),
        )

    @asynccontextmanager
    async def open_one(**included: Any) -> AsyncGenerator[Any]:
        options = WebOptions(rate=None, secret=SECRET)
        router = voice_router(house.voice, pipeline=pipeline, authenticator=keys, options=options)
        app.include_router(router, **included)
        async with serve(app) as url:
            yield evolve(house, url=url)

    return open_one


async def a_stream_of(house: Any, user_id: str) -> str:
    session = await house.voice.for_tenant("acme").create(user_id=user_id)
    return f"/v1/sessions/{session.id}/stream"


async def closed(house: Any, path: str, **settings: Any) -> int:
    async with house.connect(path, **settings) as talker:
        code: int = await talker.closed()
        return code


async def refused(house: Any, path: str) -> Response:
    """Return how a handshake is refused."""
    with pytest.raises(InvalidStatus) as caught:
        async with house.connect(path):
            pass
    return caught.value.response


async def test_whom_the_application_knows_is_asked_for_nothing_else(
    app: FastAPI, host: Callable[..., Any]
) -> None:
    app.dependency_overrides[get_principal] = lambda: ADA
    async with host() as house:
        async with house.connect(await a_stream_of(house, "ada")) as talker:
            await talker.next("session.begin")
        async with house.connect(NEW) as talker:
            session_id = (await talker.next("session.begin"))["session_id"]
        session = await house.voice.for_tenant("acme").get(session_id)
        assert (session.user_id, session.created_by) == ("ada", "ada")
        assert await closed(house, await a_stream_of(house, "bob")) == 1008


async def test_who_may_only_read_does_not_get_in_whoever_says_so(
    app: FastAPI, host: Callable[..., Any]
) -> None:
    app.dependency_overrides[get_principal] = lambda: evolve(ADA, scopes={"read"})
    async with host() as house:
        assert await closed(house, await a_stream_of(house, "ada")) == 1008
        assert await closed(house, NEW) == 1008


async def test_the_sessions_may_be_replaced(app: FastAPI, host: Callable[..., Any]) -> None:
    app.dependency_overrides[get_principal] = lambda: ADA
    async with voicesession.open("memory://") as other, host() as house:
        app.dependency_overrides[get_voice] = lambda: other
        async with house.connect(NEW) as talker:
            session_id = (await talker.next("session.begin"))["session_id"]
            assert (await other.for_tenant("acme").get(session_id)).user_id == "ada"
        assert await closed(house, await a_stream_of(house, "ada")) == 1008
        assert (await house.voice.for_tenant("acme").find()).sessions[0].id != session_id


@pytest.mark.parametrize("path", ["/v1/sessions/sess_a/stream", "/ws/voice?session_id=a", NEW])
async def test_who_is_refused_by_what_a_host_asks_for_besides_finds_the_door_shut(
    app: FastAPI, host: Callable[..., Any], path: str
) -> None:
    asked: list[str] = []

    async def refuse(connection: HTTPConnection) -> None:
        asked.append(connection.url.path)
        raise HTTPException(418)

    app.dependency_overrides[get_principal] = lambda: ADA
    async with host(prefix="/inner", dependencies=[Depends(refuse)]) as house:
        assert (await refused(house, f"/inner{path}")).status_code == 418
        assert not (await house.voice.for_tenant("acme").find()).sessions
    assert asked == [f"/inner{path.partition('?')[0]}"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(AccessDenied("not today"), 403), (Unauthenticated("who?"), 401), (HTTPException(402), 402)],
)
async def test_whom_the_application_refuses_finds_the_door_shut(
    app: FastAPI, host: Callable[..., Any], error: Exception, status: int
) -> None:
    async def refuse() -> Principal:
        raise error

    app.dependency_overrides[get_principal] = refuse
    async with host() as house:
        for path in (NEW, await a_stream_of(house, "ada")):
            response = await refused(house, path)
            assert response.status_code == status
            is_problem = response.headers["content-type"] == "application/problem+json"
            assert is_problem is not isinstance(error, HTTPException)
        assert len((await house.voice.for_tenant("acme").find()).sessions) == 1


async def test_what_a_host_asks_for_besides_may_ask_for_ours(
    house: Any, app: FastAPI, host: Callable[..., Any]
) -> None:
    asked: list[object] = []

    async def look(
        voice: Annotated[SessionManager, Depends(get_voice)],
        principal: Annotated[Principal | None, Depends(get_principal)],
    ) -> None:
        asked.append((voice, principal))

    async with host(dependencies=[Depends(look)]) as inside:
        path, ada = await a_stream_of(inside, "ada"), {"x-api-key": "ada"}
        async with inside.connect(path, additional_headers=ada) as talker:
            await talker.next("session.begin")
        app.dependency_overrides[get_principal] = lambda: ADA
        async with inside.connect(NEW) as talker:
            await talker.next("session.begin")
    assert asked == [(house.voice, None), (house.voice, ADA)]


@pytest.mark.parametrize("is_replaced", [False, True])
async def test_what_nobody_is_known_by_before_the_door_opens_is_asked_for_behind_it(
    app: FastAPI, host: Callable[..., Any], is_replaced: bool
) -> None:
    if is_replaced:
        app.dependency_overrides[get_principal] = lambda: None
    async with host() as house:
        path = await a_stream_of(house, "ada")
        session = (await house.voice.for_tenant("acme").find()).sessions[0]
        async with house.connect(path, additional_headers={"x-api-key": "nobody"}) as nobody:
            await nobody.send("end")
            assert await nobody.closed() == 1008
        assert await closed(house, path, additional_headers={"x-api-key": "bob"}) == 1008
        ticket = Passes(SECRET).issue(Kind.TICKET, session)
        async with house.connect(f"{path}?ticket={ticket}") as talker:
            begin = await talker.next("session.begin")
            async with house.back(begin, 0) as back:
                await back.next("session.begin")
