"""Starting a session over HTTP: the application of the documents, served, and the examples run."""

from __future__ import annotations

import os
import re
import runpy
import sys
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from livekit.api import TokenVerifier
from livekit.protocol.models import ParticipantInfo, Room
from livekit.protocol.webhook import WebhookEvent
from tests.servers.livekit_server import KEY, SECRET, signed
from tests.servers.uvicorn_server import running_uvicorn

import voicesession
from voicesession.core.errors import InvalidConfig
from voicesession.core.instants import to_us
from voicesession.integrations.livekit import LiveKitRooms, LiveKitServer, LiveKitWebhooks
from voicesession.web.auth.api_keys import ApiKeys
from voicesession.web.options import WebOptions
from voicesession.web.starlette import voice_app

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs" / "api" / "session-initiation.md").read_text()
ENVIRONMENT = {
    "LIVEKIT_URL": "wss://livekit.example",
    "LIVEKIT_API_KEY": KEY,
    "LIVEKIT_API_SECRET": SECRET,
    "LIVEKIT_TOKEN_TTL_SECONDS": "600",
    "LIVEKIT_AGENT_NAME": "nurse",
    "VOICESESSION_STORE": "sqlite:///voice.db",
}
_US_PER_MS = 1_000


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The application that the page shows, in an empty folder, with the environment it asks for."""
    shown = re.search(r"```python\n(import voicesession\n.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    path = tmp_path / "app.py"
    path.write_text(shown[1])
    monkeypatch.chdir(tmp_path)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return path


@pytest.fixture
async def url(script: Path) -> AsyncGenerator[str]:
    """The application of the page, served by a real uvicorn."""
    app = runpy.run_path(str(script))["app"]
    config = uvicorn.Config(app, ws="none", lifespan="on", log_config=None)
    async with running_uvicorn(uvicorn.Server(config)) as port:
        yield f"http://127.0.0.1:{port}"


async def run(url: str, *command: str) -> list[str]:
    environment = {**os.environ, "VOICESESSION_URL": url}
    ran = await anyio.run_process(command, env=environment, check=False)
    assert ran.returncode == 0, (ran.stdout, ran.stderr)
    return ran.stdout.decode().splitlines()


async def test_the_example_for_curl_starts_a_session(url: str) -> None:
    said = await run(url, "sh", str(EXAMPLES / "session_start.sh"))
    told = [line.partition(": ") for line in said if not line.startswith("#")]
    assert [name for name, *_ in told] == [
        *("template", "session", "room", "connect to", "until", "until", "state", "state")
    ]
    values = [value for *_, value in told]
    assert values[0].startswith("tmpl_")
    assert values[1].startswith("sess_")
    assert re.fullmatch(r"session_\d{8}_\d{6}_[0-9a-f]{6}", values[2])
    assert values[3] == "wss://livekit.example"
    assert values[4] <= values[5]
    assert values[6:] == ["CONNECTING", "ENDED"]


async def test_the_example_in_python_starts_a_session(url: str) -> None:
    said = await run(url, sys.executable, str(EXAMPLES / "session_start.py"))
    assert said[0] == "template: Visit"
    assert said[1].startswith("room: session_")
    assert said[2] == "connect to: wss://livekit.example"
    assert said[-2:] == ["state: CONNECTING language: en", "state: ENDED completed"]


async def test_an_example_that_cannot_reach_its_server_fails() -> None:
    nobody = "http://127.0.0.1:1"
    environment = {**os.environ, "VOICESESSION_URL": nobody}
    for command in (("sh", "session_start.sh"), (sys.executable, "session_start.py")):
        program, name = command
        ran = await anyio.run_process([program, str(EXAMPLES / name)], env=environment, check=False)
        assert ran.returncode != 0


# --- the calls --------------------------------------------------------------------------------------


async def a_template(client: httpx2.AsyncClient, **fields: Any) -> str:
    made = await client.post("/v1/templates", json={"name": "Visit", **fields})
    assert made.status_code == 201, made.text
    template_id: str = made.json()["template"]["id"]
    return template_id


async def test_what_start_answers_opens_the_door_that_the_page_shows(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url) as client:
        template = await a_template(client, enabled_panels=["notes"])
        body = {"session_template_id": template, "user_id": "ada"}
        started = await client.post("/v1/sessions/start", json=body)
        assert started.status_code == 201
        told = started.json()
        assert set(told) == {
            *("session_id", "room_name", "access_token", "livekit_url", "token_expiry")
        }
        claims = TokenVerifier(KEY, SECRET).verify(told["access_token"])
        assert (claims.identity, claims.video and claims.video.room) == ("ada", told["room_name"])
        assert claims.room_config is not None
        assert [agent.agent_name for agent in claims.room_config.agents] == ["nurse"]
        (row,) = (await client.get("/v1/sessions", params={"user_id": "ada"})).json()["sessions"]
        assert (row["id"], row["room_name"]) == (told["session_id"], told["room_name"])


async def test_a_template_that_is_deleted_between_list_and_start_is_not_found(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url) as client:
        template = await a_template(client)
        listed = (await client.get("/v1/templates")).json()["templates"]
        assert [one["id"] for one in listed] == [template]
        await client.delete(f"/v1/templates/{template}")
        body = {"session_template_id": template}
        refused = await client.post("/v1/sessions/start", json=body)
        assert (refused.status_code, refused.json()["code"]) == (404, "template_not_found")
        assert (await client.get("/v1/sessions")).json()["sessions"] == []


@pytest.mark.parametrize(
    "body", [{}, {"session_template_id": 7}, {"session_template_id": "a/b"}, {"template": "x"}, []]
)
async def test_what_start_does_not_understand_is_a_400(url: str, body: object) -> None:
    async with httpx2.AsyncClient(base_url=url) as client:
        refused = await client.post("/v1/sessions/start", json=body)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_value")


async def test_livekits_webhooks_bring_the_session_to_life_and_to_its_end(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url) as client:
        template = await a_template(client)
        body = {"session_template_id": template, "user_id": "ada"}
        started = (await client.post("/v1/sessions/start", json=body)).json()
        path = f"/v1/sessions/{started['session_id']}"
        created = (await client.get(path)).json()["session"]["created_at"]
        joined_ms = to_us(datetime.fromisoformat(created)) // _US_PER_MS + 5_000
        room = Room(name=started["room_name"])
        caller = ParticipantInfo(identity="ada", joined_at_ms=joined_ms)
        joined = WebhookEvent(event="participant_joined", room=room, participant=caller)
        finished = WebhookEvent(
            event="room_finished", room=room, created_at=joined_ms // 1_000 + 60
        )
        states = []
        for event in (joined, joined, finished, joined, finished):
            content, header = signed(event)
            taken = await client.post(
                "/v1/livekit/webhook",
                content=content,
                headers={"authorization": header, "content-type": "application/webhook+json"},
            )
            assert taken.status_code == 200, taken.text
            states.append((await client.get(path)).json()["session"]["state"])
        assert states == ["LIVE", "LIVE", "ENDED", "ENDED", "ENDED"]
        refused = await client.post(f"{path}/token")
        assert (refused.status_code, refused.json()["code"]) == (409, "session_not_active")


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer x.y.z"}])
async def test_a_webhook_that_livekit_did_not_sign_is_a_401(
    url: str, headers: Mapping[str, str]
) -> None:
    content, _ = signed(WebhookEvent(event="room_finished", room=Room(name="lobby")))
    async with httpx2.AsyncClient(base_url=url) as client:
        refused = await client.post("/v1/livekit/webhook", content=content, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        assert SECRET not in refused.text


def test_a_server_without_livekits_settings_does_not_start(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIVEKIT_API_SECRET")
    with pytest.raises(InvalidConfig, match="LIVEKIT_API_SECRET"):
        runpy.run_path(str(script))
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InvalidConfig, match="LIVEKIT_URL"):
        runpy.run_path(str(script))


# --- whose -------------------------------------------------------------------------------------------


async def test_a_user_starts_and_refreshes_for_themselves_alone(keys: ApiKeys) -> None:
    server = LiveKitServer(url="wss://livekit.example", api_key=KEY, api_secret=SECRET)
    async with voicesession.open(rooms=LiveKitRooms(server)) as voice:
        template = (await voice.for_tenant("acme").templates.create("Visit")).id
        options = WebOptions(livekit_webhook=LiveKitWebhooks(server, voice.room_news).receive)
        app = voice_app(voice, authenticator=keys, options=options)

        def client(person: str | None) -> httpx2.AsyncClient:
            headers = {} if person is None else {"x-api-key": person}
            transport = httpx2.ASGITransport(app)
            return httpx2.AsyncClient(
                transport=transport, base_url="http://localhost", headers=headers
            )

        body = {"session_template_id": template}
        started = (await client("ada").post("/v1/sessions/start", json=body)).json()
        assert TokenVerifier(KEY, SECRET).verify(started["access_token"]).identity == "ada"
        path = f"/v1/sessions/{started['session_id']}/token"
        for_ada = body | {"user_id": "ada"}
        for person, fresh, start in (
            ("ada", 200, 201),
            ("backend", 200, 201),
            ("bob", 404, 404),
            ("eve", 404, 404),
            ("meter", 403, 403),
            (None, 401, 401),
        ):
            assert (await client(person).post(path)).status_code == fresh, person
            answer = await client(person).post("/v1/sessions/start", json=for_ada)
            assert answer.status_code == start, person


async def test_where_no_livekit_is_connected_there_is_nothing(keys: ApiKeys) -> None:
    async with voicesession.open() as voice:
        app = voice_app(voice, authenticator=keys)
        transport = httpx2.ASGITransport(app)
        headers = {"x-api-key": "boss"}
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://localhost", headers=headers
        ) as client:
            for path in ("/v1/sessions/start", "/v1/sessions/sess_1/token", "/v1/livekit/webhook"):
                body = {"session_template_id": "tmpl_1"} if path.endswith("start") else None
                refused = await client.post(path, json=body)
                assert (refused.status_code, refused.json()["code"]) == (404, "not_found"), path
