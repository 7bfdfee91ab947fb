"""What the server offers, what the client asks for and what the pages say is one and the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from voicesession.client import Stream, VoiceClient
from voicesession.client.budgets import Budgets
from voicesession.client.operations import OPERATIONS, Operation
from voicesession.client.templates import Templates
from voicesession.schemas.requests import Whose
from voicesession.web.routes import ROUTES, SESSION_ROUTES
from voicesession.web.routing import Route

DOCS = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (DOCS / "client.md").read_text()
NOT_FOR_CLIENTS = {"livekit_webhook", "healthz", "metrics"}
"""For LiveKit, and for whoever keeps the process running."""
NO_JSON = {"get_audio"}

PLACES = {VoiceClient: "", Templates: "templates.", Budgets: "budgets."}


def path_of(route: Route) -> str:
    return ("{sessions}" if route in SESSION_ROUTES else "") + route.path


def rows() -> list[tuple[str, str, str]]:
    found = re.findall(r"^\| `(.*?)` \| `([A-Z]+) (.*?)` \|", PAGE, re.MULTILINE)
    return [(methods, verb, path) for methods, verb, path in found]


def test_the_client_asks_for_everything_that_the_server_offers() -> None:
    offered = [route for route in ROUTES if route.name not in NOT_FOR_CLIENTS]
    assert [(one.name, one.method, one.path) for one in OPERATIONS] == [
        (route.name, route.methods[0], path_of(route)) for route in offered
    ]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_an_answer_is_read_as_what_the_server_writes(operation: Operation[Any]) -> None:
    (route,) = (route for route in ROUTES if route.name == operation.name)
    if operation.name not in NO_JSON:
        written = TypeAdapter(route.answer).json_schema()
        assert operation.answer.json_schema() == written
    assert operation.of_a_tenant == issubclass(route.query, Whose)


def test_the_page_of_the_client_has_every_call_and_the_page_of_the_server_too() -> None:
    told = [(verb, path) for _, verb, path in rows()]
    assert told == [
        (one.method, one.path.replace("{sessions}", "/v1/sessions")) for one in OPERATIONS
    ]
    server = (DOCS / "http.md").read_text()
    for verb, path in told:
        assert re.search(rf"^\| `{verb}[A-Z, ]*` `{re.escape(path)}` \|", server, re.MULTILINE)


def test_the_page_names_every_method_and_each_is_there() -> None:
    told = {name for names, _, _ in rows() for name in re.findall(r"[a-z_.]+", names)}
    there = {
        f"{place}{name}"
        for kind, place in PLACES.items()
        for name in vars(kind)
        if not name.startswith("_")
    }
    assert told == there - {"stream"}


def test_the_page_names_everything_that_a_stream_can_say() -> None:
    section = PAGE.split("## A conversation")[1].split("\n## ")[0]
    said = {name for name in vars(Stream) if not name.startswith("_")}
    assert {name for name in said if f"`{name}" not in section} == set()
