"""A house with tenants, users and keys, and a door for each framework."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp
from tests.servers.uvicorn_server import running_uvicorn

import voicesession
from voicesession import SessionManager, Speaker, Track, Utterance
from voicesession.core.utterance import UtteranceId
from voicesession.web.auth.api_keys import ApiKey, ApiKeys
from voicesession.web.fastapi import voice_router
from voicesession.web.options import WebOptions
from voicesession.web.principal import Authenticator, Principal
from voicesession.web.starlette import voice_app

UNLIMITED = WebOptions(rate=None)

PEOPLE = {
    "ada": Principal(tenant_id="acme", user_id="ada", scopes={"read", "write"}),
    "bob": Principal(tenant_id="acme", user_id="bob", scopes={"read", "write"}),
    "backend": Principal(tenant_id="acme", scopes={"read", "write", "usage"}),
    "boss": Principal(tenant_id="acme", user_id="boss", scopes={"admin"}),
    "meter": Principal(tenant_id="acme", scopes={"usage"}),
    "nothing": Principal(tenant_id="acme", user_id="nothing"),
    "eve": Principal(tenant_id="evil", user_id="ada", scopes={"admin"}),
}
"""By their names, which are their keys, too."""

AppMaker: TypeAlias = Callable[..., ASGIApp]
Serving: TypeAlias = Callable[[ASGIApp], AbstractAsyncContextManager[str]]


@pytest.fixture
def anyio_backend() -> str:
    """FastAPI and uvicorn run on asyncio."""
    return "asyncio"


@pytest.fixture
def keys() -> ApiKeys:
    """Everybody's keys."""
    return ApiKeys(
        [ApiKey.of(name, name=name, principal=person) for name, person in PEOPLE.items()]
    )


@pytest.fixture
async def voice(tmp_path: Path) -> AsyncGenerator[SessionManager]:
    """An open house: in memory, with recordings in a folder."""
    house = voicesession.open("memory://", recordings=tmp_path, admission=_no_quota())
    async with house:
        yield house


def _no_quota() -> voicesession.AdmissionPolicy:
    return voicesession.AdmissionPolicy(per_user=None)


def starlette_app(voice: SessionManager, **settings: Any) -> ASGIApp:
    return voice_app(voice, **settings)


def fastapi_app(voice: SessionManager, **settings: Any) -> ASGIApp:
    app = FastAPI()
    app.include_router(voice_router(voice, **settings))
    return app


@pytest.fixture(params=[starlette_app, fastapi_app], ids=["starlette", "fastapi"])
def make_app(request: pytest.FixtureRequest) -> AppMaker:
    """Makes the application, with either framework."""
    maker: AppMaker = request.param
    return maker


@pytest.fixture
def app(voice: SessionManager, keys: Authenticator) -> ASGIApp:
    """The application where it does not matter which framework it is of."""
    return voice_app(voice, authenticator=keys, options=UNLIMITED)


def client_of(app: ASGIApp, person: str | None = None, **settings: Any) -> httpx2.AsyncClient:
    headers = {} if person is None else {"x-api-key": person}
    transport = httpx2.ASGITransport(app)
    return httpx2.AsyncClient(
        transport=transport, base_url="http://localhost", headers=headers, **settings
    )


@pytest.fixture
def as_person(app: ASGIApp) -> Callable[..., httpx2.AsyncClient]:
    """A client with the key of somebody in PEOPLE, or of nobody."""

    def client(person: str | None = None, *, of: ASGIApp = app) -> httpx2.AsyncClient:
        return client_of(of, person)

    return client


@pytest.fixture
def ada(app: ASGIApp) -> httpx2.AsyncClient:
    """A user of the tenant ``acme``."""
    return client_of(app, "ada")


@pytest.fixture
def boss(app: ASGIApp) -> httpx2.AsyncClient:
    """An administrator of the tenant ``acme``."""
    return client_of(app, "boss")


async def a_finished_session(
    voice: SessionManager, *, tenant: str = "acme", user_id: str | None = "ada", **parameters: Any
) -> str:
    house = voice.for_tenant(tenant)
    wanted = {"store_audio": True, "store_transcript": True, "user_id": user_id} | parameters
    session = await house.create(**wanted)
    async with house.attach(session.id) as handle:
        await handle.live()
        handle.audio(Track.USER, b"\x01\x02" * 16_000)
        await handle.final(
            Utterance(
                id=UtteranceId("utt_1"),
                speaker=Speaker.USER,
                start_us=0,
                end_us=1_000_000,
                text="the treasure lies under the oak",
            )
        )
        await handle.end()
    return session.id


@pytest.fixture
def finished(voice: SessionManager) -> Callable[..., Any]:
    """Makes a session that is over, with a second of audio and one sentence."""

    async def make(**settings: Any) -> str:
        return await a_finished_session(voice, **settings)

    return make


@pytest.fixture
def serving() -> Serving:
    """Serves an application on a port of the system's choice, over real sockets."""

    @asynccontextmanager
    async def serve(app: ASGIApp) -> AsyncIterator[str]:
        config = uvicorn.Config(app, ws="websockets-sansio", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        async with running_uvicorn(server, waits=False) as port:
            yield f"http://127.0.0.1:{port}"

    return serve


@pytest.fixture
def people() -> Mapping[str, Principal]:
    """Who has a key."""
    return PEOPLE
