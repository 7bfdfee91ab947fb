"""The journal over HTTP: page by page, and as a stream over a real connection."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import anyio
import httpx2
import pytest
from starlette.types import ASGIApp
from tests.patience import PATIENCE_S

from voicesession import SessionManager
from voicesession.web.options import WebOptions
from voicesession.web.principal import Authenticator
from voicesession.web.starlette import voice_app

SESSIONS = "/v1/sessions"
STREAM = {"accept": "text/event-stream", "x-api-key": "ada"}


@pytest.fixture
def app(voice: SessionManager, keys: Authenticator, make_app: Callable[..., ASGIApp]) -> ASGIApp:
    options = WebOptions(
        heartbeat=timedelta(milliseconds=20), look_again=timedelta(milliseconds=10), max_streams=2
    )
    return make_app(voice, authenticator=keys, options=options)


@pytest.fixture
async def server(app: ASGIApp, serving: Callable[..., Any]) -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        serving(app) as url,
        httpx2.AsyncClient(base_url=url, headers=STREAM, timeout=PATIENCE_S) as client,
    ):
        yield client


async def told(answer: httpx2.Response) -> AsyncIterator[dict[str, str]]:
    """The events of a stream, and its comments under an empty name."""
    event: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            event[name] = value.strip()
        elif event:
            yield event
            event = {}


async def live_session(voice: SessionManager) -> str:
    return (await voice.for_tenant("acme").create(user_id="ada")).id


async def test_the_journal_comes_in_pages(
    ada: httpx2.AsyncClient, finished: Callable[..., Any]
) -> None:
    url = f"{SESSIONS}/{await finished()}/events"
    whole = (await ada.get(url)).json()
    assert [event["seq"] for event in whole["events"]] == [*range(1, len(whole["events"]) + 1)]
    assert "treasure" not in str(whole)
    pages: list[Any] = []
    after = 0
    while True:
        page = (await ada.get(url, params={"after": after, "limit": 2})).json()
        pages += page["events"]
        after = page["last_seq"]
        if not page["has_more"]:
            break
    assert pages == whole["events"]


async def test_a_stream_tells_what_happened_then_what_happens_and_ends_with_the_session(
    server: httpx2.AsyncClient, voice: SessionManager
) -> None:
    acme, session_id = voice.for_tenant("acme"), await live_session(voice)
    seen: list[tuple[str, str]] = []
    async with server.stream("GET", f"{SESSIONS}/{session_id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for event in told(answer):
            if "event" in event:
                seen.append((event["id"], event["event"]))
            if len(seen) == 1 and "event" in event:
                await acme.update(session_id, metadata={"a": 1})
            if len(seen) == 2 and "event" in event:
                await acme.end(session_id)
    assert seen == [("1", "connect_requested"), ("2", "details_changed"), ("3", "end_requested")]


async def test_who_comes_back_misses_nothing_and_hears_nothing_twice(
    server: httpx2.AsyncClient, voice: SessionManager
) -> None:
    acme, session_id = voice.for_tenant("acme"), await live_session(voice)
    heard: list[int] = []
    for number in range(8):
        await acme.update(session_id, metadata={"number": number})
    while len(heard) < 9:
        headers = {"last-event-id": str(heard[-1])} if heard else {}
        async with server.stream(
            "GET", f"{SESSIONS}/{session_id}/events", headers=headers
        ) as answer:
            async for event in told(answer):
                if "event" not in event:
                    continue
                heard.append(int(event["id"]))
                if len(heard) % 3 == 0:
                    break  # the connection is cut after every third event
    assert heard == [*range(1, 10)]
    await acme.end(session_id)
    over = await server.get(f"{SESSIONS}/{session_id}/events", headers={"last-event-id": "10"})
    assert (over.status_code, over.content) == (204, b"")


async def test_a_stream_says_that_it_is_there_while_nothing_happens(
    server: httpx2.AsyncClient, voice: SessionManager
) -> None:
    session_id = await live_session(voice)
    beats = 0
    async with server.stream("GET", f"{SESSIONS}/{session_id}/events") as answer:
        async for line in answer.aiter_lines():
            beats += line.startswith(":")
            if beats == 3:
                break
    assert beats == 3


async def test_a_list_says_when_to_look_again_and_of_nobody_elses_sessions(
    server: httpx2.AsyncClient, voice: SessionManager
) -> None:
    acme = voice.for_tenant("acme")
    signs = beats = 0
    async with server.stream("GET", SESSIONS) as answer:
        async for line in answer.aiter_lines():
            signs += line == "event: look_again"
            beats += line.startswith(":")
            if line == "data: {}" and signs == 1:
                await acme.create(user_id="bob")
                beats = 0
            elif beats == 3 and signs == 1:  # it was looked at again and again meanwhile
                await acme.create(user_id="ada")
            elif signs == 2:
                break
    assert (await acme.find(user_id="ada", limit=2)).sessions


@pytest.mark.parametrize("path", ["", "/{id}/events"])
async def test_a_stranger_hears_nothing(
    server: httpx2.AsyncClient, voice: SessionManager, path: str
) -> None:
    session_id = await live_session(voice)
    for person, status in (("bob", 404), ("eve", 404), ("nothing", 403), ("nobody", 401)):
        headers = {"x-api-key": person}
        url = SESSIONS + path.format(id=session_id)
        async with server.stream("GET", url, headers=headers, params={"user_id": "ada"}) as answer:
            if (person, path) == ("eve", ""):  # she is an administrator, of another tenant
                assert [line async for line in _first_event(answer)] == ["data: {}"]
            else:
                assert answer.status_code == status


async def _first_event(answer: httpx2.Response) -> AsyncIterator[str]:
    async for line in answer.aiter_lines():
        if line.startswith("data:"):
            yield line
            return


async def test_only_so_many_streams_are_open_and_each_gives_its_place_back(
    server: httpx2.AsyncClient, voice: SessionManager
) -> None:
    url = f"{SESSIONS}/{await live_session(voice)}/events"
    async with server.stream("GET", url) as first, server.stream("GET", url) as second:
        for stream in (first, second):
            await anext(stream.aiter_lines())
        refused = await server.get(url)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    with anyio.fail_after(PATIENCE_S):
        while (await server.get(url, headers={"accept": "application/json"})).is_error:
            pass
        while True:  # until the server has noticed that both are gone
            async with server.stream("GET", url) as third:
                if third.status_code == 200:
                    break


async def test_a_stream_of_a_session_that_is_deleted_ends(
    server: httpx2.AsyncClient, voice: SessionManager
) -> None:
    acme, session_id = voice.for_tenant("acme"), await live_session(voice)
    with anyio.fail_after(PATIENCE_S):
        async with server.stream("GET", f"{SESSIONS}/{session_id}/events") as answer:
            async for event in told(answer):
                if event.get("event") == "connect_requested":
                    await acme.delete(session_id, end=True)


async def test_a_stream_lasts_only_so_long(
    voice: SessionManager,
    keys: Authenticator,
    as_person: Callable[..., httpx2.AsyncClient],
) -> None:
    options = WebOptions(streams_for=timedelta(0))
    app = voice_app(voice, authenticator=keys, options=options)
    session_id = await live_session(voice)
    answer = await as_person("ada", of=app).get(
        f"{SESSIONS}/{session_id}/events", headers={"accept": "text/event-stream"}
    )
    assert answer.text == ": still here\n\n"
