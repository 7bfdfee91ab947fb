"""A real server on a port of the system's choice, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import uvicorn
from attrs import frozen
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from tests.servers.uvicorn_server import running_uvicorn

import voicesession
from voicesession import (
    AdmissionPolicy,
    LifePolicy,
    Pipeline,
    SessionManager,
    Speaker,
    Track,
    Utterance,
)
from voicesession.client import VoiceClient
from voicesession.core.backoff import Backoff
from voicesession.core.utterance import UtteranceId
from voicesession.integrations.livekit import LiveKitRooms, LiveKitServer
from voicesession.testing.scripted import (
    CallbackAgent,
    Lexicon,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedVoiceActivityDetector,
)
from voicesession.testing.stage import echo
from voicesession.web.auth.api_keys import ApiKey, ApiKeys
from voicesession.web.options import WebOptions
from voicesession.web.principal import Principal
from voicesession.web.starlette import voice_routes

AT_ONCE: Final = Backoff(retries=50, first_us=1_000, longest_us=20_000)
"""Nobody waits long for a line that a test has cut."""

LIVEKIT: Final = LiveKitServer(
    url="wss://livekit.example",
    api_key="APIkey",
    api_secret="a secret of thirty-two characters or more",  # noqa: S106
)
PEOPLE: Final = {
    "ada": Principal(tenant_id="acme", user_id="ada", scopes={"read", "write", "usage"}),
    "boss": Principal(tenant_id="acme", user_id="boss", scopes={"admin"}),
    "nothing": Principal(tenant_id="acme", user_id="nothing"),
    "eve": Principal(tenant_id="evil", user_id="ada", scopes={"admin"}),
}
"""By their names, which are their keys, too."""


@frozen(kw_only=True)
class House:
    """A server that runs, its manager, and the way to it."""

    voice: SessionManager
    lexicon: Lexicon
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, person: str | None = "ada", *, url: str | None = None) -> VoiceClient:
        """Return a client with the key of somebody in PEOPLE."""
        return VoiceClient(url or self.url, api_key=person, backoff=AT_ONCE)

    async def finished_session(self, **parameters: Any) -> str:
        """Return a session of Ada's that is over, with a second of audio and one sentence."""
        wanted: dict[str, Any] = {"store_audio": True, "store_transcript": True, "user_id": "ada"}
        house = self.voice.for_tenant("acme")
        session = await house.create(**wanted | parameters)
        async with house.attach(session.id) as handle:
            await handle.live()
            handle.audio(Track.USER, bytes(range(256)) * 125)
            await handle.final(
                Utterance(
                    id=UtteranceId(f"utt_{session.id[-8:]}"),
                    speaker=Speaker.USER,
                    start_us=0,
                    end_us=1_000_000,
                    text="the treasure lies under the oak",
                )
            )
            await handle.end()
        return session.id

    def spoken(self, text: str, *, silence_us: int = 1_000_000) -> list[bytes]:
        """Return *text* and a silence behind it, in frames of 200 ms."""
        pcm = self.lexicon.speech(text) + self.lexicon.silence(silence_us)
        return [pcm[start : start + 6_400] for start in range(0, len(pcm), 6_400)]


@asynccontextmanager
async def open_house(
    folder: Path,
    *,
    store: str = "memory://",
    life: LifePolicy | None = None,
    lease: timedelta = timedelta(seconds=15),
    options: WebOptions | None = None,
    routes: Sequence[BaseRoute] = (),
    middleware: Sequence[Middleware] = (),
    keys: bool = True,
) -> AsyncGenerator[House]:
    """Run a server with scripted engines, for the length of the block.

    Args:
        keys: Whether callers have to show one.
    """
    lexicon = Lexicon(word_us=100_000)
    voice = voicesession.open(
        store,
        recordings=folder / "recordings",
        life=life or LifePolicy(),
        lease=lease,
        admission=AdmissionPolicy(per_user=None),
        rooms=LiveKitRooms(LIVEKIT),
    )
    pipeline = Pipeline(
        vad=ScriptedVoiceActivityDetector(),
        stt=ScriptedSpeechToText(lexicon),
        tts=ScriptedTextToSpeech(lexicon),
        agent=CallbackAgent(echo),
    )
    people = [ApiKey.of(name, name=name, principal=who) for name, who in PEOPLE.items()]
    app = Starlette(
        middleware=middleware,
        routes=[
            *routes,
            *voice_routes(
                voice,
                pipeline=lambda _: pipeline,
                authenticator=ApiKeys(people) if keys else None,
                options=options or WebOptions(rate=None, secret=bytes(range(32))),
            ),
        ],
    )
    async with voice, _serving(app) as port:
        yield House(voice=voice, lexicon=lexicon, port=port)


@asynccontextmanager
async def _serving(app: Starlette) -> AsyncGenerator[int]:
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_config=None,
        lifespan="off",
    )
    async with running_uvicorn(uvicorn.Server(config), waits=False) as port:
        yield port
