"""A server that is newer than its client says more, and is understood all the same."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import TypeAdapter
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.client.stage import House, open_house

from voicesession import SessionNotFound
from voicesession.client.operations import OPERATIONS
from voicesession.core.accounts import Scope as Whose
from voicesession.core.meters import Meter
from voicesession.core.windows import Window
from voicesession.schemas.problems import Problem
from voicesession.schemas.requests import NewRoom, NewTemplate, SessionChanges, SetLimit


class SaysMore:
    """Adds something to each object of JSON that the server answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}

        async def say_more(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            headers = MutableHeaders(scope=start)
            if "json" in headers.get("content-type", ""):
                message = {
                    **message,
                    "body": json.dumps(more(json.loads(message["body"]))).encode(),
                }
                headers["content-length"] = str(len(message["body"]))
            if start:
                await send(start)
                start = {}
            await send(message)

        await self._app(scope, receive, say_more if scope["type"] == "http" else send)


def more(document: object) -> object:
    """Return *document* with something new in each of its objects."""
    if isinstance(document, list):
        return [more(one) for one in cast("list[object]", document)]
    if not isinstance(document, dict):
        return document
    known = cast("dict[str, Any]", document)
    told = {name: value if name == "budget" else more(value) for name, value in known.items()}
    return told | {"since_the_next_version": {"a": [1]}}


@pytest.fixture
async def newer(tmp_path: Path) -> AsyncGenerator[House]:
    """A server of the next version."""
    async with open_house(tmp_path, middleware=[Middleware(SaysMore)]) as house:
        yield house


async def test_whatever_a_newer_server_adds_each_answer_is_read(newer: House) -> None:
    over = await newer.finished_session()
    async with newer.client("ada") as ada, newer.client("boss") as boss:
        session = await ada.create()
        assert await ada.get(session.id) == session
        assert [row.id for row in (await ada.find()).sessions] == [session.id, over]
        changed = await ada.change(session.id, SessionChanges(metadata={"call": "42"}))
        assert changed.metadata["call"] == "42"
        assert session.id in (await ada.ticket(session.id)).websocket_url
        assert (await ada.transcript(over)).utterances[0].speaker == "user"
        assert (await ada.events(over)).events[0].seq == 1
        assert (await ada.stats(over)).audio_chunks_received == 1
        assert await ada.tasks(over) == []
        assert (await ada.end(session.id)).id == session.id
        assert (await ada.delete(over)).deleted
        template = await boss.templates.create(NewTemplate.model_validate({"name": "Talk"}))
        assert await boss.templates.get(template.id) == template
        assert (await boss.templates.find()).templates == [template]
        wanted = NewRoom.model_validate({"session_template_id": template.id})
        assert (await ada.start(wanted)).room_name.startswith("session_")
        limit = SetLimit(meter=Meter.AUDIO_US, window=Window.DAY, amount=1, warn_at=0.8)
        assert (await boss.budgets.set_limit(Whose.USER, "ada", limit)).standings
        await ada.ready()
        with pytest.raises(SessionNotFound):
            await ada.get("sess_nowhere")


@pytest.mark.parametrize(
    "answer",
    [*(one.answer for one in OPERATIONS), TypeAdapter(Problem)],
    ids=[*(one.name for one in OPERATIONS), "problem"],
)
def test_no_answer_is_closed_to_what_may_come(answer: TypeAdapter[Any]) -> None:
    assert '"additionalProperties": false' not in json.dumps(answer.json_schema())
