"""The OpenAPI document of FastAPI: valid, complete, and true of each answer."""

import re
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from jsonschema_rs import validator_for
from openapi_spec_validator import validate
from pydantic import TypeAdapter

from voicesession import SessionManager
from voicesession.web.fastapi import get_principal, get_voice, voice_router
from voicesession.web.options import WebOptions
from voicesession.web.principal import Authenticator, Principal
from voicesession.web.routes import ROUTES, STANDING_ROUTES

SESSIONS = "/v1/sessions"
ANSWERS = {route.name: route.answer for route in ROUTES}
ALIASES = (SESSIONS, "/v1/realtime/sessions", "/live-sessions", "/api/v1/sessions")


@pytest.fixture
def fastapi(voice: SessionManager, keys: Authenticator) -> FastAPI:
    app = FastAPI()
    options = WebOptions(rate=None)
    app.include_router(voice_router(voice, authenticator=keys, prefixes=ALIASES, options=options))
    return app


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }


async def test_the_document_is_valid_and_has_every_route_once(fastapi: FastAPI) -> None:
    document = fastapi.openapi()
    validate(document)
    assert sorted(operations(document)) == sorted(route.name for route in ROUTES)
    assert not [path for path in document["paths"] if path.startswith(ALIASES[1:])]


async def test_each_operation_tells_its_problems_its_examples_and_who_may(fastapi: FastAPI) -> None:
    document = fastapi.openapi()
    for route in ROUTES:
        operation = operations(document)[route.name]
        assert operation["summary"]
        told = set(operation["responses"])
        assert {str(route.status), "400", "429", "500"} | {*map(str, route.errors)} <= told
        assert bool(route.permissions) == ("security" in operation) <= ("401" in told)
        assert ("requestBody" in operation) == (route.takes_body and not route.reads_raw)
    assert document["components"]["schemas"]["SessionRow"]["properties"]["id"]["examples"]
    for name in ("create_session", "create_template", "set_limit"):
        body = operations(document)[name]["requestBody"]["content"]["application/json"]
        assert body["schema"]["examples"]


async def test_the_other_prefixes_lead_to_the_same_sessions(fastapi: FastAPI) -> None:
    transport = httpx2.ASGITransport(fastapi)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://localhost", headers={"x-api-key": "ada"}
    ) as client:
        for prefix in ALIASES:
            session = (await client.post(prefix, json={})).json()["session"]
            assert f"{prefix}/{session['id']}/stream" in session["websocket_url"]
            assert (await client.get(f"{SESSIONS}/{session['id']}")).status_code == 200


async def test_every_answer_is_as_the_document_says_and_says_no_more(
    fastapi: FastAPI, finished: Callable[..., Any], as_person: Callable[..., httpx2.AsyncClient]
) -> None:
    document = fastapi.openapi()
    boss = as_person("boss", of=fastapi)
    session = f"{SESSIONS}/{await finished(enhance_on_end=True)}"
    live = (
        f"{SESSIONS}/{(await boss.post(SESSIONS, json={'user_id': 'ada'})).json()['session']['id']}"
    )
    template = (await boss.post("/v1/templates", json={"name": "a"})).json()["template"]["id"]
    day = {"meter": "audio_us", "window": "day"}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", SESSIONS, {"json": {"metadata": {"a": 1}}}),
        ("POST", SESSIONS, {"json": {"colour": "red"}}),
        ("GET", SESSIONS, {}),
        ("GET", SESSIONS, {"params": {"limit": "none"}}),
        ("GET", session, {}),
        ("GET", f"{SESSIONS}/sess_x", {}),
        ("PATCH", live, {"json": {"metadata": {}, "audio_minutes_used": 1}}),
        ("PATCH", live, {"json": {"daily_budget_remaining": {"audioMin": 1}}}),
        ("POST", f"{live}/pause", {}),
        ("POST", f"{live}/resume", {}),
        ("POST", f"{live}/end", {"json": {"reason": "cancelled"}}),
        ("GET", f"{session}/transcript", {}),
        ("GET", f"{session}/events", {}),
        ("GET", f"{session}/stats", {}),
        ("GET", f"{session}/tasks", {}),
        ("GET", f"{session}/audio", {"headers": {"range": "bytes=999999-"}}),
        ("POST", f"{session}/token", {}),
        ("POST", f"{SESSIONS}/start", {"json": {"session_template_id": template}}),
        ("DELETE", session, {}),
        ("POST", "/v1/templates", {"json": {"name": "b", "audio_budget_minutes": 1}}),
        ("GET", "/v1/templates", {}),
        ("GET", f"/v1/templates/{template}", {}),
        ("PUT", f"/v1/templates/{template}", {"json": {"name": "c"}}),
        ("DELETE", f"/v1/templates/{template}", {}),
        ("PUT", "/v1/budgets/user/ada", {"json": day | {"amount": 5}}),
        ("GET", "/v1/budgets/user/ada", {}),
        ("DELETE", "/v1/budgets/user/ada", {"params": day}),
        ("GET", "/healthz", {}),
        ("GET", "/readyz", {}),
    ]
    for method, path, more in calls:
        answer = await boss.request(method, path, **more)
        operation = described(document, method, path)
        content = operation["responses"][str(answer.status_code)]["content"]
        media_type = answer.headers["content-type"].partition(";")[0]
        schema = content[media_type]["schema"] | {"components": document["components"]}
        validator_for(schema).validate(answer.json())
        if answer.is_success and operation["operationId"] != "get_events":  # each type has its own
            model = TypeAdapter(ANSWERS[operation["operationId"]])
            model.validate_json(answer.content, extra="forbid")


def described(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """The operation of a path; one that is written out goes before one with variables."""
    for template in sorted(document["paths"], key=lambda one: one.count("{")):
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        operation: dict[str, Any] = document["paths"][template].get(method.lower())
        if re.fullmatch(pattern, path) and operation:
            return operation
    raise AssertionError(f"{method} {path} is not described")


async def test_a_host_replaces_who_calls_and_whose_sessions_they_are(
    fastapi: FastAPI, voice: SessionManager, as_person: Callable[..., httpx2.AsyncClient]
) -> None:
    mine = Principal(tenant_id="mine", user_id="me", scopes={"read", "write"})
    fastapi.dependency_overrides[get_principal] = lambda: mine
    fastapi.dependency_overrides[get_voice] = lambda: voice
    nobody = as_person(of=fastapi)
    session = (await nobody.post(SESSIONS, json={})).json()["session"]
    assert (session["tenant_id"], session["user_id"]) == ("mine", "me")
    assert (await voice.for_tenant("mine").get(session["id"])).user_id == "me"
    assert (await nobody.get("/readyz")).status_code == 200


@pytest.mark.parametrize("replaces", [False, True])
async def test_what_a_host_asks_for_besides_is_asked_of_every_call(
    voice: SessionManager,
    keys: Authenticator,
    as_person: Callable[..., httpx2.AsyncClient],
    replaces: bool,
) -> None:
    asked: list[str] = []

    async def refused(request: Request) -> None:
        asked.append(request.url.path)
        raise HTTPException(418)

    app = FastAPI()
    router = voice_router(voice, authenticator=keys)
    app.include_router(router, prefix="/inner", dependencies=[Depends(refused)])
    if replaces:
        app.dependency_overrides[get_voice] = lambda: voice
    ada = as_person("ada", of=app)
    for route in ROUTES:
        place = "" if route in STANDING_ROUTES else SESSIONS
        for method in route.methods:
            answer = await ada.request(method, f"/inner{place}{route.path}")
            assert answer.status_code == 418
    assert len(asked) == sum(len(route.methods) for route in ROUTES)


@pytest.mark.parametrize("dependency", [get_principal, get_voice])
async def test_a_route_of_the_hosts_own_learns_nothing_of_ours_and_lets_nobody_in(
    fastapi: FastAPI,
    as_person: Callable[..., httpx2.AsyncClient],
    dependency: Callable[..., Any],
) -> None:
    @fastapi.get("/own", dependencies=[Depends(dependency)])
    async def own() -> str:
        return "come in"

    with pytest.raises(RuntimeError, match="voice_router"):
        await as_person("ada", of=fastapi).get("/own")
