"""Sessions in rooms over HTTP, and what a room's server tells."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp

import voicesession
from voicesession import SessionManager
from voicesession.integrations.livekit import LiveKitRooms, LiveKitServer, LiveKitWebhooks
from voicesession.web.options import WebOptions
from voicesession.web.principal import Authenticator
from voicesession.web.starlette import voice_app

SESSIONS = "/v1/sessions"
SERVER = LiveKitServer(
    url="wss://livekit.example",
    api_key="APIkey",
    api_secret="a secret of thirty-two characters or more",  # noqa: S106
)


@pytest.fixture
async def voice() -> AsyncGenerator[SessionManager]:
    async with voicesession.open("memory://", rooms=LiveKitRooms(SERVER)) as voice:
        yield voice


@pytest.fixture
def app(voice: SessionManager, keys: Authenticator) -> ASGIApp:
    webhooks = LiveKitWebhooks(SERVER, voice.room_news)
    options = WebOptions(livekit_webhook=webhooks.receive, max_body_bytes=1024)
    return voice_app(voice, authenticator=keys, options=options)


async def started(client: httpx2.AsyncClient, voice: SessionManager) -> dict[str, Any]:
    template = await voice.for_tenant("acme").templates.create("Talk")
    answer = await client.post(f"{SESSIONS}/start", json={"session_template_id": template.id})
    assert answer.status_code == 201, answer.text
    access: dict[str, Any] = answer.json()
    return access


async def test_a_session_is_started_in_a_room_and_its_token_refreshed(
    ada: httpx2.AsyncClient, voice: SessionManager, as_person: Callable[..., httpx2.AsyncClient]
) -> None:
    access = await started(ada, voice)
    assert access.keys() == {
        *("session_id", "room_name", "access_token", "livekit_url", "token_expiry"),
    }
    assert access["livekit_url"] == "wss://livekit.example"
    session = (await ada.get(f"{SESSIONS}/{access['session_id']}")).json()["session"]
    assert (session["room_name"], session["user_id"]) == (access["room_name"], "ada")
    again = await ada.post(f"{SESSIONS}/{access['session_id']}/token")
    assert again.json()["room_name"] == access["room_name"]
    assert (
        await as_person("bob").post(f"{SESSIONS}/{access['session_id']}/token")
    ).status_code == 404


async def test_a_webhook_is_believed_by_its_signature_alone(
    ada: httpx2.AsyncClient, as_person: Callable[..., httpx2.AsyncClient]
) -> None:
    nobody = as_person()
    forged = await nobody.post("/v1/livekit/webhook", content=b'{"event": "room_finished"}')
    assert (forged.status_code, forged.json()["code"]) == (401, "unauthenticated")
    large = await nobody.post("/v1/livekit/webhook", content=b"x" * 2000)
    assert large.status_code == 413


async def test_where_no_such_server_is_connected_there_is_nothing(
    tmp_path: Any, keys: Authenticator, as_person: Callable[..., httpx2.AsyncClient]
) -> None:
    async with voicesession.open("memory://") as voice:
        boss = as_person("boss", of=voice_app(voice, authenticator=keys))
        template = await voice.for_tenant("acme").templates.create("Talk")
        wish = {"session_template_id": template.id}
        session = (await boss.post(SESSIONS, json={})).json()["session"]["id"]
        for path, body in (
            (f"{SESSIONS}/start", wish),
            (f"{SESSIONS}/{session}/token", None),
            ("/v1/livekit/webhook", None),
        ):
            answer = await boss.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
