"""Where a host knows the keys of its namespaces, no session begins without the hash of one."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp
from websockets.asyncio.client import connect

import voicesession
from voicesession import Pipeline, SessionManager
from voicesession.integrations.livekit import LiveKitRooms, LiveKitServer
from voicesession.testing.scripted import (
    CallbackAgent,
    Lexicon,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedVoiceActivityDetector,
)
from voicesession.testing.stage import echo
from voicesession.web.options import WebOptions
from voicesession.web.principal import Authenticator
from voicesession.web.starlette import voice_app

SESSIONS = "/v1/sessions"
SERVER = LiveKitServer(
    url="wss://livekit.example",
    api_key="APIkey",
    api_secret="a secret of thirty-two characters or more",  # noqa: S106
)
ENGINES = Pipeline(
    vad=ScriptedVoiceActivityDetector(),
    stt=ScriptedSpeechToText(Lexicon()),
    tts=ScriptedTextToSpeech(Lexicon()),
    agent=CallbackAgent(echo),
)


@pytest.fixture
async def voice() -> AsyncGenerator[SessionManager]:
    async with voicesession.open("memory://", rooms=LiveKitRooms(SERVER)) as voice:
        yield voice


@pytest.fixture
def asked() -> list[tuple[str, str]]:
    """What the host was asked."""
    return []


@pytest.fixture
def app(voice: SessionManager, keys: Authenticator, asked: list[tuple[str, str]]) -> ASGIApp:
    async def verify(namespace_id: str, key_hash: str) -> bool:
        asked.append((namespace_id, key_hash))
        return key_hash == "right"

    return voice_app(
        voice,
        authenticator=keys,
        pipeline=lambda _session: ENGINES,
        options=WebOptions(verify_key_hash=verify),
    )


async def test_the_host_is_asked_and_its_no_is_a_401(
    ada: httpx2.AsyncClient, asked: list[tuple[str, str]]
) -> None:
    for wish in ({}, {"key_hash": "wrong"}):
        answer = await ada.post(SESSIONS, json=wish)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.json()["detail"] == "Invalid encryption key hash"
    created = await ada.post(SESSIONS, json={"key_hash": "right"})
    assert created.status_code == 201
    assert "right" not in created.text
    assert asked == [("acme", "wrong"), ("acme", "right")]


async def test_no_other_door_leads_past_it(
    ada: httpx2.AsyncClient, voice: SessionManager, app: ASGIApp, serving: Callable[[ASGIApp], Any]
) -> None:
    template = await voice.for_tenant("acme").templates.create("Talk")
    room = await ada.post(f"{SESSIONS}/start", json={"session_template_id": template.id})
    assert (room.status_code, room.json()["detail"]) == (401, "Invalid encryption key hash")
    async with serving(app) as url:
        socket = connect(
            url.replace("http", "ws") + "/v1/audio/transcriptions/stream",
            additional_headers={"x-api-key": "ada"},
        )
        async with socket as line:
            await line.wait_closed()
            assert (line.close_code, line.close_reason) == (1008, "unauthenticated")
    assert (await voice.for_tenant("acme").find()).sessions == ()


async def test_a_session_that_has_named_it_is_talked_to_as_any_other(
    ada: httpx2.AsyncClient, app: ASGIApp, serving: Callable[[ASGIApp], Any]
) -> None:
    wish = {"key_hash": "right", "mode": "transcription"}
    session = (await ada.post(SESSIONS, json=wish)).json()["session"]
    async with serving(app) as url:
        place = f"{url.replace('http', 'ws')}{SESSIONS}/{session['id']}/stream"
        async with connect(place, additional_headers={"x-api-key": "ada"}) as line:
            begun = await line.recv()
    assert "session.begin" in str(begun)
