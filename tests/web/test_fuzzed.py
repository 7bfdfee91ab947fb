"""Calls that nobody would make, made up from the OpenAPI document: none of them breaks anything."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import anyio
import pytest
import schemathesis
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import TypeAdapter
from schemathesis import Case, Response
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.jsonschema.types import JsonValue
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

import voicesession
from voicesession import AdmissionPolicy
from voicesession.testing.effort import examples
from voicesession.web.auth.api_keys import ApiKey, ApiKeys
from voicesession.web.call import JSON
from voicesession.web.fastapi import voice_router
from voicesession.web.options import WebOptions
from voicesession.web.principal import Principal
from voicesession.web.routes import ROUTES

ANSWERS = {route.name: TypeAdapter(route.answer) for route in ROUTES}
OPEN = {"get_events"}
"""Whose answers have further fields, by the type of the event."""


def says_no_more_than_its_model(_context: object, response: Response, case: Case[Any]) -> None:
    name = case.operation.definition.raw["operationId"]
    is_json = response.headers.get("content-type") == [JSON]
    if response.status_code < 300 and is_json and name not in OPEN:
        ANSWERS[name].validate_json(response.content, extra="forbid")


CHECKS: list[CheckFunction] = [
    says_no_more_than_its_model,
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
BOSS = Principal(tenant_id="acme", user_id="boss", scopes={"admin"})


@contextmanager
def served(keys: ApiKeys | None) -> Generator[str]:
    """A server in a thread of its own, with a house that lives as long as it does."""
    voice = voicesession.open("memory://", admission=AdmissionPolicy(per_user=None))
    app = FastAPI(lifespan=voice.lifespan)
    app.include_router(voice_router(voice, authenticator=keys, options=WebOptions(rate=None)))
    config = uvicorn.Config(app, port=0, ws="none", lifespan="on", log_config=None)
    server = uvicorn.Server(config)
    thread = Thread(target=anyio.run, args=(server.serve,))
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported() -> None:
    # While nothing runs beside it: CPython 3.11 mixes up syntax trees that two threads build.
    empty = {"openapi": "3.1.0", "info": {"title": "", "version": ""}, "paths": {}}
    assert list(schemathesis.openapi.from_dict(empty).get_all_operations()) == []


@pytest.mark.timeout(1_800)  # in proof
@pytest.mark.parametrize("headers", [{"x-api-key": "boss"}, {}], ids=["auth on", "auth off"])
def test_no_call_that_the_document_allows_or_forbids_breaks_the_server(
    headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    keys = ApiKeys([ApiKey.of("boss", name="boss", principal=BOSS)]) if headers else None
    with served(keys) as url, caplog.at_level(logging.ERROR):
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        ids = known_ids(schema, headers)
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            try_out(found.ok(), headers, ids)
    assert [told for told in caplog.records if told.levelno >= logging.ERROR] == []


def known_ids(schema: OpenApiSchema, headers: dict[str, str]) -> dict[str, str]:
    """Something that is there, so that calls come further than to a 404."""
    made: dict[str, str] = {}
    bodies: dict[str, JsonValue] = {
        "session": {"user_id": "ada", "store_transcript": True},
        "template": {"name": "a"},
    }
    for kind, body in bodies.items():
        case = schema[f"/v1/{kind}s"]["POST"].Case(body=body, media_type="application/json")
        made[f"{kind}_id"] = case.call(headers=headers).json()[kind]["id"]
    return made | {"scope": "user", "id": "ada"}


def try_out(operation: Any, headers: dict[str, str], ids: dict[str, str]) -> None:
    strategy = operation.as_strategy() | operation.as_strategy(
        generation_mode=schemathesis.GenerationMode.NEGATIVE
    )

    @settings(
        max_examples=examples(3),
        deadline=None,
        database=None,
        suppress_health_check=[*HealthCheck],
    )
    @given(case=strategy, is_known=st.booleans())
    def attempt(case: Any, is_known: bool) -> None:
        if is_known and case.method.upper() != "DELETE":
            for name in case.path_parameters or {}:
                case.path_parameters[name] = ids[name]
        case.call_and_validate(headers=headers, checks=CHECKS)

    attempt()
