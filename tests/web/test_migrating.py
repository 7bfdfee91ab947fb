"""The page for those who come with an app of their own sends them to what there is."""

import re
from pathlib import Path
from typing import Any, get_args

from attrs import fields

from voicesession import LifePolicy, Session, SessionHandle, SessionManager
from voicesession.schemas.messages import ClientMessage, ServerMessage
from voicesession.schemas.records import Links, RemainingToday, SessionRecord
from voicesession.schemas.requests import NewSession
from voicesession.web.routes import ROUTES

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "migrate.md").read_text()


def ours(title: str) -> list[str]:
    """What stands in the second column of a table of the page."""
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    assert len({len(row) for row in rows}) == 1
    assert f"\n{section}".count("\n\n| ") == 1  # in one piece
    return [row[1] for row in rows[1:]]


def kinds_of(union: Any) -> set[str]:
    models = get_args(get_args(union)[0])
    return {str(model.model_fields["type"].default) for model in models}


def test_each_call_is_one_that_there_is() -> None:
    there = {(method, route.path) for route in ROUTES for method in route.methods}
    named = re.findall(r"`(GET|POST|PATCH|PUT|DELETE) ([^` ?]+)", "\n".join(ours("Endpoints")))
    assert named
    for method, path in named:
        of_session = re.sub(r"^(…|/v1/sessions)", "", path).replace("{id}", "{session_id}")
        standing = path.replace("/user/{id}", "/{scope}/{id}")
        assert {(method, of_session), (method, standing)} & there, (method, path)


def test_each_message_is_one_that_there_is() -> None:
    known = kinds_of(ServerMessage) | kinds_of(ClientMessage)
    named = re.findall(r"`([a-z]+\.[a-z_]+)", "\n".join(ours("Messages")))
    assert set(named) - {"utterance.speaker"} <= known


def test_each_field_is_one_that_there_is() -> None:
    known = {*SessionRecord.model_fields, *NewSession.model_fields, "session_id"}
    inside = {*Links.model_fields, *RemainingToday.model_fields, ""}
    for name in re.findall(r"`(.+?)`", "\n".join(ours("Fields"))):
        outer, _, inner = name.partition(".")
        assert outer in known, name
        assert inner in inside, name


def test_each_method_and_setting_is_one_that_there_is() -> None:
    code = "\n".join(ours("Code"))
    holders = {"call": SessionHandle, "voice": SessionManager, "session": Session}
    named = re.findall(r"\b(call|voice|session)\.(\w+)", code)
    assert {holder for holder, _ in named} == set(holders)
    for holder, name in named:
        assert hasattr(holders[holder], name) or name == "budgets", name
    assert set(re.findall(r"LifePolicy\((\w+)=", code)) <= {one.name for one in fields(LifePolicy)}
