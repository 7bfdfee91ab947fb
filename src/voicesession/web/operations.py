"""A route as OpenAPI 3.1 describes an operation: parameters, body, answers and problems."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final, cast

from pydantic import BaseModel

from ..schemas.problems import Problem
from .call import JSON
from .routing import Route
from .statuses import PROBLEM_TYPE, STATUSES

__all__ = ("operation_of", "responses_of")

_A_PLACE: Final = re.compile(r"\{(\w+)\}")
_REF: Final = "#/$defs/"
_ALWAYS: Final = (400, 429, 500)
_OF_THE_KNOWN: Final = (401, 403, 503, 504)
_OF_A_BODY: Final = (408, 413)
_PROBLEM: Final = Problem.model_json_schema()
_FURTHER: Final[dict[str, dict[int, str]]] = {
    "audio/wav": {206: "A part of it", 307: "Where to fetch it"},
    "text/event-stream": {},
}


def operation_of(route: Route) -> dict[str, Any]:
    """Return what a caller may say, for the operation of *route*."""
    operation: dict[str, Any] = {"parameters": [*_path(route), *_query(route), *_headers(route)]}
    if route.takes_body and not route.reads_raw:
        operation["requestBody"] = {
            "required": any(field.is_required() for field in route.body.model_fields.values()),
            "content": {JSON: {"schema": _inlined(route.body)}},
        }
    return operation


def responses_of(route: Route) -> dict[int | str, dict[str, Any]]:
    """Return what may come back, besides JSON of the route's own model."""
    responses: dict[int | str, dict[str, Any]] = {
        route.status: {"description": route.summary, "content": _other_content(route)}
    }
    for media_type in route.media_types:
        for status, meaning in _FURTHER.get(media_type, {}).items():
            content = _other_content(route) if status < 300 else {}
            responses[status] = {"description": meaning, "content": content}
    if route.name == "get_events":
        responses[204] = {"description": "The session is over, and all has been said"}
    for status in sorted(_problems(route)):
        responses[status] = {
            "description": "; ".join(
                told.title for told in STATUSES.values() if told.http == status
            ),
            "content": {PROBLEM_TYPE: {"schema": _problem(status)}},
        }
    return responses


def _problems(route: Route) -> set[int]:
    statuses = {*_ALWAYS, *route.errors}
    if route.permissions:
        statuses |= {*_OF_THE_KNOWN}
    if route.takes_body:
        statuses |= {*_OF_A_BODY}
    return statuses


def _other_content(route: Route) -> dict[str, Any]:
    return {
        media_type: {"schema": {"type": "string"} if "wav" not in media_type else {}}
        for media_type in route.media_types
    }


def _path(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _A_PLACE.findall(route.path)
    ]


def _query(route: Route) -> list[dict[str, Any]]:
    schema = _inlined(route.query)
    required = schema.get("required", ())
    parameters: list[dict[str, Any]] = []
    for name, described in schema.get("properties", {}).items():
        parameter = {"name": name, "in": "query", "required": name in required}
        kept = {word: value for word, value in described.items() if word != "description"}
        if "description" in described:
            parameter["description"] = described["description"]
        parameters.append(parameter | {"schema": _without_null(kept)})
    return parameters


def _headers(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": meaning,
            "schema": {"type": "string"},
        }
        for name, meaning in route.headers.items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """In a URL there is no null: what is not said is left out."""
    if "anyOf" not in schema:
        return schema
    kinds = [kind for kind in schema["anyOf"] if kind != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return {**rest, **kinds[0]} if len(kinds) == 1 else {**rest, "anyOf": kinds}


def _problem(status: int) -> dict[str, Any]:
    """The body of one status: which codes it may have is what a program wants to know."""
    kinds = {
        name: {"type": schema["type"]}
        for name, schema in _PROBLEM["properties"].items()
        if "type" in schema
    }
    codes = [code for code, told in STATUSES.items() if told.http == status]
    return {
        "title": "Problem",
        "type": "object",
        "required": _PROBLEM["required"],
        "properties": {**kinds, "status": {"const": status}, "code": {"enum": codes}},
    }


@cache
def _inlined(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of *model* in one piece, as it stands in the middle of a document.

    Routes share it: it is not to be changed.
    """
    schema = model.model_json_schema()
    definitions: dict[str, Any] = schema.pop("$defs", {})

    def whole(part: Any) -> Any:
        if isinstance(part, list):
            return [whole(item) for item in cast("list[object]", part)]
        if not isinstance(part, dict):
            return part
        known = cast("dict[str, Any]", part)
        if (ref := known.get("$ref", "")).startswith(_REF):
            rest = {name: whole(value) for name, value in known.items() if name != "$ref"}
            return {**whole(definitions[ref.removeprefix(_REF)]), **rest}
        return {name: whole(value) for name, value in known.items()}

    inlined: dict[str, Any] = whole(schema)
    return inlined
