"""What HTTP still does with a session that has nothing left to spend."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import pytest

from voicesession import Limit, SessionManager
from voicesession.core.accounts import Account, Scope
from voicesession.core.meters import Meter

SETTLES = """
    GET
    GET     /events
    GET     /stats
    GET     /tasks
    PATCH
    POST    /ticket
    POST    /pause
    POST    /end
"""
REFUSED = """
    POST    /resume    402 budget_exhausted
    DELETE  -          409 invalid_state
"""


def calls(table: str) -> list[list[str]]:
    return [line.split() for line in table.strip().splitlines()]


@asynccontextmanager
async def exhausted(client: httpx2.AsyncClient, voice: SessionManager) -> AsyncGenerator[str]:
    """Yield the path of a session that has spent all there is."""
    acme = voice.for_tenant("acme")
    account = Account(Scope.USER, "ada", acme.tenant_id)
    daily = Limit(account=account, meter=Meter.AUDIO_US, window="day", amount=60_000_000)
    await acme.budgets.set_limit(daily)
    session_id = (await client.post("/v1/sessions", json={})).json()["session"]["id"]
    async with acme.attach(session_id) as handle:
        await handle.live()
        await handle.charge(audio_minutes=1)
        assert handle.session.pause_reasons == {"budget_exhausted"}
        yield f"/v1/sessions/{session_id}"


@pytest.mark.parametrize("call", calls(SETTLES), ids=" ".join)
async def test_what_settles_is_done(
    ada: httpx2.AsyncClient, voice: SessionManager, call: list[str]
) -> None:
    method, *path = call
    body = {"metadata": {"a": "b"}} if method == "PATCH" else None
    async with exhausted(ada, voice) as session:
        answer = await ada.request(method, session + "".join(path), json=body)
        assert answer.is_success, answer.text
        after = (await ada.get(session)).json()["session"]
        assert after["state"] == ("ENDED" if path == ["/end"] else "PAUSED")
        assert after["audio_minutes_used"] == 1


@pytest.mark.parametrize("call", calls(REFUSED), ids=" ".join)
async def test_what_does_not_is_refused_and_changes_nothing(
    ada: httpx2.AsyncClient, voice: SessionManager, call: list[str]
) -> None:
    method, path, status, code = call
    async with exhausted(ada, voice) as session:
        before = (await ada.get(session)).json()
        answer = await ada.request(method, session + path.strip("-"))
        assert (answer.status_code, answer.json()["code"]) == (int(status), code)
        assert (await ada.get(session)).json() == before
