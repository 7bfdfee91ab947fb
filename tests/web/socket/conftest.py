"""A house on the network, and clients that talk to it as a phone or a browser would."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
import uvicorn
from attrs import define, evolve, field
from starlette.types import ASGIApp
from tests.patience import PATIENCE_S
from tests.servers.uvicorn_server import running_uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

import voicesession
from voicesession import AdmissionPolicy, LifePolicy, Pipeline, Session, SessionManager
from voicesession.testing.scripted import (
    CallbackAgent,
    Lexicon,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedVoiceActivityDetector,
)
from voicesession.testing.stage import echo
from voicesession.web.auth.api_keys import ApiKey, ApiKeys
from voicesession.web.options import ConfigMaker, WebOptions
from voicesession.web.principal import Permission, Principal
from voicesession.web.socket.options import SocketOptions
from voicesession.web.starlette import voice_app

SECRET = bytes(range(32))
WORD_US = 100_000


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn runs on asyncio."""
    return "asyncio"


@define
class Talker:
    """One connection of a client, and what it was sent."""

    socket: ClientConnection
    lexicon: Lexicon
    messages: list[dict[str, Any]] = field(factory=list)
    audio: bytearray = field(factory=bytearray)

    async def next(self, kind: str) -> dict[str, Any]:
        """Read until a message of *kind*, which is returned."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                frame = await self.socket.recv()
                if isinstance(frame, bytes):
                    self.audio += frame
                    continue
                message: dict[str, Any] = json.loads(frame)
                self.messages.append(message)
                if message["type"] == kind:
                    return message

    async def closed(self) -> int:
        """Read until it is closed; return the code."""
        with anyio.fail_after(PATIENCE_S):
            try:
                await self.next("no such type")
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd is not None else 1006
        raise AssertionError

    async def send(self, kind: str, **values: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **values}))

    async def speak(self, text: str, *, silence_us: int = 1_000_000) -> None:
        """Say *text* and then nothing for a while, faster than real time."""
        pcm = self.lexicon.speech(text) + self.lexicon.silence(silence_us)
        for start in range(0, len(pcm), 6_400):
            await self.socket.send(pcm[start : start + 6_400])

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Everything of *kind* so far."""
        return [message for message in self.messages if message["type"] == kind]

    @property
    def words(self) -> list[str]:
        """The user's words that are final, in the order in which they came."""
        finals = [message["utterance"] for message in self.all("transcript.final")]
        return [said["text"] for said in finals if said["speaker"] == "user"]

    @property
    def last_seq(self) -> int:
        return max((message.get("seq", 0) for message in self.messages), default=0)


@define
class House:
    """A server, its manager, and the way to it."""

    voice: SessionManager
    lexicon: Lexicon
    url: str
    sessions: list[Session] = field(factory=list)

    @asynccontextmanager
    async def connect(self, path: str, **settings: Any) -> AsyncGenerator[Talker]:
        async with connect(f"{self.url}{path}", compression=None, **settings) as socket:
            yield Talker(socket, self.lexicon)

    @asynccontextmanager
    async def talk(self, **parameters: Any) -> AsyncGenerator[Talker]:
        """Create a session and connect to it; it has begun."""
        session = await self.voice.create(**parameters)
        async with self.connect(f"/v1/sessions/{session.id}/stream") as talker:
            await talker.next("session.begin")
            yield talker

    @asynccontextmanager
    async def back(self, begin: dict[str, Any], last_seq: int) -> AsyncGenerator[Talker]:
        """Come back to a session that has begun before."""
        session_id = begin["session_id"]
        async with self.connect(f"/v1/sessions/{session_id}/stream") as talker:
            token = begin["resume_token"]
            await talker.send(
                "attach", session_id=session_id, resume_token=token, last_seq=last_seq
            )
            yield talker


HouseMaker = Callable[..., Any]


@asynccontextmanager
async def serving(
    app: ASGIApp, *, buffered: int | None = None, ping_s: float = 20
) -> AsyncGenerator[str]:
    """Serve *app* on a port of its own; the address comes back.

    Args:
        buffered: How many bytes the system keeps for a client that does not read.
        ping_s: How often clients are pinged, and how long they may take to answer.
    """
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=ping_s,
        ws_ping_timeout=ping_s,
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=5,
    )
    async with running_uvicorn(uvicorn.Server(config), buffered=buffered) as port:
        yield f"ws://127.0.0.1:{port}"


@pytest.fixture
def serve() -> Any:
    """Serves an application, for the length of a block; the address comes back."""
    return serving


@pytest.fixture
def open_house(tmp_path: Path) -> HouseMaker:
    """Opens a house with scripted engines, for the length of a block."""

    @asynccontextmanager
    async def open_one(
        *,
        store: str = "memory://",
        answer: Any = echo,
        life: LifePolicy | None = None,
        admission: AdmissionPolicy | None = None,
        bounds: SocketOptions | None = None,
        config: ConfigMaker | None = None,
        authenticator: Any = None,
        tts: Any = None,
        pipeline: Any = None,
        buffered: int | None = None,
        ping_s: float = 20,
        worker_id: str = "here",
        **parts: Any,
    ) -> AsyncGenerator[House]:
        lexicon = Lexicon(word_us=WORD_US)
        opened = voicesession.open(
            store,
            recordings=tmp_path / "recordings",
            life=life or LifePolicy(),
            admission=admission or AdmissionPolicy(per_user=None),
            **parts,
        )
        voice = SessionManager(evolve(opened._services, worker_id=worker_id))
        made: list[Session] = []

        def make(session: Session) -> Pipeline:
            made.append(session)
            return Pipeline(
                vad=ScriptedVoiceActivityDetector(),
                stt=ScriptedSpeechToText(lexicon),
                tts=tts or ScriptedTextToSpeech(lexicon),
                agent=CallbackAgent(answer),
            )

        options = WebOptions(
            rate=None, secret=SECRET, socket=bounds or SocketOptions(), config=config
        )
        app = voice_app(
            voice, pipeline=pipeline or make, authenticator=authenticator, options=options
        )
        async with voice, serving(app, buffered=buffered, ping_s=ping_s) as url:
            yield House(voice, lexicon, url, made)

    return open_one


@pytest.fixture
async def house(open_house: HouseMaker) -> AsyncGenerator[House]:
    """A house in which nobody is asked who they are."""
    async with open_house() as house:
        yield house


@pytest.fixture
def keys() -> ApiKeys:
    """Ada and Bob of acme, and Eve of another tenant; their names are their keys."""
    may = {Permission.READ, Permission.WRITE}
    people = {
        "ada": Principal(tenant_id="acme", user_id="ada", scopes=may),
        "bob": Principal(tenant_id="acme", user_id="bob", scopes=may),
        "eve": Principal(tenant_id="evil", user_id="ada", scopes=may),
        "reader": Principal(tenant_id="acme", user_id="ada", scopes={Permission.READ}),
    }
    return ApiKeys([ApiKey.of(key, name=key, principal=who) for key, who in people.items()])


@pytest.fixture
def brief() -> LifePolicy:
    """No time to come back."""
    return LifePolicy(reconnect_grace=timedelta())
