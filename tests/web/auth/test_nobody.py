"""Without accounts: this machine, and nothing else."""

import logging

import httpx2
import pytest

from voicesession import SessionManager
from voicesession.web.auth.nobody import NobodyAsked
from voicesession.web.starlette import voice_app

SESSIONS = "/v1/sessions"


def caller(
    voice: SessionManager, address: str = "127.0.0.1", /, **headers: str
) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(voice_app(voice), client=(address, 50_000))
    return httpx2.AsyncClient(
        transport=transport, base_url="http://localhost:8000", headers=headers
    )


def test_it_is_said_loudly(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "voicesession.web"):
        NobodyAsked()
    assert "everybody on this machine may do everything" in caplog.text


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1"])
async def test_callers_of_this_machine_are_let_in(voice: SessionManager, host: str) -> None:
    assert (await caller(voice, host).get(SESSIONS)).status_code == 200


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        ("10.0.0.7", {}),
        ("203.0.113.9", {}),
        ("testclient", {}),
        ("127.0.0.1", {"x-forwarded-for": "127.0.0.1"}),
        ("127.0.0.1", {"forwarded": "for=127.0.0.1"}),
        ("127.0.0.1", {"origin": "https://evil.example"}),
        ("127.0.0.1", {"origin": "null"}),
        ("127.0.0.1", {"host": "evil.example"}),
        ("127.0.0.1", {"host": "localhost.evil.example"}),
    ],
)
async def test_others_and_pages_of_others_are_not(
    voice: SessionManager, host: str, headers: dict[str, str]
) -> None:
    answer = await caller(voice, host, **headers).post(SESSIONS, json={})
    assert answer.status_code == 401
    assert (await voice.find()).sessions == ()


async def test_a_page_of_this_machine_is(voice: SessionManager) -> None:
    for origin in ("http://localhost:3000", "http://127.0.0.1:8000", "http://demo.localhost"):
        assert (await caller(voice, origin=origin).get(SESSIONS)).status_code == 200


async def test_the_tenant_and_the_user_are_whoever_is_named(voice: SessionManager) -> None:
    client = caller(voice)
    wish = {"namespace_id": "acme", "user_id": "ada"}
    session = (await client.post(SESSIONS, json=wish)).json()["session"]
    assert (session["tenant_id"], session["user_id"]) == ("acme", "ada")
    url = f"{SESSIONS}/{session['id']}"
    assert (await client.get(url)).status_code == 404
    assert (await client.get(url, params={"organization_id": "acme"})).status_code == 200
    wrong = {"namespace_id": "acme", "user_id": "bob"}
    assert (await client.get(url, params=wrong)).status_code == 404
    both = {"namespace_id": "acme", "tenant_id": "other"}
    assert (await client.get(url, params=both)).status_code == 400
